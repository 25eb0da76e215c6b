"""The likelihood of the tags of a sentence."""

from typing import Any

import keras
from keras import ops

from zoo.layers.crf import log_partition, path_score


@keras.saving.register_keras_serializable("zoo")
class TagLikelihood(keras.Loss):
    """-log P(tags) for each token: of tags one by one, or of whole sentences by a conditional random field.

    The sum over all tokens with a tag, divided by their number; where the tag is -1 there is none.

    Shapes: tags (batch, time), and logits (batch, time, tags) or potentials (batch, time, tags, tags).

    >>> loss = TagLikelihood()
    >>> logits, potentials = ops.zeros((1, 3, 2)), ops.zeros((1, 2, 2, 2))
    >>> round(float(loss([[0, 1, -1]], logits)), 4), round(float(loss([[0, 1]], potentials)), 4)  # ln 2 each
    (0.6931, 0.6931)
    """

    def __init__(self, name: str = "tag_likelihood", **kwargs: Any):
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_true, y_pred = ops.cast(y_true, "int32"), ops.convert_to_tensor(y_pred)
        real = y_true >= 0
        if len(y_pred.shape) == 3:
            losses = ops.sparse_categorical_crossentropy(ops.maximum(y_true, 0), y_pred, from_logits=True)
            losses = ops.where(real, losses, 0.0)  # (batch, time)
        else:
            losses = log_partition(y_pred) - path_score(y_pred, y_true)  # (batch,)
            losses = ops.where(ops.any(real, axis=1), losses, 0.0)
        return ops.sum(losses) / ops.maximum(ops.sum(ops.cast(real, losses.dtype)), 1.0)
