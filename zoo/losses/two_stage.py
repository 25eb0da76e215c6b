"""Losses of the two stages of a detector: which anchors hold something, and what the proposals hold.

S. Ren et al., "Faster R-CNN: Towards Real-Time Object Detection with Region Proposal Networks", NeurIPS 2015, sections
3.1.2 and 3.1.3; R. Girshick, "Fast R-CNN", ICCV 2015, section 2.3. Nearly all anchors are empty, so that lots are
drawn, by the numbers that `zoo.layers.regions.SampleOrder` writes behind each row.
"""

from typing import Any

import keras
from keras import ops

from zoo.boxes import matching, offsets
from zoo.boxes.overlap import pairwise_iou
from zoo.boxes.rows import anchors_of, boxes_of, centres, corners, log_probabilities
from zoo.losses.detection import hardest, smooth_l1

Tensor = Any
PLAIN = (1.0, 1.0, 1.0, 1.0)  # variances of the first stage: none
BETA = 1 / 9  # of smooth L1, in both stages: squares below it


class Sampled(keras.Loss):
    """What both have in common: cross-entropies of a sample of rows, smooth L1 of those in it that tell of a thing.

    Both are sums over the batch by the number of rows drawn in all of it, as in torchvision.
    """

    samples: int
    positives: float

    def call(self, y_true: Any, y_pred: Any) -> Any:
        kinds, places, count = self.parts(y_true, y_pred)
        images = ops.cast(ops.shape(count)[0], "float32")
        return (kinds + places) * images / ops.maximum(ops.sum(count), 1.0)

    def parts(self, y_true: Any, y_pred: Any) -> tuple[Any, Any, Any]:
        """Of each image the sums over classes and over offsets, and the number of rows drawn: (batch,) each."""
        raise NotImplementedError

    def drawn(self, has: Tensor, empty: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
        """1 for the rows drawn from those that tell of a thing, and from the empty ones, else 0: (batch, n) each.

        At most `positives` of `samples` tell of a thing; the empty ones fill up the rest.
        """
        full = hardest(order, has, float(int(self.samples * self.positives)))
        return full, hardest(order, empty, self.samples - ops.sum(full, axis=-1, keepdims=True))


@keras.saving.register_keras_serializable("zoo")
class RegionProposals(Sampled):
    """The loss of the first stage: which anchors hold something, and where it is.

    An anchor tells of the thing that it overlaps most, by `overlap` or as its best anchor; it is empty below `apart`.
    Of each image some are drawn. What overlaps only what is not to be learned from is not told to be empty.

    Shapes: truth (batch, m, 6): left, top, right, bottom as fractions of the image, the class (-1: no such thing), and
    1 where it is not to be learned from; rows (batch, n, 11) of `zoo.boxes.rows`, of one class, and the order of the
    draw. The result: (batch,).

    Args:
        samples: anchors of an image.
        positives: how much of them may tell of a thing.
        overlap, apart: IoU from which on they do, and below which they are empty.

    >>> truth = [[[0.2, 0.2, 0.4, 0.4, 0.0, 0.0]]]
    >>> right = [[[0.3, 0.3, 0.2, 0.2, 0.3, 0.3, 0.2, 0.2, 0.0, 50.0, 0.5]]]
    >>> round(float(RegionProposals()(truth, right)), 4)
    0.0
    """

    def __init__(
        self,
        samples: int = 256,
        positives: float = 0.5,
        overlap: float = 0.7,
        apart: float = 0.3,
        name: str = "region_proposals",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.samples, self.positives, self.overlap, self.apart = samples, positives, overlap, apart

    def parts(self, y_true: Any, y_pred: Any) -> tuple[Any, Any, Any]:
        true, rows = ops.cast(y_true, "float32"), ops.convert_to_tensor(y_pred)
        rows, order = rows[..., :-1], rows[..., -1]
        real, ignored, _ = things_of(true)
        anchors = anchors_of(rows)
        where = corners(anchors)
        found = matching.by_two_thresholds(true[..., :4], real, where, self.apart, self.overlap, best_of_each=True)
        has, empty, which = found
        empty = empty & (most_overlap(where, true[..., :4], ignored) < self.apart)
        full, rest = self.drawn(has, empty, order)

        logs = log_probabilities(rows)
        wanted = ops.take_along_axis(centres(true[..., :4]), which[..., None], axis=1)  # (batch, n, 4)
        places = offset_errors(boxes_of(rows), wanted, anchors, has, PLAIN)
        kinds = -logs[..., 1] * full - logs[..., 0] * rest
        return ops.sum(kinds, axis=-1), ops.sum(places * full, axis=-1), ops.sum(full + rest, axis=-1)

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("samples", "positives", "overlap", "apart")}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("zoo")
class RegionBoxes(Sampled):
    """The loss of the second stage: what the proposals hold, and where it is.

    A proposal tells of the thing that it overlaps most, by `overlap`; else it is of the background. Of each image some
    are drawn. What overlaps only what is not to be learned from is not told to be of the background.

    Shapes: truth as in `RegionProposals`; rows (batch, n, 1 + classes, 10) of `zoo.boxes.rows`, and the order of the
    draw. The result: (batch,).

    Args:
        samples: proposals of an image.
        positives: how much of them may tell of a thing.
        overlap: IoU from which on they do.

    >>> truth, right = [[[0.2, 0.2, 0.4, 0.4, 0.0, 0.0]]], [0.3, 0.3, 0.2, 0.2, 0.3, 0.3, 0.2, 0.2]
    >>> round(float(RegionBoxes()(truth, [[[[*right, -50.0, 0.5], [*right, 0.0, 0.5]]]])), 4)
    0.0
    """

    def __init__(
        self,
        samples: int = 512,
        positives: float = 0.25,
        overlap: float = 0.5,
        name: str = "region_boxes",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.samples, self.positives, self.overlap = samples, positives, overlap

    def parts(self, y_true: Any, y_pred: Any) -> tuple[Any, Any, Any]:
        true, rows = ops.cast(y_true, "float32"), ops.convert_to_tensor(y_pred)
        rows, order = rows[..., :-1], rows[:, :, 0, -1]
        real, ignored, label = things_of(true)
        anchors = anchors_of(rows)[:, :, 0]
        there, where = ops.prod(anchors[..., 2:], axis=-1) > 0, corners(anchors)
        has, empty, which = matching.by_two_thresholds(true[..., :4], real, where, self.overlap, self.overlap)
        empty = empty & (most_overlap(where, true[..., :4], ignored) < self.overlap)
        full, rest = self.drawn(has & there, empty & there, order)

        kind = ops.where(has, 1 + ops.take_along_axis(label, which, axis=1), 0)
        kinds = -ops.take_along_axis(log_probabilities(rows), kind[..., None], axis=-1)[..., 0]
        boxes = ops.take_along_axis(boxes_of(rows), kind[..., None, None], axis=2)[:, :, 0]  # of the true class
        wanted = ops.take_along_axis(centres(true[..., :4]), which[..., None], axis=1)
        places = offset_errors(boxes, wanted, anchors, has, offsets.VARIANCES)
        drawn = full + rest
        return ops.sum(kinds * drawn, axis=-1), ops.sum(places * full, axis=-1), ops.sum(drawn, axis=-1)

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("samples", "positives", "overlap")}
        return {**super().get_config(), **own}


def things_of(true: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Whether rows of truth are things to be learned, whether they are things that are not, and their classes:
    (batch, m) each."""
    label = ops.cast(true[..., 4], "int32")
    ignored = (label >= 0) & (true[..., 5] >= 0.5)
    return (label >= 0) & ~ignored, ignored, ops.maximum(label, 0)


def most_overlap(boxes: Tensor, truths: Tensor, those: Tensor) -> Tensor:
    """The largest IoU of boxes (batch, n, 4) with some of the truths (batch, m, 4): (batch, n)."""
    return ops.max(ops.where(those[:, None], pairwise_iou(boxes, truths), 0.0), axis=-1)


def offset_errors(boxes: Tensor, wanted: Tensor, anchors: Tensor, has: Tensor, variances: Any) -> Tensor:
    """Smooth L1 of the offsets from anchors, "rel_center_xywh" (batch, n, 4) all; 0 where there is no thing."""
    boxes, wanted, anchors = (ops.where(has[..., None], each, 1.0) for each in (boxes, wanted, anchors))
    errors = (offsets.encoded(each, anchors, variances) for each in (boxes, wanted))
    return ops.sum(smooth_l1(next(errors) - next(errors), BETA), axis=-1)
