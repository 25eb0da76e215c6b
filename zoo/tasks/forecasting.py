"""The next values of a series."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from zoo import plots
from zoo.baselines import series as baselines
from zoo.data.base import DataModule
from zoo.data.image.files import free_name
from zoo.data.series.table import SeriesFile, SeriesSource
from zoo.data.series.windows import PARTS, SeriesDataModule
from zoo.errors import UsageError
from zoo.metrics import classification
from zoo.metrics.forecasting import ScaledError
from zoo.records import Card
from zoo.tasks.base import Evaluation, Network, Sample, Task, Trained
from zoo.tasks.image_classification import BASELINE_NUMBERS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COVERED = 0.8  # of the errors on the test set, which the interval of a forecast holds


class Forecasting(Task):
    metric = "mae"
    minimize = True
    data_module = SeriesDataModule
    folder = SeriesFile
    advice = "more lags (--option lags=), a longer series, or more epochs may help"
    scale: float = 1.0  # of the targets, in the units of the series

    def loss(self) -> keras.Loss:
        return keras.losses.MeanSquaredError()

    def keras_metrics(self) -> list[keras.Metric]:
        return [ScaledError(self.scale)]

    def trainer(self, network: Network, data: SeriesDataModule) -> tuple[Network, DataModule]:
        """The network itself, with its errors shown in the units of the series."""
        task = Forecasting()
        task.scale = data.target_std
        return replace(network, task=task), data

    def evaluate(self, network: Network, data: SeriesDataModule, split: str) -> Evaluation:
        """The loss of what was learned, and the errors in the units of the series."""
        windows, outputs = data.windows(split), network.predict(data.batches(split))
        learned = outputs.shape[-1:] == (windows.y.shape[1],)
        scaled = np.concatenate([np.asarray(y) for _, y in data.batches(split).as_numpy_iterator()])
        loss = float(network.loss(scaled.reshape(outputs.shape) if learned else scaled, outputs))
        predictions = data.undo(outputs, windows)
        return Evaluation({"loss": loss, **classification.errors(windows.y, predictions)}, windows.y, predictions)

    def baselines(self, data: SeriesDataModule) -> dict[str, float]:
        """The mean, the last value, the one a season ago, least squares on the same windows, and statsmodels'."""
        if data.num_values > BASELINE_NUMBERS:
            return {}
        train, test = data.windows("train"), data.windows("test")
        horizon = test.y.shape[1]
        found = {
            "mean": baselines.mean(train.y, test.y.shape),
            "last value": baselines.last_value(test.x, horizon),
        }
        table = data.series.values[:, 0] if isinstance(data.source, SeriesSource) else None
        if table is not None and data.season > 1:
            found["a season ago"] = baselines.seasonal(table, test.first, horizon, data.season)
        found["least squares"] = baselines.least_squares(train.x, train.y, test.x)
        if table is not None:
            learned_from = int(PARTS[0] * len(table))
            found |= baselines.statsmodels_forecasts(table, learned_from, test.first, horizon, data.season)
        return {name: classification.errors(test.y, forecast)["mae"] for name, forecast in found.items()}

    def plots(self, data: SeriesDataModule, evaluation: Evaluation) -> dict[str, Figure | None]:
        return {"forecast.png": plots.forecast(data, evaluation)}

    def tables(self, data: SeriesDataModule, evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
        """Of each step ahead, the error and between which errors most lie."""
        errors = evaluation.targets - evaluation.outputs  # (examples, horizon)
        ends = np.quantile(errors, [(1 - COVERED) / 2, (1 + COVERED) / 2], axis=0)
        rows = zip(np.abs(errors).mean(0), *ends)
        columns = ("mae", "lower", "upper")
        return {
            "steps.csv": [
                {"step": step, **{name: f"{value:.6g}" for name, value in zip(columns, row)}}
                for step, row in enumerate(rows, start=1)
            ]
        }

    def predict(self, trained: Trained, inputs: Sequence[str], folder: Path | None) -> list[str]:
        """How the series of each table goes on, with an interval from the errors on the test set."""
        data: SeriesDataModule = trained.data
        errors, lines = errors_of(trained), []
        for path in inputs:
            windows, series = data.latest(Path(path))
            (forecast,) = data.undo(trained.network.predict(data.inputs(windows)), windows)  # (horizon,)
            interval = forecast[:, None] + errors  # (horizon, 2)
            lines.append(f"{path}: {series.columns[0]} after {series.times[-1]}")
            lines += [
                f"  {step}: {value:.6g} ({COVERED:.0%} between {low:.6g} and {high:.6g})"
                for step, (value, (low, high)) in enumerate(zip(forecast, interval), start=1)
            ]
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                file = free_name(folder / "forecast.png")
                plots.save(plots.continued(series.values[:, 0], forecast, interval, series.columns[0]), file)
                lines.append(f"  drawn in {file}")
        return lines

    def sample(self, card: Card, head: str = "") -> Sample:
        return Sample(
            lambda rng, shape: rng.normal(size=shape).astype("float32"),
            lambda classes: 1.0,  # the variance of the targets
            tolerance=3.0,  # plus that of the predictions, which is of the same size
        )


def errors_of(trained: Trained) -> np.ndarray:
    """Between which errors those of the test set mostly lie, of each step ahead. (horizon, 2)"""
    path = trained.run.path / "steps.csv"
    if not trained.data.columns or not path.is_file():
        raise UsageError(
            f"{trained.run.path} was not trained on a table; expected a run of `zoo train --data FILE.csv`"
        )
    with path.open(newline="", encoding="utf-8") as file:
        return np.array([[float(row["lower"]), float(row["upper"])] for row in csv.DictReader(file)])
