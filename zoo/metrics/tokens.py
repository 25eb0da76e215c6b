"""Metrics of tokens, shown while training, that Keras does not ship."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class Perplexity(keras.metrics.Mean):
    """How many equally likely tokens the network hesitates between: e to the mean negative log-likelihood.

    Shapes: tokens (batch, time) and logits (batch, time, vocabulary).

    >>> metric = Perplexity()
    >>> metric.update_state([[1, 2]], [[[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]])
    >>> round(float(metric.result()), 4)
    4.0
    """

    def __init__(self, name: str = "perplexity", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        losses = ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
        return super().update_state(losses, sample_weight=sample_weight)

    def result(self) -> Any:
        return ops.exp(super().result())


@keras.saving.register_keras_serializable("zoo")
class TokenAccuracy(keras.metrics.Mean):
    """The fraction of tokens that the network predicts, given the correct ones before; padding (0) apart.

    Shapes: tokens (batch, time) and logits (batch, time, vocabulary).

    >>> metric = TokenAccuracy()
    >>> metric.update_state([[1, 1, 0]], [[[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]])
    >>> float(metric.result())
    0.5
    """

    def __init__(self, name: str = "token_accuracy", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        real, correct = correct_tokens(y_true, y_pred)
        return super().update_state(ops.cast(correct, "float32"), sample_weight=ops.cast(real, "float32"))


@keras.saving.register_keras_serializable("zoo")
class ExactMatch(keras.metrics.Mean):
    """The fraction of sequences that the network predicts correctly from the first token to the last.

    It is given the correct beginning at each position (teacher forcing); as long as all is correct, that is what it
    would have predicted itself. So this is the fraction of sequences that greedy decoding gets right, without decoding.

    Shapes: tokens (batch, time) and logits (batch, time, vocabulary).

    >>> metric = ExactMatch()
    >>> metric.update_state([[1, 0], [1, 1]], [[[0.0, 1.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]])
    >>> float(metric.result())
    0.5
    """

    def __init__(self, name: str = "exact_match", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        real, correct = correct_tokens(y_true, y_pred)
        whole = ops.all(ops.logical_or(correct, ops.logical_not(real)), axis=-1)
        return super().update_state(ops.cast(whole, "float32"), sample_weight=sample_weight)


def correct_tokens(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Where tokens are no padding, and where the likeliest one is the correct one. (batch, time) each"""
    y_true = ops.cast(y_true, "int32")
    predicted = ops.cast(ops.argmax(ops.convert_to_tensor(y_pred), axis=-1), "int32")
    return ops.not_equal(y_true, 0), ops.equal(predicted, y_true)
