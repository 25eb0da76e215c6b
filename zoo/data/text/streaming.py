"""Batches that are drawn from a text while it is read: for training without end, for measuring a few in memory."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from zoo.data.base import SPLITS
from zoo.data.batching import Batches
from zoo.data.epochs import Epochs
from zoo.data.generators import from_generator
from zoo.data.tensors import tensorflow

PREFETCHED_BATCHES = 32  # that wait for the network: `zoo.trainers.word2vec` takes 16 at once
MAX_HELD_OUT_EXAMPLES = 200_000  # of validation and test, that the network is measured on


def endless_dataset(
    read_once: Callable[[np.random.Generator], Iterator[Any]],
    *,
    epochs: Epochs,
    split: str,
    steps: int,
    stacked: bool = False,
) -> Any:
    """A ``tf.data.Dataset`` of `steps` batches an epoch, from a text that is read again and again.

    An epoch ends after `steps`, wherever in the text: subsampling makes that a little longer or shorter each time.

    Args:
        read_once: takes a generator of random numbers, reads the text and yields batches.
        epochs: each has generators of its own, a new one for each reading.
        split: the part of the text, for the seed.
        steps: batches of an epoch.
        stacked: whether what is yielded are some batches of one shape, on a leading axis.
    """
    tf = tensorflow()

    def read_again_and_again() -> Iterator[Any]:
        epoch = epochs.begin()
        for reading in itertools.count():
            yield from read_once(np.random.default_rng([epochs.seed, SPLITS.index(split), epoch, reading]))

    first = next(read_once(np.random.default_rng(0)))
    signature = tf.nest.map_structure(lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype), first)
    batches = from_generator(read_again_and_again, signature)
    if stacked:
        batches = batches.prefetch(2).unbatch()  # the next ones are made meanwhile
    return batches.take(steps).apply(tf.data.experimental.assert_cardinality(steps)).prefetch(PREFETCHED_BATCHES)


def held_out(
    read_once: Callable[[np.random.Generator], Iterator[Any]], *, seed: int, split: str, batch_size: int
) -> Batches:
    """The first examples of a validation or test split, in memory, drawn the same each time."""
    batches = read_once(np.random.default_rng([seed, SPLITS.index(split)]))
    kept = list(itertools.islice(batches, max(1, MAX_HELD_OUT_EXAMPLES // batch_size)))
    return Batches(kept.__getitem__, lambda: list(range(len(kept))))
