"""The arrays of a file as its header declares them, and what none may declare."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from zoo.errors import UsageError, first_line

MAX_TENSORS = 20_000


@dataclass(frozen=True)
class Tensor:
    """One array of a file, not read yet."""

    key: str
    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], np.ndarray]

    def changed(self, shape: tuple[int, ...], change: Callable[[np.ndarray], np.ndarray]) -> "Tensor":
        """The same array in another form, made when it is read."""

        def read() -> np.ndarray:
            value = self.read()
            if value.shape != self.shape:
                raise ValueError(f"{self.key} is not of the shape that the header says")
            return change(value)

        return replace(self, shape=shape, read=read)


@dataclass
class Content:
    """The arrays of a file, by layer (or object) in the order of the file."""

    layout: str  # "legacy", "keras", "safetensors", "torch"
    layers: dict[str, list[Tensor]]
    names: dict[str, str] = field(default_factory=dict)  # of the layers, where the keys are paths (layout "keras")

    @property
    def tensors(self) -> list[Tensor]:
        return [tensor for tensors in self.layers.values() for tensor in tensors]


@contextlib.contextmanager
def explained(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever goes wrong in reading a file of that kind into one line."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:  # h5py, safetensors and torch raise a dozen kinds for broken files
        raise UsageError(
            f"{path} cannot be read ({kind}, damaged or cut short: {first_line(error)}); fetch it again"
        ) from error


def check(path: Path, content: Content) -> None:
    """Raise if there is nothing, or more than any network has."""
    count = len(content.tensors)
    if not 0 < count <= MAX_TENSORS:
        raise UsageError(f"{path} holds {count:,} arrays; expected the weights of a network: fetch it again")


def check_declared(path: Path, declared: int) -> None:
    """Raise if a header declares more bytes than there are."""
    if declared > path.stat().st_size:
        raise UsageError(
            f"{path} declares {declared:,} bytes and has {path.stat().st_size:,}; it is damaged or made to harm: "
            "fetch it again"
        )


def listed(words: Iterable[str], limit: int = 3) -> str:
    """The first words of a list, and how many more there are.

    >>> listed(["conv1", "conv2", "fc6", "fc7", "logits"])
    'conv1, conv2, fc6 and 2 more'
    """
    words = list(words)
    return ", ".join(words[:limit]) + (f" and {len(words) - limit} more" if len(words) > limit else "")
