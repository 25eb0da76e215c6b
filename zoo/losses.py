"""Losses that Keras does not ship."""

import keras
from keras import ops

from zoo.errors import unknown


@keras.saving.register_keras_serializable("zoo")
class Perceptron(keras.Loss):
    """The perceptron criterion max(0, -t z), t = +1 for class 1 and -1 for class 0.

    Its gradient is Rosenblatt's rule: a wrong example (t z < 0) adds t x to the weights, a right one
    nothing. (Rosenblatt 1958; as a loss, Bishop 2006, section 4.1.7.)

    Shapes: labels (batch, 1) or (batch,) of 0 and 1, predictions (batch, 1), any real number.

    >>> float(Perceptron()([[1], [0]], [[-2.0], [-3.0]]))  # the first is wrong by 2, the second right
    1.0
    """

    def call(self, y_true, y_pred):
        y_pred = ops.convert_to_tensor(y_pred)
        signs = 2.0 * ops.reshape(ops.cast(y_true, y_pred.dtype), ops.shape(y_pred)) - 1.0
        return ops.mean(ops.relu(-signs * y_pred), axis=-1)  # relu: of max(0, .) the backends differ in the slope at 0


LOSSES = {"perceptron": Perceptron}


def get(name):
    """The loss of that name, as a card writes it."""
    if name not in LOSSES:
        raise unknown("loss", name, LOSSES)
    return LOSSES[name]()
