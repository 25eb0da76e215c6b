"""Losses of detectors: from the rows of `zoo.boxes.rows`, and what is truly there, to a number for each image."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo.boxes import matching, offsets
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


@keras.saving.register_keras_serializable("zoo")
class MultiBox(keras.Loss):
    """SSD's loss: what each default box holds, with the hardest of the many empty ones alone, and where it is.

    W. Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016, section 2.2. A box tells of the thing that it
    overlaps most, if by at least `overlap`; and the best box of each thing tells of it
    (`zoo.boxes.matching.by_overlap`). The sum over

        -log P(class)                       of boxes that tell of a thing
        -log P(nothing)                     of others: the least likely ones, `negatives` for each that tells of a thing
        smooth L1 of the offsets' error     of boxes that tell of a thing, times `place`

    by the number of boxes that tell of a thing in all of the batch, as in torchvision, so that the mean over the images
    is that of these boxes. A box that overlaps what is to be ignored by `overlap` is not told to be empty.

    Shapes: truth (batch, m, 6): left, top, right, bottom as fractions of the image, the class (-1: no such thing), and
    1 where it is not to be learned from; rows (batch, n, 9 + classes). The result: (batch,).

    Args:
        negatives: how many empty boxes for each that is not.
        overlap: IoU from which on a box tells of a thing.
        place: weight of the offsets; the paper's 1.
        variances: units of the offsets (`zoo.boxes.offsets`).

    >>> truth = [[[0.2, 0.2, 0.4, 0.4, 0.0, 0.0]]]
    >>> right = [[[0.3, 0.3, 0.2, 0.2, 0.3, 0.3, 0.2, 0.2, -50.0, 0.0, -50.0]]]
    >>> round(float(MultiBox()(truth, right)), 4)
    0.0
    """

    def __init__(
        self,
        negatives: float = 3.0,
        overlap: float = 0.5,
        place: float = 1.0,
        variances: Sequence[float] = offsets.VARIANCES,
        name: str = "multibox",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.negatives, self.overlap, self.place, self.variances = negatives, overlap, place, tuple(variances)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        kinds, places, count = self.parts(y_true, y_pred)
        images = ops.cast(ops.shape(count)[0], "float32")
        return (kinds + self.place * places) * images / ops.maximum(ops.sum(count), 1.0)

    def parts(self, y_true: Any, y_pred: Any) -> tuple[Any, Any, Any]:
        """Of each image the sums over classes and over offsets, and the number of boxes that tell of a thing: (batch,)
        each."""
        true, rows = ops.cast(y_true, "float32"), ops.convert_to_tensor(y_pred)
        label = ops.cast(true[..., 4], "int32")  # (batch, m)
        ignored = (label >= 0) & (true[..., 5] >= 0.5)
        real = (label >= 0) & ~ignored
        anchors = anchors_of(rows)
        has, which = matching.by_overlap(true[..., :4], real, corners(anchors), self.overlap)
        full = ops.cast(has, "float32")  # (batch, n)

        kind = ops.where(has, 1 + ops.take_along_axis(ops.maximum(label, 0), which, axis=1), 0)
        kinds = -ops.take_along_axis(log_probabilities(rows), kind[..., None], axis=-1)[..., 0]
        overlaps = ops.where(ignored[:, None], pairwise_iou(corners(anchors), true[..., :4]), 0.0)
        empty = ~has & (ops.max(overlaps, axis=-1) < self.overlap)
        hard = hardest(kinds, empty, self.negatives * ops.sum(full, axis=-1, keepdims=True))

        things = ops.where(real[..., None], centres(true[..., :4]), 1.0)
        wanted = ops.take_along_axis(things, which[..., None], axis=1)  # (batch, n, 4)
        wanted = offsets.encoded(ops.where(has[..., None], wanted, anchors), anchors, self.variances)
        places = ops.sum(smooth_l1(offsets.encoded(boxes_of(rows), anchors, self.variances) - wanted), axis=-1)
        return (
            ops.sum(kinds * ops.maximum(full, hard), axis=-1),
            ops.sum(places * full, axis=-1),
            ops.sum(full, axis=-1),
        )

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("negatives", "overlap", "place", "variances")}
        return {**super().get_config(), **own}


def smooth_l1(error: Any, beta: float = 1.0) -> Any:
    """Half a square near 0, its slope from `beta` on that of the error itself (R. Girshick 2015, equation 3).

    >>> ops.convert_to_numpy(smooth_l1(ops.convert_to_tensor([0.5, -2.0]))).tolist()
    [0.125, 1.5]
    """
    error = ops.abs(error)
    return ops.where(error < beta, 0.5 / beta * ops.square(error), error - 0.5 * beta)


def hardest(losses: Any, among: Any, count: Any) -> Any:
    """1 for so many of the largest losses, among those that may be taken, else 0: (batch, n), (batch, n), (batch, 1)
    to (batch, n)."""
    losses = ops.where(among, ops.stop_gradient(losses), -1.0)
    order = ops.argsort(-losses, axis=-1)
    place = ops.argsort(order, axis=-1)  # of each, the largest first
    return ops.cast(among & (ops.cast(place, "float32") < count), "float32")
