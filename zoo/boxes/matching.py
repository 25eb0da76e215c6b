"""Which anchor is to tell of which thing."""

from typing import Any

from keras import ops

Tensor = Any
FAR = 1e4  # outweighs every overlap: the cell comes first


def by_midpoint(truths: Tensor, anchors: Tensor) -> Tensor:
    """The anchor of each thing: in the cell that holds its midpoint, the one whose shape overlaps its box most.

    The rule of YOLO. The cell of a point is that with the nearest centre, on either axis.

    Args:
        truths: (batch, m, 4), "rel_center_xywh".
        anchors: (batch, n, 4) or (n, 4), the same.

    Returns:
        (batch, m) int32: numbers of anchors.

    >>> anchors = [[0.25, 0.5, 0.5, 0.5], [0.75, 0.5, 0.2, 0.2], [0.75, 0.5, 0.5, 0.5]]
    >>> int(by_midpoint([[[0.6, 0.9, 0.4, 0.6]]], anchors)[0, 0])
    2
    """
    truths, anchors = ops.convert_to_tensor(truths), ops.convert_to_tensor(anchors)
    truths, anchors = truths[..., :, None, :], anchors[..., None, :, :]  # (batch, m, 1, 4), (batch, 1, n, 4)
    distance = ops.sum(ops.abs(truths[..., :2] - anchors[..., :2]), axis=-1)
    distance = distance - ops.min(distance, axis=-1, keepdims=True)  # exactly 0 in the cell itself
    common = ops.prod(ops.minimum(truths[..., 2:], anchors[..., 2:]), axis=-1)
    union = ops.prod(truths[..., 2:], axis=-1) + ops.prod(anchors[..., 2:], axis=-1) - common
    return ops.cast(ops.argmax(common / ops.maximum(union, 1e-20) - FAR * distance, axis=-1), "int32")


def taken_by(matches: Tensor, real: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The other way round: which thing each anchor tells of.

    Args:
        matches: (batch, m), the anchor of each thing.
        real: (batch, m), whether there is such a thing.
        count: of anchors.

    Returns:
        Whether an anchor has one, (batch, count), and its number, (batch, count) int32. Of two things with one anchor
        it tells of the first: the limit of a grid.
    """
    anchors = ops.arange(count, dtype="int32")
    claims = (ops.convert_to_tensor(matches)[:, None, :] == anchors[None, :, None]) & real[:, None, :]  # (batch, n, m)
    claims = ops.cast(claims, "int32")
    return ops.max(claims, axis=-1) > 0, ops.cast(ops.argmax(claims, axis=-1), "int32")
