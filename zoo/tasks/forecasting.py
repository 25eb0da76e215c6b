"""The next value of a series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np

from zoo import plots
from zoo.data.image.arrays import NumberDataModule
from zoo.metrics import classification
from zoo.records import Card
from zoo.tasks.base import Evaluation, Sample, Task
from zoo.tasks.image_classification import BASELINE_NUMBERS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Forecasting(Task):
    metric = "mae"
    minimize = True
    data_module = NumberDataModule

    def loss(self) -> keras.Loss:
        return keras.losses.MeanSquaredError()

    def keras_metrics(self) -> list[keras.Metric]:
        return [keras.metrics.MeanAbsoluteError(name="mae")]

    def scores(self, targets: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
        return classification.errors(targets, outputs[:, 0])

    def baselines(self, data: NumberDataModule) -> dict[str, float]:
        """Always the mean; and the last value again."""
        if data.num_values > BASELINE_NUMBERS:
            return {}
        (_, y), (x_test, y_test) = data.arrays("train"), data.arrays("test")
        return {
            "mean": classification.errors(y_test, y.mean())["mae"],
            "last value": classification.errors(y_test, data.scaling.undo(x_test)[:, -1])["mae"],
        }

    def plots(self, data: NumberDataModule, evaluation: Evaluation) -> dict[str, Figure | None]:
        return {"forecast.png": plots.forecast(data, evaluation)}

    def sample(self, card: Card, head: str = "") -> Sample:
        return Sample(
            lambda rng, shape: rng.normal(size=shape).astype("float32"),
            lambda classes: 1.0,  # the variance of the targets
            tolerance=3.0,  # plus that of the predictions, which is of the same size
        )
