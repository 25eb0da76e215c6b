"""Figures shown while training that Keras does not ship."""

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

    def __init__(self, name="perplexity", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        losses = ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
        return super().update_state(losses, sample_weight=sample_weight)

    def result(self):
        return ops.exp(super().result())


@keras.saving.register_keras_serializable("zoo")
class TokenAccuracy(keras.metrics.Mean):
    """The share of a sequence's tokens that the network would have said, given those before; padding (0) apart.

    Shapes: tokens (batch, time) and logits (batch, time, vocabulary).

    >>> metric = TokenAccuracy()
    >>> metric.update_state([[1, 1, 0]], [[[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]])
    >>> float(metric.result())
    0.5
    """

    def __init__(self, name="token_accuracy", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        real, right = said(y_true, y_pred)
        return super().update_state(ops.cast(right, "float32"), sample_weight=ops.cast(real, "float32"))


@keras.saving.register_keras_serializable("zoo")
class ExactMatch(keras.metrics.Mean):
    """The share of sequences that the network says right from the first token to the last.

    It is shown the right beginning at each place; as long as all is right, that is what it would have said itself. So
    this is the share of sequences that greedy decoding gets right, without decoding.

    Shapes: tokens (batch, time) and logits (batch, time, vocabulary).

    >>> metric = ExactMatch()
    >>> metric.update_state([[1, 0], [1, 1]], [[[0.0, 1.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]])
    >>> float(metric.result())
    0.5
    """

    def __init__(self, name="exact_match", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        real, right = said(y_true, y_pred)
        whole = ops.all(ops.logical_or(right, ops.logical_not(real)), axis=-1)
        return super().update_state(ops.cast(whole, "float32"), sample_weight=sample_weight)


def said(y_true, y_pred):
    """Where tokens are real, and where the likeliest one is the right one. (batch, time) each"""
    y_true = ops.cast(y_true, "int32")
    called = ops.cast(ops.argmax(ops.convert_to_tensor(y_pred), axis=-1), "int32")
    return ops.not_equal(y_true, 0), ops.equal(called, y_true)
