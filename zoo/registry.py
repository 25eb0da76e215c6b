"""Every name in the zoo: its card, and the function that builds it.

A family is one file in ``zoo/models/``. Each of its builders is a plain function that returns a
``keras.Model``, under a decorator that carries the card::

    @register(Card(task="image_classification", params=61_706, ...))
    def lenet5(*, input_shape=(28, 28, 1), num_classes=10, name="lenet5"):
        ...

The function's name is the name of the model and the file's name is the family. To list the names
without importing Keras (which takes seconds), the cards are read from the source: a card is data,
made of literals, of constants of the same file and of the records below, so its expression can be
evaluated by itself. Nothing else of the file runs until something is built.
"""

import ast
import contextlib
import dataclasses
import fnmatch
import importlib
import inspect
import logging
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zoo.errors import UsageError, first_line, unknown

MODELS = Path(__file__).parent / "models"
log = logging.getLogger("zoo")


@dataclass(frozen=True)
class Input:
    """One input of a model, without the batch axis. A size of ``None`` is free."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str = "float32"
    holds: str = ""  # what the numbers are, for people


@dataclass(frozen=True)
class Figure:
    """A number that a recipe is expected to reach, and where that number comes from."""

    metric: str
    bound: float  # a lower bound; an upper bound for errors (see `Task.minimise`)
    source: str
    measured: bool = True  # False: published or estimated, never run by this project


@dataclass(frozen=True)
class Recipe:
    """All that a training run depends on, apart from the model. Frozen: a name always means the same run."""

    name: str
    dataset: str  # a tfds name with its version, "mnist:3.0.1"; "" stands for the user's own
    epochs: int
    expected: Figure | None = None
    train: str = "train"  # splits, in tfds' slicing language
    validation: str = "validation"
    test: str = "test"
    preprocess: Mapping[str, Any] = field(default_factory=dict)  # options of `zoo.data.PREPROCESS`
    augment: Mapping[str, Any] = field(default_factory=dict)  # options of `zoo.data.AUGMENT`
    batch_size: int = 128
    optimizer: str = "adam"  # a Keras optimizer
    optimizer_options: Mapping[str, Any] = field(default_factory=dict)
    learning_rate: float = 1e-3
    schedule: str = "constant"  # a name of `zoo.optimization.SCHEDULES`
    schedule_options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    precision: str = "float32"  # a Keras dtype policy
    model: Mapping[str, Any] = field(default_factory=dict)  # options of the builder
    # Fine-tuning: start from `weights`, teach the new head alone for `head_epochs`, then all with layer-wise rates.
    weights: str = ""  # a tag of the card, a file or an https address; "": from fresh weights
    preprocessing: str = ""  # what the weights were trained on, a name of `zoo.data.SCALING`; "": as the card says
    head_epochs: int = 0  # of `epochs`
    head_learning_rate: float = 1e-3  # Adam's, while the head learns alone
    layer_decay: float = 1.0  # from block to block, towards the input, of the learning rate (`zoo.layerwise`)
    patience: int = 0  # epochs without a better validation loss, then stop and take the best; 0: never stop early
    loss: str = ""  # a name of `zoo.losses`, in place of the card's
    loss_options: Mapping[str, Any] = field(default_factory=dict)  # of that loss, or of the card's
    feed: Mapping[str, Any] = field(default_factory=dict)  # options of the task's `Feed`, where it has any


@dataclass(frozen=True)
class Weights:
    """Pretrained weights that somebody published: where the file is, what it is and what it wants."""

    tag: str  # as in ``weights="imagenet"``; the same without its top ends in "_notop"
    url: str
    hash: str  # as published: "md5:..." or "sha256:...", or the first digits of it
    preprocessing: str  # of the pictures, a name of `zoo.weights.channels.PIXELS`
    licence: str
    top: bool = True  # whether the file has the layers behind the maps
    classes: int = 1000  # of the top
    size: int | None = None  # bytes, where that is known
    published: tuple[Figure, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)  # of the builder, without which the file does not fit


# For a folder of one's own pictures: the new head first, then the whole network, slower towards the input.
FINETUNE = Recipe(
    name="finetune",
    dataset="",
    weights="imagenet",
    preprocess={"cover": (224, 224)},
    augment={"crop": (0.5, 1.0), "flip": True},
    epochs=20,
    head_epochs=5,
    batch_size=32,
    optimizer="adamw",
    optimizer_options={"weight_decay": 0.05},
    learning_rate=3e-4,
    schedule="cosine",
    layer_decay=0.8,
    patience=5,
)
# The same from fresh weights, where there are enough pictures for it.
FOLDER = replace(
    FINETUNE,
    name="folder",
    weights="",
    epochs=60,
    head_epochs=0,
    schedule_options={"warmup_epochs": 5},
    layer_decay=1.0,
    patience=10,
)


@dataclass(frozen=True)
class Card:
    """What the zoo knows about one name. A test recomputes each fact that can be computed."""

    task: str  # a name of `zoo.tasks.TASKS`
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
    tutorial: str = ""
    name: str = ""  # of the builder, set by `register`
    family: str = ""  # of its file, likewise
    options: tuple[str, ...] = ()  # the builder's arguments, likewise
    layers: tuple[Any, ...] = ()  # `zoo.graph.Cost` rows, by `info(name, verbose=True)`

    def recipe(self, name: str) -> Recipe:
        """The recipe called `name`.

        >>> info("lenet5").recipe("mnits")
        Traceback (most recent call last):
            ...
        zoo.errors.UsageError: there is no recipe of lenet5 'mnits'; did you mean mnist?
        """
        recipes = {recipe.name: recipe for recipe in self.recipes}
        if name not in recipes:
            raise unknown(f"recipe of {self.name}", name, recipes)
        return recipes[name]


Builder = Callable[..., Any]
_builders: dict[str, Builder] = {}  # filled by @register as modules are imported
_built: "weakref.WeakKeyDictionary[Any, tuple[str, dict]]" = weakref.WeakKeyDictionary()  # what `build` made, and how
_cards: dict[str, Card] = {}  # filled from the sources at the first question, and by @register


def owner_of(name: str) -> str | None:
    """The module that a name belongs to, imported or not; None if the name is free."""
    if name in _builders:
        return _builders[name].__module__
    return f"zoo.models.{cards()[name].family}" if name in cards() else None


def register(card: Card) -> Callable[[Builder], Builder]:
    """Enter the decorated function into the zoo under its own name. Works for a user's own file as well."""

    def enter(builder: Builder) -> Builder:
        named = replace(
            card,
            name=builder.__name__,
            family=builder.__module__.rpartition(".")[2],
            options=tuple(inspect.signature(builder).parameters),
        )
        owner = owner_of(named.name)
        if owner not in (None, builder.__module__):
            raise UsageError(f"the name {named.name!r} is taken by {owner}: call the function otherwise")
        cards()[named.name] = named
        _builders[named.name] = builder
        return builder

    return enter


