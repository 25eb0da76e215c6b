"""Plots of classifiers: what they confuse, where they are confidently wrong, how far confidence can be trusted."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.metrics.classification import CALIBRATION_BINS, confidence_bins, probabilities
from zoo.plots.base import INK, SECOND, THIRD, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST_NAME = 32  # letters of a class's name in a confusion matrix


def confusion(data: Any, evaluation: Any) -> Figure:
    """How often each class (rows) was predicted as each class (columns); the diagonal is correct."""
    from sklearn.metrics import confusion_matrix

    names = [shortened(name, LONGEST_NAME) for name in data.class_names]
    predicted = probabilities(evaluation.outputs).argmax(-1)
    counts = confusion_matrix(evaluation.targets, predicted, labels=range(len(names)))
    size = min(12.0, 2.5 + 0.45 * len(names))
    margin = 0.06 * max(0, max(map(len, names)) - 8)  # inches, for names longer than most
    figure = new_figure(size + 0.6 + margin, size + margin)
    axes = figure.subplots()
    fractions = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    if len(names) <= 20:
        for row, column in np.ndindex(counts.shape):
            if counts[row, column]:
                colour = "white" if fractions[row, column] > 0.5 else INK if row == column else SECOND
                axes.text(column, row, counts[row, column], ha="center", va="center", fontsize=8, color=colour)
    if len(names) <= 60:
        turned: Any = {"rotation": 60, "ha": "right", "rotation_mode": "anchor"} if len(max(names, key=len)) > 2 else {}
        axes.set_xticks(range(len(names)), names, fontsize=8, **turned)
        axes.set_yticks(range(len(names)), names, fontsize=8)
    wrong = int(counts.sum() - np.trace(counts))
    axes.set(xlabel="predicted", ylabel="true", title=f"{wrong} of {counts.sum()} test examples wrong")
    return figure


def shortened(name: str, longest: int) -> str:
    """A name in at most so many letters: its middle left out, since names often differ at their ends.

    >>> shortened("Prunus avium, sweet cherry", 16)
    'Prunus a… cherry'
    """
    half = longest // 2
    return name if len(name) <= longest else f"{name[:half]}…{name[len(name) - (longest - half - 1) :]}"


def mistakes(data: Any, evaluation: Any) -> Figure | None:
    """The test images that the network got wrong with most confidence. None where inputs are no images."""
    if len(data.card.inputs[0].shape) != 3:
        return None
    show = partial(data.inputs_at, "test")
    return worst_mistakes(show, evaluation.targets, evaluation.outputs, data.class_names)


def worst_mistakes(
    inputs: Callable[[np.ndarray], np.ndarray],
    targets: np.ndarray,
    logits: np.ndarray,
    class_names: Sequence[str],
    max_images: int = 24,
) -> Figure:
    """The images that were predicted wrongly with most confidence.

    Args:
        inputs: row numbers -> images (rows, height, width, channels).
        targets: the class of each example, (examples,).
        logits: (examples, classes).
        class_names: of the classes.
        max_images: how many are shown at most.
    """
    by_class = probabilities(logits)
    predicted, confidence = by_class.argmax(-1), by_class.max(-1)
    wrong = np.flatnonzero(predicted != targets)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:max_images]
    images = inputs(worst)
    columns = min(8, max(len(worst), 4))
    rows = max(1, -(-len(worst) // columns))
    figure = new_figure(1.35 * columns, 1.75 * rows + 0.4)
    figure.suptitle(
        f"{len(worst)} most confident of {len(wrong)} mistakes" if len(wrong) else "no mistakes", fontsize=11
    )
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, row, image in zip(grid, worst, images):
        low, high = image.min(), image.max()
        image = (image - low) / max(high - low, 1e-6)
        axes.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray")
        true, taken_for = (shortened(class_names[each[row]], 40) for each in (targets, predicted))
        lines = [*textwrap.wrap(f"is {true}", 20), *textwrap.wrap(f"not {taken_for} ({confidence[row]:.0%})", 20)]
        axes.set_title("\n".join(lines), fontsize=7)
    return figure


def calibration(data: Any, evaluation: Any) -> Figure:
    """A reliability diagram: how often the network is correct, by its confidence; on the diagonal it knows how much
    it knows. The bins are those of its calibration error."""
    by_class = probabilities(evaluation.outputs)
    confidence, correct = by_class.max(-1), by_class.argmax(-1) == evaluation.targets
    bin_of, bins = confidence_bins(confidence), CALIBRATION_BINS
    figure = new_figure(4.6, 4.2)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=THIRD, linewidth=1, linestyle="--")
    for each in np.unique(bin_of):
        among = bin_of == each
        axes.bar((each + 0.5) / bins, correct[among].mean(), width=0.9 / bins, color=INK, alpha=0.85)
        axes.plot(confidence[among].mean(), correct[among].mean(), "o", color=SECOND, markersize=3)
        axes.text((each + 0.5) / bins, correct[among].mean() + 0.01, among.sum(), ha="center", fontsize=7, color=THIRD)
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.06))
    axes.set_title(f"calibration error {evaluation.metrics['calibration_error']:.3f}", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def overlay(image: np.ndarray, heat: np.ndarray, title: str) -> Figure:
    """An image (height, width, channels), and beside it where the heat (height, width) lies: Grad-CAM."""
    low, high = image.min(), image.max()
    image = (image - low) / max(high - low, 1e-6)
    shown = {"X": image if image.shape[-1] == 3 else image[..., 0], "cmap": "gray"}
    height, width = image.shape[:2]
    figure = new_figure(2 * 3.2 * width / max(height, width) + 0.3, 3.2 * height / max(height, width) + 0.5)
    plain, hot = figure.subplots(1, 2)
    plain.imshow(**shown)
    hot.imshow(**shown)
    hot.imshow(heat / max(heat.max(), 1e-12), cmap="inferno", alpha=0.55, vmin=0, vmax=1)
    for axes in (plain, hot):
        axes.axis("off")
    figure.suptitle(title, fontsize=10)
    return figure


def robustness(
    rows: Sequence[Mapping[str, float]], shown: Mapping[str, tuple[Sequence[np.ndarray], Sequence[str]]]
) -> Figure:
    """Accuracy by how far the pixels may move, and a few images before and after.

    Args:
        rows: ``epsilon``, and the accuracy by the name of what moved them.
        shown: by a title, images (height, width, channels) of 0 to 1 and what they are taken for; first, as they are.
    """
    width, height = 1.15 * max(len(images) for images, _ in shown.values()), 1.5 * len(shown)
    figure = new_figure(4.6 + width, max(3.8, height))
    halves: Any = figure.subfigures(1, 2, width_ratios=(4.6, width))
    left, right = halves
    axes = left.subplots()
    epsilons = [row["epsilon"] for row in rows]
    for name, colour, marker in zip([key for key in rows[0] if key != "epsilon"], (THIRD, INK, SECOND), "os^"):
        label = {"noise": "random signs"}.get(name, name.upper())
        axes.plot(epsilons, [row[name] for row in rows], color=colour, marker=marker, markersize=4, label=label)
    axes.set(xlabel="epsilon, as a part of the range of the pixels", ylabel="accuracy", ylim=(-0.03, 1.03))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    _, before = next(iter(shown.values()))
    parts: Any = right.subfigures(len(shown), 1, squeeze=False)
    for part, (title, (images, names)) in zip(parts[:, 0], shown.items()):
        part.suptitle(title, fontsize=8)
        for axes, image, name, first in zip(part.subplots(1, len(images), squeeze=False)[0], images, names, before):
            axes.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", vmin=0, vmax=1)
            axes.set_title(shortened(name, 16), fontsize=8, color="black" if name == first else SECOND)
            axes.axis("off")
    return figure
