"""What a finished run is asked: its figures, and its answers to new inputs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo import records, registry, tasks
from zoo.data import open_source
from zoo.data.base import Feed
from zoo.data.sources import check_writable
from zoo.errors import UsageError, unknown
from zoo.inference import pretrained
from zoo.tasks import Measured, Network, Task
from zoo.training.run_folder import Run


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
        plan = records.Recipe(**{**config["recipe"], "expected": None})
        restored = task.feed.restore(card, plan, None, config["feed"])
    except (TypeError, KeyError):
        raise UsageError(f"{folder.path / 'config.json'} was not written by this zoo; train again") from None
    if data:
        restored.source = open_source(plan.dataset, task=card.task, data_dir=data_dir or config["data_dir"]).load()
    registry.builder(card.name)  # so that its layers are known
    return Finished(folder, task, Network.of(folder.model(), card, task, plan), restored)


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
    return dict(measure(run, data_dir=data_dir).figures)


def measure(run: str | Path | Run, *, files: Sequence[str] = (), data_dir: str | Path | None = None) -> Measured:
    """All that a finished run's task measures on its test set: the figures of `evaluate`, and notes beside them.

    Args:
        run: a run folder, or what `train` returned.
        files: questions of the user's own, for tasks that take them.
        data_dir: where tfds keeps its data sets, if not where the run found them.
    """
    finished = reopen(run, data=True, data_dir=data_dir)
    if files and not finished.task.takes_files:
        raise UsageError(f"{finished.network.card.name} is not measured against files; leave {files[0]} out")
    finished.feed.files = tuple(files)
    return finished.task.measure(finished.network, finished.feed, "test")


def export(run: str | Path | Run, format: str, path: str | Path) -> Path:
    """Write what a run has learned for other programs.

    Args:
        run: a run folder, or what `train` returned.
        format: of those of the network's task.
        path: the file or folder to write; it must not exist.

    Raises:
        UsageError: for a format that this network has not, or a path that is taken or cannot be written.
    """
    finished, path = reopen(run), Path(path)
    if format not in finished.task.exports:
        raise unknown(f"format of {finished.network.card.name}", format, finished.task.exports)
    if path.exists():
        raise UsageError(f"{path} is there already; choose another, or remove it first")
    try:
        return finished.task.exports[format](finished.network, finished.feed, path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}; choose another") from None


def predict(
    run: str | Path | Run,
    inputs: Sequence[str],
    *,
    folder: str | Path | None = None,
    weights: str | Path | None = None,
    preprocessing: str | None = None,
    loop: bool = False,
) -> list[str]:
    """What a trained network says of new inputs, a line or more for each.

    Args:
        run: a run folder, or what `train` returned; or the name of a network with published weights.
        inputs: paths of pictures or clips, or texts, as the network takes.
        folder: where pictures that explain the answers are written; None: nowhere.
        weights: of a name: a tag of its card (``"imagenet"``, the default), a file, or an https address.
        preprocessing: what the weights in a file or at an address were trained on: "caffe", "torch" or "tf".
        loop: repeat clips that have fewer frames than the network takes.

    Raises:
        UsageError: if the folder holds no finished run, or an input is none of this network's.
    """
    if is_name(run):
        network, feed = pretrained.ready(str(run), weights or "imagenet", preprocessing=preprocessing)
        task = tasks.TASKS[network.card.task]
    elif weights or preprocessing:
        raise UsageError(
            f"{Run.open(run).path} has weights of its own; weights and preprocessing are for the name of a network"
        )
    else:
        finished = reopen(run)
        network, feed, task = finished.network, finished.feed, finished.task
    if task.answer is None:
        verbs = ", ".join(f"`zoo {verb}`" for verb in ("evaluate", *task.verbs))
        raise UsageError(f"{network.card.name} answers no single input; expected one of {verbs}")
    feed.loop = loop
    if folder is not None:
        folder = Path(folder)
        check_writable(folder, what="an explanation")
    return task.answer(network, feed, list(map(str, inputs)), folder)


def is_name(run) -> bool:
    """Whether that is the name of a network and no run folder."""
    return isinstance(run, str) and run in registry.list_models() and not Path(run).exists()


def translate(
    run: str | Path | Run, texts: Iterable[str], *, beams: int = 4, length_penalty: float = 0.6
) -> Iterator[str]:
    """What a trained network makes of each text, one after another.

    Args:
        run: a run folder, or what `train` returned.
        texts: in the language it was trained to read.
        beams: beginnings that are followed side by side; 1 always takes the likeliest token.
        length_penalty: 0 lets short translations win; 0.6 is usual.

    Raises:
        UsageError: if the folder holds no finished run, its network translates nothing, a text cannot be read by it,
            or a setting is out of range.
    """
    finished = reopen(run)
    if finished.task.translate is None:
        raise UsageError(f"{finished.network.card.name} translates nothing; expected the run of a translator")
    return finished.task.translate(finished.network, finished.feed, texts, beams=beams, length_penalty=length_penalty)


def generate(
    run: str | Path | Run,
    prompt: str,
    *,
    length: int = 400,
    temperature: float = 0.8,
    top_k: int = 0,
    seed: int = 0,
) -> Iterator[str]:
    """What a trained language model writes after a prompt, piece by piece as it is drawn.

    Args:
        run: a run folder, or what `train` returned.
        prompt: how the text begins.
        length: how many tokens (characters or words, as the run has them) to write.
        temperature: below 1 bolder guesses become rarer, above 1 commoner; 0 always takes the likeliest.
        top_k: draw from so many of the likeliest only; 0 for all.
        seed: the same one, the same text.

    Raises:
        UsageError: if the folder holds no finished run, its network writes nothing, or a setting is out of range.
    """
    finished = reopen(run)
    if finished.task.generate is None:
        raise UsageError(f"{finished.network.card.name} writes no text; expected the run of a language model")
    settings = dict(length=length, temperature=temperature, top_k=top_k, seed=seed)
    return finished.task.generate(finished.network, finished.feed, prompt, **settings)


def compare(run: str | Path | Run, first: str, second: str) -> list[str]:
    """Whether two pictures show the same, by a network that learned to compare.

    Args:
        run: a run folder, or what `train` returned.
        first, second: paths of pictures.

    Returns:
        One line: the verdict, the distance, and the threshold that was chosen on the validation classes.
    """
    return _ask("compare", run, first, second)


def search(run: str | Path | Run, query: str, folder: str | Path) -> list[str]:
    """The pictures of a folder in the order of their distance from a query, by a network that learned to compare.

    Args:
        run: a run folder, or what `train` returned.
        query: the path of a picture.
        folder: where to look, its sub-folders too.

    Returns:
        A line for each picture: rank, distance, same or other, path.
    """
    return _ask("search", run, query, str(folder))


def _ask(verb, run, *arguments):
    folder = Run.open(run)
    card = registry.info(folder.config["model"])
    able = [task for task, row in tasks.TASKS.items() if verb in row.verbs]
    if card.task not in able:
        raise UsageError(f"{card.name} cannot {verb}; `zoo list --task {able[0]}` shows those that can")
    measured = folder.metrics  # without them there is no threshold
    finished = reopen(folder)
    return finished.task.verbs[verb](finished.network, finished.feed, measured, *arguments)
