"""Pictures and vectors: classification of many and of two classes, forecasting."""

from functools import partial
from pathlib import Path

import keras
import numpy as np

from zoo import plots
from zoo.data.image.module import ArrayFeed
from zoo.introspection import grad_cam
from zoo.introspection.graph import list_stages
from zoo.metrics import classification
from zoo.metrics.classification import classified, errors
from zoo.tasks.base import Measured, Network, Task
from zoo.tasks.forecasting import forecasting_baselines

BASELINE_LIMIT = 10**9  # numbers in a data set beyond which no baseline is computed: 4 GB, and hours of distances
TOP = 5  # classes named in an answer


def measured(score, network: Network, feed: ArrayFeed, split: str) -> Measured:
    """Loss and figures of one output for each example; `score`: (truth, outputs) -> figures."""
    truth, outputs = feed.targets(split), network.predict(feed.batches(split))
    target = truth[:, None] if outputs.shape[-1] == 1 else truth
    loss = float(network.criterion(target, outputs))
    return Measured({"loss": loss, **score(truth, outputs)}, truth, outputs)


def classification_baselines(feed: ArrayFeed) -> dict[str, float]:
    """Always the commonest class; and the class of the nearest training example."""
    from sklearn.neighbors import KNeighborsClassifier

    if feed.numbers > BASELINE_LIMIT:
        return {}
    (x, y), (x_test, y_test) = feed.arrays("train"), feed.arrays("test")
    nearest = KNeighborsClassifier(1).fit(x.reshape(len(x), -1), y)
    return {
        "chance": float(np.mean(y_test == np.bincount(y).argmax())),
        "1-nearest-neighbour": float(nearest.score(x_test.reshape(len(x_test), -1), y_test)),
    }


def by_class(feed: ArrayFeed, measured: Measured) -> list[dict]:
    """Precision, recall, F1 and count of each class, a row each."""
    from sklearn.metrics import precision_recall_fscore_support

    called = classification.probabilities(measured.outputs).argmax(-1)
    labels = range(len(feed.class_names))
    columns = precision_recall_fscore_support(measured.truth, called, labels=labels, zero_division=0)
    return [
        {"class": name, "precision": f"{p:.4f}", "recall": f"{r:.4f}", "f1": f"{f:.4f}", "examples": int(count)}
        for name, p, r, f, count in zip(feed.class_names, *columns)
    ]


def name_pictures(network: Network, feed: ArrayFeed, paths: list[str], folder: Path | None) -> list[str]:
    """The likeliest classes of each picture; in `folder`, where in the picture the likeliest one was seen."""
    inputs = feed.encode(paths)
    chances = classification.probabilities(network.predict(inputs))
    lines = []
    for number, (path, row) in enumerate(zip(paths, chances)):
        best = np.argsort(-row, kind="stable")[:TOP]
        lines.append(f"{path}: " + ", ".join(f"{feed.class_names[each]} {row[each]:.1%}" for each in best))
        if folder is None or not list_stages(network.model):  # no maps, no place in the picture
            continue
        folder.mkdir(parents=True, exist_ok=True)
        x = inputs[number : number + 1]
        heat = grad_cam.grad_cam(network.model, x, int(best[0]), head=network.main or None)
        picture = feed.scaling.undo(x[0])
        title = f"{feed.class_names[best[0]]} {row[best[0]]:.0%}"
        file = free_name(folder, Path(path).stem)
        plots.save(plots.overlay(picture, grad_cam.stretch(heat, picture.shape[:2])[0], title), file)
        lines.append(f"  where it looks: {file}")
    return lines


def free_name(folder: Path, stem: str, what: str = "gradcam") -> Path:
    """``<stem>-<what>.png`` in the folder, numbered if it is there already."""
    file, number = folder / f"{stem}-{what}.png", 1
    while file.exists():
        number += 1
        file = folder / f"{stem}-{what}-{number}.png"
    return file


CLASSIFICATION = dict(
    metric="accuracy",
    minimise=False,
    feed=ArrayFeed,
    measure=partial(measured, classified),
    baselines=classification_baselines,
    pictures={
        "confusion.png": plots.confusion,
        "mistakes.png": plots.mistakes,
        "calibration.png": plots.calibration,
    },
    tables={"classes.csv": by_class},
    answer=name_pictures,
)

TASKS = {
    "image_classification": Task(
        **CLASSIFICATION,
        loss=lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        keras_metrics=lambda: [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    ),
    "binary_classification": Task(
        **CLASSIFICATION,
        loss=lambda: keras.losses.BinaryCrossentropy(from_logits=True),
        keras_metrics=lambda: [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
    ),
    "forecasting": Task(
        metric="mae",
        minimise=True,
        feed=ArrayFeed,
        loss=lambda: keras.losses.MeanSquaredError(),
        keras_metrics=lambda: [keras.metrics.MeanAbsoluteError(name="mae")],
        measure=partial(measured, lambda truth, outputs: errors(truth, outputs[:, 0])),
        baselines=forecasting_baselines,
        pictures={"forecast.png": plots.forecast},
    ),
}
