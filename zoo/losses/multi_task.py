"""The loss of several yes/no questions about one example."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class MaskedBinaryCrossentropy(keras.Loss):
    """Binary cross-entropy of each attribute, summed over those that are known; the mean over the batch.

        - y log p - (1 - y) log(1 - p),    p = 1 / (1 + exp(-z))

    computed from the logit z as log(1 + exp(z)) - y z, which no large logit makes infinite. (Bishop 2006, equation
    5.23.) Where y is -1 the answer is not known: it costs nothing and has no gradient, and nor has an example none of
    whose answers are known.

    Shapes: answers (batch, attributes) of 1, 0 and -1, and logits (batch, attributes).

    >>> loss = MaskedBinaryCrossentropy()
    >>> round(float(loss([[1, 0, -1]], [[0.0, 0.0, 9.0]])), 4)  # 2 ln 2: the third does not count
    1.3863
    """

    def __init__(self, name: str = "masked_binary_crossentropy", **kwargs: Any):
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        logits = ops.convert_to_tensor(y_pred)
        answers = ops.cast(y_true, logits.dtype)
        losses = ops.softplus(logits) - answers * logits  # (batch, attributes)
        return ops.sum(ops.where(answers >= 0, losses, 0.0), axis=-1)  # (batch,)
