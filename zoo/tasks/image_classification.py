"""A class for each image."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from zoo import plots
from zoo.data.image.arrays import ArrayDataModule
from zoo.data.image.files import free_name
from zoo.data.image.folder import ImageFolder
from zoo.introspection import attribution, grad_cam
from zoo.introspection.graph import list_stages
from zoo.metrics import classification
from zoo.tasks._classification import Classification, mistakes
from zoo.tasks._predictions import NAMED_CLASSES, Prediction, predictions_of
from zoo.tasks._rejection import Rejector, verdicts
from zoo.tasks._robustness import Robustness, measure
from zoo.tasks.base import Evaluation, Network, Trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASELINE_NUMBERS = 10**9  # in a data set beyond which no baseline is computed: 4 GB, and hours of distances
NEAREST_SIDE = 80  # pixels, of larger images the blocks of which are compared
DEFAULT_EXPLANATION = "gradcam"  # of `attribution.METHODS`


class ImageClassification(Classification):
    data_module = ArrayDataModule
    folder: ClassVar[Callable[..., Any] | None] = ImageFolder
    gives_records: ClassVar[bool] = True  # whether `predictions` serves `zoo.load`; else the lines of `predict` do

    def baselines(self, data: ArrayDataModule) -> dict[str, float]:
        """Always the commonest class; and the class of the nearest training example, of large images as `few_pixels`
        has them: a ninth of the numbers at 224 pixels."""
        from sklearn.neighbors import KNeighborsClassifier

        if data.num_values / block_side(data.shape) ** 2 > BASELINE_NUMBERS:
            return {}

        def compared(split: str) -> list[np.ndarray]:
            batches = ((few_pixels(x), y) for x, y in data.batches(split).as_numpy_iterator())
            return [np.concatenate(parts) for parts in zip(*batches)]

        (x, y), (x_test, y_test) = compared("train"), compared("test")
        nearest = KNeighborsClassifier(1).fit(x, y)
        return {
            "chance": float(np.mean(y_test == np.bincount(y).argmax())),
            "1-nearest-neighbour": float(nearest.score(x_test, y_test)),
        }

    def plots(self, data: ArrayDataModule, evaluation: Evaluation) -> dict[str, Figure | None]:
        return {**super().plots(data, evaluation), "mistakes.png": plots.mistakes(data, evaluation)}

    def tables(self, data: ArrayDataModule, evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
        return {**super().tables(data, evaluation), "mistakes.csv": mistakes(data, evaluation)}

    def predict(
        self,
        trained: Trained,
        paths: Sequence[str],
        folder: Path | None,
        explain: str | None = None,
        rejector: Rejector | None = None,
    ) -> list[str]:
        """The likeliest classes of each image; in `folder`, where in the image the likeliest one was seen."""
        found = self.predictions(trained, paths, trained.data.encode(paths), folder, explain, rejector=rejector)
        return [line for each in found for line in str(each).splitlines()]

    def predictions(
        self,
        asked: Trained,
        names: Sequence[str],
        inputs: np.ndarray,
        folder: Path | None,
        explain: str | None = None,
        top: int | None = None,
        rejector: Rejector | None = None,
    ) -> list[Prediction]:
        """A record for each encoded image, (images, height, width, channels), that all go through the network together;
        in `folder`, where in the image the likeliest class was seen. The `rejector` says which are like none."""
        network = asked.network
        data: ArrayDataModule = asked.data
        if explain == "gradcam":
            grad_cam.map_layer(network.model)  # which raises where there is none
        logits = network.predict(inputs)
        probabilities = classification.probabilities(logits)
        judged = verdicts(rejector, inputs, logits)
        found = predictions_of(names, logits, probabilities, data.class_names, top or NAMED_CLASSES, judged)
        if folder is None or not (explain or list_stages(network.model)):  # no maps, no place in the image
            return found
        images, best = data.scaling.undo(inputs), probabilities.argmax(-1)
        method = explain or DEFAULT_EXPLANATION
        heats = attribution.heatmaps(network.model, inputs, best, method, head=network.main or None)
        titles = [f"{each.label} {each.probability:.0%}" for each in found]
        return explained(found, images, heats, titles, folder, explain)

    def attack(self, trained: Trained, epsilons: Sequence[float], folder: Path | None, **settings: Any) -> Robustness:
        """The accuracy on the test set where each pixel may move by epsilon; a picture of it in `folder`."""
        found, shown = measure(trained.network, trained.data, epsilons, **settings)
        if folder is None:
            return found
        folder.mkdir(parents=True, exist_ok=True)
        file = free_name(folder / f"{trained.run.path.name}-attack.png")
        plots.save(plots.robustness(found.rows, shown), file)
        return dataclasses.replace(found, picture=file)


def block_side(shape: Sequence[int]) -> int:
    """The side of the blocks of pixels by which images (height, width, channels) are compared; 1 for all else."""
    return min(-(-max(shape[:2]) // NEAREST_SIDE), *shape[:2]) if len(shape) == 3 else 1


def few_pixels(images: Any) -> np.ndarray:
    """Images (batch, height, width, channels) of more than `NEAREST_SIDE` pixels as the means of equal blocks; what is
    over at the end is left out. As rows: (batch, numbers).

    >>> few_pixels(np.arange(130.0).reshape(1, 130, 1, 1).repeat(3, 2))[0, :2].tolist()
    [0.5, 2.5]
    """
    x = np.asarray(images)
    side = block_side(x.shape[1:])
    if side > 1:
        batch, height, width, channels = x.shape
        tall, wide = height // side, width // side
        rows = x[:, : tall * side, : wide * side].reshape(batch, tall, side, -1).mean(2)  # whole rows first: faster
        x = rows.reshape(batch, tall, wide, side, channels).mean(3)
    return x.reshape(len(x), -1)


def seen(network: Network, x: np.ndarray, class_index: int, explain: str | None, size: Sequence[int]) -> np.ndarray:
    """Where in an input, (*axes, channels), a class is seen: at least 0, (*size)."""
    method = explain or DEFAULT_EXPLANATION
    heat = attribution.heatmaps(network.model, x[None], class_index, method, head=network.main or None)
    return grad_cam.stretch(heat, size)[0]


def explained(
    found: Sequence[Any], images: np.ndarray, heats: Iterable[np.ndarray], titles: Sequence[str], folder: Path,
    explain: str | None,
) -> list[Any]:  # fmt: skip
    """The records with a picture each, written into the folder: the image, and over it where it was looked at."""
    told = []
    for each, image, heat, title in zip(found, images, heats, titles):
        file = explanation_file(folder, each.input, explain)
        plots.save(plots.overlay(image, grad_cam.stretch(heat[None], image.shape[:2])[0], title), file)
        told.append(dataclasses.replace(each, explanation=file))
    return told


def explanation_file(folder: Path, path: str, explain: str | None) -> Path:
    """A free name in the folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    return free_name(folder / f"{Path(path).stem}-{explain or DEFAULT_EXPLANATION}.png")
