"""Inference with a finished run: its metrics again, and its predictions for new inputs."""

import inspect
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from zoo import registry, tasks
from zoo.checks import as_strings
from zoo.data.image import files as image_files
from zoo.data.sources import check_writable
from zoo.errors import UsageError
from zoo.inference import pretrained
from zoo.inference.reopening import reopen
from zoo.introspection.attribution import check_method
from zoo.tasks.base import Evaluation
from zoo.training.run_folder import Run

log = logging.getLogger("zoo")


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


def check_supported(name: str, command: str) -> None:
    """Raise where the task of a network has no method for a command."""
    task = tasks.get(registry.info(name).task)
    if not task.commands:
        raise UsageError(f"{name} answers no single input; `zoo evaluate` measures it on its test set")
    if command not in task.commands:
        supported = ", ".join(f"`zoo {each}`" for each in ("evaluate", *task.commands))
        able = tasks.able(command)
        others = f"`zoo list --task {'|'.join(able)}` shows those that can" if able else "no network can"
        verb = "be attacked" if command == "attack" else command
        raise UsageError(f"{name} cannot {verb}; {others} (this one supports {supported})")


def evaluate(run: str | Path | Run, *, data: Any = None, data_dir: str | Path | None = None) -> dict[str, float]:
    """The metrics of a finished run on its test set, computed again from the saved network.

    Of a folder of the user's own, the test set is the same as then: what is new or gone since is logged and does not
    count.

    Args:
        run: a run folder, or what `train` returned.
        data: data of the user's own to measure on instead, or where the run's are now. Of a folder all counts that the
            run has not learned from, in the classes of the run, found by name; of a file, its test set. Of a run that
            was trained on arrays, these: they are divided as they were.
        data_dir: where tfds keeps its data sets, if not where the run found them.

    Returns:
        ``{"loss": ..., "accuracy": ...}``, or the metrics of the task at hand.

    Raises:
        UsageError: if the folder holds no finished run or its data cannot be had.
    """
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


def export(run: str | Path | Run, format: str, path: str | Path) -> Path:
    """Write what a run has learned for other programs.

    Args:
        run: a run folder, or what `train` returned.
        format: of those of the network's task.
        path: the file or folder to write; it must not exist.

    Raises:
        UsageError: for a format that this network has not, or a path that is taken or cannot be written.
    """
    path = Path(path)
    if os.path.lexists(path):  # a link to nothing as well, which would be followed
        raise UsageError(f"{path} is there already; choose another, or remove it first")
    try:
        return run_command(run, "export", format, path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}; choose another") from None


def predict(
    run: str | Path | Run,
    inputs: str | Path | Sequence[str | Path],
    *,
    folder: str | Path | None = None,
    explain: str | None = None,
    weights: str | Path | None = None,
    preprocessing: str | None = None,
    loop: bool = False,
    score: float | None = None,
    iou: float | None = None,
) -> list[str]:
    """What a trained network predicts for new inputs, a line or more for each.

    Args:
        run: a run folder, or what `train` returned; or the name of a network with published weights.
        inputs: paths of images or clips, or texts, as the network takes; one or several.
        folder: where plots that explain the predictions are written; None: nowhere.
        explain: how, of images and clips: "gradcam" (where the network has maps, what is done if nothing is said),
            "saliency", "integrated" (gradients) or "occlusion"; see `zoo.introspection.attribution`.
        weights: of a name: a tag of its card (``"imagenet"``, the default), a file, or an https address.
        preprocessing: what the weights in a file or at an address were trained on: "caffe", "torch" or "tf".
        loop: repeat clips that have fewer frames than the network takes.
        score: of detectors: things with no more than that are left out; by default .25.
        iou: of detectors: boxes that overlap a better one of their class by more are left out; by default .5.

    Raises:
        UsageError: if the folder holds no finished run, or an input is none of this network's.
    """
    inputs = as_strings(inputs, "the path of an image or a clip, or a text")
    if explain is not None:
        check_method(explain)
        if folder is None:
            raise UsageError(f"explain is {explain!r} without a folder; expected one for its plots: folder=")
    if is_name(run):
        for path in inputs:  # nothing is fetched for what is not there
            check_there(path)
        trained = pretrained.ready(str(run), weights or "imagenet", preprocessing=preprocessing)
    elif weights or preprocessing:
        raise UsageError(
            f"{Run.open(run).path} has weights of its own; weights and preprocessing are for the name of a network"
        )
    else:
        trained = reopen(run)
    check_supported(trained.network.card.name, "predict")
    if explain is not None:
        check_explains(trained.network.card.name, explain)
    trained.data.loop = loop
    if folder is not None:
        folder = Path(folder)
        check_writable(folder, what="an explanation")
    task: Any = trained.network.task  # one of those with a method `predict`
    settings = {"explain": explain, "score": score, "iou": iou}
    given = {word: value for word, value in settings.items() if value is not None}
    for word in given:
        if word not in inspect.signature(task.predict).parameters:
            raise UsageError(f"{trained.network.card.name} detects nothing; {word} is for detectors: leave it out")
    return task.predict(trained, inputs, folder, **given)


def check_explains(name: str, explain: str) -> None:
    """Raise where the predictions of a network are not explained."""
    task: Any = tasks.get(registry.info(name).task)
    if "explain" not in inspect.signature(task.predict).parameters:
        raise UsageError(
            f"{name} has no such explanation; {explain} is for classifiers of images and clips: leave it out"
        )


def check_there(path: str) -> None:
    """Raise for an image that is not there, or cannot be one."""
    with image_files.opened(path):
        pass


def is_name(run: Any) -> bool:
    """Whether that is the name of a network and no run folder."""
    return isinstance(run, str) and run in registry.list_models() and not Path(run).exists()


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
