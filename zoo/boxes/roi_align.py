"""What maps hold inside of boxes, each box at the same size, as a second stage takes it.

K. He et al., "Mask R-CNN", ICCV 2017, section 3: RoIAlign. A box is cut into cells; a cell is the mean of some points
in it, and a point is interpolated between the four nearest places of the map: nothing is rounded, as in RoIPool.
"""

import itertools
from collections.abc import Sequence
from typing import Any

from keras import ops

Tensor = Any


def roi_align(
    maps: Tensor,
    boxes: Tensor,
    *,
    size: tuple[int, int] = (7, 7),
    scale: float = 1.0,
    samples: int = 2,
    aligned: bool = False,
) -> Tensor:
    """The maps inside of each box: (batch, n, *size, channels).

    Args:
        maps: (batch, rows, columns, channels).
        boxes: (batch, n, 4), left, top, right and bottom, in pixels of the image or another unit.
        size: (rows, columns) of cells that a box is cut into.
        scale: places of the map in a unit of the boxes: 1 / 16 for a map of stride 16 and pixels.
        samples: points of a cell, down and across.
        aligned: whether the first place of the map has its middle at half a unit, as pixels have, or at 0, as in the
            published detectors of torchvision; there a box is at least one place wide and high.

    A point further than one place outside of the map counts as 0, one nearer as on the edge.

    >>> maps = ops.reshape(ops.arange(4, dtype="float32"), (1, 2, 2, 1))
    >>> found = roi_align(maps, [[[0.0, 0.0, 1.0, 1.0]]], size=(1, 1), samples=1)
    >>> float(found[0, 0, 0, 0, 0])  # the middle between 0, 1, 2 and 3
    1.5
    """
    boxes = ops.convert_to_tensor(boxes)
    level = ops.zeros_like(ops.cast(boxes[..., 0], "int32"))
    return pyramid_align([maps], boxes, level, scales=[(scale, scale)], size=size, samples=samples, aligned=aligned)


def pyramid_align(
    maps: Sequence[Tensor],
    boxes: Tensor,
    level: Tensor,
    *,
    scales: Sequence[tuple[float, float]],
    size: tuple[int, int] = (7, 7),
    samples: int = 2,
    aligned: bool = False,
) -> Tensor:
    """The same from several maps, each box from one of them: (batch, n, *size, channels).

    Args:
        maps: (batch, rows, columns, channels) each, of the same channels.
        boxes: (batch, n, 4), left, top, right and bottom.
        level: (batch, n) int32, the number of the map that each box is taken from.
        scales: places of each map in a unit of the boxes, down and across.
        size, samples, aligned: as in `roi_align`.
    """
    maps, boxes = [ops.convert_to_tensor(each) for each in maps], ops.convert_to_tensor(boxes)
    sides, channels = [each.shape[1:3] for each in maps], maps[0].shape[-1]
    *starts, total = itertools.accumulate((rows * columns for rows, columns in sides), initial=0)

    def of_level(values: Sequence[float], dtype: str) -> Tensor:  # (batch, n, 1)
        return ops.take(ops.convert_to_tensor([*values], dtype), level)[..., None]

    rows, columns = (of_level([each[axis] for each in sides], "int32") for axis in (0, 1))
    down, across = (of_level([each[axis] for each in scales], boxes.dtype) for axis in (0, 1))
    shift = 0.5 if aligned else 0.0
    left, right = (boxes[..., side, None] * across - shift for side in (0, 2))
    top, bottom = (boxes[..., side, None] * down - shift for side in (1, 3))
    y = points(top, bottom, size[0], samples, aligned)  # (batch, n, size * samples)
    x = points(left, right, size[1], samples, aligned)

    flat = ops.reshape(
        ops.concatenate([ops.reshape(each, (-1, total_of(each), channels)) for each in maps], 1), (-1, channels)
    )
    batch, count = ops.shape(boxes)[0], ops.shape(boxes)[1]
    first = ops.arange(batch, dtype="int32")[:, None, None] * total + of_level(starts, "int32")  # of each box's map
    found = 0.0
    for row, weight_down in neighbours(y, rows):
        for column, weight_across in neighbours(x, columns):
            place = (first + row * columns)[..., :, None] + column[..., None, :]  # (batch, n, points down, across)
            weight = weight_down[..., :, None] * weight_across[..., None, :]
            found = found + ops.cast(weight, flat.dtype)[..., None] * ops.take(flat, place, axis=0)
    cells = ops.reshape(found, (batch, count, size[0], samples, size[1], samples, channels))
    return ops.mean(cells, axis=(3, 5))


def total_of(maps: Tensor) -> int:
    """How many places maps (batch, rows, columns, channels) have."""
    return int(maps.shape[1] * maps.shape[2])


def points(start: Tensor, end: Tensor, cells: int, samples: int, aligned: bool) -> Tensor:
    """Where boxes are looked at along one axis: (batch, n, 1), (batch, n, 1) to (batch, n, cells * samples)."""
    length = end - start if aligned else ops.maximum(end - start, 1.0)
    parts = (ops.arange(cells * samples, dtype="float32") + 0.5) / (cells * samples)
    return start + length * ops.cast(parts, start.dtype)


def neighbours(place: Tensor, count: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The two whole places next to each, of so many, int32, and how much of each is taken."""
    last = ops.cast(count, place.dtype) - 1.0
    there = ops.cast((place >= -1.0) & (place <= last + 1.0), place.dtype)
    place = ops.minimum(ops.maximum(place, 0.0), last)
    low = ops.floor(place)
    part = place - low
    first = ops.cast(low, "int32")
    return [(first, there * (1.0 - part)), (ops.minimum(first + 1, count - 1), there * part)]