class _Constants(dict):
    """The names a card may use: the records of this module, and the file's own constants, evaluated when asked for."""

    def __init__(self, tree: ast.Module):
        super().__init__(
            Card=Card,
            Recipe=Recipe,
            Input=Input,
            Figure=Figure,
            Weights=Weights,
            FINETUNE=FINETUNE,
            FOLDER=FOLDER,
            replace=replace,
        )
        self.assigned = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for name in self.assigned:  # a family's own recipe of the same name comes first
            self.pop(name, None)

    def __missing__(self, name: str) -> Any:
        self[name] = self.evaluate(self.assigned[name])  # KeyError (NameError to the card): not a constant of the file
        return self[name]

    def evaluate(self, node: ast.expr) -> Any:
        return eval(compile(ast.Expression(node), "<card>", "eval"), {"__builtins__": {}}, self)


def read_cards(path: Path) -> dict[str, Card]:
    """The cards in a family's source file, without importing the file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = _Constants(tree)
    return {
        node.name: replace(
            constants.evaluate(decorator.args[0]),
            name=node.name,
            family=path.stem,
            options=tuple(argument.arg for argument in node.args.kwonlyargs),
        )
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "register"
    }


def cards() -> dict[str, Card]:
    """All cards by name: the zoo's own, and those that a user registered."""
    if not _cards:
        for path in sorted(MODELS.glob("[!_]*.py")):
            _cards.update(read_cards(path))
    return _cards


