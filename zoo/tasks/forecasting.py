"""The next value of a series."""

import keras

from zoo import plots
from zoo.data.image.arrays import NumberDataModule
from zoo.metrics import classification
from zoo.tasks.base import Sample, Task
from zoo.tasks.image_classification import BASELINE_NUMBERS


class Forecasting(Task):
    metric = "mae"
    minimize = True
    data_module = NumberDataModule

    def loss(self):
        return keras.losses.MeanSquaredError()

    def keras_metrics(self):
        return [keras.metrics.MeanAbsoluteError(name="mae")]

    def scores(self, targets, outputs):
        return classification.errors(targets, outputs[:, 0])

    def baselines(self, data):
        """Always the mean; and the last value again."""
        if data.num_values > BASELINE_NUMBERS:
            return {}
        (_, y), (x_test, y_test) = data.arrays("train"), data.arrays("test")
        return {
            "mean": classification.errors(y_test, y.mean())["mae"],
            "last value": classification.errors(y_test, data.scaling.undo(x_test)[:, -1])["mae"],
        }

    def plots(self, data, evaluation):
        return {"forecast.png": plots.forecast(data, evaluation)}

    def sample(self, card, head=""):
        return Sample(
            lambda rng, shape: rng.normal(size=shape).astype("float32"),
            lambda classes: 1.0,  # the variance of the targets
            tolerance=3.0,  # plus that of the predictions, which is of the same size
        )
