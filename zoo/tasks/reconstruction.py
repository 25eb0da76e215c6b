"""The input itself, through a code of few numbers; and what does not fit through it, which is strange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import keras
import numpy as np

from zoo import plots, registry
from zoo.data.image.arrays import ArrayDataModule
from zoo.data.image.files import free_name
from zoo.data.image.good_images import GoodFolder, GoodImages
from zoo.errors import UsageError
from zoo.records import Card
from zoo.tasks import _anomaly as anomaly
from zoo.tasks.base import Evaluation, Network, Sample, Task, Trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASELINE_VALUES = 10**9  # numbers in a data set beyond which no baseline is computed
PLOTTED_EXAMPLES = 10


class Reconstruction(Task):
    metric = "mse"
    minimize = True
    data_module = GoodImages
    folder = GoodFolder
    gives_records: ClassVar[bool] = True

    def loss(self) -> keras.Loss:
        return keras.losses.MeanSquaredError()

    def targets(self, x: Any, y: Any, heads: Sequence[str]) -> Any:
        return x

    def evaluate(self, network: Network, data: GoodImages, split: str) -> Evaluation:
        """The mean squared error of scaled pixels, of what is not strange; and how well it tells what is.

        Where a network damages its input in training, "denoised_mse" is that of what it makes of damaged images, and
        "damaged_mse" that of the images that it was given.
        """
        x, labels = data.arrays(split)
        strange = data.is_strange(labels)
        outputs = network.predict(x)
        held_out = data.arrays("validation")[0]
        limit = anomaly.threshold(anomaly.scores(data, held_out, network.predict(held_out)), data.false_alarms)
        anomaly.say_if_few(len(held_out), data.false_alarms)
        found = anomaly.scores(data, x, outputs)
        error = float(np.square(outputs - x)[~strange].mean())
        metrics = {"loss": error, "mse": error, "threshold": limit, **anomaly.judged(found, strange, limit)}
        damaged = damaged_by(network, x)
        if damaged is not None:
            metrics["denoised_mse"] = float(np.square(network.predict(damaged) - x).mean())
            metrics["damaged_mse"] = float(np.square(damaged - x).mean())
        codes, between = codes_of(network, x)
        few = slice(0, PLOTTED_EXAMPLES)
        rows = {"examples": x[few], "what their codes say": outputs[few]}
        if damaged is not None:
            rows |= {"damaged": damaged[few], "and mended": network.predict(damaged[few])}
        if between is not None:
            rows["from the first code to the second"] = between
        return Evaluation(metrics, labels, Reconstructed(rows, codes))

    def baselines(self, data: GoodImages) -> dict[str, float]:
        """The mean image for all; and as many principal components as the code has numbers."""
        from sklearn.decomposition import PCA

        if data.num_values > BASELINE_VALUES:
            return {}
        x = data.arrays("train")[0].reshape(data.examples["train"], -1)
        x_test, labels = data.arrays("test")
        x_test = x_test.reshape(len(x_test), -1)[~data.is_strange(labels)]
        found = {"mean image": float(np.square(x_test - x.mean(0)).mean())}
        size = code_size(data)
        if size and size <= min(x.shape):
            axes = PCA(size, svd_solver="randomized", random_state=0).fit(x)
            found[f"PCA, {size} components"] = float(
                np.square(x_test - axes.inverse_transform(axes.transform(x_test))).mean()
            )
        return found

    def plots(self, data: ArrayDataModule, evaluation: Evaluation) -> dict[str, Figure | None]:
        """The first examples, what became of them, the way between two; and where the codes lie."""
        found: Reconstructed = evaluation.outputs
        figures: dict[str, Figure | None] = {}
        if found.codes is not None and min(found.codes.shape) > 1:
            labels = evaluation.targets if data.class_names and not isinstance(evaluation.targets, Mapping) else None
            figures["latent_map.png"] = plots.latent_map(found.codes, labels, data.class_names)
        if len(data.shape) == 3:
            rows = [in_unit(data, row) for row in found.rows.values()]
            figures["reconstructions.png"] = plots.sheets(rows, [*found.rows])
        return figures

    def sample(self, card: Card, head: str = "") -> Sample:
        return Sample(
            lambda rng, shape: rng.normal(size=shape).astype("float32"),
            lambda features: 1.0,  # the variance of the targets
            tolerance=1.0,
        )

    def predict(self, trained: Trained, paths: Sequence[str], folder: Path | None) -> list[str]:
        """The error of each image, and whether it is strange; in `folder`, the image beside what the code kept of it,
        and where the two differ."""
        found = self.predictions(trained, paths, trained.data.encode(paths), folder)
        return [line for each in found for line in str(each).splitlines()]

    def predictions(
        self,
        asked: Trained,
        names: Sequence[str],
        inputs: np.ndarray,
        folder: Path | None,
        explain: str | None = None,
        top: int | None = None,
    ) -> list[Finding]:
        """A record for each encoded image, (images, height, width, channels)."""
        if top is not None:
            raise UsageError(f"{asked.network.card.name} tells no classes apart; top is for classifiers: leave it out")
        data: GoodImages = asked.data
        outputs = asked.network.predict(inputs)
        errors, limit = anomaly.scores(data, inputs, outputs), asked.metrics.get("threshold")
        found = [
            Finding(name, float(error), limit, data.score, data.false_alarms) for name, error in zip(names, errors)
        ]
        if folder is None:
            return found
        pairs = zip(found, in_unit(data, inputs), in_unit(data, outputs), anomaly.heat(inputs, outputs))
        return [drawn(each, image, output, heat, folder) for each, image, output, heat in pairs]


@dataclass(frozen=True)
class Finding:
    """What an autoencoder finds of one image. `print` shows it as the command line does.

    >>> print(Finding("a.png", 2.5, 2.0, "peak", 0.05))
    a.png: peak of the squared error 2.5000: strange (normal up to 2.0000, for 5.0% false alarms)
    """

    input: str  # its file, or "image 3" of those without one
    score: float  # the error: how strange it is
    threshold: float | None  # of normal ones; None for networks that chose none
    by: str  # what of the squared errors the score is: their "mean", or their "peak"
    false_alarms: float  # the part of normal ones that is beyond the threshold, as it was asked for
    reconstruction: Path | None = None  # the picture of the image beside what the code kept of it
    where: Path | None = None  # and that of where the two differ

    @property
    def strange(self) -> bool | None:
        """Whether it is reported, and so is an error that is no number; None without a threshold."""
        return None if self.threshold is None else not self.score <= self.threshold

    @property
    def verdict(self) -> str:
        """What is told of it."""
        said = f"{'mean' if self.by == 'mean' else 'peak of the'} squared error {self.score:.4f}"
        if self.threshold is None:
            return said
        limit = f"normal up to {self.threshold:.4f}, for {self.false_alarms:.1%} false alarms"
        return f"{said}: {'strange' if self.strange else 'normal'} ({limit})"

    def __str__(self) -> str:
        drawn = {"what is left of it": self.reconstruction, "where it differs": self.where}
        return "\n  ".join([f"{self.input}: {self.verdict}", *(f"{what}: {at}" for what, at in drawn.items() if at)])

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        files = {name: str(file) for name in ("reconstruction", "where") if (file := getattr(self, name))}
        return {"input": self.input, "strange": self.strange, "score": self.score, "threshold": self.threshold, **files}

    def as_row(self) -> dict[str, str]:
        """As a row of a table."""
        return {name: str(value) for name, value in list(self.as_dict().items())[:4]}


def drawn(found: Finding, image: np.ndarray, output: np.ndarray, heat: np.ndarray, folder: Path) -> Finding:
    """The record with its two pictures, which are written into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = Path(found.input).stem
    left, where = (free_name(folder / f"{stem}-{what}.png") for what in ("reconstruction", "where"))
    plots.save(plots.gallery([[shown(image), shown(output)]], ("image", "reconstruction")), left)
    plots.save(plots.overlay(image, heat, f"{Path(found.input).name}\n{found.verdict}"), where)
    return replace(found, reconstruction=left, where=where)


