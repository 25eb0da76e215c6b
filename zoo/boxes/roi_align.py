"""What maps hold inside of boxes, each box at the same size, as a second stage takes it.

K. He et al., "Mask R-CNN", ICCV 2017, section 3: RoIAlign. A box is cut into cells; a cell is the mean of some points
in it, and a point is interpolated between the four nearest places of the map: nothing is rounded, as in RoIPool.
"""

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
    maps, boxes = ops.convert_to_tensor(maps), ops.convert_to_tensor(boxes)
    _, rows, columns, channels = maps.shape
    batch, count = ops.shape(boxes)[0], ops.shape(boxes)[1]
    left, top, right, bottom = (boxes[..., side] * scale - (0.5 if aligned else 0.0) for side in range(4))
    y = points(top, bottom, size[0], samples, aligned)  # (batch, n, size * samples)
    x = points(left, right, size[1], samples, aligned)
    down, across = neighbours(y, rows), neighbours(x, columns)

    flat = ops.reshape(maps, (-1, channels))
    image = ops.arange(batch, dtype="int32")[:, None, None, None] * (rows * columns)
    found = 0.0
    for row, weight_down in down:
        for column, weight_across in across:
            place = image + row[..., :, None] * columns + column[..., None, :]  # (batch, n, points down, across)
            weight = weight_down[..., :, None] * weight_across[..., None, :]
            found = found + ops.cast(weight, maps.dtype)[..., None] * ops.take(flat, place, axis=0)
    cells = ops.reshape(found, (batch, count, size[0], samples, size[1], samples, channels))
    return ops.mean(cells, axis=(3, 5))


def points(start: Tensor, end: Tensor, cells: int, samples: int, aligned: bool) -> Tensor:
    """Where boxes are looked at along one axis: (batch, n), (batch, n) to (batch, n, cells * samples)."""
    length = end - start if aligned else ops.maximum(end - start, 1.0)
    parts = (ops.arange(cells * samples, dtype="float32") + 0.5) / (cells * samples)
    return start[..., None] + length[..., None] * ops.cast(parts, start.dtype)


def neighbours(place: Tensor, count: int) -> list[tuple[Tensor, Tensor]]:
    """The two whole places next to each, of so many, int32, and how much of each is taken."""
    there = ops.cast((place >= -1.0) & (place <= count), place.dtype)
    place = ops.minimum(ops.maximum(place, 0.0), float(count - 1))
    low = ops.floor(place)
    part = place - low
    first = ops.cast(low, "int32")
    return [(first, there * (1.0 - part)), (ops.minimum(first + 1, count - 1), there * part)]
