"""zoo.checks."""



from collections.abc import Mapping
from typing import Any

from zoo.errors import UsageError


def check_picture(input_shape: tuple[int | None, ...], smallest: int, name: str) -> None:
    """Raise if pictures of (height, width, channels) have no pixels left at the end of a network. None is any size.

    >>> check_picture((20, 31, 3), 32, "vgg16")
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: pictures of 20x31 run out of pixels in vgg16; expected at least 32x32: resize them
    """
    height, width, _ = input_shape
    if any(size is not None and size < smallest for size in (height, width)):
        raise UsageError(
            f"pictures of {height}x{width} run out of pixels in {name}; "
            f"expected at least {smallest}x{smallest}: resize them"
        )


def check_count(option: str, value: Any) -> None:
    """Raise unless `value` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{option} is {value!r}; expected a whole number of at least 1")


def check_sizes(settings: Mapping[str, Any], **least: int) -> None:
    """Raise unless each of these settings is a whole number of at least so much.

    >>> check_sizes({"length": 0}, length=1)
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: length is 0; expected a whole number of at least 1
    """
    for name, smallest in least.items():
        value = settings[name]
        if isinstance(value, bool) or not isinstance(value, int) or value < smallest:
            raise UsageError(f"{name} is {value!r}; expected a whole number of at least {smallest}")
