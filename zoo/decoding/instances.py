"""From the rows of masks to things that are found, each with the mask inside of its box."""

from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.boxes.masks import boxes_of, logits_of, pasted
from zoo.introspection.graph import main_output
from zoo.metrics.detection import Detections


@keras.saving.register_keras_serializable("zoo")
class Instances(keras.layers.Layer):
    """The last layer of a network with masks that is used: of each box the map of its own class.

    Shapes: the rows of `zoo.boxes.masks` -> "boxes" (batch, n, 4): left, top, right and bottom as fractions of the
    image; "scores" and "classes" (batch, n), the best first; "masks" (batch, n, side, side), probabilities of the
    places of the box. Where there is none the class is -1.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})

    def call(self, rows: Any) -> dict[str, Any]:
        classes = ops.cast(rows[:, :, 0, 0, 4], "int32")
        own = ops.maximum(1 + classes, 0)[..., None, None, None] + ops.zeros_like(rows[..., :1], "int32")
        masks = ops.sigmoid(ops.take_along_axis(logits_of(rows), own, axis=-1)[..., 0])
        return {"boxes": boxes_of(rows), "scores": rows[:, :, 0, 0, 5], "classes": classes, "masks": masks}

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> dict[str, tuple[int | None, ...]]:
        each = shape[:2]
        return {"boxes": (*each, 4), "scores": each, "classes": each, "masks": shape[:4]}

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


def with_instances(model: keras.Model) -> keras.Model:
    """A network that gives what it has found, for export: one model with `Instances` as its last layer."""
    return keras.Model(model.input, Instances(name="instances")(main_output(model)), name=model.name)


def instances(rows: np.ndarray, score: float = 0.0) -> list[tuple[Detections, np.ndarray]]:
    """Of each image what is found with more than a score, and the masks (n, side, side) inside of the boxes."""
    found = keras.tree.map_structure(ops.convert_to_numpy, Instances()(rows))
    result = []
    for boxes, scores, classes, masks in zip(*(found[key] for key in ("boxes", "scores", "classes", "masks"))):
        there = (classes >= 0) & (scores > score)
        result.append((Detections(boxes[there], classes[there], scores[there]), masks[there]))
    return result


def in_image(masks: np.ndarray, boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Which pixels of an image masks (n, side, side) of boxes, fractions (n, 4), show: (n, height, width) bool."""
    whole = np.zeros((len(masks), *size), bool)
    for number, (mask, box) in enumerate(zip(masks, boxes)):
        whole[number] = pasted(mask, box * np.tile(size[::-1], 2), size) >= 0.5
    return whole
