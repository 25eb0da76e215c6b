"""Losses of detectors: from the rows of `zoo.boxes.rows`, and what is truly there, to a number for each image."""

from typing import Any

import keras
from keras import ops

from zoo.boxes import matching
from zoo.boxes.overlap import generalised_iou, pairwise_iou
from zoo.boxes.rows import anchors_of, boxes_of, centres, corners, log_probabilities
from zoo.errors import unknown

BOX_LOSSES = ("squares", "giou")


@keras.saving.register_keras_serializable("zoo")
class GridDetection(keras.Loss):
    """YOLO's loss, and that of one box: whether something is there, and only where it is, where and what.

    Each thing is told by one anchor: in the cell of its midpoint, that of the likeliest shape
    (`zoo.boxes.matching.by_midpoint`). With one cell and one anchor it is the localiser's loss, which looks at box and
    class only where p_c = 1. The sum over

        -log P(something)                          of anchors that tell of a thing
        -log P(nothing)                            of others, times `nothing`
        -log P(class | something)                  of anchors that tell of a thing
        the squares of offset and log size,        of anchors that tell of a thing, times `place`: the offset in sides
        of or 1 - GIoU                                the anchor

    J. Redmon et al., "You Only Look Once", CVPR 2016, equation 3, with logarithms in place of squared probabilities, as
    in YOLOv3 (2018, section 2.2); as there, P(something) is to be 1, where in the first YOLO it is to be the IoU of the
    predicted box. An anchor of another thing that overlaps one by more than `ignored` is not told to be empty.

    Shapes: truth (batch, m, 6): left, top, right, bottom as fractions of the image, the class (-1: no such thing), and
    1 where it is not to be learned from; rows (batch, n, 9 + classes). The result: (batch,).

    Args:
        boxes: "squares" or "giou".
        place: weight of the boxes; the paper's 5.
        nothing: weight of the empty anchors; the paper's .5.
        ignored: IoU of a box with a thing beyond which it may be full as well; YOLOv2's .6.

    >>> truth = [[[0.2, 0.2, 0.4, 0.4, 0.0, 0.0]]]
    >>> right = [[[0.3, 0.3, 0.2, 0.2, 0.3, 0.3, 0.2, 0.2, -50.0, 0.0, -50.0]]]
    >>> round(float(GridDetection()(truth, right)), 4)
    0.0
    """

    def __init__(
        self,
        boxes: str = "squares",
        place: float = 5.0,
        nothing: float = 0.5,
        ignored: float = 0.6,
        name: str = "grid_detection",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        if boxes not in BOX_LOSSES:
            raise unknown("loss of boxes", boxes, BOX_LOSSES)
        self.boxes, self.place, self.nothing, self.ignored = boxes, place, nothing, ignored

    def call(self, y_true: Any, y_pred: Any) -> Any:
        true, rows = ops.cast(y_true, "float32"), ops.convert_to_tensor(y_pred)
        label = ops.cast(true[..., 4], "int32")  # (batch, m)
        there = label >= 0
        real = there & (true[..., 5] < 0.5)
        boxes, anchors = boxes_of(rows), anchors_of(rows)
        things = ops.where(real[..., None], centres(true[..., :4]), 1.0)
        has, which = matching.taken_by(matching.by_midpoint(things, anchors), real, rows.shape[1])

        overlaps = pairwise_iou(corners(boxes), true[..., :4])  # (batch, n, m)
        most = ops.max(ops.where(there[:, None], overlaps, 0.0), axis=-1)
        empty = ops.cast(~has & (ops.stop_gradient(most) <= self.ignored), "float32")
        full = ops.cast(has, "float32")  # (batch, n)

        logs = log_probabilities(rows)
        something = ops.logsumexp(logs[..., 1:], axis=-1)
        kind = ops.take_along_axis(ops.maximum(label, 0), which, axis=1)  # (batch, n)
        kind = ops.take_along_axis(logs[..., 1:], kind[..., None], axis=-1)[..., 0] - something
        wanted = ops.take_along_axis(things, which[..., None], axis=1)  # (batch, n, 4)
        place = self.box_losses(wanted, boxes, anchors)
        each = full * (self.place * place - something - kind) - self.nothing * empty * logs[..., 0]
        return ops.sum(each, axis=-1)

    def box_losses(self, wanted: Any, boxes: Any, anchors: Any) -> Any:
        """(batch, n), of boxes (batch, n, 4) "rel_center_xywh"."""
        if self.boxes == "giou":
            return 1.0 - generalised_iou(corners(wanted), corners(boxes))
        offset = (boxes[..., :2] - wanted[..., :2]) / anchors[..., 2:]
        size = ops.log(boxes[..., 2:] / ops.maximum(wanted[..., 2:], 1e-6))
        return ops.sum(ops.square(offset), axis=-1) + ops.sum(ops.square(size), axis=-1)

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("boxes", "place", "nothing", "ignored")}
        return {**super().get_config(), **own}
