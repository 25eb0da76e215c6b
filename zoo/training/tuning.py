"""A search over the settings of a recipe: each trial is a run, measured on the validation set; the test set is for the
one that is trained with the best settings, afterwards.

Optuna (T. Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework", KDD 2019, arXiv:1907.10902)
draws the settings: ten at random, then more often where trials were good (the tree-structured Parzen estimator, J.
Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011). What it draws depends on the seed, the
number of the trial and the trials before, all in ``trials.csv``: a search that was stopped goes on as if it had not.
"""

import contextlib
import csv
import importlib.util
import json
import logging
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from zoo import registry, tasks
from zoo.checks import check_whole
from zoo.errors import UsageError, unknown
from zoo.records import Recipe
from zoo.training.run_folder import Run
from zoo.training.run_plan import RunPlan, default_recipe, prepare
from zoo.training.search_space import Axis, default_space, parse, short, value
from zoo.training.stopping import Stopped

log = logging.getLogger("zoo")

TABLE, ABOUT = "trials.csv", "search.json"
SAMPLERS = ("tpe", "random")


@dataclass(frozen=True)
class Trial:
    """One run of a search."""

    number: int
    settings: Mapping[str, Any]
    score: float  # the main metric on the validation set; NaN where it failed
    seconds: float
    run: str  # its folder, in that of the search
    failed: str = ""  # why


@dataclass(frozen=True)
class Search:
    """A search and its trials, in a folder."""

    path: Path
    metric: str
    minimize: bool
    space: Mapping[str, Axis]
    trials: tuple[Trial, ...]

    @property
    def ranked(self) -> list[Trial]:
        """The trials that came to their end, the best first."""
        ended = [trial for trial in self.trials if math.isfinite(trial.score)]
        return sorted(ended, key=lambda trial: trial.score if self.minimize else -trial.score)

    @property
    def best(self) -> Trial:
        """The best trial.

        Raises:
            UsageError: where all have failed.
        """
        if not self.ranked:
            raise UsageError(f"all {len(self.trials)} trials failed, the last one: {self.trials[-1].failed}")
        return self.ranked[0]

    @property
    def command(self) -> str:
        """The command that trains with the best settings, and measures on the test set."""
        return str(Run(self.path / self.best.run).config["command"])


def tune(
    name: str,
    recipe: Any = None,
    *,
    trials: int = 20,
    search: Mapping[str, str] | None = None,
    sampler: str = "tpe",
    run: str | Path | None = None,
    seed: int | None = None,
    **settings: Any,
) -> Search:
    """Search for settings under which a recipe does better on its validation set.

    Args:
        name, recipe: as of `zoo.train`.
        trials: how many in all; a search in the same folder goes on until there are so many.
        search: what is searched besides the default (rate, weight decay, batch, dropout) or otherwise: ranges by name,
            ``{"learning_rate": "1e-4:1e-1", "activation": "relu,tanh"}``; names of settings of `zoo.train`, options of
            the network, or of what the recipe does to the data.
        sampler: "tpe", which learns from trials; or "random".
        run: the folder; by default ``runs/NAME-RECIPE-tune``.
        seed: of the search and of each training.
        **settings: of `zoo.train`, the same in each trial; what is given here is not searched.

    Returns:
        The `Search`: `.best`, `.trials`, `.command`, `.path`.

    Raises:
        UsageError: where Optuna is not installed, a range is none, or the folder is of another search.
    """
    settings = {key: each for key, each in settings.items() if each is not None and each is not False}
    recipe, space = checked(name, recipe, trials, search or {}, sampler, settings)
    found = begin(name, recipe, run, space, sampler, seed, settings)
    while len(found.trials) < trials:
        found = replace(found, trials=(*found.trials, next_trial(found, name, recipe, sampler, seed, settings)))
        write(found)
        log.info(told(found.trials[-1], found))
        if not found.ranked and len({trial.failed for trial in found.trials[-2:]}) < len(found.trials[-2:]):
            raise UsageError(f"two trials failed alike: {found.trials[-1].failed}")
    if len(found.ranked) > 1:
        from zoo import plots  # and with it NumPy

        logarithmic = [each for each, axis in space.items() if axis.log and not each.endswith("momentum")]
        ended = [trial for trial in found.trials if math.isfinite(trial.score)]
        figure = plots.parallel_coordinates(
            [trial.settings for trial in ended], [trial.score for trial in ended], f"validation {found.metric}",
            logarithmic=logarithmic, minimize=found.minimize,
        )  # fmt: skip
        plots.save(figure, found.path / "trials.png")
    return found


def checked(
    name: Any, recipe: Any, trials: Any, search: Mapping[str, str], sampler: str, settings: Mapping[str, Any]
) -> tuple[str | Recipe, dict[str, Axis]]:
    """The recipe and the ranges of a search; raises for what cannot be searched, before Keras is imported."""
    check_whole("trials", trials)
    if sampler not in SAMPLERS:
        raise unknown("sampler", sampler, SAMPLERS)
    if importlib.util.find_spec("optuna") is None:
        raise UsageError("Optuna, which draws the settings, is not installed; to search: pip install optuna")
    if not isinstance(name, str):
        raise UsageError("a search trains a network anew in each trial; expected its name, not a network that is built")
    for word in ("resume", "optimizer", "folds"):
        if word in settings and not isinstance(settings[word], str):
            raise UsageError(f"{word} is given to a search, whose trials are runs of their own: leave it out")
    card = registry.info(name)
    if recipe is None:
        recipe = default_recipe(card, settings.get("weights"), settings.get("data"))
    chosen = recipe if isinstance(recipe, Recipe) else card.recipe(recipe)
    ranges = dict(parse(f"{each}={text}") for each, text in search.items())
    if twice := [each for each in ranges if each in settings]:
        raise UsageError(f"{twice[0]} is both given and searched; leave one of them out")
    space = default_space(card, chosen, settings) | ranges
    if not space:
        raise UsageError("all settings are given, so that nothing is left to search: leave one out, or name another")
    return recipe, space


