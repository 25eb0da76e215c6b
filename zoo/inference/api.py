"""What a finished run is asked beside predictions (`zoo.inference.prediction`): metrics again, texts, comparisons."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from zoo import registry
from zoo.checks import as_strings
from zoo.errors import UsageError
from zoo.inference import exporting, pretrained, published, quantization
from zoo.inference.prediction import check_supported, is_name
from zoo.inference.reopening import reopen
from zoo.tasks.base import Evaluation
from zoo.training.run_folder import Run


def run_command(run: str | Path | Run, command: str, *arguments: Any, **settings: Any) -> Any:
    """Call the method of a finished run's task that has a command's name, as "translate".

    Raises:
        UsageError: if the folder holds no finished run, or its network cannot do that.
    """
    trained = reopen(opened(run, command))
    return getattr(trained.network.task, command)(trained, *arguments, **settings)


def opened(run: str | Path | Run, command: str) -> Run:
    """A finished run, if its network can do what a command asks for."""
    folder = Run.open(run)
    registry.import_again(folder.config["model"], folder.config.get("imports", ()), folder.path)
    check_supported(folder.config["model"], command)
    return folder


def evaluate(
    run: str | Path | Run,
    *,
    data: Any = None,
    data_dir: str | Path | None = None,
    weights: str | Path | None = None,
    preprocessing: str | None = None,
) -> dict[str, float]:
    """The metrics of a finished run on its test set, computed again from the saved network.

    Of a folder of the user's own, the test set is the same as then: what is new or gone since is logged and does not
    count.

    Args:
        run: a run folder, or what `train` returned.
        data: data of the user's own to measure on instead, or where the run's are now. Of a folder all counts that the
            run has not learned from, in the classes of the run, found by name; of a file, its test set. Of a run that
            was trained on arrays, these: they are divided as they were.
        data_dir: where tfds keeps its data sets, if not where the run found them.
        weights, preprocessing: of the name of a network in place of a run, as in `predict`: then `data` is a folder of
            images, a sub-folder for each class of ImageNet, and the metrics are accuracy and top5_accuracy.

    Returns:
        ``{"loss": ..., "accuracy": ...}``, or the metrics of the task at hand.

    Raises:
        UsageError: if the folder holds no finished run or its data cannot be had.
    """
    if is_name(run):
        if not isinstance(data, str | Path):
            raise UsageError(f"{run} is the name of a network; expected a run, or data=: a folder of images")
        return dict(published.measure(str(run), data, weights=weights, preprocessing=preprocessing).metrics)
    return dict(evaluation(run, data=data, data_dir=data_dir).metrics)


def evaluation(
    run: str | Path | Run, *, files: Sequence[str] = (), data: Any = None, data_dir: str | Path | None = None
) -> Evaluation:
    """All that a finished run's task measures on its test set: the metrics of `evaluate`, and notes beside them.

    Args:
        run: a run folder, or what `train` returned.
        data: the arrays that it was trained on, if it was on arrays.
        files: test questions of the user's own (analogies, similarities), for tasks that take them.
        data: as in `evaluate`.
        data_dir: where tfds keeps its data sets, if not where the run found them.
    """
    trained = reopen(run, with_source=True, data=data, data_dir=data_dir)
    network, module = trained.network, trained.data
    if files and not network.task.takes_question_files:
        raise UsageError(f"{network.card.name} is not measured against files; leave {files[0]} out")
    module.files = tuple(files)
    return network.judge(module, "test")


def check_free(path: str | Path) -> None:
    """Raise for what is no path, and where something is in the place of a file to write."""
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise UsageError(f"the path is {path!r}; expected that of a file or folder to write")
    if os.path.lexists(path):  # a link to nothing as well, which would be followed
        raise UsageError(f"{path} is there already; choose another, or remove it first")


@contextlib.contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """A place that cannot be written, or is full, in one line."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}; choose another") from None


def export(run: str | Path | Run, format: str, path: str | Path) -> Path:
    """Write what a run has learned for other programs; what is written is read back and compared before it is left.

    The file takes pixels, or whatever numbers the run learned from, as they are: scaling is inside. A classifier
    answers with probabilities, a detector with the boxes that are left. The names of the classes are inside.

    Args:
        run: a run folder, or what `train` returned.
        format: "keras", "saved_model", "onnx", "litert", "torch" or "openvino", or one of its task's own, as
            "word2vec".
        path: the file or folder to write; it must not exist.

    Raises:
        UsageError: for a format that this network cannot have, or a path that is taken or cannot be written.
    """
    check_free(path)
    with writing(path):
        return exporting.export(reopen(run), format, Path(path))


