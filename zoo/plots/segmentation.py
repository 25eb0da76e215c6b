"""Figures of masks: the class of each pixel as a colour over the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.metrics.segmentation import IGNORED
from zoo.plots.base import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind people tell apart; class 0, mostly the background, stays as it is.
COLOURS = np.array(
    [[230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66], [0, 114, 178], [213, 94, 0], [204, 121, 167]]
) / 255  # fmt: skip
OPAQUE = 0.6


def colour_of(number: int) -> np.ndarray:
    """Of a class from 1 on, (3,) of 0 to 1; after seven they come again, darker."""
    return COLOURS[(number - 1) % len(COLOURS)] * 0.7 ** ((number - 1) // len(COLOURS))


def tinted(image: np.ndarray, mask: np.ndarray, ignored: int = IGNORED) -> np.ndarray:
    """An image (height, width, 3) of 0 to 1, the pixels of each class but 0 in its colour; what is ignored, white."""
    found = image.astype("float64").copy()
    for number in np.unique(mask[mask > 0]):
        colour = np.ones(3) if number == ignored else colour_of(int(number))
        where = mask == number
        found[where] = (1 - OPAQUE) * found[where] + OPAQUE * colour
    return found


def masks(
    images: Sequence[np.ndarray], truths: Sequence[np.ndarray], predicted: Sequence[np.ndarray],
    class_names: Sequence[str], ignored: int = IGNORED,
) -> Figure:  # fmt: skip
    """A column for each image: the image, its mask, what was predicted, and the wrong pixels in black."""
    from matplotlib.patches import Patch

    figure = new_figure(2.2 * len(images), 9.2)
    grid = figure.subplots(4, len(images), squeeze=False)
    for column, (image, truth, found) in enumerate(zip(images, truths, predicted)):
        wrong = np.where((truth != found) & (truth != ignored), 0.0, 1.0)
        shown = (image, tinted(image, truth, ignored), tinted(image, found), np.repeat(wrong[..., None], 3, -1))
        for row, picture in enumerate(shown):
            grid[row, column].imshow(np.clip(picture, 0, 1))
    for axes, title in zip(grid[:, 0], ("image", "mask", "predicted", "wrong pixels")):
        axes.set_ylabel(title)
    for axes in grid.ravel():
        axes.set(xticks=[], yticks=[])
    named = [Patch(color=colour_of(number), label=name) for number, name in enumerate(class_names[:8]) if number]
    figure.legend(handles=named, loc="outside lower center", ncols=len(named), frameon=False)
    return figure


def ious(names: Sequence[str], values: np.ndarray, mean: float) -> Figure:
    """A bar for each class, the lowest at the bottom, and the mean."""
    order = np.argsort(-values)
    figure = new_figure(6, 0.35 * len(names) + 1.2)
    axes = figure.subplots()
    axes.barh([names[each] for each in order], values[order], color=COLOURS[4])
    for row, each in enumerate(order):
        axes.text(values[each] + 0.01, row, f"{values[each]:.2f}", va="center", fontsize=8)
    axes.axvline(mean, color="black", linestyle="--", linewidth=1)
    axes.set(xlim=(0, 1.12), xlabel="intersection over union", title=f"mean {mean:.3f} (dashed)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.invert_yaxis()
    return figure


def coloured(image: np.ndarray, masks: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """An image (height, width, 3) of 0 to 1 with masks (n, height, width) in the colours of their classes, the last on
    top; class -1 is none."""
    numbers = np.zeros(image.shape[:2], int)
    for mask, label in zip(masks, classes):
        numbers[mask & (label >= 0)] = 1 + int(label)
    return tinted(image, numbers)
