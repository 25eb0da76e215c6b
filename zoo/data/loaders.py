"""What others have made that yields examples, as arrays in memory: a ``tf.data.Dataset``, loaders and data sets of
PyTorch and of grain, Keras's `PyDataset`, or any iterable of pairs."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from zoo.errors import UsageError, first_line, unknown

SUFFIXES = {"train": "train", "validation": "val", "val": "val", "test": "test"}  # split: that of its arrays
MAX_EXAMPLES = 100_000_000  # of a loader: one that never ends would fill the memory


def is_table(data: Any) -> bool:
    """Whether it is a table with columns: of pandas, or of Polars."""
    return hasattr(data, "columns") and (hasattr(data, "to_dict") or hasattr(data, "to_dicts"))


def rows_of(table: Any) -> list[dict[str, Any]]:
    """The rows of such a table."""
    return list(table.to_dicts() if hasattr(table, "to_dicts") else table.to_dict("records"))


def is_loader(data: Any) -> bool:
    """Whether it yields examples, and is neither arrays nor a table of them."""
    if isinstance(data, np.ndarray | np.generic | Mapping | tuple | list | str | bytes) or is_table(data):
        return False
    return hasattr(data, "__iter__") or (hasattr(data, "__getitem__") and hasattr(data, "__len__"))


def as_arrays(data: Any) -> Any:
    """What a loader holds, ``(x, y)``; of a dictionary of loaders by split, ``{"x_train": ..., "y_train": ..., ...}``.
    All else as it is.

    Raises:
        UsageError: for a loader that does not yield pairs, or never ends.

    >>> x, y = as_arrays(iter([(np.zeros((2, 3)), np.array([0, 1])), (np.ones((1, 3)), np.array([1]))]))
    >>> x.shape, y.tolist()
    ((3, 3), [0, 1, 1])
    """
    if is_loader(data):
        return gathered(data, "data")
    if not (isinstance(data, Mapping) and data and all(map(is_loader, data.values()))):
        return data
    found = {}
    for split, loader in data.items():
        if split not in SUFFIXES:
            raise unknown("split in data", split, SUFFIXES)
        found[f"x_{SUFFIXES[split]}"], found[f"y_{SUFFIXES[split]}"] = gathered(loader, f"data[{split!r}]")
    return found


def gathered(loader: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """All inputs (examples, ...) and all targets (examples, ...) of a loader of examples, or of batches."""
    if never_ends(loader):
        raise UsageError(f"{name} never ends; expected each example once: leave out its repeat()")
    inputs: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    count = 0
    for pair in elements(loader):
        if not isinstance(pair, tuple | list) or len(pair) != 2 or isinstance(pair[0], Mapping):
            raise UsageError(
                f"{name} yields {described(pair)}; expected pairs of an input and its target, or of batches"
            )
        x, y = map(to_numpy, pair)
        if y.ndim == 0:  # an example by itself
            x, y = x[np.newaxis], y[np.newaxis]
        if x.ndim < 1 or len(x) != len(y):
            raise UsageError(f"{name} yields inputs of shape {x.shape} with targets of {y.shape}; expected as many")
        inputs.append(x)
        targets.append(y)
        count += len(y)
        if count > MAX_EXAMPLES:
            raise UsageError(f"{name} has yielded {count:,} examples; expected an end")
    if not inputs:
        raise UsageError(f"{name} yields nothing; expected pairs of an input and its target")
    try:
        return np.concatenate(inputs), np.concatenate(targets)
    except ValueError as error:
        raise UsageError(f"the examples of {name} differ in shape ({first_line(error)}); expected one shape") from None


def never_ends(loader: Any) -> bool:
    """Whether TensorFlow or Keras know that it has no end."""
    if hasattr(loader, "cardinality"):
        return int(loader.cardinality()) == -1  # tf.data.INFINITE_CARDINALITY
    return hasattr(loader, "num_batches") and loader.num_batches is None


def elements(loader: Any) -> Iterable[Any]:
    """What it yields, once; of a data set of PyTorch or grain by its rows, for their own way has no end."""
    rows = hasattr(loader, "__getitem__") and hasattr(loader, "__len__") and not hasattr(loader, "cardinality")
    return (loader[number] for number in range(len(loader))) if rows else loader


def to_numpy(part: Any) -> np.ndarray:
    """An array of a tensor of any library."""
    return np.asarray(part.detach().cpu() if hasattr(part, "detach") else part)


def described(pair: Any) -> str:
    """In words, what was yielded in place of a pair."""
    if isinstance(pair, tuple | list):
        return f"{len(pair)} parts" if len(pair) != 2 else "a dictionary of inputs"
    return f"a {type(pair).__name__}"
