"""A run before it starts: what was asked for, checked and put together.

The order of a run is: everything that can be refused is refused (here; names, recipes and settings in under a second,
without Keras); then the data is looked at, the network built and trained, and last, once, the test set used
(`zoo.training.trainer`).
"""

from __future__ import annotations

import importlib.util
import inspect
import logging
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import factory, records, registry, tasks
from zoo.cards import FIELDS, SCALINGS
from zoo.checks import check_not_negative, plain
from zoo.errors import UsageError, unknown
from zoo.preprocessing import preprocessing_of
from zoo.records import Card, Recipe, replace
from zoo.training import resume as resuming
from zoo.training.checkpoint import Checkpoint
from zoo.training.malloc import one_heap
from zoo.training.run_folder import Run
from zoo.weights import tags

if TYPE_CHECKING:
    from zoo.data.sources import DataSet

log = logging.getLogger("zoo")

OVERRIDES = {  # of a recipe, for one run
    field: FIELDS[field] for field in ("epochs", "batch_size", "seed", "learning_rate", "ema_momentum", "precision")
}
SETTINGS = (
    *OVERRIDES, "weights", "preprocessing", "run", "data", "data_dir", "loop", "tensorboard", "verbose", "resume",
    "checkpoint_minutes",
)  # fmt: skip
MINUTES = 10.0  # between two checkpoints inside a long epoch
FILES = (".npz", ".txt", ".csv", ".tsv", ".jsonl")  # of a user's own data


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
    checkpoint_minutes: float = MINUTES
    resumed: bool = False  # whether the folder is that of a run which was begun before
    start: Checkpoint | None = None  # of such a run, if it has one

    @property
    def unchanged(self) -> bool:
        """Whether the recipe runs as it stands, but for its seed."""
        recipe = self.card.recipe(self.recipe.name)
        return replace(self.recipe, seed=recipe.seed) == recipe and not self.options


def prepare(
    name: str | None = None,
    recipe: str | None = None,
    *,
    weights: str | Path | None = None,
    preprocessing: str | None = None,
    run: str | Path | None = None,
    data: str | Path | None = None,
    data_dir: str | Path | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    ema_momentum: float | None = None,
    seed: int | None = None,
    precision: str | None = None,
    loop: bool = False,
    tensorboard: bool = False,
    verbose: str | int = "auto",
    resume: bool | str | Path = False,
    checkpoint_minutes: float = MINUTES,
    offer: Callable[[str], bool] = lambda question: False,
    **options: Any,
) -> RunPlan:
    """Check what was asked for and make the run folder. The arguments are those of `zoo.train`; `offer` is asked
    whether to go on with a run of the same command that did not finish.

    Keras is imported only where files of the user's own (`data`, `weights`) must be held against the task or network.
    """
    check_not_negative("checkpoint_minutes", checkpoint_minutes)
    how: dict[str, Any] = dict(
        data_dir=data_dir, tensorboard=tensorboard, verbose=verbose, checkpoint_minutes=checkpoint_minutes
    )
    changes = dict(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed, precision=precision)
    changes |= dict(ema_momentum=ema_momentum)
    same = dict(weights=weights, preprocessing=preprocessing, loop=loop, **options)
    if not isinstance(resume, bool):
        return plan_of_run(resuming.open_run(Path(resume)), name, recipe, changes, data, same, how)
    if name is None:
        raise UsageError("no network is named; expected one of `zoo list`, or the folder of a run to resume")
    card = registry.info(name)
    check_card(card)
    planned = card.recipe(recipe or default_recipe(card, weights, data))
    planned, options = with_options(override(planned, changes), options, card)
    planned = with_weights(planned, card, weights, preprocessing)
    planned = with_data(planned, card, data, loop)
    if tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise UsageError("TensorBoard is not installed; to write its logs: pip install tensorboard")
    if card.one_heap:
        one_heap()
    default = f"{name}-{planned.name}-{planned.seed}"
    begun = resuming.find(None if run is None else Path(run), default)
    if begun and (resume or (resuming.unfinished(begun, name, planned, options) and offer(resuming.question(begun)))):
        return plan_of_run(begun, name, recipe and planned.name, changes, data, same, how)
    source = open_data(planned.dataset, card, data_dir, planned.preprocess)
    if planned.weights:  # missing, or fetched: now, not after the data is read; but not before it is there
        tags.find(planned.weights, name, {**planned.model, **options})
    if resume:
        log.info(f"there is no run of {default} to resume: it is begun")
    return RunPlan(card, planned, options, source, Run.create(run, default), **how)


