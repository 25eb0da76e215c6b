"""Images and vectors that a finished run draws from noise."""

import inspect
from collections.abc import Sequence
from pathlib import Path

from zoo import registry, tasks
from zoo.errors import UsageError
from zoo.inference.api import opened, run_command
from zoo.inference.prediction import check_supported, is_name
from zoo.training.run_folder import Run


def draw(
    run: str | Path | Run, path: str | Path, *, count: int = 64, seed: int = 0, between: Sequence[int] = ()
) -> list[str]:
    """Images on one sheet, or vectors in a table, that a trained network draws from noise.

    Args:
        run: a run folder, or what `train` returned.
        path: the file: .png or .jpg; .gif for the way between seeds; .csv where the network draws vectors.
        count: how many.
        seed: of the noise; the same one draws the same.
        between: two seeds or more: the way from the drawing of one to that of the next, in place of `count` drawings.

    Raises:
        UsageError: if the folder holds no finished run, its network draws nothing, the path is taken or cannot hold
            it, or a setting is out of range.
    """
    if is_name(run):
        raise UsageError(f"{run} is the name of a network; expected the folder of a run: zoo train {run}")
    if not draws(run):
        raise UsageError(f"{Run.open(run).path} writes text and draws nothing: zoo generate RUN --prompt TEXT")
    return list(run_command(run, "generate", path, count=count, seed=seed, between=between))


def draws(run: str | Path | Run) -> bool:
    """Whether what a run, or a network of that name, generates goes into a file: no text.

    Raises:
        UsageError: if it generates nothing.
    """
    if is_name(run):
        name = str(run)
        check_supported(name, "generate")
    else:
        name = opened(run, "generate").config["model"]
    task = tasks.get(registry.info(name).task)
    return "path" in inspect.signature(getattr(task, "generate")).parameters  # noqa: B009  of those that have one
