"""Which epoch the batches of a training are of. What is shuffled, drawn and augmented depends on the seed and on that
number alone: a training that was interrupted goes on with epoch 12 as if it had been through the eleven before."""

from collections.abc import Callable
from typing import Any

import numpy as np

from zoo.data.by_rows import rows_of
from zoo.data.generators import from_generator
from zoo.data.tensors import tensorflow

Tensor = Any  # of TensorFlow
Dataset = Any  # of TensorFlow


class Epochs:
    """The epochs of a training, counted.

    Batches call `begin` each time they are gone through, and are those of the next epoch, 0 at first. Whoever sets
    `next` before has those of another one.

    Args:
        seed: of the training.
        anew: False has every epoch be the first, for what is measured.

    >>> epochs = Epochs(seed=7)
    >>> orders = [(epochs.begin(), epochs.rng().permutation(5).tolist()) for _ in range(2)]
    >>> epochs.next = 1
    >>> (epochs.begin(), epochs.rng().permutation(5).tolist()) == orders[1] != orders[0]
    True
    """

    def __init__(self, seed: int, *, anew: bool = True):
        self.seed, self.anew = seed, anew
        self.number = self.next = 0

    def begin(self) -> int:
        """The number of the epoch that begins."""
        self.number = self.next
        self.next += self.anew
        return self.number

    def rng(self) -> np.random.Generator:
        """Of the epoch that has begun: a new generator, at its start."""
        return np.random.default_rng([self.seed, self.number])

    def dataset(self, make: Callable[[Tensor], Dataset]) -> Dataset:
        """A ``tf.data.Dataset`` of one epoch after another: ``make(seeds)`` of two int64 numbers, (2,)."""
        tf = tensorflow()

        def seeds() -> Any:
            self.begin()
            yield self.rng().integers(2**63, size=2, dtype="int64")

        return from_generator(seeds, tf.TensorSpec((2,), tf.int64)).flat_map(make)


def shuffled(examples: Dataset, buffer: int, seeds: Tensor) -> Dataset:
    """The examples in random order, those of `zoo.data.by_rows` without a buffer. `Dataset.shuffle` cannot: it compares
    its seed with 0, which no tensor stands."""
    tf = tensorflow()
    known = rows_of(examples)
    if known is not None:
        rows, count, read = known
        return shuffled(rows, count, seeds).map(read, num_parallel_calls=tf.data.AUTOTUNE)
    if not hasattr(tf, "raw_ops"):  # NumPy's takes any seed
        return examples.shuffle(buffer, seed=seeds, reshuffle_each_iteration=False)
    specs = tf.nest.flatten(examples.element_spec)
    variant = tf.raw_ops.ShuffleDatasetV3(
        input_dataset=tf.data.experimental.to_variant(examples),
        buffer_size=buffer,
        seed=seeds[0],
        seed2=seeds[1],
        seed_generator=tf.raw_ops.DummySeedGenerator(),
        output_types=[spec.dtype for spec in specs],
        output_shapes=[spec.shape for spec in specs],
        reshuffle_each_iteration=False,
    )
    return tf.data.experimental.from_variant(variant, examples.element_spec)


def with_draws(batches: Dataset, seed: Tensor) -> Dataset:
    """Each batch with a seed of its own, (2,) int64, as ``tf.random.stateless_*`` takes it."""
    tf = tensorflow()
    return tf.data.Dataset.zip(batches, tf.data.Dataset.counter().map(lambda number: tf.stack([seed, number])))
