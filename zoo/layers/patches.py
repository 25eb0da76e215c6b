"""What a Transformer over images needs beside its blocks: a token for the class, and positions on a grid."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo.checks import check_whole
from zoo.errors import UsageError


@keras.saving.register_keras_serializable("zoo")
class ClassToken(layers.Layer):
    """Puts one learned vector in front of each sequence, which gathers what the class is told from.

    A. Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, section 3.1.
    Shapes: (batch, tokens, dim) -> (batch, 1 + tokens, dim).

    >>> ops.convert_to_numpy(ClassToken()(ops.ones((1, 2, 1)))).tolist()
    [[[0.0], [1.0], [1.0]]]
    """

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.token = self.add_weight(shape=(shape[-1],), initializer="zeros", name="token")

    def call(self, x: Any) -> Any:
        token = ops.broadcast_to(ops.cast(self.token, x.dtype), (ops.shape(x)[0], 1, x.shape[-1]))
        return ops.concatenate([token, x], axis=1)

    def multiply_adds(self, before: tuple[int, ...], after: tuple[int, ...]) -> int:
        return 0

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, tokens, dim = shape
        return (batch, tokens and 1 + tokens, dim)


@keras.saving.register_keras_serializable("zoo")
class GridPositions(layers.Layer):
    """Adds learned positions: of the class token, and of each patch on a grid, stretched to the image's own.

    Section 3.2 of the paper above: where an image has more patches than those of the pretraining, the positions are
    interpolated in the two directions of the image. Here by cubic convolution of each axis (R. Keys, "Cubic
    convolution interpolation for digital image processing", 1981, with a = -0.75, as PyTorch has it).
    Shapes: (batch, 1 + height width, dim) -> the same.

    Args:
        grid: (height, width) of the positions that are learned.
        patches: (height, width) of the image's patches.

    >>> layer = GridPositions((1, 2), (1, 2))
    >>> tuple(layer(ops.zeros((1, 3, 8))).shape), layer.count_params()
    ((1, 3, 8), 24)
    """

    def __init__(self, grid: tuple[int, int], patches: tuple[int, int], **kwargs: Any):
        super().__init__(**kwargs)
        for size in (*grid, *patches):
            check_whole("a side of the grid of positions", size)
        self.grid, self.patches = tuple(grid), tuple(patches)

    def build(self, shape: tuple[int | None, ...]) -> None:
        height, width = self.patches
        if shape[1] != 1 + height * width:
            raise UsageError(f"{shape[1]} tokens for {height}x{width} patches; expected {1 + height * width}")
        normal = keras.initializers.TruncatedNormal(stddev=0.02)
        size = (1 + self.grid[0] * self.grid[1], shape[-1])
        self.table = self.add_weight(shape=size, initializer=normal, name="embeddings")

    def call(self, x: Any) -> Any:
        return x + ops.cast(self.positions(), x.dtype)

    def positions(self) -> Any:
        """(1 + height width, dim) for the image's patches."""
        if self.grid == self.patches:
            return self.table
        dim = self.table.shape[-1]
        rows, columns = (ops.convert_to_tensor(cubic(*sizes)) for sizes in zip(self.grid, self.patches))
        table = ops.cast(self.table, "float32")
        grid = ops.reshape(table[1:], (*self.grid, dim))
        grid = ops.einsum("ha,awd->hwd", rows, grid)
        grid = ops.einsum("wb,hbd->hwd", columns, grid)
        return ops.concatenate([table[:1], ops.reshape(grid, (-1, dim))], axis=0)

    def multiply_adds(self, before: tuple[int, ...], after: tuple[int, ...]) -> int:
        return 0

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "grid": self.grid, "patches": self.patches}


def cubic(before: int, after: int, a: float = -0.75) -> np.ndarray:
    """The matrix (after, before) that stretches `before` numbers on a line to `after`, by cubic convolution.

    >>> [round(float(number), 2) for number in cubic(2, 4)[0]], cubic(3, 3).tolist()[1]
    ([1.11, -0.11], [0.0, 1.0, 0.0])
    """
    matrix = np.zeros((after, before))
    for row in range(after):
        centre = (row + 0.5) * before / after - 0.5
        first = int(np.floor(centre))
        for place in range(first - 1, first + 3):
            x = abs(centre - place)
            near, far = ((a + 2) * x - (a + 3)) * x * x + 1, ((x - 5) * x + 8) * x * a - 4 * a
            matrix[row, min(max(place, 0), before - 1)] += near if x <= 1 else far
    return matrix.astype("float32")
