"""Losses of a class for each pixel that look at the areas as a whole.

    dice      1 - 2 sum(p t) / (sum p + sum t)                C. Sudre et al., DLMIA 2017, arXiv:1707.03237, section 2
    soft IoU  1 - sum(p t) / (sum p + sum t - sum(p t))       M. Rahman and Y. Wang, ISVC 2016, section 3

for each class, p its probability and t 1 where it is, over all pixels of a batch; and the mean over the classes that
are there. Keras's `Dice` takes probabilities and has no pixel that does not count. The cross-entropy is Keras's own,
with `ignore_class`.
"""

from typing import Any

import keras
from keras import ops

from zoo.metrics.segmentation import IGNORED


class Overlap(keras.Loss):
    """What two losses of areas have in common; `crossentropy` times the cross-entropy of the pixels is added.

    Shapes: class numbers (batch, height, width), 255 where a pixel does not count, and logits (batch, height, width,
    classes).
    """

    def __init__(self, crossentropy: float = 0.0, ignored: int = IGNORED, name: str | None = None, **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.crossentropy, self.ignored = crossentropy, ignored

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.cast(y_true, "int32")
        counts = y_true != self.ignored
        classes = ops.where(counts, y_true, 0)
        weights = ops.cast(counts, y_pred.dtype)
        truth = ops.one_hot(classes, y_pred.shape[-1], dtype=y_pred.dtype) * weights[..., None]
        probabilities = ops.softmax(y_pred, axis=-1) * weights[..., None]
        axes = tuple(range(len(y_pred.shape) - 1))
        true, predicted = ops.sum(truth, axes), ops.sum(probabilities, axes)  # (classes,)
        there = ops.cast(true > 0, y_pred.dtype)
        each = there * (1.0 - self.overlap(ops.sum(truth * probabilities, axes), predicted, true))
        loss = ops.sum(each) / ops.maximum(ops.sum(there), 1.0)
        if not self.crossentropy:
            return loss
        pixels = ops.sparse_categorical_crossentropy(classes, y_pred, from_logits=True) * weights
        return loss + self.crossentropy * ops.sum(pixels) / ops.maximum(ops.sum(weights), 1.0)

    def overlap(self, both: Any, predicted: Any, true: Any) -> Any:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "crossentropy": self.crossentropy, "ignored": self.ignored}


@keras.saving.register_keras_serializable("zoo")
class Dice(Overlap):
    """1 - 2 sum(p t) / (sum p + sum t), the mean over the classes that are there.

    >>> round(float(Dice()([[[0, 1]]], [[[[0.0, 0.0], [0.0, 0.0]]]])), 4)  # of each class .5, of 1 + 1
    0.5
    """

    def overlap(self, both: Any, predicted: Any, true: Any) -> Any:
        return 2.0 * both / ops.maximum(predicted + true, 1e-7)


@keras.saving.register_keras_serializable("zoo")
class SoftIoU(Overlap):
    """1 - sum(p t) / (sum p + sum t - sum(p t)), the mean over the classes that are there.

    >>> round(float(SoftIoU()([[[0, 1]]], [[[[0.0, 0.0], [0.0, 0.0]]]])), 4)  # of each class .5, of 1 + 1 - .5
    0.6667
    """

    def overlap(self, both: Any, predicted: Any, true: Any) -> Any:
        return both / ops.maximum(predicted + true - both, 1e-7)
