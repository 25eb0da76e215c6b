"""What a finished run is asked: its figures, and its answers to new inputs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo import registry, tasks
from zoo.data import open_source
from zoo.data.feeds import Feed
from zoo.data.sources import check_writable
from zoo.errors import UsageError
from zoo.run import Run
from zoo.tasks import Network, Task


@dataclass(frozen=True)
class Finished:
    """A run folder, opened: everything that its network needs in order to work."""

    run: Run
    task: Task
    network: Network
    feed: Feed


def reopen(run: str | Path | Run, *, data: bool = False, data_dir: str | Path | None = None) -> Finished:
    """Load a finished run.

    Args:
        run: a run folder, or what `train` returned.
        data: open its data set as well, so that the feed can make batches.
        data_dir: where tfds keeps its data sets, if not where the run found them.

    Raises:
        UsageError: if the folder holds no finished run or its data cannot be had.
    """
    folder = Run.open(run)
    config = folder.config
    card = registry.info(config["model"])
    task = tasks.TASKS[card.task]
    try:
        plan = registry.Recipe(**{**config["recipe"], "expected": None})
        restored = task.feed.restore(card, plan, None, config["feed"])
    except (TypeError, KeyError):
        raise UsageError(f"{folder.path / 'config.json'} was not written by this zoo; train again") from None
    if data:
        restored.source = open_source(plan.dataset, task=card.task, data_dir=data_dir or config["data_dir"]).load()
    registry.builder(card.name)  # so that its layers are known
    return Finished(folder, task, Network.of(folder.model(), card, task, plan.loss), restored)


def evaluate(run: str | Path | Run, *, data_dir: str | Path | None = None) -> dict[str, float]:
    """The figures of a finished run on its test set, computed again from the saved network.

    Args:
        run: a run folder, or what `train` returned.
        data_dir: where tfds keeps its data sets, if not where the run found them.

    Returns:
        ``{"loss": ..., "accuracy": ...}``, or the figures of the task at hand.

    Raises:
        UsageError: if the folder holds no finished run or its data cannot be had.
    """
    finished = reopen(run, data=True, data_dir=data_dir)
    return dict(finished.task.measure(finished.network, finished.feed, "test").figures)


def predict(run: str | Path | Run, inputs: Sequence[str], *, folder: str | Path | None = None) -> list[str]:
    """What a trained network says of new inputs, a line or more for each.

    Args:
        run: a run folder, or what `train` returned.
        inputs: paths of pictures or clips, or texts, as the network takes.
        folder: where pictures that explain the answers are written; None: nowhere.

    Raises:
        UsageError: if the folder holds no finished run, or an input is none of this network's.
    """
    finished = reopen(run)
    if finished.task.answer is None:
        raise UsageError(f"{finished.network.card.name} answers no single input; `zoo evaluate` measures it")
    if folder is not None:
        folder = Path(folder)
        check_writable(folder, what="an explanation")
        folder.mkdir(parents=True, exist_ok=True)
    return finished.task.answer(finished.network, finished.feed, list(map(str, inputs)), folder)
