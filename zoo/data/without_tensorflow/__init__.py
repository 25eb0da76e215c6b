"""What the pipelines of `zoo.data` take from TensorFlow, in NumPy: they run where it is not installed.

Names, arguments and results are those of TensorFlow 2, as far as a pipeline uses them; what one more pipeline needs is
added here. Arrays stand for tensors, bytes for strings. Random numbers are other ones, of the same distributions, and
as there depend on their seed alone. `tests/data/test_without_tensorflow.py` holds each beside TensorFlow.
"""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np

from zoo.data.without_tensorflow import images
from zoo.data.without_tensorflow.arrays import OpError, TensorSpec, constant
from zoo.data.without_tensorflow.dataset import AUTOTUNE, Dataset, assert_cardinality

__all__ = ["TensorSpec", "constant", "data", "errors", "image", "nest"]

bool, float32, float64, int32 = map(np.dtype, ("bool", "float32", "float64", "int32"))
int64, string, uint8 = map(np.dtype, ("int64", "object", "uint8"))
newaxis = None

errors = SimpleNamespace(OpError=OpError)
nest = SimpleNamespace(
    flatten=keras.tree.flatten, map_structure=keras.tree.map_structure, pack_sequence_as=keras.tree.pack_sequence_as
)
data = SimpleNamespace(
    AUTOTUNE=AUTOTUNE, Dataset=Dataset, experimental=SimpleNamespace(assert_cardinality=assert_cardinality)
)
image = images

convert_to_tensor = constant
argmax, argsort, cos, exp, floor, maximum, minimum, round, sin, sqrt, where = (
    np.argmax, np.argsort, np.cos, np.exp, np.floor, np.maximum, np.minimum, np.round, np.sin, np.sqrt, np.where
)  # fmt: skip
reshape, reverse, roll, transpose = np.reshape, np.flip, np.roll, np.transpose


def cast(x: Any, dtype: Any) -> Any:
    return np.asarray(x).astype(dtype)


def saturate_cast(x: Any, dtype: Any) -> Any:
    limits = np.iinfo(dtype)
    return np.clip(x, limits.min, limits.max).astype(dtype)


def clip_by_value(x: Any, low: Any, high: Any) -> Any:
    return np.clip(x, low, high)


def shape(x: Any) -> np.ndarray:
    return np.array(np.shape(x), int32)


def zeros(size: Any, dtype: Any = float32) -> np.ndarray:
    return np.zeros(size, dtype)


def range(*limits: Any, dtype: Any = int32) -> np.ndarray:
    return np.arange(*limits, dtype=dtype)


def stack(values: Sequence[Any], axis: int = 0) -> np.ndarray:
    return np.stack([constant(value) for value in values], axis)


def unstack(x: Any, axis: int = 0) -> list[Any]:
    return [*np.moveaxis(np.asarray(x), axis, 0)]


def concat(values: Sequence[Any], axis: int) -> np.ndarray:
    return np.concatenate([constant(value) for value in values], axis)


def pad(x: Any, paddings: Any) -> np.ndarray:
    return np.pad(x, paddings)


def repeat(x: Any, repeats: Any, axis: int | None = None) -> np.ndarray:
    return np.repeat(constant(x), repeats, axis)


def reduce_max(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return np.max(x, axis, keepdims=keepdims)


def reduce_min(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return np.min(x, axis, keepdims=keepdims)


def reduce_mean(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return np.mean(x, axis, keepdims=keepdims)


def reduce_prod(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return np.prod(x, axis, keepdims=keepdims, dtype=np.asarray(x).dtype)


def reduce_any(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return np.any(x, axis, keepdims=keepdims)


def reduce_all(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return np.all(x, axis, keepdims=keepdims)


def gather(x: Any, indices: Any, axis: int | None = None, batch_dims: int = 0) -> Any:
    x, axis = np.asarray(x), batch_dims if axis is None else axis
    if not batch_dims:
        return np.take(x, indices, axis)
    rows = np.arange(len(x)).reshape(-1, *[1] * (np.ndim(indices) - 1))
    found = np.moveaxis(x, axis, 1)[rows, indices]  # (batch, *indices, ...)
    return np.moveaxis(found, 1, axis)


def ensure_shape(x: Any, size: Any) -> Any:
    """As it is: only TensorFlow does not know."""
    return x


def numpy_function(function: Callable[..., Any], inputs: Sequence[Any], dtype: Any, stateful: Any = True) -> Any:
    found = function(*inputs)
    if isinstance(dtype, list):
        return [np.asarray(each, kind) for each, kind in zip(found, dtype)]
    return np.asarray(found, dtype)


def top_k(x: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest along the last axis, and where they are."""
    order = np.argsort(-np.asarray(x), axis=-1, kind="stable")[..., :k]
    return np.take_along_axis(np.asarray(x), order, -1), order


math = SimpleNamespace(ceil=np.ceil, top_k=top_k)


def stateless_uniform(size: Any, seed: Any, minval: Any = 0, maxval: Any = None, dtype: Any = float32) -> np.ndarray:
    """Numbers that depend on the seed (2,) alone: from `minval` on, below `maxval` (1 of float32)."""
    rng = np.random.default_rng(np.asarray(seed).astype("uint64"))
    if dtype == float32:
        return minval + rng.random(tuple(size), float32) * np.float32((1 if maxval is None else maxval) - minval)
    return rng.integers(minval, maxval, tuple(size), dtype)


random = SimpleNamespace(stateless_uniform=stateless_uniform)
