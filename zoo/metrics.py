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
