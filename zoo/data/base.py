"""What stands between a source of examples and a network: the data module, one class for each kind of data.

It looks at the data once, refuses what cannot train, keeps what must travel with the run, and makes the batches.
"""

import logging
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from zoo.data.checks import check_step
from zoo.data.epochs import Epochs
from zoo.data.sources import Source
from zoo.errors import UsageError, unknown
from zoo.records import Card, Recipe

log = logging.getLogger("zoo")

SPLITS = ("train", "validation", "test")


class DataModule:
    """Batches of one kind of data, for the network of a card, as a recipe wants them.

    A task names its data module; `zoo.train` and `zoo.evaluate` use it like this::

        data = Module.adapt(card, recipe, source)           # looks at the training set; raises where it cannot train
        model = zoo.build(card.name, **data.model_options())
        model.fit(data.batches("train", training=True), validation_data=data.batches("validation"))
        config = data.get_config()                          # goes into config.json

        data = Module.from_config(card, recipe, source, config)  # of a finished run
        data.batches("test"); data.encode(["photo.jpg"])

    A subclass defines `adapt`, `from_config`, `get_config`, `model_options` and `batches`, sets `examples` in `adapt`,
    and may define the rest.
    """

    # What a card's `preprocessing` and a recipe's `preprocess`, `augment` and `data_options` may say. Steps of the
    # preprocessing that are given by their functions have their values checked.
    preprocessings: ClassVar[Collection[str]] = ("none",)
    preprocess: ClassVar[Collection[str]] = ()
    augment: ClassVar[Collection[str]] = ()
    data_options: ClassVar[Collection[str]] = ()
    ordered: ClassVar[bool] = False  # whether examples stand in the order of time
    set_by: ClassVar[Mapping[str, str]] = {}  # of `model_options`, by which word of `preprocess` a user sets it
    epochs: Epochs | None = None  # of the batches that were made last for training; None: of a module without `begin`
    config_types: ClassVar[Mapping[str, Any]] = {}  # what `get_config` returns, by key: a run folder may be damaged
    examples: Mapping[str, int]  # how many each of `SPLITS` holds, known after `adapt`
    class_names: Sequence[str] = ()  # none where the targets are no classes
    loop: bool = False  # whether clips that are too short are repeated: `zoo predict --loop`
    files: Sequence[str] = ()  # of the user's own, to be measured against as well: `zoo evaluate --with`

    def __init__(self, card: Card, recipe: Recipe, source: Source | None):
        self.card, self.recipe = card, recipe
        self.source = source
        self.check_recipe(card, recipe)

    @classmethod
    def check_recipe(cls, card: Card, recipe: Recipe) -> None:
        """Raise for what this kind of data cannot do for a recipe, whatever the examples are."""
        preprocessing = recipe.preprocessing or card.preprocessing
        if preprocessing not in cls.preprocessings:
            raise unknown(f"preprocessing for {card.name}", preprocessing, cls.preprocessings)
        what = f"recipe {recipe.name} of {card.name}"
        for option in recipe.data_options:
            if option not in cls.data_options:
                raise unknown(f"option of this data ({what})", option, cls.data_options)
        if isinstance(cls.preprocess, Mapping):
            for word, option in recipe.preprocess.items():
                if word in cls.preprocess:
                    check_step(cls.preprocess[word], word, option, of=f"{what}: ")

    @property
    def source(self) -> Source:
        """Where the examples come from.

        Raises:
            UsageError: for a finished run that was opened without its data set.
        """
        if self._source is None:
            raise UsageError(
                f"the data set of this {self.card.name} is not open: without it the data module encodes only"
            )
        return self._source

    @source.setter
    def source(self, source: Source | None) -> None:
        self._source = source

    @classmethod
    def adapt(cls, card: Card, recipe: Recipe, source: Source) -> Self:
        """Look at the data, and keep what the network must know of it: means, a vocabulary, the classes.

        Raises:
            UsageError: in one line, where this data cannot train this network.
        """
        raise NotImplementedError

    @classmethod
    def from_config(cls, card: Card, recipe: Recipe, source: Source | None, config: Mapping[str, Any]) -> Self:
        """The data module of a finished run, by its `get_config`. Nothing is looked at again.

        Without a source it can `encode`, and no more; a source may be set later.
        """
        raise NotImplementedError

    @classmethod
    def holds_out(cls, card: Card) -> bool:
        """Whether validation and test are other examples than those of training.

        Not so where a network *is* what it was trained on.
        """
        return True

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs, as JSON can hold it."""
        raise NotImplementedError

    def model_options(self) -> dict[str, Any]:
        """The builder's options that the data decides: ``{"input_shape": (28, 28, 1), "num_classes": 10}``.

        Those that a builder does not have are left out.

        Raises:
            UsageError: where the network takes one size of input, and the data has another.
        """
        raise NotImplementedError

    def batches(self, split: str, *, training: bool = False) -> Any:
        """A ``tf.data.Dataset`` (or a `zoo.data.batching.Batches`) of (inputs, targets), batch first.

        Inputs and targets are arrays, or dictionaries of them by the names of the network's inputs and outputs.

        Args:
            split: one of `SPLITS`; the recipe says which examples that is.
            training: shuffled and augmented, differently in each epoch and equally in each run with the recipe's seed:
                all that is drawn comes from `begin`. Otherwise all examples once, in their order.

        Raises:
            UsageError: if the source has no such split, or it cannot be read.
        """
        raise NotImplementedError

    def check_other(self, split: str) -> None:
        """Raise where a split of data that the module was not adapted to holds what the network cannot take."""

    def begin(self) -> Epochs:
        """The epochs of new batches for training. `batches` calls it, and lets all that it draws depend on them: then a
        training that was interrupted goes on with the same batches."""
        self.epochs = Epochs(self.recipe.seed)
        return self.epochs

    @property
    def steps(self) -> int:
        """Batches of an epoch of training."""
        return math.ceil(self.examples["train"] / self.recipe.batch_size)

    @property
    def vocabulary_size(self) -> int:
        """How many tokens the vocabulary has, where there is one."""
        return 0

    def encode(self, raws: Sequence[str]) -> np.ndarray:
        """A batch of inputs, (examples, ...), from what a user has: paths of files, or texts.

        Raises:
            UsageError: for a file that cannot be read, a text that holds nothing; here, for everything.
        """
        raise UsageError(f"{self.card.name} answers no single input; `zoo evaluate` measures it on its test set")


def check_classes(source: Source, found: Collection[int], card: Card, *, exactly: int | None = None) -> None:
    """Raise unless the targets are classes, at least two, and as many as the network can tell apart.

    Args:
        source: of the examples.
        found: the classes that occur in training.
        card: of the network.
        exactly: how many classes it tells apart; None for as many as there are.
    """
    if not source.class_names:
        raise UsageError(
            f"the targets of {source.name} are not classes; expected whole numbers from 0: y.astype('int32')"
        )
    if len(found) < 2:
        raise UsageError(f"the training set of {source.name} holds one class only; expected at least 2")
    if exactly not in (None, source.num_classes):
        raise UsageError(
            f"{source.name} has {source.num_classes} classes; {card.name} tells {exactly} apart: "
            "take softmax_regression"
        )


def check_batch(recipe: Recipe, count: int) -> None:
    """Say where the training set does not fill one batch: it is one, then."""
    if count < recipe.batch_size:
        log.info(f"the {count} training examples are one batch, smaller than the batch_size of {recipe.batch_size}")
