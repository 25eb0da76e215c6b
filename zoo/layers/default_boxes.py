"""From what the maps of a detector say to boxes."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from zoo.boxes import offsets
from zoo.boxes.anchors import default_boxes
from zoo.boxes.rows import GEOMETRY
from zoo.errors import UsageError


@keras.saving.register_keras_serializable("zoo")
class DefaultBoxes(layers.Layer):
    """In each place of several maps, and for each default box there, an offset from it and what it holds.

    W. Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016, section 2.2; the anchors of S. Ren et al., "Faster
    R-CNN", NeurIPS 2015, section 3.1.1, are of the same kind.

    Shapes: offsets (batch, n, 4) and logits (batch, n, 1 + classes), the background first -> (batch, n, 9 + classes),
    the rows of `zoo.boxes.rows`. There are n boxes over all maps. One logit alone is that of something: the
    background's is 0 then.

    Args:
        maps, steps, sizes, offset: of `zoo.boxes.anchors.default_boxes`.
        variances: units of the offsets (`zoo.boxes.offsets`).

    >>> layer = DefaultBoxes([(1, 1)], [(1.0, 1.0)], [[(0.5, 0.5)]])
    >>> rows = layer([ops.zeros((1, 1, 4)), ops.zeros((1, 1, 3))])
    >>> tuple(rows.shape), ops.convert_to_numpy(rows[0, 0, :4]).tolist()
    ((1, 1, 11), [0.5, 0.5, 0.5, 0.5])
    """

    def __init__(
        self,
        maps: Sequence[tuple[int, int]],
        steps: Sequence[tuple[float, float]],
        sizes: Sequence[Sequence[tuple[float, float]]],
        offset: float = 0.5,
        variances: Sequence[float] = offsets.VARIANCES,
        **kwargs: Any,
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.maps, self.steps, self.sizes = maps, steps, sizes
        self.offset, self.variances = offset, variances
        self.anchors = default_boxes(maps, steps, sizes, offset)  # (n, 4)

    def build(self, shapes: list[tuple[int | None, ...]]) -> None:
        if any(shape[1] != len(self.anchors) for shape in shapes):
            raise UsageError(f"offsets and logits are {shapes}; expected those of {len(self.anchors)} default boxes")

    def call(self, inputs: list[Any]) -> Any:
        deltas, logits = inputs
        anchors = ops.convert_to_tensor(self.anchors) + ops.zeros_like(deltas)
        nothing = [ops.zeros_like(logits)] if logits.shape[-1] == 1 else []
        return ops.concatenate([offsets.decoded(deltas, anchors, self.variances), anchors, *nothing, logits], axis=-1)

    def compute_output_shape(self, shapes: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        batch, count, logits = shapes[1]
        return (batch, count, max(logits or 0, 2) + GEOMETRY)

    def multiply_adds(self, before: tuple[int, ...], after: tuple[int, ...]) -> int:
        return 0

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("maps", "steps", "sizes", "offset", "variances")}
        return {**super().get_config(), **own}
