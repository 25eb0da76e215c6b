"""Batches of P identities with K images each: which images they hold, and in what form a network takes them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from zoo.data.epochs import Epochs
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError

Tensor = Any  # of TensorFlow
Names = Sequence[str]  # of the network's inputs
Batch = tuple[Any, Tensor]  # inputs and targets


def identity_rows(
    labels: np.ndarray, *, classes: int, per_class: int, batches: int, seed: int, anew: bool = True
) -> Any:
    """Row numbers of P x K batches: `classes` different classes, `per_class` different images of each.

    Args:
        labels: the class of each image.
        classes: P. All classes are equally likely, however many images they have.
        per_class: K. Classes with fewer images are not drawn.
        batches: how many make an epoch.
        seed: equal seeds draw equal batches.
        anew: draw other batches in each epoch; False repeats those of the first.

    Returns:
        A ``tf.data.Dataset`` of (P x K,) row numbers: the K of the first class, the K of the second, ...

    Raises:
        UsageError: if fewer than P classes have K images.

    >>> labels = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    >>> rows = next(identity_rows(labels, classes=2, per_class=2, batches=1, seed=0).as_numpy_iterator())
    >>> len(set(rows)), [len(set(labels[part])) for part in (rows[:2], rows[2:], rows)]
    (4, [1, 1, 2])
    """
    epochs = Epochs(seed, anew=anew)
    drawn = identity_draws(labels, classes=classes, per_class=per_class, batches=batches, epochs=epochs)
    return drawn.map(lambda rows, _: rows)


def identity_draws(labels: np.ndarray, *, classes: int, per_class: int, batches: int, epochs: Epochs) -> Any:
    """As `identity_rows`; each (P x K,) row numbers with a seed (2,), for what else is drawn for the batch."""
    tf = tensorflow()
    found, counts = np.unique(labels, return_counts=True)
    large = found[counts >= per_class]
    if len(large) < classes:
        raise UsageError(
            f"{len(large)} classes have {per_class} images; expected at least {classes}, the classes of a batch"
        )
    table = np.full((len(large), counts.max()), -1)  # (classes, largest class): row numbers, padded with -1
    for line, label in zip(table, large):
        rows = np.flatnonzero(labels == label)
        line[: len(rows)] = rows
    table = tf.constant(table)

    def draw(seeds: Tensor, another: Tensor) -> tuple[Tensor, Tensor]:
        _, chosen = tf.math.top_k(tf.random.stateless_uniform((len(large),), seeds + [0, 0]), classes)
        members = tf.gather(table, chosen)  # (P, largest class)
        priority = tf.random.stateless_uniform(tf.shape(members), seeds + [1, 0])
        _, columns = tf.math.top_k(tf.where(members < 0, -1.0, priority), per_class)
        return tf.reshape(tf.gather(members, columns, batch_dims=1), (-1,)), another

    def epoch(seeds: Tensor) -> Any:
        numbers = tf.data.Dataset.range(batches)
        return numbers.map(lambda number: (tf.stack([seeds[0], number]), tf.stack([seeds[1], number])))

    rows = epochs.dataset(epoch).map(draw, num_parallel_calls=tf.data.AUTOTUNE)
    return rows.apply(tf.data.experimental.assert_cardinality(batches))


# How a batch reaches a network of one, two or three inputs: (names, images, labels, K) -> (inputs, targets). The
# classes of a batch are in random order, so the class after each is a random other one.


def with_labels(names: Names, images: Tensor, labels: Tensor, per_class: int) -> Batch:
    """As they are, for one input."""
    return images, labels


def halves(images: Tensor, per_class: int) -> tuple[Tensor, Tensor]:
    """(P x K, ...) -> the first K/2 images of each class, and the others: (P, K/2, ...) each."""
    tf = tensorflow()
    grid = tf.reshape(images, [-1, per_class, *images.shape[1:]])
    return grid[:, : per_class // 2], grid[:, per_class // 2 :]


def flat(grid: Tensor) -> Tensor:
    """(P, K/2, ...) -> (P x K/2, ...)"""
    tf = tensorflow()
    return tf.reshape(grid, [-1, *grid.shape[2:]])


def in_pairs(names: Names, images: Tensor, labels: Tensor, per_class: int) -> Batch:
    """P K/2 pairs of one class (target 1), then as many of two (target 0)."""
    tf = tensorflow()
    one, other = halves(images, per_class)
    first = tf.concat([flat(one), flat(one)], 0)
    second = tf.concat([flat(other), flat(tf.roll(other, 1, axis=0))], 0)
    same = tf.repeat([1.0, 0.0], tf.shape(first)[0] // 2)
    return dict(zip(names, (first, second))), same[:, None]


def in_triplets(names: Names, images: Tensor, labels: Tensor, per_class: int) -> Batch:
    """P K/2 triplets. Their targets are 0 and mean nothing."""
    tf = tensorflow()
    anchor, positive = halves(images, per_class)
    triplets = (flat(anchor), flat(positive), flat(tf.roll(positive, 1, axis=0)))
    return dict(zip(names, triplets)), tf.zeros(tf.shape(triplets[0])[0])


FORMS: Mapping[int, Callable[..., Batch]] = {1: with_labels, 2: in_pairs, 3: in_triplets}
