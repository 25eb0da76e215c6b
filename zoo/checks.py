"""Checks of values that users give; each raises one line with what came and what was expected."""

import math
import numbers
from collections.abc import Mapping
from typing import Any

from zoo.errors import UsageError


def is_whole(value: Any, least: int = 1) -> bool:
    """Whether `value` is a whole number, NumPy's as well and True not, of at least `least`."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= least


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


def check_not_negative(name: str, value: Any) -> None:
    """Raise unless `value` is a finite number of at least 0.

    >>> check_not_negative("style_weight", -1.0)
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: style_weight is -1.0; expected a number of at least 0
    """
    if not is_number(value, 0):
        raise UsageError(f"{name} is {value!r}; expected a number of at least 0")


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
