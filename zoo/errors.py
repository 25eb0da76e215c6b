"""What the zoo says when it is asked for something that cannot be."""

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """A request that cannot be carried out, explained in one line.

    The line says what came, what was expected and what to do. The command line prints it and exits
    with code 2; in Python it is an ordinary ``ValueError``.

    >>> raise UsageError("epochs is 0; expected a whole number of at least 1: leave it out or raise it")
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: epochs is 0; expected a whole number of at least 1: leave it out or raise it
    """

    def __init__(self, message: str):
        super().__init__(" ".join(message.split()))


def unknown(kind: str, value: object, known: Iterable[str], *, hint: str = "") -> UsageError:
    """The error for a name that does not exist, with the nearest names that do.

    >>> unknown("model", "lenet", ["lenet5", "mlp"], hint="`zoo list` shows all")
    UsageError("there is no model 'lenet'; did you mean lenet5? (`zoo list` shows all)")
    """
    known = sorted(known)
    near = difflib.get_close_matches(str(value).lower(), known, n=3, cutoff=0.6)
    if near:
        says = f"did you mean {' or '.join(near)}?"
    else:
        says = f"there are {', '.join(known)}" if len(known) <= 12 else f"there are {len(known)}"
    return UsageError(f"there is no {kind} {value!r}; {says}" + (f" ({hint})" if hint else ""))
