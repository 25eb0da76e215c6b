"""The width multiplier: the same network with fewer or more channels."""


def scaled(channels: int, width: float, groups: int = 1) -> int:
    """`width` times the channels, a multiple of `groups`, and at least 8: fewer ReLUs may all be 0 at once.

    >>> scaled(64, 0.5), scaled(64, 0.01), scaled(96, 0.1, groups=2)
    (32, 8, 10)
    """
    return groups * max(8 // groups, round(width * channels / groups))
