"""Checks of values that users give; each raises one line with what came and what was expected."""

import math
import numbers
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import UsageError, unknown


def is_whole(value: Any, least: int = 1, most: int = 2**63 - 1) -> bool:
    """Whether `value` is a whole number, NumPy's as well and True not, from `least` to `most`."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and least <= int(value) <= most


def check_whole(name: str, value: Any, least: int = 1) -> None:
    """Raise unless `value` is a whole number of at least `least`.

    >>> check_whole("length", 0)
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: length is 0; expected a whole number of at least 1
    """
    if not is_whole(value, least):
        raise UsageError(f"{name} is {value!r}; expected a whole number of at least {least}")


def check_sizes(settings: Mapping[str, Any], **least: int) -> None:
    """Raise unless each of these settings is a whole number of at least its limit.

    >>> check_sizes({"window": 5, "negatives": 0}, window=1, negatives=1)
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: negatives is 0; expected a whole number of at least 1
    """
    for name, smallest in least.items():
        check_whole(name, settings[name], smallest)


def is_number(value: Any, low: float = -math.inf, high: float = math.inf) -> bool:
    """Whether `value` is a finite number, not True, from `low` to `high`."""
    return (
        isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and low <= float(value) <= high
        and math.isfinite(value)
    )


def is_interval(value: Any, low: float, high: float) -> bool:
    """Whether `value` is two numbers from `low` to `high`, the smaller one first.

    >>> is_interval((0.6, 1.0), 0, 1), is_interval((1.0, 0.6), 0, 1), is_interval(0.6, 0, 1)
    (True, False, False)
    """
    two = isinstance(value, list | tuple) and len(value) == 2
    return two and all(is_number(each, low, high) for each in value) and value[0] <= value[1]


def plain(value: Any) -> Any:
    """NumPy's numbers and rows of them as Python's own, inside of tuples, lists and dictionaries as well.

    Keras and JSON refuse ``numpy.int64(10)``, which is as good a number of classes as 10.

    >>> import numpy as np
    >>> plain({"num_classes": np.int64(10), "rates": (np.float32(0.5), 1), "input_shape": np.array([28, 28, 1])})
    {'num_classes': 10, 'rates': (0.5, 1), 'input_shape': (28, 28, 1)}
    """
    if type(value).__module__ == "numpy" and hasattr(value, "tolist") and value.ndim <= 1:  # a size, not a table
        value = value.tolist()
        return tuple(map(plain, value)) if isinstance(value, list) else value
    if type(value) is dict:
        return {plain(key): plain(each) for key, each in value.items()}
    return type(value)(map(plain, value)) if type(value) in (tuple, list) else value


def check_not_negative(name: str, value: Any) -> None:
    """Raise unless `value` is a finite number of at least 0.

    >>> check_not_negative("style_weight", -1.0)
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: style_weight is -1.0; expected a number of at least 0
    """
    if not is_number(value, 0):
        raise UsageError(f"{name} is {value!r}; expected a number of at least 0")


def check_weights(weights: str | os.PathLike[str], tags: Collection[str], name: str) -> None:
    """Raise unless that is a tag of published weights, an https address, or a file that is there.

    >>> check_weights("imagenett", ["imagenet", "imagenet_notop"], "vgg16")
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: there is no tag of weights for vgg16 'imagenett'; did you mean imagenet or imagenet_notop? (or give the path or https address of a file)
    """  # noqa: E501
    text = os.fspath(weights)
    path = Path(text).expanduser()
    if text in tags or "://" in text or path.is_file() or (path / "config.json").is_file():
        return
    if not isinstance(weights, str) or path.suffix or "/" in text or path.exists():
        raise UsageError(f"there is no file {path}; expected a file of weights")
    if not tags:
        raise UsageError(f"there are no weights {text!r} for {name}; expected the path or https address of a file")
    raise unknown(f"tag of weights for {name}", text, tags, hint="or give the path or https address of a file")


def as_strings(values: Any, what: str) -> list[str]:
    """A list of texts or paths; one by itself is a list of one.

    Args:
        values: those.
        what: each of them is, for what is said.

    >>> as_strings("photo.jpg", "the path of an image")
    ['photo.jpg']
    >>> as_strings([], "a text")
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: nothing was given; expected a text, or a list of them
    """
    one = isinstance(values, (str, os.PathLike))
    found = [values] if one or not isinstance(values, Iterable) else list(values)
    for value in found:
        if not isinstance(value, (str, os.PathLike)):
            raise UsageError(f"{value!r} was given; expected {what}, or a list of them")
    if not found:
        raise UsageError(f"nothing was given; expected {what}, or a list of them")
    return [os.fspath(value) for value in found]


def check_image(input_shape: tuple[int | None, ...], smallest: int, name: str) -> None:
    """Raise if images of (height, width, channels) have no pixels left at the end of a network. None is any size.

    >>> check_image((20, 31, 3), 32, "vgg16")
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: images of 20x31 run out of pixels in vgg16; expected at least 32x32: resize them
    """
    height, width, _ = input_shape
    if any(size is not None and size < smallest for size in (height, width)):
        raise UsageError(
            f"images of {height}x{width} run out of pixels in {name}; "
            f"expected at least {smallest}x{smallest}: resize them"
        )
