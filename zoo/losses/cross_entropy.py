"""Losses of classes: the perceptron's, the hinge, and the cross-entropy of sequences."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class Perceptron(keras.Loss):
    """The perceptron criterion max(0, -t z), t = +1 for class 1 and -1 for class 0.

    Its gradient is Rosenblatt's rule: a wrong example (t z < 0) adds t x to the weights, a right one
    nothing. (Rosenblatt 1958; as a loss, Bishop 2006, section 4.1.7.)

    Shapes: labels (batch, 1) or (batch,) of 0 and 1, predictions (batch, 1), any real number.

    >>> float(Perceptron()([[1], [0]], [[-2.0], [-3.0]]))  # the first is wrong by 2, the second right
    1.0
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_pred = ops.convert_to_tensor(y_pred)
        signs = 2.0 * ops.reshape(ops.cast(y_true, y_pred.dtype), ops.shape(y_pred)) - 1.0
        return ops.mean(ops.relu(-signs * y_pred), axis=-1)  # relu: of max(0, .) the backends differ in the slope at 0


@keras.saving.register_keras_serializable("zoo")
class Hinge(keras.Loss):
    """The hinge loss max(0, 1 - t z) of a support vector machine for each class against the rest, mean over classes.

    t is +1 for the true class and -1 for the others; what is right by 1 or more costs nothing. (Cortes and Vapnik,
    "Support-Vector Networks", Machine Learning 20, 1995, section 3; one against the rest: Bishop 2006, section 7.1.3.)

    Shapes: class numbers (batch,) and scores (batch, classes); or 0 and 1, and one score (batch, 1) for class 1.

    >>> float(Hinge()([0], [[2.0, -0.5, 3.0]]))  # 0, and .5 where -.5 should be -1, and 4 where 3 should be -1
    1.5
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        classes = y_pred.shape[-1]
        is_true = ops.one_hot(y_true, classes, dtype=y_pred.dtype) if classes > 1 else ops.cast(y_true, y_pred.dtype)
        signs = 2.0 * ops.reshape(is_true, ops.shape(y_pred)) - 1.0  # (batch, classes)
        return ops.mean(ops.relu(1.0 - signs * y_pred), axis=-1)


@keras.saving.register_keras_serializable("zoo")
class MaskedCrossentropy(keras.Loss):
    """Cross-entropy of a sequence's tokens without those behind its end, which are 0: the mean over all real ones.

    With `label_smoothing` that fraction of the target's probability lies evenly on the whole vocabulary (Vaswani et
    al. 2017, section 5.4; C. Szegedy et al. 2016, section 7). The entropy of that target is taken off, so that 0 is
    the best there is.

    Shapes: tokens (batch, time) and logits (batch, time, vocabulary).

    >>> loss = MaskedCrossentropy()
    >>> round(float(loss([[1, 0]], [[[0.0, 0.0], [9.0, -9.0]]])), 4)  # ln 2; the second position does not count
    0.6931
    """

    def __init__(self, label_smoothing: float = 0.0, name: str = "masked_crossentropy", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_true, y_pred = ops.cast(y_true, "int32"), ops.convert_to_tensor(y_pred)
        real = ops.cast(ops.not_equal(y_true, 0), y_pred.dtype)
        losses = ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)  # (batch, time)
        if self.label_smoothing:
            size, smoothing = y_pred.shape[-1], self.label_smoothing
            uniform = ops.logsumexp(y_pred, axis=-1) - ops.mean(y_pred, axis=-1)  # against the uniform distribution
            losses = (1 - smoothing) * losses + smoothing * uniform - entropy_of_smoothed(size, smoothing)
        return ops.sum(losses * real) / ops.maximum(ops.sum(real), 1.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable("zoo")
class WeightedCrossentropy(keras.Loss):
    """Cross-entropy in which each class has a weight of its own: rare ones a larger one.

    Shapes: class numbers (batch,) and logits (batch, classes).

    >>> round(float(WeightedCrossentropy([1.0, 3.0])([0, 1], [[0.0, 0.0], [0.0, 0.0]])), 4)  # (1 + 3) / 2 ln 2
    1.3863
    """

    def __init__(self, weights: Sequence[float], name: str = "weighted_crossentropy", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.weights = [float(weight) for weight in weights]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_true = ops.cast(y_true, "int32")
        losses = ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)  # (batch,)
        return losses * ops.take(ops.convert_to_tensor(self.weights, losses.dtype), y_true)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weights": self.weights}


def entropy_of_smoothed(size: int, smoothing: float) -> float:
    """Of a target with 1 - smoothing on one of `size` tokens and the smoothing evenly on all.

    >>> round(entropy_of_smoothed(4, 1.0), 4)  # even: ln 4
    1.3863
    """
    other = smoothing / size
    top = 1 - smoothing + other
    return -top * math.log(top) - (size - 1) * other * math.log(other)