def quantise(
    run: str | Path | Run, path: str | Path, *, data: Any = None, data_dir: str | Path | None = None
) -> quantization.Quantised:
    """Write a classifier for LiteRT in int8, a quarter of the size, with its accuracy before and after.

    Args:
        run: a run folder, or what `train` returned.
        path: the ``.tflite`` file to write; it must not exist.
        data, data_dir: as in `evaluate`: training examples calibrate, and the test set measures.

    Raises:
        UsageError: for a network that is no classifier of one input, or a path that is taken.
    """
    check_free(path)
    trained = reopen(run, with_source=True, data=data, data_dir=data_dir)
    with writing(path):
        return quantization.quantise(trained, Path(path))


def translate(
    run: str | Path | Run, texts: str | Iterable[str], *, beams: int = 4, length_penalty: float = 0.6
) -> Iterator[str]:
    """The translation of each text, one after another.

    Args:
        run: a run folder, or what `train` returned.
        texts: in the language it was trained to read; one or several.
        beams: width of the beam search: partial translations that are kept at each step; 1 is greedy decoding.
        length_penalty: exponent of the length by which scores are divided; 0 favours short translations.

    Raises:
        UsageError: if the folder holds no finished run, its network translates nothing, a text cannot be read by it,
            or a setting is out of range.
    """
    return run_command(run, "translate", as_strings(texts, "a text"), beams=beams, length_penalty=length_penalty)


def generate(
    run: str | Path | Run,
    prompt: str,
    *,
    weights: str | Path | None = None,
    length: int = 400,
    temperature: float = 0.8,
    top_k: int = 0,
    top_p: float = 1.0,
    stop: Sequence[str] = (),
    seed: int = 0,
) -> Iterator[str]:
    """The text that a trained language model writes after a prompt, token by token as it is sampled.

    Args:
        run: a run folder, or what `train` returned; or the name of a network, with `weights`.
        prompt: the beginning of the text.
        weights: of a name: those of a GPT-2 with its tokenizer, ``"hf://openai-community/gpt2"`` or a folder.
        length: how many tokens (characters or words, as the run has them) to write.
        temperature: divides the logits: below 1 unlikely tokens become rarer, above 1 commoner; 0 always takes the
            likeliest.
        top_k: sample from so many of the likeliest tokens only; 0 for all.
        top_p: sample from as many of the likeliest tokens as have this probability together; 1 for all.
        stop: strings before the first of which the text ends.
        seed: of the sampling; the same one gives the same text.

    Raises:
        UsageError: if the folder holds no finished run, its network writes nothing, or a setting is out of range.
    """
    (prompt,) = as_strings([prompt], "the beginning of a text")
    settings: dict[str, Any] = dict(temperature=temperature, top_k=top_k, top_p=top_p, stop=stop, seed=seed)
    if not is_name(run):
        if weights is not None:
            raise UsageError(f"{Run.open(run).path} has weights of its own; weights are for the name of a network")
        return run_command(run, "generate", prompt, length=length, **settings)
    check_supported(str(run), "generate")
    trained = pretrained.ready_for_text(str(run), weights)
    task: Any = trained.network.task  # one of those with a method `generate`
    return task.generate(trained, prompt, length=length, **settings)


def compare(run: str | Path | Run, first: str, second: str) -> list[str]:
    """Whether two images show the same, by a network that learned to compare.

    Args:
        run: a run folder, or what `train` returned.
        first, second: paths of images.

    Returns:
        One line: the verdict, the distance, and the threshold that was chosen on the validation classes.
    """
    first, second = as_strings([first, second], "the path of an image")
    return run_command(run, "compare", first, second)


def search(run: str | Path | Run, query: str, folder: str | Path) -> list[str]:
    """The images of a folder in the order of their distance from a query, by a network that learned to compare.

    Args:
        run: a run folder, or what `train` returned.
        query: the path of an image.
        folder: where to look, its sub-folders too.

    Returns:
        A line for each image: rank, distance, same or other, path.
    """
    query, folder = as_strings([query, folder], "a path")
    return run_command(run, "search", query, folder)
