"""From what a detector says of its anchors to the boxes that it is left with."""

from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.boxes.overlap import clip
from zoo.boxes.rows import boxes_of, corners, has_class_boxes, log_probabilities
from zoo.boxes.suppression import best_detections
from zoo.checks import is_number
from zoo.errors import UsageError
from zoo.introspection.graph import main_output
from zoo.metrics.detection import Detections

BATCH = 64  # images that are decoded side by side


@keras.saving.register_keras_serializable("zoo")
class Suppression(keras.layers.Layer):
    """The last layer of a detector that is used: doubles go, class by class.

    Shapes: the rows of `zoo.boxes.rows`, of either form -> "boxes" (batch, max_boxes, 4): left, top, right and bottom
    as fractions of the image; "scores" and "classes" (batch, max_boxes), the best first. Where there is none the class
    is -1, the rest 0. Boxes without area go too.

    Args:
        score: boxes with no more than that go.
        iou: boxes that overlap a better one of their class by more go.
        max_boxes: how many may stay.
        candidates: how many pairs of a box and a class, the best ones, are looked at.
    """

    def __init__(
        self, score: float = 0.25, iou: float = 0.5, max_boxes: int = 100, candidates: int = 1000, **kwargs: Any
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        for word, value in (("score", score), ("iou", iou)):
            if not is_number(value, 0, 1):
                raise UsageError(f"{word} is {value!r}; expected a number from 0 to 1")
        self.score, self.iou, self.max_boxes, self.candidates = score, iou, max_boxes, candidates

    def call(self, rows: Any) -> dict[str, Any]:
        boxes = boxes_of(rows)
        return best_detections(
            clip(corners(boxes[:, :, 1:] if has_class_boxes(rows) else boxes)),
            ops.exp(log_probabilities(rows)[..., 1:]),
            score_threshold=self.score,
            iou_threshold=self.iou,
            max_boxes=self.max_boxes,
            candidates=self.candidates,
        )

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> dict[str, tuple[int | None, ...]]:
        each = (shape[0], self.max_boxes)
        return {"boxes": (*each, 4), "scores": each, "classes": each}

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("score", "iou", "max_boxes", "candidates")}
        return {**super().get_config(), **own}


def with_suppression(model: keras.Model, **options: Any) -> keras.Model:
    """A detector that gives the boxes it is left with, for export: one model with `Suppression` as its last layer.

    >>> import zoo
    >>> model = with_suppression(zoo.build("yolo_grid", input_shape=(32, 32, 3), filters=(4, 4)), max_boxes=5)
    >>> {key: tuple(each.shape) for key, each in model.output.items()}
    {'boxes': (None, 5, 4), 'scores': (None, 5), 'classes': (None, 5)}
    """
    return keras.Model(model.input, Suppression(name="suppression", **options)(main_output(model)), name=model.name)


def detections(rows: np.ndarray, **options: Any) -> list[Detections]:
    """Of each image, what is left of the rows of `zoo.boxes.rows`; the options are those of `Suppression`."""
    layer = Suppression(**options)
    found = []
    for start in range(0, len(rows), BATCH):
        kept = keras.tree.map_structure(ops.convert_to_numpy, layer(rows[start : start + BATCH]))
        for boxes, scores, classes in zip(kept["boxes"], kept["scores"], kept["classes"]):
            there = classes >= 0
            found.append(Detections(boxes[there], classes[there], scores[there]))
    return found
