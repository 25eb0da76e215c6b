"""What each task asks of a run: the loss, the figure it is judged by, the baselines beside it, the pictures.

A new kind of task is a new row of `TASKS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import keras
import numpy as np

from zoo import figures, losses

BASELINE_LIMIT = 10**9  # numbers in a data set beyond which no baseline is computed: 4 GB, and hours of distances


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
    # File name -> figure(inputs at given rows, truth, logits, class names), or None where it would make no sense.
    pictures: Mapping[str, Callable]


def accuracy(truth, predictions):
    return {"accuracy": float(np.mean(truth == predictions))}


def errors(truth, predictions):
    residual = predictions - truth
    return {"mae": float(np.mean(np.abs(residual))), "rmse": float(np.sqrt(np.mean(np.square(residual))))}


def classification_baselines(train, test, scaling):
    """Always the commonest class; and the class of the nearest training example."""
    from sklearn.neighbors import KNeighborsClassifier

    (x, y), (x_test, y_test) = train, test
    nearest = KNeighborsClassifier(1).fit(x.reshape(len(x), -1), y)
    return {
        "chance": float(np.mean(y_test == np.bincount(y).argmax())),
        "1-nearest-neighbour": float(nearest.score(x_test.reshape(len(x_test), -1), y_test)),
    }


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


@dataclass(frozen=True)
class Heads:
    """The outputs of a network: one, or a dictionary of which one is meant and the others only help in training."""

    names: tuple[str, ...]  # none for a single output
    main: str

    @classmethod
    def of(cls, model, card) -> "Heads":
        names = tuple(model.output) if isinstance(model.output, dict) else ()
        return cls(names, next((name for name in names if name not in card.loss_weights), ""))

    def fan_out(self, dataset):
        """The same target for every head."""
        return dataset.map(lambda x, y: (x, dict.fromkeys(self.names, y))) if self.names else dataset

    def predict(self, model, dataset) -> np.ndarray:
        """What the main head says."""
        outputs = model.predict(dataset, verbose=0)
        return outputs[self.main] if self.names else outputs


def compile_network(model, card, optimizer) -> Heads:
    """Compile with the task's loss on every head, and its figure on the main one."""
    heads, metrics = Heads.of(model, card), [TASKS[card.task].keras_metric()]
    if not heads.names:
        model.compile(optimizer, loss=criterion(card), metrics=metrics)
        return heads
    weights = {name: card.loss_weights.get(name, 1.0) for name in heads.names}
    model.compile(
        optimizer,
        loss={name: criterion(card) for name in heads.names},
        loss_weights=weights,
        metrics={heads.main: metrics},
    )
    return heads
