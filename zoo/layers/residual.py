"""What may happen to the branch of a residual block before it is added: it is dropped whole, or scaled."""

from typing import Any

import keras
from keras import KerasTensor, layers, ops


def stochastic_depth(x: KerasTensor, rate: float, name: str) -> KerasTensor:
    """The branch of some examples is zeroed in training, all of it; the others are scaled up. Also called drop path.

    G. Huang, Y. Sun, Z. Liu, D. Sedra and K. Weinberger, "Deep Networks with Stochastic Depth", ECCV 2016, section 3.
    The paper scales in inference; here, as in dropout, it is done in training. Shapes: (batch, ...) -> the same.

    Args:
        x: the branch.
        rate: fraction of the examples, from 0 to less than 1; with 0 no layer is added.
        name: of the layer.

    >>> x = ops.ones((1000, 2, 2, 3))
    >>> kept = ops.convert_to_numpy(dropped(0.25, 4, "drop")(x, training=True))[:, 0, 0, 0]
    >>> sorted({round(float(value), 4) for value in kept})  # 1 / (1 - 0.25)
    [0.0, 1.3333]
    """
    return dropped(rate, len(x.shape), name)(x) if rate else x


def dropped(rate: float, rank: int, name: str) -> layers.Dropout:
    """The layer of `stochastic_depth`: dropout with one draw for each example."""
    return layers.Dropout(rate, noise_shape=(None, *[1] * (rank - 1)), name=name)


def depth_rates(last: float, blocks: int) -> list[float]:
    """The rate of each block, from 0 for the first in a straight line to `last` (Huang 2016, section 4).

    >>> depth_rates(0.2, 3)
    [0.0, 0.1, 0.2]
    """
    return [last * number / max(1, blocks - 1) for number in range(blocks)]


@keras.saving.register_keras_serializable("zoo")
class LayerScale(layers.Layer):
    """Each channel of a branch times a learned number, small at the start. Shapes: (..., channels) -> the same.

    H. Touvron, M. Cord, A. Sablayrolles, G. Synnaeve and H. Jégou, "Going Deeper with Image Transformers", ICCV 2021,
    section 2.1, equation 4.

    Args:
        start: of all channels.

    >>> ops.convert_to_numpy(LayerScale(0.5)(ops.ones((1, 3)))).tolist()
    [[0.5, 0.5, 0.5]]
    """

    def __init__(self, start: float = 1e-6, **kwargs: Any):
        super().__init__(**kwargs)
        self.start = start

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.gamma = self.add_weight(
            shape=(shape[-1],), initializer=keras.initializers.Constant(self.start), name="gamma"
        )

    def call(self, x: Any) -> Any:
        return x * ops.cast(self.gamma, x.dtype)

    def multiply_adds(self, before: tuple[int, ...], after: tuple[int, ...]) -> int:
        return 0

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "start": self.start}