def list_models(pattern: str | None = None, *, task: str | None = None, pretrained: bool | None = None) -> list[str]:
    """The names of the zoo, sorted.

    Args:
        pattern: shell-style wildcards, as in ``"resnet*"``.
        task: only names of this task.
        pretrained: True, only names with pretrained weights; False, only names without.

    >>> list_models("lenet*")
    ['lenet5', 'lenet5_1998']
    """
    tasks = {card.task for card in cards().values()}
    if task is not None and task not in tasks:
        raise unknown("task", task, tasks)
    return sorted(
        name
        for name, card in cards().items()
        if (pattern is None or fnmatch.fnmatchcase(name, pattern.lower()))
        and task in (None, card.task)
        and pretrained in (None, bool(card.weights))
    )


def info(name: str, *, verbose: bool = False) -> Card:
    """The card of a name.

    Args:
        name: one of `list_models()`.
        verbose: build the network and fill in `layers`: output shape, parameters and multiply-adds of each.

    >>> info("lenet5").params
    61706
    >>> sum(layer.multiply_adds for layer in info("lenet5", verbose=True).layers)
    416520
    """
    if name not in cards():
        raise unknown("model", name, cards(), hint="`zoo list` shows all")
    if not verbose:
        return cards()[name]
    from zoo.graph import costs

    return replace(cards()[name], layers=tuple(costs(build(name))))


def builder(name: str) -> Builder:
    """The function behind a name; imports its file, and with it Keras."""
    card = info(name)
    if name not in _builders:
        importlib.import_module(f"zoo.models.{card.family}")
    return _builders[name]


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Raise if the builder of `name` has no such options."""
    known = info(name).options
    for option in options:
        if option not in known:
            raise unknown(f"option of {name}", option, known)


def build(name: str, /, *, weights: str | Path | None = None, **options: Any) -> Any:
    """Build a network by name.

    Args:
        name: one of `list_models()`.
        weights: a tag from the card (``"imagenet"``), a file, or an https address; see `zoo.load_weights`. The network
            is the same with and without: only its numbers differ.
        **options: the builder's own: ``input_shape``, ``num_classes``, ... (``help(zoo.builder(name))``).

    Returns:
        A ``keras.Model`` that returns logits, not yet compiled; its weights are fresh unless `weights` says otherwise.

    Raises:
        UsageError: for an unknown name or option, or a value that the builder cannot use.

    >>> build("lenet5", num_classes=26).output_shape
    (None, 26)
    """
    check_options(name, options)
    if weights is not None:
        from zoo.weights import sources

        weights = sources.find(weights, name, options)  # fetched, or what is wrong is said, before anything is built
    try:
        model = builder(name)(**options)
    except UsageError:
        raise
    except Exception as error:  # Keras's own words can run over many lines, and do not name the option
        given = ", ".join(f"{option}={value!r}" for option, value in options.items())
        raise UsageError(f"{name} cannot be built with {given or 'its defaults'}: {first_line(error)}") from error
    remember(model, name, options)
    if weights is not None:
        from zoo.weights.loading import load

        log.info(load(model, weights))
    return model


def remember(model: Any, name: str, options: Mapping[str, Any]) -> None:
    with contextlib.suppress(TypeError):  # a user's own builder may return what it likes
        _built[model] = (name, dict(options))


def origin(model: Any) -> tuple[str, dict[str, Any]] | None:
    """The name and options that `build` made a model from, in this process.

    >>> origin(build("lenet5", num_classes=26))
    ('lenet5', {'num_classes': 26})
    """
    try:
        return _built.get(model)
    except TypeError:
        return None


def as_dict(record: Any) -> dict[str, Any]:
    """A card or recipe as plain data, for printing and for `config.json`."""
    return dataclasses.asdict(record)
