"""How much boxes overlap.

IoU, intersection over union, is the metric: 1 for the same box, 0 for boxes apart. As a loss it is flat where boxes are
apart; generalised IoU falls on, the farther they are (H. Rezatofighi et al., "Generalized Intersection over Union",
CVPR 2019, section 3).
"""

from typing import Any

from keras import ops

Tensor = Any
TINY = 1e-20  # in place of a union without area


def area(boxes: Tensor) -> Tensor:
    """Of boxes (..., 4): (...); 0 where a box is empty or inside out.

    >>> ops.convert_to_numpy(area([[0.0, 0.0, 2.0, 3.0], [2.0, 2.0, 1.0, 1.0]])).tolist()
    [6.0, 0.0]
    """
    boxes = ops.convert_to_tensor(boxes)
    sides = ops.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
    return sides[..., 0] * sides[..., 1]


def clip(boxes: Tensor, width: float = 1.0, height: float = 1.0) -> Tensor:
    """Boxes (..., 4) cut off at the edges of the image.

    >>> ops.convert_to_numpy(clip([-0.5, 0.25, 0.5, 1.25])).tolist()
    [0.0, 0.25, 0.5, 1.0]
    """
    boxes = ops.convert_to_tensor(boxes)
    ends = ops.convert_to_tensor([width, height, width, height], boxes.dtype)
    return ops.minimum(ops.maximum(boxes, 0.0), ends)


def intersection(a: Tensor, b: Tensor) -> Tensor:
    """The area that boxes (..., 4) and (..., 4) have in common, pair by pair, with broadcasting: (...)."""
    start, end = ops.maximum(a[..., :2], b[..., :2]), ops.minimum(a[..., 2:], b[..., 2:])
    return area(ops.concatenate([start, end], axis=-1))


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4) and (..., 4), pair by pair, with broadcasting: (...).

    >>> round(float(iou([0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0])), 4)  # 1 of 7
    0.1429
    """
    a, b = ops.convert_to_tensor(a), ops.convert_to_tensor(b)
    common = intersection(a, b)
    return common / ops.maximum(area(a) + area(b) - common, TINY)


def pairwise_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU of each of (..., n, 4) with each of (..., m, 4): (..., n, m)."""
    a, b = ops.convert_to_tensor(a), ops.convert_to_tensor(b)
    return iou(ops.expand_dims(a, -2), ops.expand_dims(b, -3))


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU less the part of the smallest box around both that neither fills: between -1 and 1, pair by pair.

    >>> round(float(generalised_iou([0.0, 0.0, 1.0, 1.0], [2.0, 0.0, 3.0, 1.0])), 4)  # 1 of the 3 around is empty
    -0.3333
    """
    a, b = ops.convert_to_tensor(a), ops.convert_to_tensor(b)
    common = intersection(a, b)
    union = area(a) + area(b) - common
    around = area(ops.concatenate([ops.minimum(a[..., :2], b[..., :2]), ops.maximum(a[..., 2:], b[..., 2:])], axis=-1))
    return common / ops.maximum(union, TINY) - (around - union) / ops.maximum(around, TINY)
