"""One look at every example before training: what a split holds, and whether it is sound."""

import inspect
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from zoo.checks import is_whole
from zoo.data.array_files import no_examples
from zoo.data.image.files import ENDINGS
from zoo.data.image.normalization import Summary
from zoo.data.image.reading import opened
from zoo.data.sources import Source
from zoo.data.tensors import numpy_dtype, tensorflow
from zoo.errors import UsageError, first_line, some

log = logging.getLogger("zoo")

MAX_EXAMPLES = 100_000  # that are looked at; of a larger set the first ones
BYTES_AT_ONCE = 2**24  # that are looked at together


def summarise(examples: Any, source: Source, split: str, *, moments: bool = True) -> Summary:
    """Look at every example (at most `MAX_EXAMPLES`): what they measure, and whether they are sound.

    Args:
        examples: a ``tf.data.Dataset`` of (input, target), one by one.
        source: where they come from, for what is said of them.
        split: its name.
        moments: whether means and deviations are asked for.

    Raises:
        UsageError: for an empty set, numbers that are not finite, images in a range that is neither
            0..255 nor 0..1, labels that are negative or beyond the classes.
    """
    count, low, high = 0, np.inf, -np.inf
    total: Any = 0.0  # by channel: sums of the values and of their squares
    squares: Any = 0.0
    classes: set[int] = set()
    shape: tuple[int, ...] = ()
    targets: list[np.ndarray] = []
    for x, y in readable(examples.take(MAX_EXAMPLES).batch(examples_at_once(examples)), source, split):
        shape = x.shape[1:]
        if x.dtype.kind == "f":
            sound = np.abs(x) < np.finfo("float32").max  # False for NaN as well
            if not sound.all():
                row = count + int(np.argmin(sound.reshape(len(x), -1).all(axis=1)))
                raise UsageError(
                    f"example {row} of {source.name} ({split}) holds NaN, infinity or more than float32 can; "
                    "expected numbers: mend it or drop it"
                )
        count += len(x)
        if moments:
            here = sums(x)
            total, squares = total + here[0], squares + here[1]
        low, high = min(low, x.min()), max(high, x.max())
        check_targets(y, source, split)
        if not isinstance(y, Mapping):
            targets.append(y)
            if source.class_names:
                classes.update(np.unique(y).tolist())
    if not count:
        raise no_examples(source.name, split)
    if split.startswith("train") and count > 1 and low == high:
        raise UsageError(
            f"all numbers of {source.name} ({split}) are one and the same; expected examples that differ: nothing can "
            "be told from them"
        )
    check_range(low, high, shape, source, split)
    mean = std = np.zeros(0)
    if moments:
        values = count * int(np.prod(shape[:-1], dtype=int))  # behind each mean
        mean = total / values
        variance = np.maximum(squares / values - np.square(mean), 0.0)
        std = np.where(variance > 1e-12, np.sqrt(variance), 1.0)  # a constant feature stays as it is
    found = np.concatenate(targets) if targets and count < MAX_EXAMPLES else None
    count = max(count, int(examples.cardinality()))  # of a large set, all are counted though not all are looked at
    means, stds = tuple(mean.tolist()), tuple(std.tolist())
    return Summary(count, shape, means, stds, float(high), tuple(sorted(classes)), found)


