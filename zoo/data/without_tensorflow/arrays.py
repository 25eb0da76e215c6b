"""Arrays in place of tensors."""

from dataclasses import dataclass
from typing import Any

import numpy as np


class OpError(Exception):
    """What a pipeline raises of itself; errors of the functions that it calls come as they are."""


@dataclass(frozen=True)
class TensorSpec:
    """The form of a tensor; None in place of a length that varies."""

    shape: tuple[int | None, ...]
    dtype: Any

    @classmethod
    def of(cls, tensor: Any) -> "TensorSpec":
        if isinstance(tensor, bytes):
            return cls((), np.dtype(object))
        return cls(np.shape(tensor), tensor.dtype)

    def zeros(self) -> Any:
        """A tensor of this form, lengths that vary being 1."""
        size = tuple(1 if length is None else length for length in self.shape)
        dtype = np.dtype(self.dtype)
        if dtype.kind == "O":
            return np.full(size, b"", object) if size else b""
        return np.zeros(size, dtype)


def constant(value: Any, dtype: Any = None) -> Any:
    """An array; what Python has itself with 32 bits, and texts as bytes (a single one is no array).

    >>> constant([1, 2]).dtype.name, constant("ä"), constant(np.arange(2)).dtype.name
    ('int32', b'\\xc3\\xa4', 'int64')
    """
    if isinstance(value, str | bytes):
        return value.encode() if isinstance(value, str) else value
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
    else:
        array = np.asarray(value)
        if array.dtype.kind in "if" and array.dtype.itemsize == 8 and not holds_arrays(value):
            array = array.astype(array.dtype.kind + "4")
    if dtype is not None:
        return array.astype(dtype)
    if array.dtype.kind == "U" or array.dtype == object:
        encoded = np.empty(array.shape, object)
        encoded.flat[:] = [each.encode() if isinstance(each, str) else each for each in array.flat]
        return encoded
    return array


def holds_arrays(value: Any) -> bool:
    """Whether there are NumPy's numbers in a list, which have their own number of bits."""
    if isinstance(value, list | tuple):
        return any(map(holds_arrays, value))
    return hasattr(value, "dtype")


def tensors(structure: Any) -> Any:
    """A structure of tuples and dictionaries with arrays in it."""
    if isinstance(structure, tuple):
        return tuple(map(tensors, structure))
    if isinstance(structure, dict):
        return {key: tensors(value) for key, value in structure.items()}
    return constant(structure)


def mapped(change: Any, *structures: Any) -> Any:
    """Each array of structures of one form, changed together."""
    first = structures[0]
    if isinstance(first, tuple):
        return tuple(mapped(change, *parts) for parts in zip(*structures))
    if isinstance(first, dict):
        return {key: mapped(change, *(each[key] for each in structures)) for key in first}
    return change(*structures)


def leaves(structure: Any) -> list[Any]:
    """The arrays of a structure."""
    found: list[Any] = []
    mapped(found.append, structure)
    return found


def stacked(*rows: Any) -> np.ndarray:
    """Examples as one array (examples, ...)."""
    if isinstance(rows[0], bytes):
        return np.array(rows, object)
    try:
        return np.stack(rows)
    except ValueError:
        shapes = sorted({np.shape(row) for row in rows})
        raise OpError(f"Cannot batch tensors with different shapes: {shapes[0]} and {shapes[-1]}") from None