def plan_of_run(
    run: Run,
    name: str | None,
    recipe: str | None,
    changes: Mapping[str, Any],
    data: str | Path | None,
    same: Mapping[str, Any],
    how: Mapping[str, Any],
) -> RunPlan:
    """The plan to go on with a run that was begun before.

    Args:
        run: its folder.
        name, recipe: as they were given; None where they were not.
        changes: to fields of the recipe.
        data: another place of the data.
        same: what was given and cannot change.
        how: the other fields of a plan.
    """
    config = run.config
    registry.import_again(config["model"], config.get("imports", ()), run.path)
    card = registry.info(config["model"])
    check_card(card)
    resuming.check_same(run, name, recipe, same)
    start, damaged = resuming.start_of(run)
    for each in damaged:
        log.warning(each)
    override(records.recipe_from(config["recipe"]), changes)  # raises
    path = str(Path(data).absolute()) if data is not None else None
    planned = resuming.recipe_of(run, card, start, changes, path)
    if planned.weights:
        tags.find(planned.weights, card.name, planned.model)
    if card.one_heap:
        one_heap()
    data_dir = how["data_dir"] or config["data_dir"]
    source = open_data(planned.dataset, card, data_dir, planned.preprocess)
    return RunPlan(card, planned, {}, source, run, **{**how, "data_dir": data_dir}, resumed=True, start=start)


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
    changes = {field: plain(value) for field, value in changes.items() if value is not None}
    for field, value in changes.items():
        valid, expected = OVERRIDES[field]
        if not valid(value):
            raise UsageError(f"{field} is {value!r}; expected {expected}")
    if "epochs" in changes:
        changes["min_steps"] = 0  # so many and no more
    return replace(recipe, **changes)


def with_options(recipe: Recipe, options: Mapping[str, Any], card: Card) -> tuple[Recipe, dict[str, Any]]:
    """The recipe with the options that are for what it does to the data, and the others: those of the builder."""
    to_data = {option: plain(value) for option, value in options.items() if option in recipe.preprocess}
    others = {option: value for option, value in options.items() if option not in to_data}
    others = factory.checked_options(card.name, others, beside=(*recipe.preprocess, *SETTINGS))
    return replace(recipe, preprocess={**recipe.preprocess, **to_data}), others


def with_weights(recipe: Recipe, card: Card, weights: str | Path | None, preprocessing: str | None) -> Recipe:
    """The recipe with the weights that training starts from, and how these want their images."""
    chosen = str(weights or recipe.weights)
    head_epochs = min(recipe.head_epochs, recipe.epochs // 2)  # a short trial of a long recipe has both parts
    scaled = preprocessing_of(card, chosen, preprocessing)
    return replace(recipe, weights=chosen, head_epochs=head_epochs, preprocessing=scaled)


def with_data(recipe: Recipe, card: Card, data: str | Path | None, loop: bool) -> Recipe:
    """The recipe with the user's own data in place of its data set, and short clips repeated if they may be."""
    if data is not None:
        recipe = on_own_data(recipe, data)
    if loop:
        recipe = replace(recipe, preprocess={"loop": fewest_frames(card.name, recipe), **recipe.preprocess})
    if not recipe.dataset:
        raise UsageError(
            f"the recipe {recipe.name} of {card.name} is for data of your own; name it: --data FOLDER (data=)"
        )
    return recipe


def on_own_data(recipe: Recipe, data: str | Path) -> Recipe:
    """The recipe with the user's own data in place of its data set: a file has whole splits of the usual names."""
    path = Path(data).absolute()
    if not str(data) or (path.suffix.lower() not in FILES and not path.is_dir()):
        missing = ", which is not there" if str(data) and not path.exists() else ""
        raise UsageError(
            f"data is {str(data)!r}{missing}; expected the path of a folder or of a file: {', '.join(FILES)}"
        )
    return replace(recipe, dataset=str(path), train="train", validation="validation", test="test")


def open_data(dataset: str, card: Card, data_dir: str | Path | None, preprocess: Mapping[str, Any] = {}) -> DataSet:
    """The data set, found and checked but not loaded; a folder of one's own is opened as the card's task wants it,
    with those of the recipe's words that its `folder` takes."""
    from zoo.data import open_source  # tfds: not before the names are known to be right

    path = Path(dataset)
    own = path.is_absolute() and path.suffix != ".npz"
    folder: Callable[..., Any] | None = tasks.get(card.task).folder if own else None
    if own and folder is None:
        kind = "folder" if path.is_dir() else f"{path.suffix} file"
        takes = ", ".join(name for name in tasks.names() if tasks.get(name).folder)
        raise UsageError(f"{dataset} is a {kind}; a network for {card.task} learns from none ({takes} can)")
    if folder is not None:
        named = [each.name for each in inspect.signature(folder).parameters.values() if each.kind is each.KEYWORD_ONLY]
        folder = partial(folder, **{name: preprocess[name] for name in named if name in preprocess})
    module = tasks.get(card.task).data_module if path.suffix == ".npz" else None
    numbers = getattr(module, "targets_are", "") == "numbers"
    return open_source(
        dataset, folder=folder, data_dir=data_dir, numbers=numbers, ordered=bool(module and module.ordered)
    )


def default_recipe(card: Card, weights: str | Path | None, data: str | Path | None) -> str:
    """ "finetune" from weights; for files of one's own the recipe that is for them, if there is one; else "demo".

    Arrays in an .npz file are taken to be ready for the network, as the demo's are.

    >>> [default_recipe(registry.info(name), None, "photos") for name in ("mlp", "r3d_18", "gru_lm")]
    ['demo', 'folder', 'text_folder']
    >>> default_recipe(registry.info("lenet5"), None, "digits.npz")
    'demo'
    """
    if weights:
        return "finetune"
    own = [recipe.name for recipe in card.recipes if not recipe.dataset and not recipe.weights]
    return own[0] if own and data is not None and Path(data).suffix != ".npz" else "demo"


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