def examples_at_once(examples: Any) -> int:
    """How many examples are looked at together: 1024, or as many as are `BYTES_AT_ONCE`."""
    spec = tensorflow().nest.flatten(examples.element_spec)[0]
    size = 1 if spec.shape is None or None in tuple(spec.shape) else math.prod(spec.shape)
    return max(1, min(1024, BYTES_AT_ONCE // max(1, size * numpy_dtype(spec.dtype).itemsize)))


def sums(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sums of numbers (..., channels) and of their squares, (channels,) float64 each.

    Those of the bytes of images are exact: equal ones are counted.

    >>> [each.tolist() for each in sums(np.array([[[1, 2], [3, 4]]], "uint8"))]
    [[4.0, 6.0], [10.0, 20.0]]
    """
    if x.dtype == np.uint8 and x.ndim > 2:
        counts = np.stack([np.bincount(x[..., channel].ravel(), minlength=256) for channel in range(x.shape[-1])])
        values = np.arange(256.0)
        return counts @ values, counts @ np.square(values)
    exact, axes = x.astype("float64"), tuple(range(x.ndim - 1))
    return exact.sum(axes), np.square(exact).sum(axes)


def readable(batched: Any, source: Source, split: str) -> Iterator[Any]:
    """The batches as NumPy; a file that cannot be read is one line."""
    tf = tensorflow()

    try:
        yield from batched.as_numpy_iterator()
    except tf.errors.OpError as error:
        if "different shapes" in str(error):
            raise UsageError(
                f"the images of {source.name} ({split}) have different sizes; expected one size: "
                "preprocess={'cover': (height, width)}, 'resize' or 'pad'"
            ) from None
        if broken := broken_images(source, split):
            raise UsageError(
                f"{len(broken)} images of {source.name} ({split}) cannot be read; remove {some(broken)}"
            ) from error
        cure = "remove the file" if Path(source.name).is_absolute() else "prepare it anew"
        raise UsageError(f"{source.name} ({split}) cannot be read ({first_line(error)}); {cure}") from error


def broken_images(source: Source, split: str) -> list[str]:
    """Those files of a folder of images that cannot be decoded."""
    tf = tensorflow()
    broken = []
    for each in source.examples:
        path = Path(source.name) / each.file
        if each.split == split and path.suffix.lower() in ENDINGS:
            try:
                [*opened([path], [0], 3)]
            except (UsageError, OSError, tf.errors.OpError):
                broken.append(each.file)
    return broken


def check_targets(y: Any, source: Source, split: str) -> None:
    """Raise for unsound targets: `check_labels` of one for each example, `check_boxes` of those of several heads."""
    if not isinstance(y, Mapping):
        check_labels(y, source, split)
    elif "boxes" in y:
        check_boxes(y["boxes"], source, split)


def check_labels(y: np.ndarray, source: Source, split: str) -> None:
    """Raise unless targets (examples,) are finite numbers or, where the source has classes, numbers of classes."""
    if y.ndim != 1:
        raise UsageError(
            f"the targets of {source.name} ({split}) have shape {y.shape}; expected (examples,): "
            "one number, or the number of the class"
        )
    if not source.class_names:
        if not np.isfinite(np.asarray(y, "float64")).all():
            raise UsageError(f"a target of {source.name} ({split}) is NaN or infinite; expected numbers")
        return
    if not np.issubdtype(y.dtype, np.integer):
        raise UsageError(
            f"the labels of {source.name} ({split}) are {y.dtype}; expected whole numbers: y.astype('int32')"
        )
    wrong = y[(y < 0) | (y >= source.num_classes)]
    if len(wrong):
        raise UsageError(
            f"{source.name} ({split}) has the label {wrong[0]}; expected 0 to {source.num_classes - 1}, "
            "the classes of the training set"
        )


def check_boxes(boxes: np.ndarray, source: Source, split: str) -> None:
    """Raise unless boxes (..., n, 4) are left, top, right, bottom as fractions of the image's sides."""
    sound = boxes.shape[-1] == 4 and np.all((boxes >= 0) & (boxes <= 1))
    if not sound or np.any(boxes[..., :2] > boxes[..., 2:]):
        raise UsageError(
            f"boxes of {source.name} ({split}) are not (n, 4) fractions of the image; expected left, top, right and "
            "bottom from 0 to 1: divide by width and height"
        )


def check_range(low: float, high: float, shape: tuple[int, ...], source: Source, split: str) -> None:
    """Images (rank 3) and clips hold 0..255 or 0..1; what goes beyond was scaled by somebody."""
    if len(shape) >= 3 and (low < 0 or high > 255):
        raise UsageError(
            f"the images of {source.name} ({split}) reach from {low:g} to {high:g}; expected 0 to 255 (or 0 to 1): "
            "undo their scaling"
        )


def check_channels(shape: Sequence[int | None], name: str) -> None:
    """Raise where images (height, width, channels) or clips have their channels first; say where they have odd ones.

    >>> check_channels((3, 32, 32), "photos.npz")
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: the images of photos.npz have shape (3, 32, 32), their channels first; expected them last: numpy.moveaxis(x, 1, -1)
    """  # noqa: E501
    usual = (1, 3, 4)  # grey, colour, and with transparency
    if len(shape) not in (3, 4) or shape[-1] in (*usual, None):
        return
    axis = next((axis for axis, size in enumerate(shape[:-2]) if size in usual), None)
    what = "images" if len(shape) == 3 else "clips"
    if axis is not None:
        raise UsageError(
            f"the {what} of {name} have shape {tuple(shape)}, their channels first; expected them last: "
            f"numpy.moveaxis(x, {axis + 1}, -1)"
        )
    log.warning(f"the {what} of {name} have {shape[-1]} channels and are taken as they are; grey has 1, colour 3")


def check_step(step: Callable[..., Any], word: str, option: Any, of: str = "") -> None:
    """Raise unless a step of the preprocessing takes this option, where the type of its last argument is of sizes.

    >>> from zoo.data.image.transforms import PREPROCESS
    >>> check_step(PREPROCESS["resize"], "resize", 28)
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: preprocess resize is 28; expected 2 whole numbers of at least 1
    """
    hint = get_type_hints(step).get(list(inspect.signature(step).parameters)[-1])
    several = get_origin(hint) is tuple
    kinds, sizes = (get_args(hint), option) if several else ((hint,), [option])
    if set(kinds) != {int}:
        return
    if not (isinstance(sizes, (tuple, list)) and len(sizes) == len(kinds) and all(map(is_whole, sizes))):
        expected = f"{len(kinds)} whole numbers" if several else "a whole number"
        raise UsageError(f"{of}preprocess {word} is {option!r}; expected {expected} of at least 1")
