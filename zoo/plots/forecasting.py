"""Plots of forecasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.plots.base import INK, SECOND, THIRD, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def forecast(data: Any, evaluation: Any) -> Figure:
    """Truth and prediction over time, and one against the other."""
    truth, predictions = evaluation.targets, evaluation.outputs
    figure = new_figure(10, 3.6)
    time, scatter = figure.subplots(1, 2, width_ratios=(2.2, 1))
    time.plot(truth, color=THIRD, label="truth", linewidth=1)
    time.plot(predictions[:, 0], color=INK, label="prediction", linewidth=1)
    time.set(xlabel="test example", ylabel="value")
    time.legend(frameon=False)
    scatter.plot(truth, predictions[:, 0], ".", color=INK, markersize=3)
    ends = [float(truth.min()), float(truth.max())]
    scatter.plot(ends, ends, color=SECOND, linewidth=1)
    scatter.set(xlabel="truth", ylabel="prediction")
    for axes in (time, scatter):
        axes.spines[["top", "right"]].set_visible(False)
    return figure
