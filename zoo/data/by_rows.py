"""Datasets of which each example is read by something small, its row: the path of a file, a number.

They are shuffled by their rows, so that nothing is read before its turn, and no buffer of what was read is filled.
"""

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from zoo.data.tensors import tensorflow

Dataset = Any  # of TensorFlow
_KNOWN: WeakKeyDictionary[Dataset, tuple[Dataset, int, Callable[..., Any]]] = WeakKeyDictionary()


def by_rows(rows: Dataset, read: Callable[..., Any]) -> Dataset:
    """The examples that `read` makes of rows.

    >>> squares = by_rows(tensorflow().data.Dataset.range(4), lambda row: row * row)
    >>> [int(each) for each in squares], rows_of(squares) is not None
    ([0, 1, 4, 9], True)
    """
    examples = rows.map(read, num_parallel_calls=tensorflow().data.AUTOTUNE)
    _KNOWN[examples] = rows, int(rows.cardinality()), read
    return examples


def rows_of(examples: Dataset) -> tuple[Dataset, int, Callable[..., Any]] | None:
    """The rows of examples, their number, and what reads them; None of others than those of `by_rows` and `mapped`."""
    return _KNOWN.get(examples)


def mapped(examples: Dataset, change: Callable[..., Any]) -> Dataset:
    """The examples, each changed; by rows if they were.

    >>> changed = mapped(by_rows(tensorflow().data.Dataset.range(3), lambda row: (row, row)), lambda x, y: (x, y + 1))
    >>> [int(y) for _, y in changed], rows_of(changed) is not None
    ([1, 2, 3], True)
    """
    known = rows_of(examples)
    if known is None:
        return examples.map(change, num_parallel_calls=tensorflow().data.AUTOTUNE)
    rows, _, read = known

    def both(*row: Any) -> Any:
        found = read(*row)
        return change(*found) if isinstance(found, tuple) else change(found)

    return by_rows(rows, both)
