"""A class for each image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from zoo import plots
from zoo.data.image.arrays import ArrayDataModule
from zoo.data.image.files import free_name
from zoo.data.image.folder import ImageFolder
from zoo.introspection import grad_cam
from zoo.introspection.graph import list_stages
from zoo.metrics import classification
from zoo.tasks._classification import Classification, likeliest, mistakes
from zoo.tasks.base import Evaluation, Trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASELINE_NUMBERS = 10**9  # in a data set beyond which no baseline is computed: 4 GB, and hours of distances


class ImageClassification(Classification):
    data_module = ArrayDataModule
    folder: ClassVar[Callable[..., Any] | None] = ImageFolder

    def baselines(self, data: ArrayDataModule) -> dict[str, float]:
        """Always the commonest class; and the class of the nearest training example."""
        from sklearn.neighbors import KNeighborsClassifier

        if data.num_values > BASELINE_NUMBERS:
            return {}
        (x, y), (x_test, y_test) = data.arrays("train"), data.arrays("test")
        nearest = KNeighborsClassifier(1).fit(x.reshape(len(x), -1), y)
        return {
            "chance": float(np.mean(y_test == np.bincount(y).argmax())),
            "1-nearest-neighbour": float(nearest.score(x_test.reshape(len(x_test), -1), y_test)),
        }

    def plots(self, data: ArrayDataModule, evaluation: Evaluation) -> dict[str, Figure | None]:
        return {**super().plots(data, evaluation), "mistakes.png": plots.mistakes(data, evaluation)}

    def tables(self, data: ArrayDataModule, evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
        return {**super().tables(data, evaluation), "mistakes.csv": mistakes(data, evaluation)}

    def predict(self, trained: Trained, paths: Sequence[str], folder: Path | None) -> list[str]:
        """The likeliest classes of each image; in `folder`, where in the image the likeliest one was seen."""
        network = trained.network
        data: ArrayDataModule = trained.data
        inputs = data.encode(paths)
        probabilities = classification.probabilities(network.predict(inputs))
        lines = []
        for number, (path, row) in enumerate(zip(paths, probabilities)):
            best, named = likeliest(row, data.class_names)
            lines.append(f"{path}: {named}")
            if folder is None or not list_stages(network.model):  # no maps, no place in the image
                continue
            folder.mkdir(parents=True, exist_ok=True)
            x = inputs[number : number + 1]
            heat = grad_cam.grad_cam(network.model, x, int(best[0]), head=network.main or None)
            image = data.scaling.undo(x[0])
            title = f"{data.class_names[best[0]]} {row[best[0]]:.0%}"
            file = free_name(folder / f"{Path(path).stem}-gradcam.png")
            plots.save(plots.overlay(image, grad_cam.stretch(heat, image.shape[:2])[0], title), file)
            lines.append(f"  where it looks: {file}")
        return lines
