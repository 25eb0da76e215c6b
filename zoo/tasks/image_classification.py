"""A class for each image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import keras
import numpy as np

from zoo import plots
from zoo.data.base import DataModule
from zoo.data.image.arrays import ArrayDataModule
from zoo.data.image.files import free_name
from zoo.data.image.folder import ImageFolder
from zoo.introspection import grad_cam
from zoo.introspection.graph import list_stages
from zoo.metrics import classification
from zoo.records import Card
from zoo.tasks.base import Evaluation, Sample, Task, Trained, class_ids

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASELINE_NUMBERS = 10**9  # in a data set beyond which no baseline is computed: 4 GB, and hours of distances
NAMED_CLASSES = 5  # in a prediction


class ImageClassification(Task):
    metric = "accuracy"
    data_module = ArrayDataModule
    folder: ClassVar[type[Any] | None] = ImageFolder

    def loss(self) -> keras.Loss:
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def keras_metrics(self) -> list[keras.Metric]:
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def scores(self, targets: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
        return classification.scores(targets, outputs)

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
        return {
            "confusion.png": plots.confusion(data, evaluation),
            "mistakes.png": plots.mistakes(data, evaluation),
            "calibration.png": plots.calibration(data, evaluation),
        }

    def tables(self, data: ArrayDataModule, evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
        return {"classes.csv": by_class(data, evaluation)}

    def sample(self, card: Card, head: str = "") -> Sample:
        return Sample(class_ids, math.log, tolerance=1.0)

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


def likeliest(
    probabilities: np.ndarray, class_names: Sequence[str], most: int = NAMED_CLASSES
) -> tuple[np.ndarray, str]:
    """The likeliest classes (most,), and their names with probabilities in words."""
    best = np.argsort(-probabilities, kind="stable")[:most]
    return best, ", ".join(f"{class_names[each]} {probabilities[each]:.1%}" for each in best)


def by_class(data: DataModule, evaluation: Evaluation) -> list[dict[str, Any]]:
    """Precision, recall, F1 and count of each class, a row each."""
    from sklearn.metrics import precision_recall_fscore_support

    predicted = classification.probabilities(evaluation.outputs).argmax(-1)
    labels = range(len(data.class_names))
    columns = precision_recall_fscore_support(evaluation.targets, predicted, labels=labels, zero_division=0)
    return [
        {"class": name, "precision": f"{p:.4f}", "recall": f"{r:.4f}", "f1": f"{f:.4f}", "examples": int(count)}
        for name, p, r, f, count in zip(data.class_names, *columns)
    ]
