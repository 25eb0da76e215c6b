"""Plots of forecasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.plots.base import INK, SECOND, THIRD, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 60  # values before the forecast, at least


def forecast(data: Any, evaluation: Any) -> Figure:
    """Truth and prediction over time, one step ahead, and one against the other, of all steps ahead."""
    truth, predictions = evaluation.targets, evaluation.outputs  # (examples, horizon) each
    figure = new_figure(10, 3.6)
    time, scatter = figure.subplots(1, 2, width_ratios=(2.2, 1))
    time.plot(truth[:, 0], color=THIRD, label="truth", linewidth=1)
    time.plot(predictions[:, 0], color=INK, label="prediction", linewidth=1)
    time.set(xlabel="test example", ylabel="value")
    time.legend(frameon=False)
    scatter.plot(truth.ravel(), predictions.ravel(), ".", color=INK, markersize=3)
    ends = [float(truth.min()), float(truth.max())]
    scatter.plot(ends, ends, color=SECOND, linewidth=1)
    scatter.set(xlabel="truth", ylabel="prediction")
    for axes in (time, scatter):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def continued(values: np.ndarray, forecast: np.ndarray, interval: np.ndarray, name: str) -> Figure:
    """The end of a series and its forecast, with the interval around it.

    Args:
        values: the series, (time,).
        forecast: (horizon,).
        interval: its ends, (horizon, 2).
        name: of the series.
    """
    shown = values[-max(10 * len(forecast), SHOWN) :]
    figure = new_figure(7, 3.6)
    axes = figure.subplots()
    ahead = np.arange(len(forecast)) + 1
    axes.plot(np.arange(1 - len(shown), 1), shown, color=THIRD, linewidth=1, label="the series")
    axes.plot([0, *ahead], [shown[-1], *forecast], color=INK, marker="o", markersize=3, linewidth=1, label="forecast")
    axes.fill_between(ahead, interval[:, 0], interval[:, 1], color=SECOND, alpha=0.25, linewidth=0)
    if len(forecast) == 1:
        axes.vlines(1, *interval[0], color=SECOND, linewidth=2)
    axes.set(xlabel="steps from the last value", ylabel=name)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
