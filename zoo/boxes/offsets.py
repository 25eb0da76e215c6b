"""Boxes as offsets from anchors, in units in which all four numbers vary about as much: what SSD and R-CNN learn.

R. Girshick et al., "Rich Feature Hierarchies for Accurate Object Detection", CVPR 2014, appendix C:

    t_x = (x - x_anchor) / (width_anchor * v_x)        t_w = log(width / width_anchor) / v_w

and y and height likewise. The v are called variances, after the code that came with SSD. The formulas are Keras's, with
a limit to what comes out: an exponential of a wild number would be infinite.
"""

import math
from collections.abc import Sequence
from typing import Any

from keras import ops
from keras.utils import bounding_boxes

Tensor = Any
VARIANCES = (0.1, 0.1, 0.2, 0.2)
LARGEST = math.log(1000 / 16)  # of the logarithm of a side by that of its anchor: 1,000 pixels from an anchor of 16
FORM = "center_xywh"


def encoded(boxes: Tensor, anchors: Tensor, variances: Sequence[float] = VARIANCES) -> Tensor:
    """Boxes (..., 4) as offsets (..., 4) from anchors (..., 4), both "rel_center_xywh".

    >>> found = encoded([0.5, 0.5, 0.4, 0.2], [0.4, 0.5, 0.2, 0.2])  # half a side to the right, twice as wide
    >>> [round(float(each), 3) for each in found]
    [5.0, 0.0, 3.466, 0.0]
    """
    boxes, anchors = ops.convert_to_tensor(boxes), ops.convert_to_tensor(anchors)
    how = dict(anchor_format=FORM, box_format=FORM, encoding_format=FORM, variance=list(variances))
    return bounding_boxes.encode_box_to_deltas(anchors, boxes, **how)


def decoded(offsets: Tensor, anchors: Tensor, variances: Sequence[float] = VARIANCES) -> Tensor:
    """The way back of `encoded`; a side is at most 62.5 times that of its anchor.

    >>> [round(float(each), 3) for each in decoded([5.0, 0.0, 3.4657, 0.0], [0.4, 0.5, 0.2, 0.2])]
    [0.5, 0.5, 0.4, 0.2]
    """
    offsets, anchors = ops.convert_to_tensor(offsets), ops.convert_to_tensor(anchors)
    most = ops.convert_to_tensor([math.inf, math.inf, *(LARGEST / each for each in variances[2:])], offsets.dtype)
    how = dict(anchor_format=FORM, box_format=FORM, encoded_format=FORM, variance=list(variances))
    return bounding_boxes.decode_deltas_to_boxes(anchors, ops.minimum(offsets, most), **how)
