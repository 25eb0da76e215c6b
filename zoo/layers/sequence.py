"""Layers for sequences of different lengths in one batch: what Keras does with masks, without losing fused kernels.

Shorter sequences are filled up on the right with token 0. A recurrent layer that reads from the left meets the
padding last, so what it computes for the real steps does not depend on it; only *afterwards* must the padding be
left out. Keras's masks are carried into the recurrent layer itself and there put aside the fast kernel: cuDNN's on
JAX and on PyTorch (Keras 3.15 falls back to a loop for any mask), one matrix product for all steps on a CPU.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import layers, ops

from zoo.errors import unknown


def lengths(tokens: Any) -> Any:
    """How many steps of each sequence are real: up to the last token that is not 0, and at least one. (batch,)

    >>> [int(length) for length in lengths(ops.array([[5, 0, 7, 0], [0, 0, 0, 0]]))]
    [3, 1]
    """
    steps = ops.arange(1, ops.shape(tokens)[1] + 1, dtype="int32")
    return ops.maximum(ops.max(ops.where(ops.not_equal(tokens, 0), steps, 0), axis=1), 1)


def is_real(tokens: Any, rank: int = 2) -> Any:
    """True where a step is no padding: (batch, time), and axes of 1 up to `rank`."""
    steps = ops.arange(ops.shape(tokens)[1], dtype="int32")
    real = steps < ops.cast(lengths(tokens), "int32")[:, None]  # (batch, time)
    return ops.expand_dims(real, axis=tuple(range(2, rank))) if rank > 2 else real


@keras.saving.register_keras_serializable("zoo")
class ReverseSequence(layers.Layer):
    """Each sequence from its last real step to its first; the padding stays behind it. Twice is not at all.

    Shapes: (batch, time, dim) and tokens (batch, time) -> (batch, time, dim). Of words that are given by their letters,
    (batch, time, letters), the first letter says whether they are real.

    >>> tokens = ops.array([[7, 8, 9, 0]])
    >>> [int(x) for x in ReverseSequence()(ops.array([[[1.0], [2.0], [3.0], [4.0]]]), tokens)[0, :, 0]]
    [3, 2, 1, 4]
    """

    def call(self, x: Any, tokens: Any) -> Any:
        tokens = tokens[:, :, 0] if len(tokens.shape) == 3 else tokens
        steps = ops.arange(ops.shape(tokens)[1], dtype="int32")
        last = ops.cast(lengths(tokens), "int32")[:, None] - 1  # (batch, 1)
        source = ops.where(steps <= last, last - steps, steps)  # (batch, time)
        return ops.take_along_axis(x, source[:, :, None], axis=1)

    def compute_output_shape(self, x_shape: tuple[int | None, ...], tokens_shape: Any) -> tuple[int | None, ...]:
        return x_shape


@keras.saving.register_keras_serializable("zoo")
class PoolSequence(layers.Layer):
    """One vector for a sequence: its last real step, or the mean or the largest of all real steps.

    Shapes: (batch, time, dim) and tokens (batch, time) -> (batch, dim).

    Args:
        how: ``"first"``, ``"last"``, ``"mean"`` or ``"max"``.

    Raises:
        UsageError: for another word.

    >>> steps, tokens = ops.array([[[1.0], [4.0], [3.0], [9.0]]]), ops.array([[7, 8, 9, 0]])
    >>> [round(float(PoolSequence(how)(steps, tokens)[0, 0]), 2) for how in ("last", "mean", "max")]
    [3.0, 2.67, 4.0]
    """

    def __init__(self, how: str = "last", **kwargs: Any):
        super().__init__(**kwargs)
        if how not in POOLING:
            raise unknown("pooling of a sequence", how, POOLING)
        self.how = how

    def call(self, x: Any, tokens: Any) -> Any:
        return POOLING[self.how](x, tokens)

    def compute_output_shape(self, x_shape: tuple[int | None, ...], tokens_shape: Any) -> tuple[int | None, ...]:
        return (x_shape[0], x_shape[2])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "how": self.how}


# Pooling: (batch, time, dim) and tokens (batch, time) -> (batch, dim)


def first_step(x: Any, tokens: Any) -> Any:
    return x[:, 0]


def last_step(x: Any, tokens: Any) -> Any:
    last = ops.cast(lengths(tokens), "int32")[:, None, None] - 1
    return ops.squeeze(ops.take_along_axis(x, last, axis=1), axis=1)


def mean_of_steps(x: Any, tokens: Any) -> Any:
    real = ops.cast(is_real(tokens, rank=3), "float32")  # half precision cannot count to 400 exactly
    mean = ops.sum(ops.cast(x, "float32") * real, axis=1) / ops.sum(real, axis=1)
    return ops.cast(mean, x.dtype)


def largest_of_steps(x: Any, tokens: Any) -> Any:
    return ops.max(ops.where(is_real(tokens, rank=3), x, ops.cast(-6e4, x.dtype)), axis=1)  # float16 ends at 65,504


POOLING: Mapping[str, Callable[[Any, Any], Any]] = {
    "first": first_step,
    "last": last_step,
    "mean": mean_of_steps,
    "max": largest_of_steps,
}
