"""What stands between a source of examples and a network: it looks at the data, refuses what cannot train, keeps
what must travel with the run, and makes the batches. One class for each kind of data."""

import logging
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from zoo.data.sources import Source
from zoo.errors import UsageError

log = logging.getLogger("zoo")

SPLITS = ("train", "validation", "test")


class DataModule:
    """Batches of one kind of data, for the network of a card by the recipe `recipe`."""

    # What a card's `preprocessing` and a recipe's `preprocess` and `augment` may say.
    preprocessings: Collection[str] = ("none",)
    preprocess: Collection[str] = ()
    augment: Collection[str] = ()
    examples: Mapping[str, int]  # how many each split holds
    class_names: Sequence[str] = ()  # none where the targets are no classes
    loop = False  # whether clips that are too short are repeated
    files: Sequence[str] = ()  # of the user's own, to be measured against as well

    def __init__(self, card, recipe, source: Source | None):
        self.card, self.recipe, self.source = card, recipe, source

    @classmethod
    def adapt(cls, card, recipe, source: Source) -> "DataModule":
        """Look at the data once, and keep what the network must know of it.

        Raises:
            UsageError: where this data cannot train this network.
        """
        raise NotImplementedError

    @classmethod
    def from_config(cls, card, recipe, source: Source | None, config: Mapping[str, Any]) -> "DataModule":
        """The data module of a finished run. Without a source it can `encode`, no more."""
        raise NotImplementedError

    @classmethod
    def holds_out(cls, card) -> bool:
        """Whether validation and test are other examples than those of training. Not so where a network *is* what it
        was trained on."""
        return True

    def get_config(self) -> dict[str, Any]:
        """What `restore` needs, as JSON."""
        raise NotImplementedError

    def model_options(self) -> dict[str, Any]:
        """The builder's options that the data decides."""
        raise NotImplementedError

    def batches(self, split: str, *, training: bool = False):
        """A ``tf.data.Dataset`` of (inputs, targets); for training shuffled and augmented anew in each epoch."""
        raise NotImplementedError

    @property
    def steps(self) -> int:
        """Batches of an epoch of training."""
        return math.ceil(self.examples["train"] / self.recipe.batch_size)

    def encode(self, raws: Sequence[str]) -> np.ndarray:
        """A batch of inputs from what a user has: paths of files, or texts."""
        raise UsageError(f"{self.card.name} answers no single input; `zoo evaluate` measures it on its test set")


def check_classes(card, source: Source, found: Sequence[int], *, only: int | None = None) -> None:
    """Raise unless the targets are classes, `only` so many where that is given; `found` occur in training."""
    if not source.class_names:
        raise UsageError(
            f"the targets of {source.name} are not classes; expected whole numbers from 0: y.astype('int32')"
        )
    if len(found) < 2:
        raise UsageError(f"the training set of {source.name} holds one class only; expected at least 2")
    if only and source.num_classes != only:
        raise UsageError(
            f"{source.name} has {source.num_classes} classes; {card.name} tells {only} apart: take another network, as "
            "softmax_regression"
        )


def check_batch(recipe, count: int) -> None:
    """Say where the training set does not fill one batch: it is one, then."""
    if count < recipe.batch_size:
        log.info(f"the {count} training examples are one batch, smaller than the batch_size of {recipe.batch_size}")
