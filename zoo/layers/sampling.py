"""A layer that draws: the reparameterisation of a normal distribution."""

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("zoo")
class NormalSample(layers.Layer):
    """z = mean + exp(log_variance / 2) * e with e from N(0, 1), drawn while training; otherwise z = mean.

    D. Kingma and M. Welling, "Auto-Encoding Variational Bayes", ICLR 2014, section 2.4: what is drawn does not depend
    on the weights, so that the gradient goes through it: dz / d mean = 1, dz / d log_variance = (z - mean) / 2.

    Shapes: (batch, 2 size), the means and then the logarithms of the variances -> (batch, size).

    Args:
        seed: of what is drawn; None takes one from Keras's.

    >>> layer = NormalSample()
    >>> ops.convert_to_numpy(layer(ops.ones((1, 4)))).tolist()
    [[1.0, 1.0]]
    """

    stddev = 1.0  # of what it adds in training, in standard deviations, as Keras's noise layers say it

    def __init__(self, seed: int | None = None, **options: Any):
        super().__init__(**options)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x: Any, training: bool = False) -> Any:
        mean, log_variance = ops.split(x, 2, axis=-1)
        if not training:
            return mean
        noise = keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[Any, ...]:
        return (*shape[:-1], shape[-1] // 2 if shape[-1] else None)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}
