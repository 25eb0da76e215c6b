"""By what the input pipelines compute: TensorFlow where it is installed, else NumPy under the same names.

All of `zoo.data` asks for it here, so that each pipeline is written once.
"""

import contextlib
import functools
import importlib.util
from typing import Any

import numpy as np

from zoo.errors import UsageError


def installed(package: str) -> bool:
    """Whether a package can be imported; it is not imported."""
    return importlib.util.find_spec(package) is not None


@functools.cache
def chosen() -> Any:
    """TensorFlow, or `zoo.data.without_tensorflow`. Where another backend computes, it has the GPUs."""
    import keras

    if not installed("tensorflow"):
        from zoo.data import without_tensorflow

        return without_tensorflow
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        with contextlib.suppress(RuntimeError):  # too late: it has them already
            tf.config.set_visible_devices([], "GPU")
    return tf


def tensorflow() -> Any:
    """What reads and prepares data, under TensorFlow's names."""
    return chosen()


def check_tensorflow(what: str) -> None:
    """Raise where TensorFlow is not installed and something is not written in NumPy."""
    if not installed("tensorflow"):
        raise UsageError(f"{what} by TensorFlow, which is not installed: pip install 'keras-zoo[tensorflow]'")


def numpy_dtype(dtype: Any) -> np.dtype[Any]:
    """NumPy's dtype of a tensor's or an array's; that of objects for texts.

    >>> numpy_dtype(tensorflow().uint8).kind, numpy_dtype(tensorflow().string).kind
    ('u', 'O')
    """
    return np.dtype(object if dtype.name == "string" else dtype.name)
