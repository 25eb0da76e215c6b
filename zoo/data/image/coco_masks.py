"""Masks as COCO's JSON has them: polygons, or the lengths of runs, as numbers or as a text."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.errors import UsageError

CORNERS = 3  # of a polygon, at least


def drawn(mask: Any, size: tuple[int, int], name: str) -> np.ndarray:
    """Which pixels a mask shows: (height, width) bool.

    Args:
        mask: polygons [[x, y, x, y, ...], ...] in pixels, or {"counts": ..., "size": [height, width]}.
        size: (width, height) of the image.
        name: of the image, for what is said of it.

    Raises:
        UsageError: for anything else.

    >>> drawn([[0, 0, 2, 0, 2, 2, 0, 2]], (4, 3), "square.png").astype(int).tolist()
    [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    >>> drawn({"counts": [4, 2], "size": [2, 3]}, (3, 2), "last column.png").astype(int).tolist()
    [[0, 0, 1], [0, 0, 1]]
    """
    try:
        found = of_runs(mask) if isinstance(mask, Mapping) else of_polygons(mask, size)
    except (KeyError, TypeError, ValueError, IndexError):
        raise UsageError(
            f"a mask of {name} cannot be read; expected polygons [[x, y, x, y, ...]] or counts and size, as COCO has"
        ) from None
    if found.shape != size[::-1]:
        height, width = found.shape
        raise UsageError(f"a mask of {name} is of {width}x{height} pixels; expected {size[0]}x{size[1]}, as the image")
    return found


def of_polygons(polygons: Sequence[Sequence[float]], size: tuple[int, int]) -> np.ndarray:
    """All pixels whose middle is in one of the polygons."""
    width, height = size
    across, down = np.arange(width) + 0.5, np.arange(height) + 0.5
    found = np.zeros((height, width), bool)
    for each in polygons:
        corners = np.array(each, "float64").reshape(-1, 2)
        if len(corners) < CORNERS:
            raise ValueError
        inside = np.zeros_like(found)  # what has an odd number of edges to its left
        for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0)):
            rows = (y1 <= down) != (y2 <= down)
            edge = x1 + (down[rows] - y1) * (x2 - x1) / ((y2 - y1) or 1.0)
            inside[rows] ^= across >= edge[:, None]
        found |= inside
    return found


def of_runs(mask: Mapping[str, Any]) -> np.ndarray:
    """Runs of pixels that are out and in by turns, column after column."""
    counts, (height, width) = mask["counts"], mask["size"]
    lengths = counts_of(counts) if isinstance(counts, str) else [int(each) for each in counts]
    ends = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return ends.reshape(width, height).T


def runs_of(mask: np.ndarray) -> dict[str, Any]:
    """The way back of `of_runs`: a mask (height, width) as {"size": [height, width], "counts": [...]}.

    >>> runs_of(np.array([[True, False], [True, True]]))
    {'size': [2, 2], 'counts': [0, 2, 1, 1]}
    """
    pixels = np.concatenate([[False], mask.T.ravel()])  # the first run is of what is out, even of none
    starts = np.flatnonzero(pixels[1:] != pixels[:-1])
    return {"size": [*mask.shape], "counts": np.diff([0, *starts, mask.size]).tolist()}


def counts_of(text: str) -> list[int]:
    """The lengths that COCO writes as a text: five bits a letter, from the third run on less that of two before.

    >>> counts_of("52")
    [5, 2]
    """
    lengths: list[int] = []
    letters = iter(text)
    for first in letters:
        bits = [ord(first) - 48]
        while bits[-1] & 32:
            bits.append(ord(next(letters)) - 48)
        value = sum((each & 31) << (5 * place) for place, each in enumerate(bits))
        if bits[-1] & 16:  # a negative number
            value -= 1 << (5 * len(bits))
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
    return lengths


def numbered(masks: Sequence[np.ndarray]) -> np.ndarray:
    """For each pixel the number of its mask from 1 on, or 0; of several, of the smallest, which is in front mostly:
    (height, width) int32.

    >>> numbered([np.array([[True, True, True]]), np.array([[False, True, False]])]).tolist()
    [[1, 2, 1]]
    """
    found = np.zeros(masks[0].shape, "int32")
    for number, mask in sorted(zip(itertools.count(1), masks), key=lambda each: -int(each[1].sum())):
        found[mask] = number
    return found
