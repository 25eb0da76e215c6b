"""From the maps of a detector to boxes."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from zoo.boxes.anchors import grid_anchors
from zoo.errors import UsageError

LARGEST = 6.0  # log of the largest side of a box by that of its anchor: e^6 is 400 times


@keras.saving.register_keras_serializable("zoo")
class GridBoxes(layers.Layer):
    """YOLO's boxes: in each cell and for each anchor an offset, a size, whether something is there, and what.

    J. Redmon and A. Farhadi, "YOLO9000: Better, Faster, Stronger", CVPR 2017, section 2, of numbers t of the last axis:

        centre = cell + sigmoid(t_x, t_y)      in cells, and so never outside of its own
        size   = anchor * exp(t_w, t_h)
        P(something is there) = sigmoid(t_o),  P(class | something) = softmax of the rest

    Shapes: (batch, rows, columns, anchors * (5 + classes)) -> (batch, rows * columns * anchors, 9 + classes), the rows
    of `zoo.boxes.rows`; the logits are log-probabilities.

    Args:
        anchors: (width, height) of each, in cells.
        prior: what P(something is there) is while t_o is 0: few cells hold something, and a detector that begins with
            a half for each spends its first steps on the empty ones (T.-Y. Lin et al., "Focal Loss", section 4.1).

    >>> rows = GridBoxes([(1.0, 2.0)], prior=0.5)(ops.zeros((1, 4, 4, 7)))
    >>> tuple(rows.shape), ops.convert_to_numpy(rows[0, 0, :4]).tolist()  # in the cell at the top left
    ((1, 16, 11), [0.125, 0.125, 0.25, 0.5])
    """

    def __init__(self, anchors: Sequence[tuple[float, float]], prior: float = 0.01, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.anchors = tuple((float(width), float(height)) for width, height in anchors)
        self.prior = prior

    def build(self, shape: tuple[int | None, ...]) -> None:
        _, rows, columns, channels = shape
        if rows is None or columns is None or channels is None or channels % len(self.anchors):
            raise UsageError(
                f"maps {shape[1:]} for {len(self.anchors)} anchors; expected fixed sizes and 5 + classes for each"
            )
        self.grid = grid_anchors(rows, columns, self.anchors)  # (rows, columns, anchors, 4)

    def call(self, maps: Any) -> Any:
        rows, columns, count, _ = self.grid.shape
        maps = ops.reshape(maps, (-1, rows, columns, count, maps.shape[-1] // count))
        cell = ops.convert_to_tensor([1 / columns, 1 / rows], maps.dtype)
        anchors = ops.convert_to_tensor(self.grid) + ops.zeros_like(maps[..., :4])
        centre = anchors[..., :2] + (ops.sigmoid(maps[..., :2]) - 0.5) * cell
        size = anchors[..., 2:] * ops.exp(ops.minimum(maps[..., 2:4], LARGEST))
        something = maps[..., 4:5] + math.log(self.prior / (1 - self.prior))
        kinds = ops.log_sigmoid(something) + ops.log_softmax(maps[..., 5:], axis=-1)
        found = ops.concatenate([centre, size, anchors, ops.log_sigmoid(-something), kinds], axis=-1)
        return ops.reshape(found, (-1, rows * columns * count, found.shape[-1]))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, rows, columns, channels = shape
        count = len(self.anchors)
        each = (channels or 0) // count
        return (batch, (rows or 0) * (columns or 0) * count, each + 4)

    def multiply_adds(self, before: tuple[int, ...], after: tuple[int, ...]) -> int:
        return 0

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "anchors": self.anchors, "prior": self.prior}
