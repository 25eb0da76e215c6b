"""How well a finished run's classifier holds where images are changed to deceive it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.data.sources import check_writable
from zoo.inference.api import opened
from zoo.inference.reopening import reopen
from zoo.introspection import attacks
from zoo.tasks._robustness import EPSILONS, EXAMPLES, Robustness, check_settings
from zoo.training.run_folder import Run


def attack(
    run: str | Path | Run, epsilons: Sequence[float] = EPSILONS, *, folder: str | Path | None = None, **settings: Any
) -> list[dict[str, float]]:
    """The accuracy of a classifier of images on its test set, where each pixel may move by up to epsilon.

    By random signs, by one step along the signs of the gradient (FGSM, Goodfellow 2015) and by several (PGD, Madry
    2018); see `zoo.introspection.attacks`.

    Args:
        run: a run folder, or what `train` returned.
        epsilons: parts of the range of the pixels, above 0 and up to 1.
        folder: where a picture of it is written; None: nowhere.
        **settings: those of `robustness`: methods, steps, examples, seed, data, data_dir.

    Returns:
        ``[{"epsilon": 0.0, "noise": 0.98, "fgsm": 0.98, "pgd": 0.98}, {"epsilon": 0.01, ...}, ...]``

    Raises:
        UsageError: if the folder holds no finished run of a classifier of images, its data cannot be had, or a setting
            is out of range.
    """
    return [dict(row) for row in robustness(run, epsilons, folder=folder, **settings).rows]


def robustness(
    run: str | Path | Run,
    epsilons: Sequence[float] = EPSILONS,
    *,
    methods: Sequence[str] = attacks.METHODS,
    steps: int = attacks.STEPS,
    examples: int = EXAMPLES,
    seed: int = 0,
    folder: str | Path | None = None,
    data: Any = None,
    data_dir: str | Path | None = None,
) -> Robustness:
    """All that `attack` finds: its rows, on how many examples, of which range of pixels, and the picture.

    Args:
        run, epsilons, folder: as in `attack`.
        methods: "fgsm", "pgd" or both.
        steps: of PGD.
        examples: of the test set, at most, chosen at random.
        seed: of that choice, the random signs and the starts of PGD.
        data, data_dir: as in `evaluate`.
    """
    check_settings(epsilons, methods, steps, examples)
    run = opened(run, "attack")
    if folder is not None:
        check_writable(Path(folder), what="a picture")
    trained = reopen(run, with_source=True, data=data, data_dir=data_dir)
    settings: dict[str, Any] = dict(methods=methods, steps=steps, examples=examples, seed=seed)
    task: Any = trained.network.task  # one of those with a method `attack`
    return task.attack(trained, epsilons, None if folder is None else Path(folder), **settings)
