"""A run before it starts: what was asked for, checked and put together.

The order of a run is: everything that can be refused is refused (here; names, recipes and settings in under a second,
without Keras); then the data is looked at, the network built and trained, and last, once, the test set used
(`zoo.training.trainer`).
"""

from __future__ import annotations

import importlib.util
import inspect
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import factory, registry, tasks
from zoo.cards import FIELDS, SCALINGS, check
from zoo.errors import UsageError, unknown
from zoo.preprocessing import preprocessing_of
from zoo.records import Card, Recipe, replace
from zoo.training.malloc import one_heap
from zoo.training.run_folder import Run
from zoo.weights import tags

if TYPE_CHECKING:
    from zoo.data.sources import DataSet

IN_MEMORY = "<arrays>"  # as `zoo.data.arrays` says, which imports NumPy
OVERRIDES = {  # of a recipe, for one run
    field: FIELDS[field] for field in ("epochs", "batch_size", "seed", "learning_rate", "precision")
}
SETTINGS = (*OVERRIDES, "weights", "preprocessing", "run", "data", "data_dir", "loop", "tensorboard", "verbose")
EXTRAS = ("callbacks", "metrics", "optimizer", "class_weight")  # objects of Keras, which no command line can name


@dataclass(frozen=True)
class Extras:
    """What a caller adds to a recipe, or puts in place of its own: objects of Keras."""

    callbacks: Sequence[Any] = ()
    metrics: Sequence[Any] = ()
    optimizer: Any = None
    class_weight: Mapping[int | str, float] | str | None = None
    model: Any = None  # trained in place

    def described(self) -> dict[str, str]:
        """For config.json: what was given, in words."""
        found = {name: getattr(self, name) for name in (*EXTRAS, "model")}
        return {name: str(value) if isinstance(value, Mapping | str) else named(value)
                for name, value in found.items() if value}  # fmt: skip


def named(value: Any) -> str:
    return ", ".join(type(each).__name__ for each in value) if isinstance(value, list | tuple) else type(value).__name__


@dataclass(frozen=True)
class RunPlan:
    """A run that has passed every check that needs neither a network nor the data itself."""

    card: Card
    recipe: Recipe  # with what was changed for this run
    options: Mapping[str, Any]  # of the builder
    source: DataSet  # opened, not yet loaded
    run: Run
    data_dir: str | Path | None
    tensorboard: bool
    verbose: str | int
    extras: Extras = Extras()

    @property
    def unchanged(self) -> bool:
        """Whether the recipe runs as it stands, but for its seed."""
        recipe = self.card.recipe(self.recipe.name)
        return replace(self.recipe, seed=recipe.seed) == recipe and not self.options and self.extras == Extras()


def prepare(
    name: Any,
    recipe: str | Recipe | None = None,
    *,
    weights: str | Path | None = None,
    preprocessing: str | None = None,
    run: str | Path | None = None,
    data: Any = None,
    data_dir: str | Path | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    seed: int | None = None,
    precision: str | None = None,
    loop: bool = False,
    tensorboard: bool = False,
    verbose: str | int = "auto",
    callbacks: Sequence[Any] | None = None,
    metrics: Sequence[Any] | None = None,
    optimizer: Any = None,
    class_weight: Mapping[int | str, float] | str | None = None,
    **options: Any,
) -> RunPlan:
    """Check what was asked for and make the run folder. The arguments are those of `zoo.train`.

    Keras is imported only where files of the user's own (`data`, `weights`) must be held against the task or network.
    """
    name, model, options = with_model(name, options)
    card = registry.info(name)
    check_card(card)
    if isinstance(recipe, Recipe):  # the caller's own takes the place of the card's, if that has one of its name
        own = replace(recipe, expected=None)
        card = replace(card, recipes=(*(each for each in card.recipes if each.name != own.name), own))
        check(card)
        recipe = own.name
    planned = card.recipe(recipe or default_recipe(card, weights, data))
    if model is not None:
        planned = replace(planned, model={}, head_epochs=0 if not weights else planned.head_epochs)
    if isinstance(optimizer, str):
        planned, optimizer = replace(planned, optimizer=optimizer, optimizer_options={}), None
    changes = dict(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed, precision=precision)
    planned, options = with_options(override(planned, changes), options, card)
    planned = with_weights(planned, card, weights, preprocessing)
    planned = with_data(planned, card, data, loop)
    if planned.weights:
        tags.find(planned.weights, name, {**planned.model, **options})  # missing, or fetched: now, not after the data
    if tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise UsageError("TensorBoard is not installed; to write its logs: pip install tensorboard")
    if card.one_heap:
        one_heap()
    source = arrays_or_data(data, planned.dataset, card, data_dir)
    for word, given in {"callbacks": callbacks, "metrics": metrics}.items():
        if not isinstance(given, list | tuple | None):
            raise UsageError(f"{word} is a {type(given).__name__}; expected a list of Keras's")
    extras = Extras(tuple(callbacks or ()), tuple(metrics or ()), optimizer, class_weight, model)
    folder = Run.create(run, f"{name}-{planned.name}-{planned.seed}")
    return RunPlan(card, planned, options, source, folder, data_dir, tensorboard, verbose, extras)


