"""A network that stays in memory and is asked again and again."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from zoo.checks import check_whole
from zoo.data.image import files as image_files
from zoo.data.sources import check_writable
from zoo.errors import UsageError
from zoo.inference import prediction
from zoo.inference.rejection import check_asked, rejector_of
from zoo.tasks._predictions import Refusal
from zoo.tasks._rejection import Rejector
from zoo.tasks.base import Trained
from zoo.training.run_folder import Run

BATCH = 32  # inputs that go through the network together


def load(
    run: str | Path | Run,
    *,
    weights: str | Path | None = None,
    preprocessing: str | None = None,
    loop: bool = False,
    data: Any = None,
    data_dir: str | Path | None = None,
) -> Predictor:
    """A trained network, ready to be asked: ``zoo.load(run)(["a.jpg", "b.jpg"])``.

    Args:
        run: a run folder, or what `train` returned; or the name of a network with published weights.
        weights: of a name: a tag of its card (``"imagenet"``, the default), a file, or an https address.
        preprocessing: what the weights in a file or at an address were trained on: "caffe", "torch" or "tf".
        loop: repeat clips that have fewer frames than the network takes.
        data: the arrays that the run was trained on, or where its data are now: a `reject` looks at them, once.
        data_dir: where tfds keeps its data sets, if not where the run found them.

    Raises:
        UsageError: if the folder holds no finished run, or its network predicts nothing.
    """
    trained = prediction.opened_to_predict(run, weights, preprocessing)
    trained.data.loop = loop
    return Predictor(trained, data=data, data_dir=data_dir)


class Predictor:
    """A network with the data module that encodes what it is asked. It is read once, and traced once.

    Attributes:
        model: the `keras.Model`.
        class_names: in the order of its logits.
    """

    def __init__(self, trained: Trained, *, data: Any = None, data_dir: str | Path | None = None):
        self.trained = trained
        self.where = {"data": data, "data_dir": data_dir}  # what it has learned from
        self._rejectors: dict[tuple[float, str | None], Rejector] = {}
        self.model = trained.network.model
        self.class_names = tuple(trained.data.class_names)

    @property
    def has_records(self) -> bool:
        """Whether it gives records: classifiers of images, detectors and autoencoders do, the others lines."""
        return getattr(self.trained.network.task, "gives_records", False)

    @property
    def draws_all(self) -> bool:
        """Whether its pictures show the answer, and not how it was come by: those of detectors do."""
        return getattr(self.trained.network.task, "draws_all", False)

    @property
    def explains(self) -> bool:
        """Whether it shows where it looks (`explain`)."""
        return prediction.explains(self.trained.network.card.name)

    def __call__(self, inputs: Any, **settings: Any) -> list[Any]:
        """What the network predicts for each input.

        Args:
            inputs: of a classifier of images: paths (of folders and patterns of files too), PIL images, arrays, or a
                ``tf.data.Dataset`` of arrays or (arrays, labels); one or several. An array is an image (height, width),
                (height, width, channels), or a batch of these: integers of 0 to 255, or fractions of 0 to 1. Of other
                networks: what `zoo.predict` takes.
            settings: those of `each`.

        Returns:
            A `Prediction` for each, in their order: `.label`, `.probability`, `.labels`, `.probabilities`, `.logits`;
            with `reject` also `.rejected`, `.score`, `.threshold`. Of attributes `zoo.tasks.multi_task.Answers`:
            `.attributes`, `.probabilities`, `.logits`; of autoencoders `zoo.tasks.reconstruction.Finding`: `.strange`,
            `.score`, `.threshold`; of detectors `zoo.tasks._things.Things`: `.labels`, `.scores`, `.boxes`, `.masks`.
            Of other networks the lines of `zoo.predict`.

        Raises:
            UsageError: for the first input that cannot be read.
        """
        if not self.has_records:
            rejector = self.rejector(settings.pop("reject", None), settings.pop("reject_score", None))
            return prediction.answered(self.trained, inputs, rejector=rejector, **settings)
        found = []
        for each in self.each(inputs, **settings):
            if isinstance(each, Refusal):
                raise UsageError(each.error)
            found.append(each)
        return found

    def each(
        self,
        inputs: Any,
        *,
        folder: str | Path | None = None,
        explain: str | None = None,
        top: int | None = None,
        batch_size: int = BATCH,
        reject: float | None = None,
        reject_score: str | None = None,
        **settings: Any,
    ) -> Iterator[Any]:
        """One prediction after another; for an input that cannot be read, a `Refusal` in its place.

        Args:
            inputs: as above.
            folder: where pictures of what the network looked at are written; None: nowhere.
            explain: how: "gradcam", "saliency", "integrated" or "occlusion".
            top: classes that `print` names, 5 if not given; or attributes, or things, all if not given.
            batch_size: inputs that go through the network together.
            reject: this part of the known images is rejected, 0.05 say, and what is as strange to the network as these.
                The threshold is chosen on the run's validation set.
            reject_score: how that is told: "softmax", "energy" or "mahalanobis"; see `zoo.metrics.novelty`.
            settings: of detectors `score` and `iou`, as `zoo.predict` has them.
        """
        if top is not None:
            check_whole("top", top)
        check_whole("batch_size", batch_size)
        prediction.check_explanation(self.trained, explain, folder)
        if folder is not None:
            check_writable(folder := Path(folder), what="an explanation")
        settings = prediction.given_words(self.trained, **settings)
        if rejector := self.rejector(reject, reject_score):
            settings["rejector"] = rejector
        waiting = named(inputs)
        while batch := list(islice(waiting, batch_size)):
            yield from self._answered(batch, folder, explain, top, **settings)

    def rejector(self, rate: float | None, by: str | None = None) -> Rejector | None:
        """What tells whether an input is like none of the classes; None without a rate."""
        check_asked(rate, by)
        if rate is None:
            return None
        if (rate, by) not in self._rejectors:
            self._rejectors[rate, by] = rejector_of(self.trained, rate, by, **self.where)
        return self._rejectors[rate, by]

    def _answered(
        self,
        batch: Sequence[tuple[str, Any]],
        folder: Path | None,
        explain: str | None,
        top: int | None,
        **settings: Any,
    ) -> Iterator[Any]:
        def encoded(item: tuple[str, Any]) -> Any:
            try:
                return self.trained.data.encode([item[1]])[0]
            except UsageError as error:
                return Refusal(item[0], str(error))

        with ThreadPoolExecutor() as pool:
            read = list(pool.map(encoded, batch))
        sound = [(name, raw, x) for (name, raw), x in zip(batch, read) if not isinstance(x, Refusal)]
        task: Any = self.trained.network.task
        found = iter(())
        if sound:
            names, raw, x = zip(*sound)
            if "raw" in inspect.signature(task.predictions).parameters:
                settings["raw"] = raw
            found = iter(task.predictions(self.trained, names, np.stack(x), folder, explain, top, **settings))
        for each in read:
            yield each if isinstance(each, Refusal) else next(found)


def named(inputs: Any) -> Iterator[tuple[str, Any]]:
    """Each image of what was given, with what it is called.

    >>> [name for name, _ in named(["a.png", np.zeros((8, 8))])], [name for name, _ in named(np.zeros((2, 8, 8, 1)))]
    (['a.png', 'image 1'], ['image 0', 'image 1'])
    """
    for number, raw in enumerate(single(inputs)):
        if isinstance(raw, str | Path):
            yield str(raw), raw
        else:
            yield str(getattr(raw, "filename", "") or f"image {number}"), raw


def single(inputs: Any) -> Iterator[Any]:
    """Each path, PIL image or array (height, width) or (height, width, channels) of what was given."""
    if isinstance(inputs, str | Path):
        yield from image_files.expanded([inputs])
    elif hasattr(inputs, "as_numpy_iterator"):
        for element in inputs.as_numpy_iterator():
            yield from single(np.asarray(element[0] if isinstance(element, tuple) else element))
    elif isinstance(inputs, list | tuple):
        if not inputs:
            raise UsageError("nothing was given; expected the path of an image, a PIL image or an array")
        for each in inputs:
            yield from single(each)
    elif hasattr(inputs, "getbands"):  # a PIL image
        yield inputs
    elif hasattr(inputs, "shape"):
        array = np.asarray(inputs)
        if array.ndim not in (2, 3, 4):
            raise UsageError(
                f"an array of shape {array.shape} was given; expected an image (height, width, channels), or a batch"
            )
        yield from array if array.ndim == 4 else [array]
    else:
        raise UsageError(f"{inputs!r} was given; expected the path of an image, a PIL image or an array")
