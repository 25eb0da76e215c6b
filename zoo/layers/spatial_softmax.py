"""From maps to points: where each map is brightest, to less than a place."""

from typing import Any

import keras
from keras import layers, ops

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable("zoo")
class SpatialSoftmax(layers.Layer):
    """The point that each map shows: the softmax over its places says how likely each is, and the point is their mean.

    S. Levine et al., "End-to-End Training of Deep Visuomotor Policies", JMLR 17, 2016, section 5.1: what an argmax
    would say, with a gradient, and between the places of a coarse map as well. The outermost places are at the edges of
    the image, so that every point in it can be told.

    Shapes: (batch, rows, columns, points) -> (batch, points, 2), across and down as fractions of the image's sides.

    >>> maps = ops.convert_to_tensor([[[[0.0], [9.0], [9.0]], [[0.0], [0.0], [0.0]]]])
    >>> ops.convert_to_numpy(SpatialSoftmax()(maps)).round(2).tolist()  # in the first row, between two places
    [[[0.75, 0.0]]]
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})

    def call(self, maps: Any) -> Any:
        _, rows, columns, count = maps.shape
        likely = ops.softmax(ops.reshape(maps, (-1, rows * columns, count)), axis=1)
        likely = ops.reshape(likely, (-1, rows, columns, count))
        across, down = ops.linspace(0.0, 1.0, columns), ops.linspace(0.0, 1.0, rows)
        x = ops.sum(ops.sum(likely, axis=1) * across[:, None], axis=1)  # (batch, points)
        y = ops.sum(ops.sum(likely, axis=2) * down[:, None], axis=1)
        return ops.stack([x, y], axis=-1)

    def compute_output_shape(self, shape: Shape) -> Shape:
        return (shape[0], shape[-1], 2)

    def multiply_adds(self, before: Shape, after: Shape) -> int:
        return 0

    def get_config(self) -> dict[str, Any]:
        return super().get_config()