def with_model(name: Any, options: dict[str, Any]) -> tuple[str, Any, dict[str, Any]]:
    """The name of a network, the network if it is given as one, and its options."""
    if isinstance(name, str):
        return name, None, options
    origin = registry.origin(name)
    if origin is None:
        raise UsageError(
            f"{getattr(name, 'name', name)!r} was not made by zoo.build; expected a name or what it returned: to train "
            "any other model by a recipe, put its builder under @zoo.register"
        )
    if options:
        raise UsageError(f"{', '.join(options)} given with a network that is built; expected options to its builder")
    return origin[0], name, dict(origin[1])


def arrays_or_data(data: Any, dataset: str, card: Card, data_dir: str | Path | None) -> DataSet:
    """The data set, or the caller's arrays."""
    if data is None or isinstance(data, str | Path):
        return open_data(dataset, card, data_dir)
    from zoo.data.arrays import Arrays

    return Arrays(data)


def check_card(card: Card) -> None:
    """Raise for a task or, of the zoo's own tasks, a preprocessing that there is not. Keras is not imported."""
    tasks.check(card.task)
    if card.task in tasks.files() and card.preprocessing not in SCALINGS:
        raise unknown(f"preprocessing for {card.name}", card.preprocessing, SCALINGS)


def check_recipe(card: Card, recipe: Recipe) -> None:
    """Raise for options of a recipe that its schedule or its data do not take. Imports Keras."""
    from zoo.optimizers.schedules import SCHEDULES

    what = f"recipe {recipe.name} of {card.name}"
    if recipe.schedule not in SCHEDULES:
        raise unknown(f"schedule ({what})", recipe.schedule, SCHEDULES)
    known = inspect.signature(SCHEDULES[recipe.schedule]).parameters.values()
    takes = [each.name for each in known if each.kind is each.KEYWORD_ONLY and each.name != "epochs"]
    for option in recipe.schedule_options:
        if option not in takes:
            raise unknown(f"option of the schedule {recipe.schedule} ({what})", option, takes)
    tasks.get(card.task).data_module.check_recipe(card, recipe)


