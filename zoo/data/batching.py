"""Batches of what is in memory already, on any backend and without TensorFlow, and of texts of different lengths."""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from zoo.data.epochs import Epochs
from zoo.data.tensors import tensorflow


class Batches(keras.utils.PyDataset):
    """Batches that `fit` takes one after another.

    Args:
        make: the row numbers of some examples -> their batch.
        groups: the row numbers of each batch of an epoch; called again for each epoch.
        epochs: what `groups` draws from, if it draws.

    >>> letters = Batches(lambda rows: "".join("abc"[row] for row in rows), lambda: [np.array([2, 0]), np.array([1])])
    >>> len(letters), [*letters]
    (2, ['ca', 'b'])
    """

    def __init__(self, make: Callable[[Any], Any], groups: Callable[[], Sequence[Any]], epochs: Epochs | None = None):
        super().__init__()
        self.make, self.groups, self.epochs = make, groups, epochs or Epochs(seed=0)
        self.epoch, self.current = self.epochs.number, groups()  # of this epoch
        self.skipped = 0

    def __len__(self) -> int:
        return len(self.current) - self.skipped

    def __getitem__(self, number: int) -> Any:
        return self.make(self.current[self.skipped + number])

    def on_epoch_begin(self) -> None:
        """Batches of the next epoch. Keras looks at some before the first begins."""
        if self.epoch != self.epochs.begin():
            self.epoch, self.current = self.epochs.number, self.groups()

    def __iter__(self) -> Iterator[Any]:
        """An epoch."""
        self.on_epoch_begin()
        yield from map(self.make, self.current[self.skipped :])

    def map(self, change: Callable[..., tuple[Any, ...]]) -> "Batches":
        """The same batches, each changed by ``change(inputs, targets)``, as `map` of a ``tf.data.Dataset`` does."""
        changed = copy.copy(self)
        changed.make = lambda rows: change(*self.make(rows))
        return changed

    def skip(self, count: int) -> "Batches":
        """The same without the first batches of each epoch, as `skip` of a ``tf.data.Dataset`` does."""
        rest = copy.copy(self)
        rest.skipped = self.skipped + count
        return rest

    def as_numpy_iterator(self) -> Iterator[Any]:
        """An epoch, as a ``tf.data.Dataset`` gives it."""
        return iter(self)

    def as_dataset(self) -> Any:
        """The same as a ``tf.data.Dataset``, whose own thread does not tune it: it sleeps twice as long each time, and
        the end of a short epoch waited for it, up to as long as the epoch had taken."""
        from zoo.data.generators import from_generator

        tf = tensorflow()
        spec = tf.nest.map_structure(lambda a: tf.TensorSpec(a.shape, a.dtype), self[0])
        untuned = tf.data.Options()
        untuned.autotune.enabled = False
        examples = from_generator(lambda: iter(self), spec).with_options(untuned)
        return examples.apply(tf.data.experimental.assert_cardinality(len(self)))


class RepeatedBatch(keras.utils.PyDataset):
    """One batch, again and again."""

    def __init__(self, batch: Any, count: int):
        super().__init__()
        self.batch, self.count = batch, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Any:
        return self.batch


def shared_equally(dataset: Any, devices: int) -> Any:
    """Batches without the last examples that so many devices cannot share equally: of each fewer than `devices`.
    A batch of fewer is filled up with its own again.

    >>> letters = Batches(lambda rows: (rows, rows), lambda: [np.arange(5), np.arange(1)])
    >>> [x.tolist() for x, _ in shared_equally(letters, 2)]
    [[0, 1, 2, 3], [0, 0]]
    """
    if isinstance(dataset, Batches):
        take, count, most = np.take, len, max
    else:
        from zoo.data.tensors import tensorflow

        tf = tensorflow()
        take, count, most = tf.gather, lambda part: tf.shape(part)[0], tf.maximum

    def change(*batch: Any) -> tuple[Any, ...]:
        size = count(keras.tree.flatten(batch)[0])
        rows = (np.arange if take is np.take else tf.range)(most(size // devices, 1) * devices) % size
        return tuple(keras.tree.map_structure(lambda part: take(part, rows, axis=0), part) for part in batch)

    return dataset.map(change)


def padded(rows: Sequence[np.ndarray], width: int) -> np.ndarray:
    """Rows of different lengths as one array (rows, width) int32, 0 behind each.

    >>> padded([np.array([1, 2]), np.array([3])], 3).tolist()
    [[1, 2, 0], [3, 0, 0]]
    """
    table = np.zeros((len(rows), width), "int32")
    for number, row in enumerate(rows):
        table[number, : len(row)] = row
    return table


def bucket_by_length(
    lengths: np.ndarray, max_lengths: Sequence[int], batch_sizes: Sequence[int], rng: np.random.Generator
) -> list[np.ndarray]:
    """Row numbers of examples in batches of similar lengths, in random order.

    Args:
        lengths: of each example.
        max_lengths: of each bucket, ascending.
        batch_sizes: of each bucket. What does not fill a batch goes to the next longer bucket: one batch of an epoch
            is not full, and few shapes are compiled.
        rng: shuffles.

    >>> batches = bucket_by_length(np.array([1, 2, 2, 5, 6, 2]), [2, 6], [2, 1], np.random.default_rng(0))
    >>> sorted(sorted(batch.tolist()) for batch in batches)[-2:], len(batches)
    ([[3], [4]], 4)
    """
    buckets = np.searchsorted(max_lengths, lengths)
    left, batches = np.zeros(0, int), []
    for bucket, size in enumerate(batch_sizes):
        rows = np.concatenate([left, rng.permutation(np.flatnonzero(buckets == bucket))]).astype(int)
        last = bucket == len(batch_sizes) - 1
        whole = len(rows) if last else len(rows) // size * size
        batches += [rows[start : start + size] for start in range(0, whole, size)]
        left = rows[whole:]
    return [batches[number] for number in rng.permutation(len(batches))]


def two_widths_first(batches: list[np.ndarray], width_of: Callable[[np.ndarray], int]) -> list[np.ndarray]:
    """The batches, two of different widths first if there are any.

    For TensorFlow, Keras takes the width for fixed if the first two batches have the same.

    >>> batches = [np.array([1]), np.array([1]), np.array([2])]
    >>> [rows.tolist() for rows in two_widths_first(batches, lambda rows: rows[0])]
    [[1], [2], [1]]
    """
    widths = [width_of(rows) for rows in batches]
    other = next((number for number, width in enumerate(widths) if width != widths[0]), 0)
    if other > 1:
        batches[1], batches[other] = batches[other], batches[1]
    return batches