@dataclass(frozen=True)
class Reconstructed:
    """What a network made of a split."""

    rows: Mapping[str, np.ndarray]  # of some examples, by title, each (examples, ...), scaled
    codes: np.ndarray | None  # of all, (examples, code size)


def damaged_by(network: Network, x: np.ndarray) -> np.ndarray | None:
    """Examples as a network's layer "corruption" damages them in training, the same each time; None without one."""
    if "corruption" not in {layer.name for layer in network.model.layers}:
        return None
    layer = network.model.get_layer("corruption")
    again = type(layer).from_config({**layer.get_config(), "seed": 0})
    return np.asarray(keras.ops.convert_to_numpy(again(x, training=True)))


def codes_of(network: Network, x: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """What the layer "code" makes of examples, and what is drawn from the codes between the first two of them."""
    model = network.model
    if "code" not in {layer.name for layer in model.layers} or len(x) < 2:
        return None, None
    codes = np.asarray(keras.Model(model.input, model.get_layer("code").output).predict(x, verbose=0))
    steps = np.linspace(0, 1, PLOTTED_EXAMPLES)[:, None].astype("float32")
    decoder = keras.Model(model.get_layer("code").output, model.output)
    between = keras.ops.convert_to_numpy(decoder(codes[:1] + steps * (codes[1:2] - codes[:1]), training=False))
    return codes, np.asarray(between)


def in_unit(data: ArrayDataModule, images: np.ndarray) -> np.ndarray:
    """Scaled images from 0 to 1, to be looked at."""
    return np.clip(data.scaling.undo(images) / max(data.high, 1e-6), 0, 1)


def code_size(data: ArrayDataModule) -> int | None:
    """How many numbers the code of the network has, where its builder has an option for it."""
    defaults = registry.builder(data.card.name).__kwdefaults__ or {}
    return data.recipe.model.get("code_size", defaults.get("code_size"))


def shown(image: np.ndarray) -> np.ndarray:
    """(height, width, channels) with three channels, for a plot."""
    return np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image
