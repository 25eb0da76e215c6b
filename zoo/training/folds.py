"""k-fold cross-validation: a network is trained as often as there are parts of the data, each time without one part,
which it is measured on. The test set is not touched."""

import logging
import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo import plots, registry, tasks
from zoo.checks import is_whole
from zoo.errors import UsageError
from zoo.training.run_folder import Run
from zoo.training.run_plan import RunPlan, prepare

log = logging.getLogger("zoo")

CANNOT = {  # settings of `zoo.train` that have one result only -> why
    "resume": "folds are trained anew, leave it out",
    "optimizer": "an optimizer keeps what it has learned: name it, or set it in a zoo.Recipe",
}


@dataclass(frozen=True)
class CrossValidation:
    """A run for each fold, and what they were measured to do, each on the part that it did not learn from."""

    path: Path
    metric: str
    runs: tuple[Run, ...]

    @property
    def scores(self) -> tuple[float, ...]:
        """The main metric of each fold."""
        return tuple(run.metrics[self.metric] for run in self.runs)

    @property
    def mean(self) -> float:
        return statistics.mean(self.scores)

    @property
    def spread(self) -> float:
        """The standard deviation between the folds."""
        return statistics.stdev(self.scores)

    def __str__(self) -> str:
        lines = [f"{run.path}: {self.metric} {score:.4f}" for run, score in zip(self.runs, self.scores)]
        lines.append(
            f"{len(self.runs)} folds: {self.metric} {self.mean:.4f} ± {self.spread:.4f}, "
            f"{min(self.scores):.4f} to {max(self.scores):.4f}; the test set was not touched; "
            f"in {self.path}: folds.csv, folds.png"
        )
        return "\n".join(lines)


def cross_validate(folds: int, *, name: Any, run: Any = None, **settings: Any) -> CrossValidation:
    """Train a network once for each fold and write a folder with the runs, ``folds.csv`` and ``folds.png``.

    Args:
        folds: how many, at least 2.
        name, run, settings: as of `zoo.train`.

    Raises:
        UsageError: for what cannot be divided: fewer examples than folds, series in the order of time, networks that
            hold nothing out.
    """
    check(folds, name, settings)
    folder = Run.create(run, f"{name}-{folds}-folds").path
    runs, metric = [], ""
    try:
        for number in range(folds):
            plan = prepare(name, run=folder / f"fold-{number + 1}", **settings)
            runs.append(trained(plan, number, folds))
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()
    task = tasks.get(registry.info(name).task)
    metric = task.headline(runs[0].metrics)
    found = CrossValidation(folder, metric, tuple(runs))
    table = [{"fold": number, **run.metrics} for number, run in enumerate(runs, 1)]
    Run(folder).write_csv("folds.csv", table)
    plots.save(plots.folds(found.scores, metric), folder / "folds.png")
    return found


def check(folds: Any, name: Any, settings: dict[str, Any]) -> None:
    """Raise for what cannot be cross-validated, before anything is read."""
    if not is_whole(folds, 2):
        raise UsageError(f"folds is {folds!r}; expected a whole number of at least 2")
    if not isinstance(name, str):
        raise UsageError("folds train a network anew for each; expected its name, not a network that is built")
    for setting, cure in CANNOT.items():
        given = settings.get(setting)
        if given and not (setting == "optimizer" and isinstance(given, str)):
            raise UsageError(f"{setting} is given with folds: {cure}")
    card = registry.info(name)
    module = tasks.get(card.task).data_module
    if module.ordered:
        raise UsageError(f"{name} learns from series in the order of time; folds would let it learn from the future")
    if not module.holds_out(card):
        raise UsageError(f"{name} holds no examples out; there is nothing to measure folds on")


def trained(plan: RunPlan, number: int, count: int) -> Run:
    """The run of a fold."""
    from zoo.data.resplit import Fold
    from zoo.training.trainer import fit

    try:
        fold = Fold(plan.source, plan.recipe, number, count, plan.recipe.seed)
        log.info(f"fold {number + 1} of {count}")
        return fit(replace(plan, source=fold))
    except BaseException:
        plan.run.discard_if_untrained()
        raise
