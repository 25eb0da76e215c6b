"""Layers that Keras does not ship and more than one family needs."""

import keras
from keras import layers, ops

from zoo.errors import UsageError


@keras.saving.register_keras_serializable("zoo")
class LocalResponseNormalization(layers.Layer):
    """Each activity divided by the strength of its neighbours: other channels at the same place.

    Krizhevsky, Sutskever & Hinton 2012, section 3.3, for channel i of N and a neighbourhood of `size` channels:

        b_i = a_i / (k + alpha * sum_j a_j^2) ^ beta,   j from max(0, i - size // 2) to min(N - 1, i + size // 2)

    Elsewhere the same is spelled ``tf.nn.local_response_normalization(x, size // 2, k, alpha, beta)`` or
    ``torch.nn.LocalResponseNorm(size, alpha * size, beta, k)``, which, like Caffe, divides its `alpha` by `size`.

    Shapes: (batch, ..., channels) -> the same. Squares are summed in float32 or wider: half precision ends at 256^2.

    Args:
        size: how many channels take part, an odd number.
        alpha: the weight of each square.
        beta: the exponent.
        k: what is there when all neighbours are silent.

    Raises:
        UsageError: for a `size` that is even or not positive.

    >>> layer = LocalResponseNormalization(size=3, alpha=1.0, beta=1.0, k=1.0)
    >>> [round(float(b), 3) for b in layer(ops.array([[1.0, 2.0, 3.0]]))[0]]  # 1/(1 + 1+4), ...
    [0.167, 0.133, 0.214]
    """

    def __init__(self, size=5, alpha=1e-4, beta=0.75, k=2.0, **kwargs):
        super().__init__(**kwargs)
        if size < 1 or size % 2 == 0:
            raise UsageError(f"size is {size!r}; expected an odd number of channels: 1, 3, 5, ...")
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def call(self, x):
        wide = ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
        reach, channels = self.size // 2, x.shape[-1]
        squares = ops.pad(ops.square(wide), [[0, 0]] * (len(x.shape) - 1) + [[reach, reach]])
        total = sum(squares[..., shift : shift + channels] for shift in range(self.size))
        return ops.cast(wide / (self.k + self.alpha * total) ** self.beta, x.dtype)

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        return {**super().get_config(), "size": self.size, "alpha": self.alpha, "beta": self.beta, "k": self.k}
