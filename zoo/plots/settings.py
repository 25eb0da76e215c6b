"""Plots of several runs: the folds of a cross-validation, the trials of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.plots.base import INK, SECOND, THIRD, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def folds(scores: Sequence[float], metric: str) -> Figure:
    """A box plot of a metric over the folds, each beside it: the box holds the middle half, its line is the median."""
    figure = new_figure(3.6, 3.8)
    axes = figure.subplots()
    axes.boxplot([list(scores)], widths=0.4, medianprops={"color": SECOND}, showfliers=False)
    places = 1.35 + 0.05 * (np.arange(len(scores)) % 3)
    axes.plot(places, scores, "o", color=INK, markersize=4)
    for number, (place, score) in enumerate(zip(places, scores), 1):
        axes.annotate(str(number), (place, score), textcoords="offset points", xytext=(5, -3), fontsize=7, color=THIRD)
    axes.axhline(float(np.mean(scores)), color=THIRD, linewidth=1, linestyle=":")
    spread = f" ± {np.std(scores, ddof=1):.4f}" if len(scores) > 1 else ""
    axes.set(xticks=[], xlim=(0.6, 1.7), ylabel=metric)
    axes.set_title(f"{len(scores)} folds: {np.mean(scores):.4f}{spread}", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def parallel_coordinates(
    trials: Sequence[Mapping[str, object]], scores: Sequence[float], metric: str, *, logarithmic: Sequence[str] = (),
    minimize: bool = False,
) -> Figure:  # fmt: skip
    """A line for each trial, through its value on the axis of each setting, to what it reached; the best in colour.

    Args:
        trials: the settings of each, by name.
        scores: of each.
        metric: its name, for the last axis.
        logarithmic: settings whose axes are.
        minimize: whether the lowest score is the best.
    """
    names = list(trials[0])
    figure = new_figure(1.6 * (len(names) + 1) + 0.6, 4.0)
    axes = figure.subplots()
    columns = [[trial[name] for trial in trials] for name in names]
    heights = np.stack([*(_heights(axes, place, column, names[place] in logarithmic)
                          for place, column in enumerate(columns)),
                        _heights(axes, len(names), list(scores), False)], axis=1)  # fmt: skip
    order = np.argsort(scores)[:: -1 if minimize else 1]  # the best is drawn last
    from matplotlib import colormaps

    for rank, row in enumerate(order):
        best = rank == len(order) - 1
        colour = SECOND if best else colormaps["Blues"](0.25 + 0.6 * rank / max(len(order) - 1, 1))
        axes.plot(range(len(names) + 1), heights[row], color=colour, linewidth=2.2 if best else 1.1)
    axes.set(xlim=(-0.3, len(names) + 0.5), ylim=(-0.06, 1.06), yticks=[])
    axes.set_xticks(range(len(names) + 1), [*(name.replace("_", "\n") for name in names), metric], fontsize=9)
    axes.set_title(f"{len(trials)} trials, the best in red", fontsize=10)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.tick_params(length=0)
    return figure


def _heights(axes: object, place: int, values: Sequence[object], logarithmic: bool) -> np.ndarray:
    """Where values stand on an axis, 0 to 1; the axis is drawn, with its ends or its words."""
    axes.axvline(place, color=THIRD, linewidth=1)  # type: ignore[attr-defined]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if numbers:
        found = np.array(values, float)
        found = np.log10(found) if logarithmic else found
        low, high = np.nanmin(found), np.nanmax(found)
        heights = (found - low) / (high - low) if high > low else np.full(len(found), 0.5)
        ends = [(low, 0.0), (high, 1.0)] if high > low else [(low, 0.5)]
        labels = [(f"{10**value:.3g}" if logarithmic else f"{value:.3g}", height) for value, height in ends]
    else:
        words = sorted({str(value) for value in values})
        of_word = {word: (number + 0.5) / len(words) for number, word in enumerate(words)}
        heights, labels = np.array([of_word[str(value)] for value in values]), list(of_word.items())
    for text, height in labels:
        axes.text(place + 0.04, height, text, fontsize=8, va="center", color=INK)  # type: ignore[attr-defined]
    return np.nan_to_num(heights)