def begin(
    name: str,
    recipe: str | Recipe,
    run: str | Path | None,
    space: Mapping[str, Axis],
    sampler: str,
    seed: int | None,
    settings: Mapping[str, Any],
) -> Search:
    """The folder of a search, new, or with the trials that are in it."""
    task = tasks.get(registry.info(name).task)
    named = recipe if isinstance(recipe, str) else recipe.name
    folder = Path(run) if run is not None else Path("runs") / f"{name}-{named}-tune"
    plain = {key: each if isinstance(each, str | int | float) else str(type(each)) for key, each in settings.items()}
    about: dict[str, Any] = {"name": name, "recipe": named, "sampler": sampler, "seed": seed, "settings": plain}
    about["space"] = {key: asdict(axis) for key, axis in space.items()}
    about = json.loads(json.dumps(about, default=str))
    empty = Search(folder, task.metric, task.minimize, space, ())
    if not (folder / ABOUT).is_file():
        Run.create(folder, "").write_json(ABOUT, about)
        return empty
    before = Run(folder).read_json(ABOUT)
    if other := [key for key in about if before.get(key) != about[key]]:
        raise UsageError(
            f"{folder} holds another search ({', '.join(other)} differ); choose another folder (--run), or remove it"
        )
    return replace(empty, trials=tuple(read(folder, space, task.metric)))


def next_trial(
    found: Search, name: str, recipe: Any, sampler: str, seed: int | None, settings: Mapping[str, Any]
) -> Trial:
    """Draw settings, train with them and measure on the validation set."""
    number, started = len(found.trials), time.perf_counter()
    drawn = suggested(found, sampler, seed or 0)
    folder, again = found.path / f"trial-{number:03}", 1
    while folder.exists():  # of a trial that was broken off
        again += 1
        folder = found.path / f"trial-{number:03}-{again}"
    plan = prepare(name, recipe, run=folder, seed=seed, verbose=0, **{**settings, **drawn})
    score, failed = math.nan, ""
    try:
        with quiet():
            ended = trained(plan)
        score = ended.metrics[found.metric]
        failed = "" if math.isfinite(score) else f"its {found.metric} is {score}"
    except Stopped as stop:
        raise Stopped(stop.number, f"; {found.path} keeps {number} trials: the same command goes on") from None
    except UsageError as error:  # a loss that became NaN, memory that ran out: the next may do
        failed = str(error)
    return Trial(number, drawn, score, round(time.perf_counter() - started, 2), folder.name, failed)


def trained(plan: RunPlan) -> Run:
    """The run of a trial."""
    from zoo.backend import random_states_kept
    from zoo.data.resplit import ValidatedOnly
    from zoo.training.trainer import fit

    with random_states_kept():
        return fit(replace(plan, source=ValidatedOnly(plan.source, plan.recipe)))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the log of each training, whose warnings are said; and without TensorFlow's that it compiles again."""
    levels = {log: logging.WARNING, logging.getLogger("tensorflow"): logging.ERROR}
    before = {each: each.level for each in levels}
    try:
        for each, level in levels.items():
            each.setLevel(level)
        yield
    finally:
        for each, level in before.items():
            each.setLevel(level)


def suggested(found: Search, sampler: str, seed: int) -> dict[str, Any]:
    """What Optuna draws for the next trial."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    number = len(found.trials)
    own_seed = (1_000_003 * seed + number) % 2**32
    kinds = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
    study = optuna.create_study(
        direction="minimize" if found.minimize else "maximize", sampler=kinds[sampler](seed=own_seed)
    )
    axes = {name: axis.distribution() for name, axis in found.space.items()}
    for trial in found.trials:
        drawn = {name: found.space[name].drawn(setting) for name, setting in trial.settings.items()}
        ended = math.isfinite(trial.score)
        result: dict[str, Any] = {"value": trial.score} if ended else {"state": optuna.trial.TrialState.FAIL}
        study.add_trial(optuna.trial.create_trial(params=drawn, distributions=axes, **result))
    asked = study.ask(axes).params
    return {name: axis.setting(asked[name]) for name, axis in found.space.items()}


def write(found: Search) -> None:
    """The table of trials."""
    rows = [
        {"trial": trial.number, **trial.settings, found.metric: trial.score, "seconds": trial.seconds,
         "run": trial.run, "failed": trial.failed}
        for trial in found.trials
    ]  # fmt: skip
    Run(found.path).write_csv(TABLE, rows)


def read(folder: Path, space: Mapping[str, Axis], metric: str) -> Iterator[Trial]:
    """The trials of a table.

    Raises:
        UsageError: for one that was not written by a search.
    """
    path = folder / TABLE
    if not path.is_file():
        return
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file)):
                settings = {name: value(row[name]) for name in space}
                yield Trial(number, settings, float(row[metric]), float(row["seconds"]), row["run"], row["failed"])
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise UsageError(
            f"{path} was not written by `zoo tune` ({error}); restore it, or take another folder"
        ) from None


def told(trial: Trial, found: Search) -> str:
    """A trial in a line."""
    settings = ", ".join(f"{name} {short(each)}" for name, each in trial.settings.items())
    result = f"failed: {trial.failed}" if trial.failed else f"validation {found.metric} {trial.score:.4f}"
    return f"trial {trial.number}: {settings}: {result} ({trial.seconds:.0f} s)"
