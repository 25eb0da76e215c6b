"""Arrays in an ``.npz`` file: read, and checked by the rows that their owner knows before any is held out."""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from zoo.errors import UsageError

log = logging.getLogger("zoo")

ROWS_AT_ONCE = 4096
Arrays = tuple[np.ndarray, np.ndarray]  # inputs (examples, ...) and targets (examples, ...)


def stored_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` file, by name.

    Raises:
        UsageError: for a file that cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except Exception as error:  # cut short, no zip file, a single array, arrays of objects, ...
        raise UsageError(
            f"{path} cannot be read; expected an .npz file of plain arrays, as numpy.savez writes"
        ) from error


def divided(
    arrays: Mapping[str, np.ndarray], path: str, *, numbers: bool = False, ordered: bool = False
) -> tuple[dict[str, Arrays], int]:
    """The splits of arrays, a validation set held out where there is none; and how many classes, if any.

    Args:
        arrays: ``x_train``, ``y_train``, ``x_test``, ``y_test`` and perhaps ``x_val``, ``y_val``.
        path: where they come from, for what is said of them.
        numbers: whether whole targets are numbers, not classes.
        ordered: whether the examples stand in the order of time, so that the last ones are held out.

    Raises:
        UsageError: for arrays that cannot be trained on: with the row of the user's array.
    """
    wanted = ["x_train", "y_train", "x_test", "y_test"]
    if missing := [key for key in wanted if key not in arrays]:
        raise UsageError(f"{path} has no {', '.join(missing)}; it holds {', '.join(arrays) or 'nothing'}")
    splits, suffixes = {}, {"train": "train", "validation": "val", "test": "test"}
    for split, suffix in suffixes.items():  # rows are checked here: what is held out has other numbers
        if f"x_{suffix}" in arrays:
            x, y = arrays[f"x_{suffix}"], arrays.get(f"y_{suffix}", np.empty(0))
            check_numbers(path, f"x_{suffix}", x)
            check_numbers(path, f"y_{suffix}", y)
            if len(x) != len(y):
                raise UsageError(f"{path} has {len(x)} inputs x_{suffix} and {len(y)} targets y_{suffix}")
            if not len(x):
                raise no_examples(path, split)
            if x.shape[1:] != (trained := np.shape(arrays["x_train"])[1:]):  # which a recipe may resize to one
                raise UsageError(
                    f"{path} has {split} examples of shape {x.shape[1:]} and training examples of shape {trained}; "
                    "expected one shape: look at how they were made"
                )
            check_finite(path, f"x_{suffix}", x)
            check_finite(path, f"y_{suffix}", y)
            splits[split] = (x[..., np.newaxis] if x.ndim == 3 else x, y)
    classes = 0 if numbers else count_classes(path, splits["train"][1])
    for split, suffix in suffixes.items():
        if classes and split in splits:
            check_labels(path, f"y_{suffix}", splits[split][1], classes)
    tell_leaks(path, splits)
    if "validation" not in splits:
        splits["train"], splits["validation"] = hold_out(*splits["train"], ordered=ordered)
    return splits, classes


def tell_leaks(path: str, splits: Mapping[str, Arrays]) -> None:
    """Say how many test examples are in the training set as well, input and target."""

    def contents(split: str) -> list[bytes]:
        x, y = (np.ascontiguousarray(array) for array in splits[split])
        return [hashlib.blake2b(a.tobytes() + b.tobytes(), digest_size=16).digest() for a, b in zip(x, y)]

    if splits.keys() >= {"train", "test"} and splits["train"][0].dtype == splits["test"][0].dtype:
        train = {*contents("train")}
        if leaked := sum(content in train for content in contents("test")):
            log.warning(
                f"{leaked} of the {len(splits['test'][0])} test examples of {path} are in its training set as "
                "well: the test metrics will be too good"
            )


def check_numbers(path: str, key: str, array: np.ndarray) -> None:
    """Raise for texts, objects, a number by itself."""
    if array.dtype.kind not in "uif" or array.ndim < 1:
        raise UsageError(
            f"{key} of {path} is {array.dtype} of shape {array.shape}; "
            "expected an array of numbers, one row for each example"
        )


def check_finite(path: str, key: str, array: np.ndarray) -> None:
    """Raise for the first row with a number that float32 cannot hold."""
    for start in range(0, len(array) if array.dtype.kind == "f" else 0, ROWS_AT_ONCE):
        sound = np.abs(array[start : start + ROWS_AT_ONCE]) < np.finfo("float32").max  # False for NaN as well
        if not sound.all():
            row = start + int(np.argmin(sound.reshape(len(sound), -1).all(axis=1)))
            raise UsageError(
                f"{key}[{row}] of {path} holds NaN, infinity or more than float32 can; expected numbers: "
                "mend it or drop it"
            )


def check_labels(path: str, key: str, labels: np.ndarray, classes: int) -> None:
    """Raise for the first label that is no class of the training set."""
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        return
    for row in np.flatnonzero((labels < 0) | (labels >= classes))[:1]:
        raise UsageError(
            f"{key}[{row}] of {path} is {labels[row]}; expected 0 to {classes - 1}, the classes of the "
            "training set: mend it or drop the row"
        )


def count_classes(path: str, labels: np.ndarray) -> int:
    """How many classes the training labels name; 0 where the targets are no classes."""
    if labels.dtype.kind == "f" or labels.ndim != 1 or not len(labels):
        return 0
    found = np.unique(labels[labels >= 0])
    highest = int(labels.max())
    if len(found) == len(labels) > 2:
        raise UsageError(
            f"each of the {len(labels)} training labels of {path} occurs once; expected classes with several "
            "examples: numbers to be predicted are floats, y.astype('float32')"
        )
    if len(found) <= highest:
        missing = int(np.argmax(found != np.arange(len(found)))) if found[-1] >= len(found) else 0
        raise UsageError(
            f"the training labels of {path} reach {highest} (y_train[{int(labels.argmax())}]) and leave out "
            f"{missing}; expected every class from 0 on: number them without gaps, or mend that row"
        )
    return highest + 1


def no_examples(name: str, split: str, expected: str = "example") -> UsageError:
    """The error for a split without examples."""
    return UsageError(f"the split {split!r} of {name} is empty; expected at least one {expected}")


def hold_out(x: np.ndarray, y: np.ndarray, fraction: float = 0.1, *, ordered: bool = False) -> tuple[Arrays, Arrays]:
    """A fraction of the examples, the last if ordered, else stratified by class where that can be; the rest first."""
    from sklearn.model_selection import train_test_split

    if len(y) < 20:
        raise UsageError(
            f"the training set has {len(y)} examples; expected at least 20 to hold {fraction:.0%} of them out"
        )
    if ordered:
        last = len(y) - int(len(y) * fraction)
        return (x[:last], y[:last]), (x[last:], y[last:])
    stratify = None
    if np.issubdtype(y.dtype, np.integer) and y.ndim == 1:
        counts = np.unique(y, return_counts=True)[1]
        if counts.min() >= 2 and len(counts) <= int(len(y) * fraction):  # else it has no room for every class
            stratify = y
    rest, held = train_test_split(np.arange(len(y)), test_size=fraction, stratify=stratify, random_state=0)
    return (x[rest], y[rest]), (x[held], y[held])
