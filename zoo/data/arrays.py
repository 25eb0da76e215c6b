"""The user's own arrays, in memory: divided, checked and opened as those of an ``.npz`` file."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.data.array_files import hold_out
from zoo.data.loaders import as_arrays
from zoo.data.sources import ArrayFile
from zoo.errors import UsageError, unknown

IN_MEMORY = "<arrays>"  # in place of the name of a data set
TEST_FRACTION = 0.2
KEYS = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test")


class Arrays(ArrayFile):
    """Inputs (examples, ...) and targets (examples,), of NumPy or what NumPy takes: pandas, tensors.

    Args:
        data: ``(x, y)``, of which a stratified fifth is held out to test and a tenth of the rest to validate; or a
            dictionary of ``x_train, y_train, x_test, y_test`` and perhaps ``x_val, y_val``; or a loader of such pairs
            (`zoo.data.loaders`), which is read into memory, or one each in a dictionary of ``train``, ``test`` and
            perhaps ``validation``.
        numbers: whether whole targets are numbers, not classes.
        ordered: whether examples stand in the order of time, so that the last ones are held out.

    Raises:
        UsageError: for anything else, or arrays that do not fit together.
    """

    def __init__(self, data: Any, *, numbers: bool = False, ordered: bool = False):
        self.name = self.path = IN_MEMORY  # type: ignore[assignment]
        self.numbers, self.ordered = numbers, ordered
        data = as_arrays(data)
        if isinstance(data, Mapping):
            for key in data:
                if key not in KEYS:
                    raise unknown("array in data", key, KEYS)
            self.arrays = {key: np.asarray(array) for key, array in data.items()}
        elif isinstance(data, tuple | list) and len(data) == 2:
            x, y = (np.asarray(array) for array in data)
            if x.ndim < 1 or y.ndim < 1 or len(x) != len(y):
                raise UsageError(f"data has inputs of shape {x.shape} and targets of shape {y.shape}; expected as many")
            train, test = hold_out(x, y, TEST_FRACTION, ordered=ordered)
            self.arrays = dict(zip(("x_train", "y_train", "x_test", "y_test"), (*train, *test)))
        else:
            raise UsageError(
                f"data is a {type(data).__name__}; expected (x, y), a dictionary of x_train, y_train, x_test and "
                "y_test, a loader of pairs, a table of paths and labels, or the path of a file or folder"
            )

    def sha256(self) -> str:
        digest = hashlib.sha256()
        for key, array in sorted(self.arrays.items()):
            digest.update(f"{key} {array.shape} {array.dtype}".encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def stored(self) -> Mapping[str, Any]:
        return self.arrays