def override(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe with some of its fields changed, each checked.

    >>> override(registry.info("lenet5").recipe("demo"), {"epochs": 0})
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: epochs is 0; expected a whole number of at least 1
    """
    changes = {field: value for field, value in changes.items() if value is not None}
    for field, value in changes.items():
        valid, expected = OVERRIDES[field]
        if not valid(value):
            raise UsageError(f"{field} is {value!r}; expected {expected}")
    return replace(recipe, **changes)


def with_options(recipe: Recipe, options: Mapping[str, Any], card: Card) -> tuple[Recipe, dict[str, Any]]:
    """The recipe with the options that are for what it does to the data, and the others: those of the builder."""
    to_data = {option: value for option, value in options.items() if option in recipe.preprocess}
    others = {option: value for option, value in options.items() if option not in to_data}
    others = factory.checked_options(card.name, others, beside=(*recipe.preprocess, *SETTINGS))
    return replace(recipe, preprocess={**recipe.preprocess, **to_data}), others


def with_weights(recipe: Recipe, card: Card, weights: str | Path | None, preprocessing: str | None) -> Recipe:
    """The recipe with the weights that training starts from, and how these want their images."""
    chosen = str(weights or recipe.weights)
    head_epochs = min(recipe.head_epochs, recipe.epochs // 2)  # a short trial of a long recipe has both parts
    scaled = preprocessing_of(card, chosen, preprocessing)
    return replace(recipe, weights=chosen, head_epochs=head_epochs, preprocessing=scaled)


def with_data(recipe: Recipe, card: Card, data: Any, loop: bool) -> Recipe:
    """The recipe with the user's own data in place of its data set, and short clips repeated if they may be."""
    own: dict[str, Any] = {
        "train": "train",
        "validation": "validation",
        "test": "test",
    }  # a file has whole splits of these names
    if data is not None and not isinstance(data, str | Path):
        recipe = replace(recipe, dataset=IN_MEMORY, **own)
    elif data is not None:
        path = Path(data).absolute()
        if path.suffix not in (".npz", ".txt") and not path.is_dir():
            raise UsageError(f"data is {str(data)!r}; expected the path of an .npz or .txt file or of a folder")
        recipe = replace(recipe, dataset=str(path), **own)
    if loop:
        recipe = replace(recipe, preprocess={"loop": fewest_frames(card.name, recipe), **recipe.preprocess})
    if not recipe.dataset:
        raise UsageError(
            f"the recipe {recipe.name} of {card.name} is for data of your own; name it: --data FOLDER (data=)"
        )
    return recipe


def open_data(dataset: str, card: Card, data_dir: str | Path | None) -> DataSet:
    """The data set, found and checked but not loaded; a folder of one's own is opened as the card's task wants it."""
    if dataset == IN_MEMORY:
        raise UsageError("the run was trained on arrays, which it does not keep; give them again: data=")
    from zoo.data import open_source  # tfds: not before the names are known to be right

    own = Path(dataset).is_absolute() and not dataset.endswith(".npz")
    folder = tasks.get(card.task).folder if own else None
    if own and folder is None:
        kind = "text file" if dataset.endswith(".txt") else "folder"
        takes = ", ".join(name for name in tasks.names() if tasks.get(name).folder)
        raise UsageError(f"{dataset} is a {kind}; a network for {card.task} learns from none ({takes} can)")
    return open_source(dataset, folder=folder, data_dir=data_dir)


def default_recipe(card: Card, weights: str | Path | None, data: Any) -> str:
    """ "finetune" from weights; for files of one's own the recipe that is for them, if there is one; else "demo".

    Arrays, also those in an .npz file, are taken to be ready for the network, as the demo's are.

    >>> [default_recipe(registry.info(name), None, "photos") for name in ("mlp", "r3d_18", "gru_lm")]
    ['demo', 'folder', 'text_folder']
    >>> default_recipe(registry.info("lenet5"), None, "digits.npz")
    'demo'
    """
    if weights:
        return "finetune"
    own = [recipe.name for recipe in card.recipes if not recipe.dataset and not recipe.weights]
    return own[0] if own and isinstance(data, str | Path) and Path(data).suffix != ".npz" else "demo"


def fewest_frames(name: str, recipe: Recipe) -> int:
    """How many frames a clip needs."""
    if "frames" not in recipe.preprocess:
        raise UsageError(f"loop repeats clips; the recipe {recipe.name} of {name} reads none: leave it out")
    return recipe.preprocess["frames"] // recipe.augment.get("jitter", 1)


def command_line(plan: RunPlan, options: Mapping[str, Any]) -> str:
    """The command line that repeats a run, where the data sets are in their usual place."""
    recipe, original = plan.recipe, plan.card.recipe(plan.recipe.name)
    imports = [word for file in registry.imported_files() for word in ("--import", str(file))]
    words = ["zoo", *imports, "train", plan.card.name, "--recipe", recipe.name]
    for field in OVERRIDES:
        if getattr(recipe, field) != getattr(original, field) or field == "seed":
            words += [f"--{field.replace('_', '-')}", str(getattr(recipe, field))]
    if recipe.weights != original.weights:
        words += ["--weights", recipe.weights, "--preprocessing", recipe.preprocessing]
    if recipe.dataset != original.dataset:
        words += ["--data", recipe.dataset]
    if "loop" in recipe.preprocess and "loop" not in original.preprocess:
        words += ["--loop"]
    to_data = {
        key: value
        for key, value in recipe.preprocess.items()
        if key != "loop" and value != original.preprocess.get(key)
    }
    for option, value in [*to_data.items(), *((option, options[option]) for option in plan.options)]:
        words += ["--option", f"{option}={value!r}"]
    return shlex.join(words)
