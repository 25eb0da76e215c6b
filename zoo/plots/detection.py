"""Plots of detectors: boxes and points on images, precision against recall, and what kinds of errors there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.metrics.detection import Curve, Detections, Truth, area_under, kinds_of
from zoo.plots.base import INK, SECOND, THIRD, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 4  # of images


def draw_box(axes: Any, box: np.ndarray, size: Sequence[int], colour: str, text: str = "", style: str = "-") -> None:
    """A box (4,) of fractions on an image of (height, width), with a word above it.

    The line has a white border, so that it is seen on dark images as well.
    """
    from matplotlib.patches import Rectangle

    height, width = size
    left, top, right, bottom = np.asarray(box) * [width, height, width, height]
    corner = (left - 0.5, top - 0.5)  # of a pixel, whose middle is a whole number
    for line, ends, wide in (("white", "-", 3.4), (colour, style, 2.0)):
        axes.add_patch(Rectangle(corner, right - left, bottom - top, fill=False, color=line, lw=wide, ls=ends))
    if text:
        around = dict(facecolor=colour, edgecolor="none", pad=0.8, alpha=0.8)
        axes.text(left, top, text, fontsize=6, color="white", va="bottom", bbox=around, clip_on=True)


def boxes_on(
    images: Sequence[np.ndarray],
    found: Sequence[Detections],
    class_names: Sequence[str],
    truths: Sequence[Truth] = (),
    *,
    score: float = 0.0,
    with_scores: bool = True,
    title: str = "",
) -> Figure:
    """Images (height, width, channels) of 0 to 1 with their boxes; by the truth, right and wrong ones in two colours.

    Args:
        images: of any sizes.
        found: of each image, boxes as fractions.
        class_names: by number.
        truths: of each image; what was missed is dotted. None: all boxes in one colour.
        score: boxes with less are left out.
        with_scores: whether the score stands beside the class; boxes that are no predictions have none.
        title: over the images.
    """
    figure, grid = shown(images)
    for number, (axes, image, each) in enumerate(zip(grid, images, found)):
        order = np.argsort(-each.scores, kind="stable")
        order = order[each.scores[order] >= score]
        kinds = kinds_of(truths[number], each, score=score) if truths else ["right"] * len(order)
        for row, kind in zip(order, kinds):
            colour = {"right": INK, "": THIRD}.get(kind, SECOND)
            word = class_names[each.classes[row]] + (f" {each.scores[row]:.0%}" if with_scores else "")
            draw_box(axes, each.boxes[row], image.shape[:2], colour, word)
        for box in missed_boxes(truths[number], each, score) if truths else ():
            draw_box(axes, box, image.shape[:2], SECOND, style=":")
    said = "right: blue, wrong: red, missed: dotted" if truths else ""
    figure.suptitle("; ".join(part for part in (title, said) if part), fontsize=10)
    return figure


def shown(images: Sequence[np.ndarray]) -> tuple[Figure, np.ndarray]:
    """A figure with images of 0 to 1 side by side, and the axes that each lies in."""
    columns = min(COLUMNS, len(images))
    rows = -(-len(images) // columns)
    figure = new_figure(2.6 * columns, 2.7 * rows + 0.4)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, image in zip(grid, images):
        axes.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", vmin=0, vmax=1)
    return figure, grid


def points_on(images: Sequence[np.ndarray], found: Sequence[np.ndarray], truths: Sequence[np.ndarray] = ()) -> Figure:
    """Images (height, width, channels) of 0 to 1 with points (n, 2), fractions across and down; true ones are rings."""
    figure, grid = shown(images)
    marks = [(found, dict(marker="o", markersize=4, color=INK)), (truths, dict(marker="o", markersize=9, color=SECOND))]
    for number, (axes, image) in enumerate(zip(grid, images)):
        for each, style in marks if len(truths) else marks[:1]:
            places = np.asarray(each[number]) * image.shape[1::-1] - 0.5  # the middle of a pixel is a whole number
            axes.plot(*places.T, linestyle="", fillstyle="full" if each is found else "none", **style)
            for name, (x, y) in enumerate(places if each is found else ()):
                axes.annotate(str(name), (x, y), xytext=(4, 4), textcoords="offset points", fontsize=7, color=INK)
    if len(truths):
        figure.suptitle("found: dots, true: rings", fontsize=10)
    return figure


def missed_boxes(truth: Truth, found: Detections, score: float) -> list[np.ndarray]:
    """The boxes that no detection is right about."""
    boxes = []
    for number in range(len(truth.classes)):
        alone = Truth(
            truth.boxes[[number]], truth.classes[[number]], truth.crowd[[number]] if len(truth.crowd) else truth.crowd,
            truth.difficult[[number]] if len(truth.difficult) else truth.difficult,
        )  # fmt: skip
        if "missed" in kinds_of(alone, found, score=score):
            boxes.append(truth.boxes[number])
    return boxes


def precision_recall(curves: Mapping[str, Curve]) -> Figure:
    """A line for each class: precision as the recall grows, and the average precision."""
    figure = new_figure(4.8, 4.0)
    axes = figure.subplots()
    styles = [(colour, style) for style in ("-", "--", ":") for colour in (INK, SECOND, THIRD)]
    for (name, curve), (colour, style) in zip(curves.items(), styles * len(curves)):
        label = f"{name} ({area_under(curve):.3f})"
        start = curve.precision[
            :1
        ]  # of the surest detection, drawn from the left edge on; none where nothing was found
        recall, precision = np.append(0 * start, curve.recall), np.append(start, curve.precision)
        axes.plot(recall, precision, color=colour, linestyle=style, linewidth=1.4, label=label)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.05))
    axes.legend(frameon=False, fontsize=7, title="average precision at IoU .5", title_fontsize=7, loc="lower left")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def error_kinds(counts: Mapping[str, int], score: float) -> Figure:
    """A bar for each kind of error of `zoo.metrics.detection.error_kinds`."""
    figure = new_figure(5.2, 2.6)
    axes = figure.subplots()
    axes.barh([*counts][::-1], [*counts.values()][::-1], color=INK)
    for place, count in enumerate([*counts.values()][::-1]):
        axes.text(count, place, f" {count}", va="center", fontsize=8)
    axes.set(xlabel=f"errors, of boxes with a score of {score:.0%} or more", xlim=(0, 1.15 * max(1, *counts.values())))
    axes.spines[["top", "right"]].set_visible(False)
    return figure
