"""What a detector says, a row for each of its anchors: one form for all families, from which losses, decoding and
figures take what they need.

    box       4  where the thing is, "rel_center_xywh": its centre, width and height as fractions of the image's sides
    anchor    4  where it was looked for, the same
    logits  1+K  of the background, and of each of K classes: the softmax over them is what the detector believes

One whose classes have boxes of their own has a row of 9 numbers for each of 1 + K classes, the background first: box,
anchor and one logit; (batch, n, 1 + K, 9).
"""

from typing import Any

import keras
from keras import ops

Tensor = Any
GEOMETRY = 8  # numbers of a row before its logits


def boxes_of(rows: Tensor) -> Tensor:
    """(batch, n, 4), or (batch, n, 1 + classes, 4), "rel_center_xywh"."""
    return rows[..., :4]


def anchors_of(rows: Tensor) -> Tensor:
    """(batch, n, 4), or (batch, n, 1 + classes, 4), "rel_center_xywh"."""
    return rows[..., 4:GEOMETRY]


def log_probabilities(rows: Tensor) -> Tensor:
    """(batch, n, 1 + classes): of the background first."""
    return ops.log_softmax(rows[..., GEOMETRY] if has_class_boxes(rows) else rows[..., GEOMETRY:], axis=-1)


def has_class_boxes(rows: Tensor) -> bool:
    """Whether each class has a box of its own."""
    return len(rows.shape) == 4


def corners(boxes: Tensor) -> Tensor:
    """ "rel_center_xywh" (..., 4) as left, top, right and bottom.

    >>> ops.convert_to_numpy(corners([0.5, 0.5, 0.5, 1.0])).tolist()
    [0.25, 0.0, 0.75, 1.0]
    """
    return keras.utils.bounding_boxes.convert_format(boxes, "center_xywh", "xyxy", dtype="float32")


def centres(boxes: Tensor) -> Tensor:
    """Left, top, right and bottom (..., 4) as "rel_center_xywh"."""
    return keras.utils.bounding_boxes.convert_format(boxes, "xyxy", "center_xywh", dtype="float32")
