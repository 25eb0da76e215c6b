"""Padding that Keras does not ship."""

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("zoo")
class ReflectionPadding(layers.Layer):
    """Continues each image by its mirror image, the edge itself not repeated: no dark frame as from zeros.

    Shapes: (batch, height, width, channels) -> (batch, height + 2 size, width + 2 size, channels); the sides must be
    longer than `size`.

    >>> padded = ReflectionPadding(1)(ops.reshape(ops.arange(6, dtype="float32"), (1, 2, 3, 1)))
    >>> ops.convert_to_numpy(padded)[0, :, :, 0].tolist()
    [[4.0, 3.0, 4.0, 5.0, 4.0], [1.0, 0.0, 1.0, 2.0, 1.0], [4.0, 3.0, 4.0, 5.0, 4.0], [1.0, 0.0, 1.0, 2.0, 1.0]]
    """

    def __init__(self, size: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.size = size

    def call(self, x: Any) -> Any:
        return ops.pad(x, [[0, 0], [self.size] * 2, [self.size] * 2, [0, 0]], mode="reflect")

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, *sides, channels = shape
        return (batch, *(side and side + 2 * self.size for side in sides), channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}
