"""The pictures of a run: how it learned, what it confuses, what it gets wrong with most confidence.

Each function returns a matplotlib ``Figure``; nothing is shown and no global state is touched.
"""

from functools import partial

import numpy as np

from zoo.metrics.classification import probabilities
from zoo.plots.base import INK, SECOND, THIRD, new_figure


def confusion(feed, measured):
    """How often each class (rows) was called each class (columns); the diagonal is right."""
    from sklearn.metrics import confusion_matrix

    names = [name[:12] for name in feed.class_names]
    called = probabilities(measured.outputs).argmax(-1)
    counts = confusion_matrix(measured.truth, called, labels=range(len(names)))
    size = min(12.0, 2.5 + 0.45 * len(names))
    figure = new_figure(size + 0.6, size)
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(names) <= 20:
        for row, column in np.ndindex(counts.shape):
            if counts[row, column]:
                colour = "white" if shares[row, column] > 0.5 else INK if row == column else SECOND
                axes.text(column, row, counts[row, column], ha="center", va="center", fontsize=8, color=colour)
    if len(names) <= 60:
        axes.set_xticks(range(len(names)), names, rotation=0 if len(max(names, key=len)) <= 2 else 60, fontsize=8)
        axes.set_yticks(range(len(names)), names, fontsize=8)
    wrong = int(counts.sum() - np.trace(counts))
    axes.set(xlabel="called", ylabel="is", title=f"{wrong} of {counts.sum()} test examples wrong")
    return figure


def mistakes(feed, measured):
    """The test pictures that the network got wrong with most confidence. None where inputs are no pictures."""
    if len(feed.card.inputs[0].shape) != 3:
        return None
    show = partial(feed.inputs_at, "test")
    return worst_mistakes(show, measured.truth, measured.outputs, feed.class_names)


def worst_mistakes(inputs, truth, logits, class_names, most=24):
    """The `most` pictures that were called something else with most confidence; `inputs(rows)` gives pictures."""
    chances = probabilities(logits)
    called = chances.argmax(-1)
    confidence = chances.max(-1)
    wrong = np.flatnonzero(called != truth)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    pictures = inputs(worst)
    columns = min(8, max(len(worst), 4))
    rows = max(1, -(-len(worst) // columns))
    figure = new_figure(1.35 * columns, 1.75 * rows + 0.4)
    figure.suptitle(
        f"{len(worst)} most confident of {len(wrong)} mistakes" if len(wrong) else "no mistakes", fontsize=11
    )
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, row, picture in zip(grid, worst, pictures):
        low, high = picture.min(), picture.max()
        picture = (picture - low) / max(high - low, 1e-6)
        axes.imshow(picture if picture.shape[-1] == 3 else picture[..., 0], cmap="gray")
        names = f"is {class_names[truth[row]][:12]}\ncalled {class_names[called[row]][:12]} ({confidence[row]:.0%})"
        axes.set_title(names, fontsize=7)
    return figure


def calibration(feed, measured, bins=10):
    """How often the network is right, by how sure it is; on the diagonal it knows how much it knows."""
    chances = probabilities(measured.outputs)
    confidence, right = chances.max(-1), chances.argmax(-1) == measured.truth
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    figure = new_figure(4.6, 4.2)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=THIRD, linewidth=1, linestyle="--")
    for each in np.unique(bin_of):
        among = bin_of == each
        axes.bar((each + 0.5) / bins, right[among].mean(), width=0.9 / bins, color=INK, alpha=0.85)
        axes.plot(confidence[among].mean(), right[among].mean(), "o", color=SECOND, markersize=3)
        axes.text((each + 0.5) / bins, right[among].mean() + 0.01, among.sum(), ha="center", fontsize=7, color=THIRD)
    axes.set(xlabel="confidence", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.06))
    axes.set_title(f"calibration error {measured.figures['calibration_error']:.3f}", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def overlay(picture, heat, title):
    """A picture (height, width, channels), and beside it where the heat (height, width) lies."""
    low, high = picture.min(), picture.max()
    picture = (picture - low) / max(high - low, 1e-6)
    shown = {"X": picture if picture.shape[-1] == 3 else picture[..., 0], "cmap": "gray"}
    height, width = picture.shape[:2]
    figure = new_figure(2 * 3.2 * width / max(height, width) + 0.3, 3.2 * height / max(height, width) + 0.5)
    plain, hot = figure.subplots(1, 2)
    plain.imshow(**shown)
    hot.imshow(**shown)
    hot.imshow(heat / max(heat.max(), 1e-12), cmap="inferno", alpha=0.55, vmin=0, vmax=1)
    for axes in (plain, hot):
        axes.axis("off")
    figure.suptitle(title, fontsize=10)
    return figure
