"""What holds a finished run back: its errors on the sets that it learned from, was chosen by, was tested on, and on the
data that it is meant for."""

from pathlib import Path
from typing import Any

from zoo import plots
from zoo.data.example_tags import read_tags
from zoo.errors import UsageError
from zoo.inference.api import opened
from zoo.inference.reopening import reopen
from zoo.metrics.diagnosis import Diagnosis, check_rate
from zoo.training.run_folder import Run


def diagnose(
    run: str | Path | Run,
    *,
    human: float = 0.0,
    target: Any = None,
    tags: str | Path | None = None,
    data: Any = None,
    data_dir: str | Path | None = None,
    folder: str | Path | None = None,
) -> Diagnosis:
    """Which of bias, variance, over-tuning or mismatch holds a classifier back, and what to try next.

    Args:
        run: a run folder, or what `train` returned.
        human: error rate of people, or the lowest that can be had otherwise, 0 to 1.
        target: data that the network is meant for, if these are not those of the run: as `data` of `zoo.evaluate`.
        tags: a table of examples (files or numbers, as ``errors.csv`` has them) and what kind of example each is, in
            as many further cells as you like; of the target set, or without one of the validation set.
        data: the arrays that the run was trained on, if it was on arrays; or where its data are now.
        data_dir: where tfds keeps its data sets, if not where the run found them.
        folder: to write the tables and figures to; it must not exist. None: nowhere.

    Returns:
        `.errors` by set, `.gaps` with their cause and margin, `.holds_back`, `.advice`, `.by_class`, `.by_tag`, and
        `.mistakes`, the examples to look at.

    Raises:
        UsageError: for a run that tells no classes apart or has no validation set of its own, a rate that is none, or
            data of other classes.
    """
    check_rate("human", human)
    finished = opened(run, "diagnose")
    if part := finished.config.get("part"):
        raise UsageError(f"{finished.path} is measured on {part}; expected a run with a test set of its own: train one")
    out = None if folder is None else Path(folder)
    if out is not None and out.exists():
        raise UsageError(f"{out} is there already; choose another, or remove it first")
    by_user = None if tags is None else read_tags(tags)
    trained = reopen(finished, with_source=True, data=data, data_dir=data_dir)
    recipe = trained.data.recipe
    if recipe.validation in (recipe.train, recipe.test):
        what = "training" if recipe.validation == recipe.train else "test"
        raise UsageError(
            f"{finished.path} has no validation set of its own: it is the {what} set ({recipe.validation!r}); expected "
            "one, which tells what it learned from what it learned by heart: train with another split as validation"
        )
    other = None if target is None else reopen(finished, with_source=True, data=target, data_dir=data_dir).data
    found = trained.network.task.diagnose(trained, human=human, target=other, tags=by_user)  # type: ignore[attr-defined]
    if out is not None:
        write(found, out)
    return found


def write(found: Diagnosis, folder: Path) -> None:
    """The tables and figures of a diagnosis."""
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"the diagnosis cannot be written to {folder}: {error.strerror}; choose another") from None
    files = Run(folder)
    files.write_csv("gaps.csv", [
        {"set": gap.at, "error": f"{found.errors[gap.at]:.4f}", "above": gap.before, "by": f"{gap.size:.4f}",
         "margin": f"{gap.margin:.4f}", "cause": gap.cause, "holds_back": gap.cause in found.holds_back}
        for gap in found.gaps
    ])  # fmt: skip
    plots.save(plots.errors_by_set(found), folder / "gaps.png")
    for name, rows in {"by_class": found.by_class, "by_tag": found.by_tag}.items():
        if rows:
            files.write_csv(f"{name}.csv", [dict(row) for row in rows])
            of = f"errors on the {found.looked_at} set by {name.removeprefix('by_')}"
            plots.save(plots.errors_of_kinds(rows, of), folder / f"{name}.png")
    if found.mistakes:
        files.write_csv("errors.csv", [dict(row) for row in found.mistakes])
