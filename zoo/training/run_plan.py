"""A run before it starts: what was asked for, checked and put together.

The order of a run is: everything that can be refused is refused (here; names, recipes and settings in under a second,
without Keras); then the data is looked at, the network built and trained, and last, once, the test set used
(`zoo.training.trainer`).
"""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import deprecated, factory, records, registry, tasks
from zoo.cards import FIELDS, SCALINGS, check
from zoo.checks import check_not_negative, is_number, plain
from zoo.errors import UsageError, unknown
from zoo.records import Card, Recipe, replace
from zoo.system import fastest_precision
from zoo.training import resume as resuming
from zoo.training.checkpoint import Checkpoint
from zoo.training.extras import NOTHING, Extras, with_model
from zoo.training.image_options import augmentations, size_of, with_augmentations, with_size
from zoo.training.malloc import one_heap
from zoo.training.own_data import arrays_or_data, with_data
from zoo.training.pretrained import with_file, with_weights
from zoo.training.run_folder import Run
from zoo.training.tracking import Tracker, tracker_of
from zoo.weights import tags

if TYPE_CHECKING:
    from zoo.data.sources import DataSet

log = logging.getLogger("zoo")

OVERRIDES = {  # of a recipe, for one run
    field: FIELDS[field]
    for field in (
        "epochs", "batch_size", "seed", "learning_rate", "ema_momentum", "precision", "head_epochs", "layer_decay",
        "patience", "freeze",
    )
}  # fmt: skip
SETTINGS = (
    *OVERRIDES, "weight_decay", "image_size", "augment", "optimizer", "class_weight", "weights", "preprocessing", "run",
    "data", "data_dir", "loop", "tracker", "verbose", "resume", "checkpoint_minutes", "cache_dir",
)  # fmt: skip
MINUTES = 10.0  # between two checkpoints inside a long epoch


@dataclass(frozen=True)
class RunPlan:
    """A run that has passed every check that needs neither a network nor the data itself."""

    card: Card
    recipe: Recipe  # with what was changed for this run
    options: Mapping[str, Any]  # of the builder
    source: DataSet  # opened, not yet loaded
    run: Run
    data_dir: str | Path | None
    tracker: Tracker
    verbose: str | int
    checkpoint_minutes: float = MINUTES
    cache_dir: Path | None = None
    resumed: bool = False  # whether the folder is that of a run which was begun before
    start: Checkpoint | None = None  # of such a run, if it has one
    extras: Extras = NOTHING

    @property
    def unchanged(self) -> bool:
        """Whether the recipe runs as it stands, but for its seed."""
        recipe = self.card.recipe(self.recipe.name)
        return replace(self.recipe, seed=recipe.seed) == recipe and not self.options and self.extras == NOTHING


def prepare(
    name: Any = None,
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
    ema_momentum: float | None = None,
    weight_decay: float | None = None,
    seed: int | None = None,
    precision: str | None = None,
    head_epochs: int | None = None,
    layer_decay: float | None = None,
    patience: int | None = None,
    freeze: str | None = None,
    image_size: int | str | Sequence[int] | None = None,
    augment: Mapping[str, Any] | str | None = None,
    loop: bool = False,
    tracker: str = "",
    verbose: str | int = "auto",
    resume: bool | str | Path = False,
    checkpoint_minutes: float = MINUTES,
    cache_dir: str | Path | None = None,
    offer: Callable[[str], bool] = lambda question: False,
    callbacks: Sequence[Any] | None = None,
    metrics: Sequence[Any] | None = None,
    optimizer: Any = None,
    class_weight: Mapping[int | str, float] | str | None = None,
    **options: Any,
) -> RunPlan:
    """Check what was asked for and make the run folder. The arguments are those of `zoo.train`; `offer` is asked
    whether to go on with a run of the same command that did not finish.

    Keras is imported only where files of the user's own (`data`, `weights`) must be held against the task or network.
    """
    if "tensorboard" in options:
        deprecated.warn("tensorboard=True", "tracker='tensorboard'")
        tracker = "tensorboard" if options.pop("tensorboard") else tracker
    check_not_negative("checkpoint_minutes", checkpoint_minutes)
    if cache_dir is not None and not (Path(cache_dir).is_dir() and os.access(cache_dir, os.W_OK | os.X_OK)):
        raise UsageError(
            f"cache_dir is {str(cache_dir)!r}, no folder that may be written to; make it, or choose another"
        )
    for word, given in {"callbacks": callbacks, "metrics": metrics}.items():
        if not isinstance(given, list | tuple | None):
            raise UsageError(f"{word} is a {type(given).__name__}; expected a list of Keras's")
    size, changed = size_of(image_size), augmentations(augment)
    same = dict(weights=weights, preprocessing=preprocessing, loop=loop, image_size=size, augment=changed, **options)
    model = None
    if name is not None:
        name, model, options = with_model(name, options)
    if precision == "auto":
        precision, why = fastest_precision()
        log.info(f"precision {precision}: {why}")
    changes = dict(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed, precision=precision)
    changes |= dict(ema_momentum=ema_momentum, weight_decay=weight_decay, head_epochs=head_epochs)
    changes |= dict(layer_decay=layer_decay, patience=patience, freeze=freeze)
    chosen = optimizer if isinstance(optimizer, str) else ""
    extras = Extras(tuple(callbacks or ()), tuple(metrics or ()), None if chosen else optimizer, class_weight, model)
    how: dict[str, Any] = dict(
        data_dir=data_dir, tracker=tracker_of(tracker), verbose=verbose, checkpoint_minutes=checkpoint_minutes,
        extras=extras, cache_dir=None if cache_dir is None else Path(cache_dir),
    )  # fmt: skip
    if not isinstance(resume, bool):
        named = recipe.name if isinstance(recipe, Recipe) else recipe
        return plan_of_run(resuming.open_run(Path(resume)), name, named, changes, data, same, how)
    if name is None:
        raise UsageError("no network is named; expected one of `zoo list`, or the folder of a run to resume")
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
    if chosen:
        planned = replace(planned, optimizer=chosen, optimizer_options={})
    planned = with_augmentations(with_size(planned, card, size), changed)
    planned, options = with_options(override(planned, changes), options, card)
    planned = with_weights(planned, card, weights, preprocessing)
    if head_epochs and not planned.weights:
        raise UsageError(f"head_epochs is {head_epochs} without weights; expected both, or neither")
    planned = with_data(planned, card, data, loop)
    if card.one_heap:
        one_heap()
    default = f"{name}-{planned.name}-{planned.seed}"
    begun = resuming.find(None if run is None else Path(run), default)
    if begun and (resume or (resuming.unfinished(begun, name, planned, options) and offer(resuming.question(begun)))):
        return plan_of_run(begun, name, recipe and planned.name, changes, data, same, how)
    source = arrays_or_data(data, planned.dataset, card, data_dir, planned.preprocess)
    if planned.weights:  # missing, or fetched: now, not after the data is read; but not before it is there
        planned = with_file(planned, tags.find(planned.weights, name, {**planned.model, **options}))
    if resume:
        log.info(f"there is no run of {default} to resume: it is begun")
    return RunPlan(card, planned, options, source, Run.create(run, default), **how)


