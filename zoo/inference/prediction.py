"""Predictions for new inputs, by a finished run or by a network with published weights."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo import registry, tasks
from zoo.checks import as_strings
from zoo.data.image import files as image_files
from zoo.data.sources import check_writable
from zoo.errors import UsageError
from zoo.inference import pretrained
from zoo.inference.rejection import check_asked, rejector_of
from zoo.inference.reopening import reopen
from zoo.introspection.attribution import check_method
from zoo.tasks._rejection import Rejector
from zoo.tasks.base import Trained
from zoo.training.run_folder import Run


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
    reject: float | None = None,
    reject_score: str | None = None,
    data: Any = None,
    data_dir: str | Path | None = None,
    to: str | None = None,
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
        reject: of classifiers: this part of known inputs is rejected, 0.05 say, and so is what is as strange to the
            network as these: the answer is "don't know". The threshold is chosen on the run's validation set, once.
        reject_score: how that is told: "softmax", "energy" or "mahalanobis"; see `zoo.metrics.novelty`.
        data: for this: the arrays that the run was trained on, or where its data are now.
        data_dir: likewise: where tfds keeps its data sets, if not where the run found them.
        to: of networks that translate between two sets of images: "a" or "b"; by default both are written.

    Raises:
        UsageError: if the folder holds no finished run, or an input is none of this network's.
    """
    inputs = as_strings(inputs, "the path of an image or a clip, or a text")
    check_words(explain, folder)
    check_asked(reject, reject_score)
    if is_name(run):
        for path in inputs:  # nothing is fetched for what is not there
            check_there(path)
    trained = opened_to_predict(run, weights, preprocessing)
    trained.data.loop = loop
    rejector = None if reject is None else rejector_of(trained, reject, reject_score, data=data, data_dir=data_dir)
    return answered(trained, inputs, folder=folder, explain=explain, score=score, iou=iou, rejector=rejector, to=to)


def opened_to_predict(run: str | Path | Run, weights: str | Path | None, preprocessing: str | None) -> Trained:
    """A finished run, or a network with published weights by its name, if it predicts."""
    if is_name(run):
        trained = pretrained.ready(str(run), weights or "imagenet", preprocessing=preprocessing)
    elif weights or preprocessing:
        raise UsageError(
            f"{Run.open(run).path} has weights of its own; weights and preprocessing are for the name of a network"
        )
    else:
        trained = reopen(run)
    check_supported(trained.network.card.name, "predict")
    return trained


def answered(
    trained: Trained,
    inputs: str | Path | Sequence[str | Path],
    *,
    folder: Any = None,
    explain: str | None = None,
    score: float | None = None,
    iou: float | None = None,
    rejector: Rejector | None = None,
    to: str | None = None,
) -> list[str]:
    """The lines of its task about inputs."""
    inputs = as_strings(inputs, "the path of an image or a clip, or a text")
    check_explanation(trained, explain, folder)
    if folder is not None:
        folder = Path(folder)
        check_writable(folder, what="an explanation")
    task: Any = trained.network.task  # one of those with a method `predict`
    given = given_words(trained, explain=explain, score=score, iou=iou, to=to)
    if rejector is not None:
        given["rejector"] = rejector
    return task.predict(trained, inputs, folder, **given)


def given_words(trained: Trained, **settings: Any) -> dict[str, Any]:
    """Those that are not None, for the task's `predict`.

    Raises:
        UsageError: for one that the task does not take.
    """
    given = {word: value for word, value in settings.items() if value is not None}
    task: Any = trained.network.task
    for word in given:
        if word not in inspect.signature(task.predict).parameters:
            what = ("translates no images", "networks that do") if word == "to" else ("detects nothing", "detectors")
            raise UsageError(f"{trained.network.card.name} {what[0]}; {word} is for {what[1]}: leave it out")
    return given


def check_explanation(trained: Trained, explain: str | None, folder: Any) -> None:
    """Raise where predictions cannot be explained as they should be."""
    check_words(explain, folder)
    if explain is not None:
        check_explains(trained.network.card.name, explain)


def check_words(explain: str | None, folder: Any) -> None:
    """The part of `check_explanation` that asks nothing of a network: before one is opened."""
    if explain is None:
        return
    check_method(explain)
    if folder is None:
        raise UsageError(f"explain is {explain!r} without a folder; expected one for its plots: folder=")


def check_explains(name: str, explain: str) -> None:
    """Raise where the predictions of a network are not explained."""
    if not explains(name):
        raise UsageError(
            f"{name} has no such explanation; {explain} is for classifiers of images and clips: leave it out"
        )


def explains(name: str) -> bool:
    """Whether the task of a network shows where it looks."""
    task: Any = tasks.get(registry.info(name).task)
    return "explain" in inspect.signature(task.predict).parameters


def check_there(path: str) -> None:
    """Raise for an image that is not there, or cannot be one."""
    with image_files.opened(path):
        pass


def is_name(run: Any) -> bool:
    """Whether that is the name of a network and no run folder."""
    return isinstance(run, str) and run in registry.list_models() and not Path(run).exists()


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
