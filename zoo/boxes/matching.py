"""Which anchor is to tell of which thing."""

from typing import Any

from keras import ops

from zoo.boxes.overlap import pairwise_iou

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


def by_overlap(truths: Tensor, real: Tensor, anchors: Tensor, threshold: float = 0.5) -> tuple[Tensor, Tensor]:
    """Which thing each anchor tells of: the one that it overlaps most, if by enough; each thing has its best anchor.

    The rule of SSD (W. Liu et al. 2016, section 2.2): an anchor that is the best of a thing tells of it, however little
    they overlap. Where it is the best of two, it tells of the last.

    Args:
        truths: (batch, m, 4), left, top, right and bottom.
        real: (batch, m), whether there is such a thing.
        anchors: (batch, n, 4) or (n, 4), the same.
        threshold: IoU from which on it is enough.

    Returns:
        Whether an anchor has one, (batch, n), and its number, (batch, n) int32.

    >>> truths = [[[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.1, 0.1]]]
    >>> anchors = [[0.0, 0.0, 1.0, 0.6], [0.0, 0.0, 0.4, 0.4], [0.6, 0.6, 1.0, 1.0]]
    >>> has, which = by_overlap(truths, [[True, True]], anchors)
    >>> ops.convert_to_numpy(has)[0].tolist(), ops.convert_to_numpy(which)[0, :2].tolist()
    ([True, True, False], [0, 1])
    """
    real = ops.convert_to_tensor(real)
    overlaps = ops.where(real[:, None], pairwise_iou(anchors, truths), -1.0)  # (batch, n, m)
    best = ops.cast(ops.argmax(overlaps, axis=1), "int32")  # (batch, m), an anchor
    number = ops.arange(overlaps.shape[1], dtype="int32")
    claims = (best[:, None, :] == number[None, :, None]) & real[:, None, :]  # (batch, n, m)
    claimed = ops.max(ops.where(claims, ops.arange(overlaps.shape[2], dtype="int32"), -1), axis=-1)
    which = ops.where(claimed >= 0, claimed, ops.cast(ops.argmax(overlaps, axis=-1), "int32"))
    return (claimed >= 0) | (ops.max(overlaps, axis=-1) >= threshold), which


def by_two_thresholds(
    truths: Tensor, real: Tensor, anchors: Tensor, low: float, high: float, *, best_of_each: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Which thing each anchor tells of: the one that it overlaps most, if by enough; and which anchors are empty.

    The rule of both stages of Faster R-CNN (S. Ren et al. 2015, section 3.1.2). What overlaps a thing by more than
    little and less than enough is neither.

    Args:
        truths: (batch, m, 4), left, top, right and bottom.
        real: (batch, m), whether there is such a thing.
        anchors: (batch, n, 4) or (n, 4), the same.
        low: IoU below which an anchor is empty.
        high: IoU from which on it tells of a thing.
        best_of_each: whether the best anchors of a thing tell of what they overlap most, however little that is.

    Returns:
        Whether an anchor has a thing, and whether it is empty, (batch, n) each; the number of the thing, (batch, n)
        int32.

    >>> truths, anchors = [[[0.0, 0.0, 1.0, 1.0]]], [[0.0, 0.0, 1.0, 0.6], [0.0, 0.0, 1.0, 0.5], [0.0, 0.0, 0.1, 1.0]]
    >>> for best in (False, True):
    ...     has, empty, _ = by_two_thresholds(truths, [[True]], anchors, 0.3, 0.7, best_of_each=best)
    ...     print(ops.convert_to_numpy(has)[0].tolist(), ops.convert_to_numpy(empty)[0].tolist())
    [False, False, False] [False, False, True]
    [True, False, False] [False, False, True]
    """
    real = ops.convert_to_tensor(real)
    overlaps = ops.where(real[:, None], pairwise_iou(anchors, truths), -1.0)  # (batch, n, m)
    most = ops.max(overlaps, axis=-1)
    has = most >= high
    if best_of_each:
        best = ops.max(overlaps, axis=1, keepdims=True)  # (batch, 1, m)
        has = has | ops.any((overlaps == best) & (overlaps > 0), axis=-1)
    return has, ~has & (most < low), ops.cast(ops.argmax(overlaps, axis=-1), "int32")
