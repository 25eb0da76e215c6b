"""Figures of yes/no questions: how well each is answered, beside who always gives the commoner answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.metrics.multi_task import UNKNOWN, accuracies, areas, base_rates
from zoo.plots.base import INK, SECOND, THIRD, new_figure
from zoo.plots.classification import shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST_NAME = 24  # letters
CURVES = 12  # attributes at most, those with the smallest AUC


def attributes(names: Sequence[str], answers: np.ndarray, logits: np.ndarray) -> Figure:
    """By attribute the area under its ROC curve, and its accuracy beside the base rate: the worst at the bottom.

    Args:
        names: of the attributes.
        answers: 1, 0 and -1, (examples, attributes).
        logits: likewise.
    """
    auc, accuracy, base = areas(answers, logits), accuracies(answers, logits), base_rates(answers)
    order = np.argsort(np.nan_to_num(auc), kind="stable")
    labels = [shortened(names[each], LONGEST_NAME) for each in order]
    figure = new_figure(8.4, 0.3 * len(names) + 1.5)
    left, right = figure.subplots(1, 2, sharey=True)
    rows = np.arange(len(names))
    left.barh(rows, np.nan_to_num(auc[order]), color=INK, height=0.6)
    for row, each in enumerate(order):
        told = f"{auc[each]:.4f}" if np.isfinite(auc[each]) else "one answer only"
        left.text(np.nan_to_num(auc[each]) + 0.01, row, told, va="center", fontsize=7)
    left.axvline(0.5, color=SECOND, linestyle=":", linewidth=1)
    left.set(xlim=(0, 1.2), xlabel="AUC (dotted: chance)", xticks=(0, 0.25, 0.5, 0.75, 1))
    left.set_yticks(rows, labels, fontsize=8)
    right.hlines(rows, base[order], accuracy[order], color=THIRD, linewidth=1)
    right.plot(base[order], rows, "o", color=SECOND, fillstyle="none", markersize=5, label="the commoner answer")
    right.plot(accuracy[order], rows, "o", color=INK, markersize=5, label="network")
    right.set(xlim=(min(0.45, np.nanmin(accuracy) - 0.05), 1.03), xlabel="accuracy")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*right.get_legend_handles_labels(), loc="outside upper right", frameon=False, fontsize=8, ncols=2)
    return figure


def precision_recall(names: Sequence[str], answers: np.ndarray, logits: np.ndarray) -> Figure | None:
    """By attribute, what part of those that are found are right, by what part of all that are there is found.

    The dotted line is the part of all that is yes; the dot is where the network stands with a threshold of one half.
    None where no attribute has both answers.
    """
    from sklearn.metrics import precision_recall_curve

    auc = areas(answers, logits)
    shown = [each for each in np.argsort(auc, kind="stable")[:CURVES] if np.isfinite(auc[each])]
    if not shown:
        return None
    rows = -(-len(shown) // 4)
    columns = -(-len(shown) // rows)
    figure = new_figure(2.3 * columns, 2.3 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.ravel()[len(shown) :]:
        axes.axis("off")
    for axes, each in zip(grid.ravel(), shown):
        known = answers[:, each] != UNKNOWN
        truth, found = answers[known, each] == 1, logits[known, each]
        precision, recall, _ = precision_recall_curve(truth, found)
        axes.plot(recall, precision, color=INK, drawstyle="steps-post")
        axes.axhline(truth.mean(), color=SECOND, linestyle=":", linewidth=1)
        if (found >= 0).any():
            axes.plot(truth[found >= 0].sum() / truth.sum(), truth[found >= 0].mean(), "o", color=SECOND, markersize=4)
        axes.set_title(shortened(names[each], LONGEST_NAME), fontsize=8)
        axes.set(xlim=(-0.03, 1.03), ylim=(0, 1.06))
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("recall", fontsize=9)
    figure.supylabel("precision", fontsize=9)
    return figure
