"""Losses of word vectors: which word was near the centre, how often two words meet, which word comes next."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class NegativeSampling(keras.Loss):
    """Is it the true word? A logistic loss for each candidate, summed over the candidates of an example.

    Mikolov et al. 2013, equation 4: softplus(-s) for the true word, softplus(s) for each drawn one. A weight for each
    example, or for each candidate, may be given as `sample_weight`.

    Shapes: labels (batch, candidates) of 1 and 0, predictions (batch, candidates), any real number.

    >>> round(float(NegativeSampling()([[1, 0]], [[0.0, 0.0]])), 4)  # two candidates, ln 2 each
    1.3863
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return ops.sum(candidate_losses(y_true, y_pred), axis=-1)


def candidate_losses(y_true: Any, y_pred: Any) -> Any:
    """softplus(-s) where the label is 1, softplus(s) where it is 0: (batch, candidates)."""
    y_pred = ops.convert_to_tensor(y_pred)
    signs = 2.0 * ops.cast(y_true, y_pred.dtype) - 1.0
    return ops.softplus(-signs * y_pred)


@keras.saving.register_keras_serializable("zoo")
class Glove(keras.Loss):
    """f(X) (s - ln X)^2 with f(X) = min(1, X / ceiling)^power (Pennington et al. 2014, equations 8 and 9).

    Shapes: counts X (batch, 1) or (batch,), above 0; predictions (batch, 1).

    >>> round(float(Glove()([[100.0]], [[0.0]])), 2)  # ln(100)^2: a count at the ceiling has the weight 1
    21.21
    """

    def __init__(self, ceiling: float = 100.0, power: float = 0.75, name: str = "glove", **options: Any):
        super().__init__(name=name, **options)
        self.ceiling, self.power = ceiling, power

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_pred = ops.convert_to_tensor(y_pred)
        counts = ops.reshape(ops.cast(y_true, y_pred.dtype), ops.shape(y_pred))
        weights = ops.minimum(counts / self.ceiling, 1.0) ** self.power
        return ops.mean(weights * ops.square(y_pred - ops.log(counts)), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "ceiling": self.ceiling, "power": self.power}


def next_word() -> keras.Loss:
    """Cross-entropy against one word of all: token ids (batch,), logits (batch, vocabulary)."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
