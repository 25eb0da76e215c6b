"""The arrays of a file as its header declares them, and what none may declare."""

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import ml_dtypes  # noqa: F401  teaches NumPy the name "bfloat16"
import numpy as np

from zoo.errors import UsageError, first_line

MAX_TENSORS = 20_000
FLOATS = ("float16", "float32", "float64", "bfloat16")


@dataclass(frozen=True)
class Tensor:
    """One array of a file, not read yet."""

    key: str
    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], np.ndarray]


@dataclass
class Content:
    """The arrays of a file, by layer (or object) in the order of the file."""

    layout: str  # "legacy", "keras", "safetensors", "torch"
    layers: dict[str, list[Tensor]]
    titles: dict[str, str] = field(default_factory=dict)  # the names that the layers had, where the keys are paths

    @property
    def tensors(self) -> list[Tensor]:
        return [tensor for tensors in self.layers.values() for tensor in tensors]


@contextlib.contextmanager
def explained(path: Path, says: str):
    """Turn whatever goes wrong inside into one line."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:  # h5py, safetensors and torch raise a dozen kinds for broken files
        raise UsageError(
            f"{path} cannot be read ({says}, damaged or cut short: {first_line(error)}); fetch it again"
        ) from error


def check(path: Path, content: Content) -> None:
    """Raise if the arrays cannot be what they say they are."""
    tensors = content.tensors
    if not tensors:
        raise UsageError(f"{path} holds no weights; expected a trained network's")
    declared = sum(math.prod(tensor.shape) * np.dtype(tensor.dtype).itemsize for tensor in tensors)
    if len(tensors) > MAX_TENSORS or declared > path.stat().st_size:
        raise UsageError(
            f"{path} declares {len(tensors):,} arrays of {declared:,} bytes and has {path.stat().st_size:,}; "
            "it is damaged or made to harm: fetch it again"
        )


def check_dtype(path: Path, key: str, dtype: str) -> None:
    if dtype not in FLOATS:
        raise UsageError(
            f"{key} in {path} is {dtype}; expected {', '.join(FLOATS)}: weights that are numbers as trained"
        )
