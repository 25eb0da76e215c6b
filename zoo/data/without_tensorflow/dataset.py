"""A pipeline of examples, one after another: the part of ``tf.data.Dataset`` that is used here, in Python's iterators.

`fit`, `evaluate` and `predict` of Keras take it on every backend.
"""

import functools
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from zoo.data.without_tensorflow.arrays import TensorSpec, leaves, mapped, stacked, tensors
from zoo.data.without_tensorflow.threads import Element, fetched_ahead, in_threads

AUTOTUNE, UNKNOWN, INFINITE = -1, -2, -1  # as TensorFlow has them


class Dataset(keras.utils.PyDataset):
    """Elements that are made when they are asked for, anew in each iteration.

    Args:
        iterate: begins an iteration.
        sample: makes an element that shows the form of all; nothing that counts iterations is asked for it.
        count: of the elements; `UNKNOWN` where nobody knows.

    >>> numbers = Dataset.range(5).map(lambda number: (number, number * number)).batch(2)
    >>> [(x.tolist(), y.tolist()) for x, y in numbers]
    [([0, 1], [0, 1]), ([2, 3], [4, 9]), ([4], [16])]
    >>> len(numbers), numbers.skip(2).take(9).cardinality()
    (3, 1)
    """

    def __init__(self, iterate: Callable[[], Iterator[Element]], sample: Callable[[], Element], count: int):
        super().__init__()
        self._iterate, self._count = iterate, count
        self._sample = functools.cache(sample)
        self._reader: Iterator[Element] = iter(())
        self._next = 0

    def __iter__(self) -> Iterator[Element]:
        return self._iterate()

    as_numpy_iterator = __iter__

    def __len__(self) -> int:
        if self._count < 0:
            raise TypeError("the dataset has no known length")
        return self._count

    @property
    def num_batches(self) -> int | None:
        return self._count if self._count >= 0 else None

    def __getitem__(self, number: int) -> Element:
        """For Keras, which asks for one after another and begins with 0 again."""
        if number != self._next or not number:
            self._reader, self._next = itertools.islice(self, number, None), number
        self._next += 1
        return next(self._reader)

    def cardinality(self) -> int:
        return self._count

    @property
    def element_spec(self) -> Any:
        """The form of the elements: that of a sample, where they differ."""
        return mapped(TensorSpec.of, self._sample())

    def _like(self, iterate: Callable[[], Iterator[Element]], count: int) -> "Dataset":
        """Elements of the same form."""
        return Dataset(iterate, self._sample, count)

    # Where they come from

    @staticmethod
    def from_tensor_slices(structure: Any) -> "Dataset":
        arrays = tensors(structure)
        count = len(leaves(arrays)[0])

        def row(number: int) -> Element:
            return mapped(lambda array: array[number], arrays)

        def sample() -> Element:
            if count:
                return row(0)
            return mapped(lambda array: TensorSpec(array.shape[1:], array.dtype).zeros(), arrays)

        return Dataset(lambda: map(row, range(count)), sample, count)

    @staticmethod
    def from_generator(generate: Callable[[], Iterable[Any]], output_signature: Any) -> "Dataset":
        def sample() -> Element:
            return mapped(lambda spec: spec.zeros(), output_signature)

        return Dataset(lambda: map(tensors, generate()), sample, UNKNOWN)

    @staticmethod
    def range(*limits: int) -> "Dataset":
        numbers = range(*(int(limit) for limit in limits))
        return Dataset(lambda: map(np.int64, numbers), lambda: np.int64(0), len(numbers))

    @staticmethod
    def counter() -> "Dataset":
        return Dataset(lambda: map(np.int64, itertools.count()), lambda: np.int64(0), INFINITE)

    @staticmethod
    def zip(*datasets: "Dataset") -> "Dataset":
        known = [each._count for each in datasets if each._count != INFINITE]
        count = UNKNOWN if UNKNOWN in known else min(known, default=INFINITE)
        return Dataset(lambda: zip(*datasets), lambda: tuple(each._sample() for each in datasets), count)

    # What becomes of each

    def map(self, change: Callable[..., Any], num_parallel_calls: int | None = None) -> "Dataset":
        def changed(element: Element) -> Element:
            return tensors(change(*element) if isinstance(element, tuple) else change(element))

        def iterate() -> Iterator[Element]:
            return in_threads(changed, iter(self)) if num_parallel_calls else map(changed, self)

        return Dataset(iterate, lambda: changed(self._sample()), self._count)

    def flat_map(self, make: Callable[..., "Dataset"]) -> "Dataset":
        def iterate() -> Iterator[Element]:
            for element in self:
                yield from make(*element) if isinstance(element, tuple) else make(element)

        return Dataset(iterate, lambda: make(self._sample())._sample(), UNKNOWN)

    def filter(self, keep: Callable[..., Any]) -> "Dataset":
        def kept(element: Element) -> bool:
            return bool(keep(*element) if isinstance(element, tuple) else keep(element))

        return self._like(lambda: filter(kept, self), UNKNOWN)

    def enumerate(self) -> "Dataset":
        return Dataset.zip(Dataset.counter(), self)

    def batch(self, batch_size: int) -> "Dataset":
        def iterate() -> Iterator[Element]:
            elements = iter(self)
            while rows := list(itertools.islice(elements, batch_size)):
                yield mapped(stacked, *rows)

        count = -(-self._count // batch_size) if self._count > 0 else self._count
        return Dataset(iterate, lambda: mapped(stacked, self._sample()), count)

    def unbatch(self) -> "Dataset":
        def iterate() -> Iterator[Element]:
            for batch in self:
                for number in range(len(leaves(batch)[0])):
                    yield mapped(lambda array, number=number: array[number], batch)

        return Dataset(iterate, lambda: mapped(lambda array: array[0], self._sample()), UNKNOWN)

    def bucket_by_sequence_length(
        self,
        element_length_func: Callable[..., Any],
        bucket_boundaries: Sequence[int],
        bucket_batch_sizes: Sequence[int],
        pad_to_bucket_boundary: bool = False,
    ) -> "Dataset":
        """Batches of elements whose first part is about as long, padded with zeros: to one less than their boundary."""

        def batch_of(rows: list[Element], bucket: int) -> Element:
            longest = max(len(row[0]) for row in rows)
            width = bucket_boundaries[bucket] - 1 if bucket < len(bucket_boundaries) else longest
            width = width if pad_to_bucket_boundary else longest
            return stacked(*(np.pad(row[0], (0, width - len(row[0]))) for row in rows)), *(
                stacked(*column) for column in zip(*(row[1:] for row in rows))
            )

        def iterate() -> Iterator[Element]:
            waiting: dict[int, list[Element]] = {}
            for element in self:
                length = int(element_length_func(*element))
                bucket = int(np.searchsorted(bucket_boundaries, length, "right"))
                rows = waiting.setdefault(bucket, [])
                rows.append(element)
                if len(rows) == bucket_batch_sizes[bucket]:
                    yield batch_of(waiting.pop(bucket), bucket)
            for bucket in sorted(waiting):
                yield batch_of(waiting[bucket], bucket)

        return Dataset(iterate, lambda: mapped(stacked, self._sample()), UNKNOWN)

    # Which of them, how often and in what order

    def take(self, count: int) -> "Dataset":
        least = count if self._count == INFINITE else min(count, self._count)
        return self._like(lambda: itertools.islice(self, count), least)

    def skip(self, count: int) -> "Dataset":
        rest = max(self._count - count, 0) if self._count >= 0 else self._count
        return self._like(lambda: itertools.islice(self, count, None), rest)

    def repeat(self, count: int) -> "Dataset":
        def iterate() -> Iterator[Element]:
            for _ in range(count):
                yield from self

        return self._like(iterate, self._count * count if self._count >= 0 else self._count)

    def concatenate(self, other: "Dataset") -> "Dataset":
        known = self._count >= 0 and other._count >= 0
        return self._like(lambda: itertools.chain(self, other), self._count + other._count if known else UNKNOWN)

    def shuffle(self, buffer_size: int, seed: Any = 0, reshuffle_each_iteration: bool = True) -> "Dataset":
        """Each next one is drawn from a buffer, which is filled up again."""
        iterations = itertools.count()

        def iterate() -> Iterator[Element]:
            number = next(iterations) if reshuffle_each_iteration else 0
            rng = np.random.default_rng([*np.atleast_1d(seed).astype("uint64"), number])
            elements = iter(self)
            buffer = list(itertools.islice(elements, int(buffer_size)))
            for element in elements:
                place = rng.integers(len(buffer))
                drawn, buffer[place] = buffer[place], element
                yield drawn
            yield from (buffer[place] for place in rng.permutation(len(buffer)))

        return self._like(iterate, self._count)

    def cache(self) -> "Dataset":
        """Kept in memory when they have been gone through once."""
        kept: list[Element] = []
        whole = threading.Event()

        def iterate() -> Iterator[Element]:
            if whole.is_set():
                yield from kept
                return
            found = []
            for element in self:
                found.append(element)
                yield element
            kept[:] = found
            whole.set()

        return self._like(iterate, self._count)

    def prefetch(self, buffer_size: int) -> "Dataset":
        return self._like(lambda: fetched_ahead(self, buffer_size if buffer_size > 0 else 2), self._count)

    def apply(self, change: Callable[["Dataset"], "Dataset"]) -> "Dataset":
        return change(self)


def assert_cardinality(count: int) -> Callable[[Dataset], Dataset]:
    return lambda dataset: dataset._like(lambda: iter(dataset), int(count))
