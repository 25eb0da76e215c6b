"""What each task asks of a run: the loss, the figure it is judged by, the baselines beside it, the pictures.

A new kind of task is a new row of `TASKS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import keras
import numpy as np

from zoo import figures, losses

NEIGHBOUR_LIMIT = 10**9  # numbers in a training set beyond which nearest neighbours are not looked for


@dataclass(frozen=True)
class Task:
    """One row of the table. `logits` are what the network returns, as NumPy."""

    metric: str  # the main figure
    minimise: bool
    loss: Callable[[], keras.Loss]
    keras_metric: Callable[[], keras.Metric]  # the main figure as shown while training; its name is `metric`
    predict: Callable[[np.ndarray], np.ndarray]  # logits -> classes or values, (examples,)
    score: Callable[[np.ndarray, np.ndarray], dict[str, float]]  # truth, predictions -> figures
    baselines: Callable[..., dict[str, float]]  # (x, y) of training, (x, y) of test, scaling -> the main figure of each
    pictures: Mapping[str, Callable]  # file name -> figure(inputs, truth, logits, class names), None if there is none


def accuracy(truth, predictions):
    return {"accuracy": float(np.mean(truth == predictions))}


def errors(truth, predictions):
    residual = predictions - truth
    return {"mae": float(np.mean(np.abs(residual))), "rmse": float(np.sqrt(np.mean(np.square(residual))))}


def classification_baselines(train, test, scaling):
    """Always the commonest class; and the class of the nearest training example."""
    from sklearn.neighbors import KNeighborsClassifier

    (x, y), (x_test, y_test) = train, test
    baselines = {"chance": float(np.mean(y_test == np.bincount(y).argmax()))}
    if x.size <= NEIGHBOUR_LIMIT:
        nearest = KNeighborsClassifier(1).fit(x.reshape(len(x), -1), y)
        baselines["1-nearest-neighbour"] = float(nearest.score(x_test.reshape(len(x_test), -1), y_test))
    return baselines


def forecasting_baselines(train, test, scaling):
    """Always the mean; and the last value again."""
    (_, y), (x_test, y_test) = train, test
    last = x_test[:, -1] * scaling.std[-1] + scaling.mean[-1]
    return {"mean": errors(y_test, y.mean())["mae"], "last value": errors(y_test, last)["mae"]}


CLASSIFICATION_PICTURES = {"confusion.png": figures.confusion, "mistakes.png": figures.mistakes}

TASKS: Mapping[str, Task] = {
    "image_classification": Task(
        metric="accuracy",
        minimise=False,
        loss=lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        keras_metric=lambda: keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
        predict=lambda logits: logits.argmax(-1),
        score=accuracy,
        baselines=classification_baselines,
        pictures=CLASSIFICATION_PICTURES,
    ),
    "binary_classification": Task(
        metric="accuracy",
        minimise=False,
        loss=lambda: keras.losses.BinaryCrossentropy(from_logits=True),
        keras_metric=lambda: keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0),
        predict=lambda logits: (logits[:, 0] > 0).astype("int64"),
        score=accuracy,
        baselines=classification_baselines,
        pictures=CLASSIFICATION_PICTURES,
    ),
    "forecasting": Task(
        metric="mae",
        minimise=True,
        loss=lambda: keras.losses.MeanSquaredError(),
        keras_metric=lambda: keras.metrics.MeanAbsoluteError(name="mae"),
        predict=lambda prediction: prediction[:, 0],
        score=errors,
        baselines=forecasting_baselines,
        pictures={"forecast.png": figures.forecast},
    ),
}


def criterion(card) -> keras.Loss:
    """The loss that a network is trained and judged by: its card's own, or else its task's."""
    return losses.get(card.loss) if card.loss else TASKS[card.task].loss()
