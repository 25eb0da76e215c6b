"""The records that cards are made of: plain, frozen data, free of Keras."""

import dataclasses
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field, replace
from typing import Any

from zoo.checks import plain
from zoo.deprecated import check_one_name, warn
from zoo.errors import unknown

__all__ = ["Card", "Expected", "Input", "Recipe", "Weights", "as_dict", "recipe_from", "replace"]


@dataclass(frozen=True)
class Input:
    """One input of a model, without the batch axis. A size of ``None`` is free."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str = "float32"
    holds: str = ""  # what the numbers are, for people


@dataclass(frozen=True)
class Expected:
    """The value of a metric that a recipe is expected to reach, and where it comes from."""

    metric: str
    bound: float  # a lower bound; an upper bound for errors (see `Task.minimize`)
    source: str
    measured: bool = True  # False: published or estimated, never run by this project


@dataclass(frozen=True)
class Recipe:
    """All that a training run depends on, apart from the model. Frozen: a name always means the same run."""

    name: str
    dataset: str  # a tfds name with its version, "mnist:3.0.1"; "" stands for the user's own
    epochs: int
    expected: Expected | None = None
    train: str = "train"  # splits, in tfds' slicing language
    validation: str = "validation"
    test: str = "test"
    preprocess: Mapping[str, Any] = field(default_factory=dict)  # options of `zoo.data.PREPROCESS`
    augment: Mapping[str, Any] = field(default_factory=dict)  # options of `zoo.data.AUGMENT`
    min_steps: int = 0  # updates that a training has at least: of a small data set, more epochs
    batch_size: int = 128
    optimizer: str = "adam"  # a Keras optimizer
    optimizer_options: Mapping[str, Any] = field(default_factory=dict)
    learning_rate: float = 1e-3
    schedule: str = "constant"  # a name of `zoo.optimizers.schedules.SCHEDULES`
    schedule_options: Mapping[str, Any] = field(default_factory=dict)
    ema_momentum: float = 0.0  # of the average of the weights over the steps (`zoo.optimizers.averaging`); 0: none
    seed: int = 0
    precision: str = "float32"  # a Keras dtype policy
    model: Mapping[str, Any] = field(default_factory=dict)  # options of the builder
    # Fine-tuning: start from `weights`, teach the new head alone for `head_epochs`, then all with layer-wise rates.
    weights: str = ""  # a tag of the card, a file or an https address; "": from fresh weights
    preprocessing: str = ""  # what the weights were trained on, a name of `zoo.data.SCALING`; "": as the card says
    head_epochs: int = 0  # of `epochs`
    head_learning_rate: float = 1e-3  # Adam's, while the head learns alone
    freeze: str = ""  # the last layer, or stage ("stride16"), of those that never learn; "": all may learn
    layer_decay: float = 1.0  # from block to block, towards the input, of the learning rate (`zoo.layerwise`)
    decay_kernels_only: bool = False  # whether weight decay spares norms, biases and embeddings
    patience: int = 0  # epochs without a better validation loss, then stop and take the best; 0: never stop early
    loss: str = ""  # a name of `zoo.losses`, in place of the card's
    loss_options: Mapping[str, Any] = field(default_factory=dict)  # of that loss, or of the card's
    data_options: Mapping[str, Any] = field(default_factory=dict)  # of the task's `DataModule`, where it has any
    feed: InitVar[Mapping[str, Any] | None] = None  # what `data_options` was called up to 0.1

    def __post_init__(self, feed: Mapping[str, Any] | None) -> None:
        if feed:
            check_one_name("feed", "data_options", self.data_options)
            warn("Recipe(feed=...)", "Recipe(data_options=...)", stacklevel=3)
            object.__setattr__(self, "data_options", feed)


@dataclass(frozen=True)
class Weights:
    """Pretrained weights that somebody published: where the file is, what it is and what it wants."""

    tag: str  # as in ``weights="imagenet"``; the same without its top ends in "_notop"
    url: str
    hash: str  # as published: "md5:..." or "sha256:..."; of some the first eight digits, which only tell a wrong file
    preprocessing: str  # of the images, a name of `zoo.preprocessing.PIXELS`
    licence: str
    top: bool = True  # whether the file has the layers behind the maps
    classes: int = 1000  # of the top
    size: int | None = None  # bytes, where that is known
    published: tuple[Expected, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)  # of the builder, without which the file does not fit


@dataclass(frozen=True)
class Card:
    """What the zoo knows about one name. A test recomputes each fact that can be computed."""

    task: str  # the name of a file in `zoo/tasks/`, or of a task of one's own
    summary: str
    params: int  # trainable, at the default options
    paper: str
    inputs: tuple[Input, ...]
    preprocessing: str  # a name of `zoo.data.SCALING`
    recipes: tuple[Recipe, ...]
    tiny: Mapping[str, Any]  # options of the smallest honest network, for tests
    non_trainable_params: int = 0  # fixed numbers and running statistics
    deviations: tuple[str, ...] = ()  # from the paper
    notes: tuple[str, ...] = ()  # what is good to know before training: speed, memory
    loss: str = ""  # a name of `zoo.losses`, where the task's own will not do
    loss_weights: Mapping[str, float] = field(default_factory=dict)  # of auxiliary heads, where a network has them
    weights: tuple[Weights, ...] = ()  # pretrained weights that can be loaded
    head: tuple[str, ...] = ()  # its last layers, which `zoo.freeze` leaves: where the graph's last one is not meant
    backbone: tuple[str, ...] = ()  # names, or patterns, of the layers that weights of a classifier may fill alone
    fixed: tuple[str, ...] = ()  # layers that never learn, and that `zoo.unfreeze` leaves as they are
    tutorial: str = ""
    name: str = ""  # of the builder, set by `register`
    family: str = ""  # of its file, likewise
    baseline: bool = False  # whether it stands beside the other networks of its task, trained alike
    loss_network: bool = False  # whether perceptual losses may look through it (Johnson 2016)
    one_heap: bool = False  # train with one heap for all threads (`zoo.training.malloc`)
    module: str = ""  # the file's name as Python imports it, likewise
    options: tuple[str, ...] = ()  # the builder's arguments, likewise
    layers: tuple[Any, ...] = ()  # `zoo.introspection.layer_costs.Cost` rows, by `info(name, verbose=True)`

    def recipe(self, name: str) -> Recipe:
        """The recipe called `name`.

        >>> import zoo
        >>> zoo.info("lenet5").recipe("mnits")
        Traceback (most recent call last):
            ...
        zoo.errors.UsageError: there is no recipe of lenet5 'mnits'; did you mean mnist?
        """
        recipes = {recipe.name: recipe for recipe in self.recipes}
        if name not in recipes:
            raise unknown(f"recipe of {self.name}", name, recipes)
        return recipes[name]


def recipe_from(fields: Mapping[str, Any]) -> Recipe:
    """A recipe from the plain data that `as_dict` made of it, but for what it is expected to reach."""
    return Recipe(**{**fields, "expected": None})


def as_dict(record: Any) -> dict[str, Any]:
    """A card or recipe as plain data, for printing and for `config.json`."""
    return plain(dataclasses.asdict(record))
