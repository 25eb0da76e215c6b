"""Maps to one vector."""

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("zoo")
class GeneralizedMeanPooling(layers.Layer):
    """GeM: (mean of x^p)^(1/p) over all positions, with p learned; p = 1 is the mean, large p the maximum.

    F. Radenović, G. Tolias and O. Chum, "Fine-tuning CNN Image Retrieval with No Human Annotation", TPAMI 2019,
    section 3.2, equation 3. Shapes: (batch, ..., channels) -> (batch, channels).

    Args:
        p: at the start; the paper's 3.
        epsilon: the least that a number counts for: roots of 0 have no gradient.

    >>> maps = ops.reshape(ops.convert_to_tensor([1.0, 2.0, 3.0, 4.0]), (1, 2, 2, 1))
    >>> round(float(GeneralizedMeanPooling(p=3.0)(maps)[0, 0]), 4)  # (100 / 4) ^ (1 / 3)
    2.924
    """

    def __init__(self, p: float = 3.0, epsilon: float = 1e-6, **kwargs: Any):
        super().__init__(**kwargs)
        self.start, self.epsilon = p, epsilon

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.p = self.add_weight(shape=(), initializer=keras.initializers.Constant(self.start), name="p")

    def call(self, x: Any) -> Any:
        p = ops.cast(self.p, "float32")
        powers = ops.power(ops.maximum(ops.cast(x, "float32"), self.epsilon), p)  # half precision ends at 40^3
        means = ops.mean(powers, axis=tuple(range(1, len(x.shape) - 1)))
        return ops.cast(ops.power(means, 1.0 / p), x.dtype)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (shape[0], shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "p": self.start, "epsilon": self.epsilon}
