"""What stands between the boxes of a detector and their masks (K. He et al., "Mask R-CNN", ICCV 2017, section 3)."""

from typing import Any

import keras
from keras import layers, ops

from zoo.boxes.overlap import clip
from zoo.boxes.rows import boxes_of, corners, log_probabilities
from zoo.boxes.suppression import best_detections

Tensor = Any
Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable("zoo")
class MaskBoxes(layers.Layer):
    """The boxes whose masks are made: of training the best proposals, as the second stage takes them; else what the
    second stage has found, without doubles. Nothing is learned through them.

    Shapes: proposals (batch, n, 4), left, top, right and bottom, the best first, and what the second stage says of
    them, (batch, n, 1 + classes, 9) of `zoo.boxes.rows` -> (batch, count, 6): left, top, right, bottom, class and
    score. In training, and where there are fewer, the class is -1.

    Args:
        count: of the boxes.
        score: boxes with no more than that are not found.
        iou: boxes that overlap a better one of their class by more go.
        candidates: how many pairs of a box and a class, the best ones, are looked at.
    """

    def __init__(self, count: int = 100, score: float = 0.05, iou: float = 0.5, candidates: int = 1000, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.count, self.score, self.iou, self.candidates = count, score, iou, candidates

    def call(self, inputs: list[Tensor], training: bool = False) -> Tensor:
        proposals, rows = (ops.stop_gradient(each) for each in inputs)
        if training:
            best = proposals[:, : self.count]
            return ops.concatenate([best, ops.zeros_like(best[..., :1]) - 1.0, ops.zeros_like(best[..., :1])], axis=-1)
        found = best_detections(
            clip(corners(boxes_of(rows)[:, :, 1:])),
            ops.exp(log_probabilities(rows)[..., 1:]),
            score_threshold=self.score,
            iou_threshold=self.iou,
            max_boxes=self.count,
            candidates=self.candidates,
        )
        classes = ops.cast(found["classes"], "float32")
        return ops.concatenate([found["boxes"], classes[..., None], found["scores"][..., None]], axis=-1)

    def compute_output_shape(self, shapes: list[Shape]) -> Shape:
        return (shapes[0][0], self.count, 6)

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("count", "score", "iou", "candidates")}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("zoo")
class MaskRows(layers.Layer):
    """Boxes and the maps inside of them as the rows of `zoo.boxes.masks`.

    Shapes: boxes (batch, n, 6) of `MaskBoxes`, and logits (batch, n, side, side, 1 + classes) -> (batch, n, side, side,
    6 + 1 + classes).
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})

    def call(self, inputs: list[Tensor]) -> Tensor:
        boxes, logits = inputs
        return ops.concatenate([boxes[:, :, None, None] + ops.zeros_like(logits[..., :1]), logits], axis=-1)

    def compute_output_shape(self, shapes: list[Shape]) -> Shape:
        return (*shapes[1][:-1], (shapes[1][-1] or 0) + 6)

    def get_config(self) -> dict[str, Any]:
        return super().get_config()
