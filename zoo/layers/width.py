"""The width multiplier: the same network with fewer or more channels."""


def scaled(channels: int, width: float, groups: int = 1) -> int:
    """`width` times the channels, a multiple of `groups`, and at least 8: fewer ReLUs may all be 0 at once.

    >>> scaled(64, 0.5), scaled(64, 0.01), scaled(96, 0.1, groups=2)
    (32, 8, 10)
    """
    return groups * max(8 // groups, round(width * channels / groups))


def rounded(channels: float, step: int = 8) -> int:
    """The nearest multiple of `step`, at least one, and never less than nine tenths of what was asked for.

    The rule of the published MobileNets and of EfficientNet's first version.

    >>> rounded(24), rounded(72 * 0.25), rounded(11), rounded(3)
    (24, 24, 16, 8)
    """
    found = nearest(channels, step)
    return found + step if found < 0.9 * channels else found


def nearest(channels: float, step: int = 8) -> int:
    """The nearest multiple of `step`, at least one.

    >>> nearest(19.2), rounded(19.2)
    (16, 24)
    """
    return max(step, int(channels + step / 2) // step * step)
