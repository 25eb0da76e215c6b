"""Pictures and vectors: classification of many and of two classes, forecasting."""

from collections.abc import Callable
from functools import partial

import keras
import numpy as np

from zoo import figures
from zoo.data.feeds import ArrayFeed
from zoo.tasks.task import Measured, Network, Task

BASELINE_LIMIT = 10**9  # numbers in a data set beyond which no baseline is computed: 4 GB, and hours of distances


def accuracy(truth, predictions):
    return {"accuracy": float(np.mean(truth == predictions))}


def errors(truth, predictions):
    residual = predictions - truth
    return {"mae": float(np.mean(np.abs(residual))), "rmse": float(np.sqrt(np.mean(np.square(residual))))}


def measured(decide: Callable, score: Callable, network: Network, feed: ArrayFeed, split: str) -> Measured:
    """Loss and figures of one output for each example.

    Args:
        decide: outputs -> classes or values, (examples,).
        score: (truth, decisions) -> figures.
    """
    truth, outputs = feed.targets(split), network.predict(feed.batches(split))
    target = truth[:, None] if outputs.shape[-1] == 1 else truth
    loss = float(network.criterion(target, outputs))
    return Measured({"loss": loss, **score(truth, decide(outputs))}, truth, outputs)


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


def forecasting_baselines(feed: ArrayFeed) -> dict[str, float]:
    """Always the mean; and the last value again."""
    if feed.numbers > BASELINE_LIMIT:
        return {}
    (_, y), (x_test, y_test) = feed.arrays("train"), feed.arrays("test")
    return {
        "mean": errors(y_test, y.mean())["mae"],
        "last value": errors(y_test, feed.scaling.undo(x_test)[:, -1])["mae"],
    }


CLASSIFICATION_PICTURES = {"confusion.png": figures.confusion, "mistakes.png": figures.mistakes}

TASKS = {
    "image_classification": Task(
        metric="accuracy",
        minimise=False,
        feed=ArrayFeed,
        loss=lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        keras_metrics=lambda: [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        measure=partial(measured, lambda logits: logits.argmax(-1), accuracy),
        baselines=classification_baselines,
        pictures=CLASSIFICATION_PICTURES,
    ),
    "binary_classification": Task(
        metric="accuracy",
        minimise=False,
        feed=ArrayFeed,
        loss=lambda: keras.losses.BinaryCrossentropy(from_logits=True),
        keras_metrics=lambda: [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
        measure=partial(measured, lambda logits: (logits[:, 0] > 0).astype("int64"), accuracy),
        baselines=classification_baselines,
        pictures=CLASSIFICATION_PICTURES,
    ),
    "forecasting": Task(
        metric="mae",
        minimise=True,
        feed=ArrayFeed,
        loss=lambda: keras.losses.MeanSquaredError(),
        keras_metrics=lambda: [keras.metrics.MeanAbsoluteError(name="mae")],
        measure=partial(measured, lambda values: values[:, 0], errors),
        baselines=forecasting_baselines,
        pictures={"forecast.png": figures.forecast},
    ),
}
