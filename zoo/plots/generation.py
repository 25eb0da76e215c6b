"""Images that a network has made: many on one sheet, the way from one to another, and a map of the codes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.plots.base import INK, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMALLEST_SIDE = 48  # pixels of an image on a sheet: smaller ones are enlarged
GAP = 2  # pixels between two images
MAX_CLASSES = 10  # on a map


def sheet(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Images (count, height, width, channels) of 0 to 1 side by side on white: (height, width, 3).

    Args:
        images: of 1 or 3 channels; small ones are enlarged, pixel by pixel.
        columns: images in a row; None makes it as square as can be.

    >>> sheet(np.zeros((5, 48, 48, 1)), columns=5).shape
    (48, 248, 3)
    """
    times = max(1, SMALLEST_SIDE // min(images.shape[1:3]))
    images = np.clip(images, 0, 1).repeat(times, axis=1).repeat(times, axis=2)
    images = np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images[..., :3]
    count, height, width, _ = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    page = np.ones((-(-count // columns) * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), "float32")
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        top, left = row * (height + GAP), column * (width + GAP)
        page[top : top + height, left : left + width] = image
    return page


def sheets(rows: Sequence[np.ndarray], titles: Sequence[str]) -> Figure:
    """Rows of images, each (count, height, width, channels) of 0 to 1, with a title over each."""
    pages = [sheet(row, columns=len(row)) for row in rows]
    figure = new_figure(9, sum(9 * len(page) / page.shape[1] + 0.35 for page in pages))
    for axes, page, title in zip(figure.subplots(len(rows), 1, squeeze=False)[:, 0], pages, titles):
        axes.imshow(page, interpolation="nearest")
        axes.set_title(title, fontsize=9, loc="left")
        axes.axis("off")
    return figure


def clouds(points: Mapping[str, np.ndarray]) -> Figure:
    """Points in the plane, title -> (points, 2), one panel each, over the same range."""
    figure = new_figure(3 * len(points), 3.2)
    reach = 1.2 * max(np.abs(next(iter(points.values()))).max(), 1e-6)
    for axes, (title, xy) in zip(figure.subplots(1, len(points), squeeze=False)[0], points.items()):
        axes.plot(xy[:, 0], xy[:, 1], ".", color=INK, markersize=2, alpha=0.5)
        axes.set(title=title, xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def latent_map(codes: np.ndarray, labels: np.ndarray | None = None, names: Sequence[str] = ()) -> Figure:
    """Codes (examples, size) in a plane: as they are, or by the two principal components of longer ones.

    Args:
        codes: at least two numbers long.
        labels: (examples,) class numbers, which are the colours; the first ten classes are drawn.
        names: of the classes.
    """
    from matplotlib import colormaps
    from sklearn.decomposition import PCA

    flat = codes if codes.shape[1] == 2 else PCA(2).fit_transform(codes)
    figure = new_figure(5, 4.6)
    axes = figure.subplots()
    if labels is None:
        axes.plot(flat[:, 0], flat[:, 1], ".", color=INK, markersize=4)
    for number, label in enumerate([] if labels is None else np.unique(labels)[:MAX_CLASSES]):
        mine = flat[np.asarray(labels) == label]
        name = names[int(label)] if int(label) < len(names) else str(label)
        axes.plot(mine[:, 0], mine[:, 1], ".", color=colormaps["tab10"](number), markersize=4, label=name)
    if labels is not None:
        figure.legend(frameon=False, fontsize=8, loc="outside right upper")
    which = ("first", "second") if codes.shape[1] == 2 else ("first principal", "second principal")
    axes.set(xlabel=f"{which[0]} number of the code", ylabel=f"{which[1]} number of the code")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
