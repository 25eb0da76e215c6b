"""Batches of what is in memory already, on any backend and without TensorFlow."""

from collections.abc import Callable, Iterator

import keras
import numpy as np


class Batches(keras.utils.PyDataset):
    """Batches that `fit` takes one after another.

    Args:
        make: the numbers of some examples -> their batch.
        groups: the numbers of the examples of each batch; asked anew for each epoch.

    >>> letters = Batches(lambda rows: "".join("abc"[row] for row in rows), lambda: [np.array([2, 0]), np.array([1])])
    >>> len(letters), [*letters]
    (2, ['ca', 'b'])
    """

    def __init__(self, make: Callable[[np.ndarray], tuple], groups: Callable[[], list[np.ndarray]]):
        super().__init__()
        self.make, self.groups = make, groups
        self.now = groups()

    def __len__(self):
        return len(self.now)

    def __getitem__(self, number):
        return self.make(self.now[number])

    def on_epoch_end(self):
        self.now = self.groups()

    def __iter__(self) -> Iterator:
        """An epoch."""
        yield from map(self.make, self.now)
        self.on_epoch_end()

    def as_numpy_iterator(self) -> Iterator:
        """An epoch, as a ``tf.data.Dataset`` gives it."""
        return iter(self)

    def as_dataset(self):
        """The same as a ``tf.data.Dataset``, whose own thread does not tune it: it sleeps twice as long each time, and
        the end of a short epoch waited for it, up to as long as the epoch had taken."""
        from zoo.data.sources import tensorflow

        tf = tensorflow()
        spec = tf.nest.map_structure(lambda a: tf.TensorSpec(a.shape, a.dtype), self[0])
        untuned = tf.data.Options()
        untuned.autotune.enabled = False
        examples = tf.data.Dataset.from_generator(lambda: iter(self), output_signature=spec).with_options(untuned)
        return examples.apply(tf.data.experimental.assert_cardinality(len(self)))


class Again(keras.utils.PyDataset):
    """One batch, some times."""

    def __init__(self, batch, times: int):
        super().__init__()
        self.batch, self.times = batch, times

    def __len__(self):
        return self.times

    def __getitem__(self, number):
        return self.batch


def filled(rows: list[np.ndarray], width: int) -> np.ndarray:
    """Rows of different lengths as one array, 0 behind each.

    >>> filled([np.array([1, 2]), np.array([3])], 3).tolist()
    [[1, 2, 0], [3, 0, 0]]
    """
    table = np.zeros((len(rows), width), "int32")
    for number, row in enumerate(rows):
        table[number, : len(row)] = row
    return table


def by_length(lengths: np.ndarray, longest: list[int], sizes: list[int], rng: np.random.Generator) -> list[np.ndarray]:
    """Numbers of examples in batches of similar lengths, in random order.

    Each kind of batch holds lengths up to its `longest`, and `sizes` of them. What does not fill a batch goes to the
    next longer kind: one batch of an epoch is not full, and few shapes are compiled.

    >>> batches = by_length(np.array([1, 2, 2, 5, 6, 2]), [2, 6], [2, 1], np.random.default_rng(0))
    >>> sorted(sorted(batch.tolist()) for batch in batches)[-2:], len(batches)
    ([[3], [4]], 4)
    """
    kinds = np.searchsorted(longest, lengths)
    left, batches = np.zeros(0, int), []
    for kind, size in enumerate(sizes):
        rows = np.concatenate([left, rng.permutation(np.flatnonzero(kinds == kind))]).astype(int)
        last = kind == len(sizes) - 1
        whole = len(rows) if last else len(rows) // size * size
        batches += [rows[start : start + size] for start in range(0, whole, size)]
        left = rows[whole:]
    return [batches[number] for number in rng.permutation(len(batches))]
