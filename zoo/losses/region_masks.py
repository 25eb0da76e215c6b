"""The loss of the third stage of a detector: which places of a proposal show the thing."""

from typing import Any

import keras
from keras import ops

from zoo.boxes import matching
from zoo.boxes.masks import boxes_of, logits_of, masks_within
from zoo.boxes.overlap import area
from zoo.losses.two_stage import things_of

ROW = 6  # numbers of a thing before its mask


@keras.saving.register_keras_serializable("zoo")
class RegionMasks(keras.Loss):
    """Binary cross-entropy on the map of the true class (K. He et al., "Mask R-CNN", ICCV 2017, section 3).

    A box tells of the thing that it overlaps most, by `overlap`; others are not looked at, nor are the maps of other
    classes. The mean over the places of all boxes of the batch that tell of a thing, as in torchvision.

    Shapes: truth (batch, m, 6 + s * s): left, top, right, bottom as fractions of the image, the class (-1: no such
    thing), 1 where it is not to be learned from, and its mask, s x s places over the whole of its box; rows (batch, n,
    side, side, 6 + 1 + classes) of `zoo.boxes.masks`. The result: (batch,).

    Args:
        overlap: IoU from which on a box tells of a thing.

    >>> truth = [[[0.2, 0.2, 0.4, 0.4, 0.0, 0.0, 1.0]]]  # all of its box
    >>> right = [[[[[0.2, 0.2, 0.4, 0.4, -1.0, 0.0, 0.0, 50.0]]]]]
    >>> round(float(RegionMasks()(truth, right)), 4)
    0.0
    """

    def __init__(self, overlap: float = 0.5, name: str = "region_masks", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.overlap = overlap

    def call(self, y_true: Any, y_pred: Any) -> Any:
        errors, count = self.parts(y_true, y_pred)
        images = ops.cast(ops.shape(count)[0], "float32")
        return errors * images / ops.maximum(ops.sum(count), 1.0)

    def parts(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """Of each image the sum over its boxes, and how many tell of a thing: (batch,) each."""
        true, rows = ops.cast(y_true, "float32"), ops.convert_to_tensor(y_pred)
        side, places = int(rows.shape[2]), round((true.shape[-1] - ROW) ** 0.5)
        boxes = ops.stop_gradient(boxes_of(rows))
        real, _, label = things_of(true)
        has, _, which = matching.by_two_thresholds(true[..., :4], real, boxes, self.overlap, self.overlap)
        has = ops.cast(has & (area(boxes) > 0), "float32")  # (batch, n)

        own = ops.take_along_axis(true, which[..., None], axis=1)  # (batch, n, 6 + places^2)
        masks = ops.reshape(own[..., ROW:], (-1, boxes.shape[1], places, places))
        wanted = ops.stop_gradient(masks_within(masks, own[..., :4], boxes, side))
        kind = 1 + ops.take_along_axis(label, which, axis=1)[..., None, None, None]  # (batch, n, 1, 1, 1)
        kind = kind + ops.zeros_like(rows[..., :1], "int32")
        logits = ops.take_along_axis(logits_of(rows), kind, axis=-1)[..., 0]  # (batch, n, side, side)
        errors = ops.binary_crossentropy(wanted, logits, from_logits=True)
        return ops.sum(ops.mean(errors, axis=(2, 3)) * has, axis=-1), ops.sum(has, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "overlap": self.overlap}