def plan_of_run(
    run: Run,
    name: str | None,
    recipe: str | None,
    changes: Mapping[str, Any],
    data: Any,
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
    own = records.recipe_from(config["recipe"])
    if own.name not in {each.name for each in card.recipes}:  # the caller's own
        card = replace(card, recipes=(*card.recipes, own))
    resuming.check_same(run, name, recipe, same)
    start, damaged = resuming.start_of(run)
    for each in damaged:
        log.warning(each)
    override(own, changes)  # raises
    path = str(Path(data).absolute()) if isinstance(data, str | Path) else None
    planned = resuming.recipe_of(run, card, start, changes, path)
    if planned.weights:
        tags.find(planned.weights, card.name, planned.model)
    if card.one_heap:
        one_heap()
    data_dir = how["data_dir"] or config["data_dir"]
    source = arrays_or_data(data, planned.dataset, card, data_dir, planned.preprocess)
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
    zoo.errors.UsageError: epochs is 0; expected a whole number of at least 1 and at most 10,000,000
    """
    changes = {field: plain(value) for field, value in changes.items() if value is not None}
    if (decay := changes.pop("weight_decay", None)) is not None:
        if not is_number(decay, 0, 1):
            raise UsageError(f"weight_decay is {decay!r}; expected a number from 0 to 1")
        recipe = replace(recipe, optimizer_options={**recipe.optimizer_options, "weight_decay": decay})
    for field, value in changes.items():
        valid, expected = OVERRIDES[field]
        if not valid(value):
            raise UsageError(f"{field} is {value!r}; expected {expected}")
    if "epochs" in changes:
        changes["min_steps"] = 0  # so many and no more
        changes.setdefault("head_epochs", min(recipe.head_epochs, changes["epochs"] // 2))  # a short trial has both
    recipe = replace(recipe, **changes)
    if recipe.head_epochs > recipe.epochs:
        raise UsageError(f"head_epochs is {recipe.head_epochs}; expected at most the {recipe.epochs} epochs of all")
    return recipe


def with_options(recipe: Recipe, options: Mapping[str, Any], card: Card) -> tuple[Recipe, dict[str, Any]]:
    """The recipe with the options that are for what it does to the data, and the others: those of the builder."""
    to_data = {option: plain(value) for option, value in options.items() if option in recipe.preprocess}
    others = {option: value for option, value in options.items() if option not in to_data}
    others = factory.checked_options(card.name, others, beside=(*recipe.preprocess, *SETTINGS))
    return replace(recipe, preprocess={**recipe.preprocess, **to_data}), others


def default_recipe(card: Card, weights: str | Path | None, data: Any) -> str:
    """ "finetune" from weights, if there is one; for files of one's own the recipe that is for them, if there is one;
    else "demo".

    Arrays, also those in an .npz file, are taken to be ready for the network, as the demo's are.

    >>> [default_recipe(registry.info(name), None, "photos") for name in ("mlp", "r3d_18", "gru_lm")]
    ['demo', 'folder', 'text_folder']
    >>> default_recipe(registry.info("lenet5"), None, "digits.npz")
    'demo'
    """
    if weights and "finetune" in {recipe.name for recipe in card.recipes}:
        return "finetune"
    own = [recipe.name for recipe in card.recipes if not recipe.dataset and not recipe.weights]
    files = hasattr(data, "columns") or (isinstance(data, str | Path) and Path(data).suffix != ".npz")
    return own[0] if own and files else "demo"
