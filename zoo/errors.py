"""The one error of the zoo for a request that cannot be carried out, how it is worded, and what others have written."""

import difflib
import math
import re
from collections.abc import Iterable, Sequence

# Escape codes, line ends and the like; and what makes a terminal write from right to left until further notice.
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


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
        super().__init__(printable(" ".join(message.split())))


def printable(text: str) -> str:
    r"""A text of somebody else's as a terminal may show it: in one line, without codes that move or colour anything.

    >>> print(printable("cat\x1b[31m\nred"))
    cat\x1b[31m\nred
    """
    return CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


def no_formula(cell: object) -> object:
    """A cell of a table as a spreadsheet takes it for text: with an apostrophe before what would begin a formula.

    >>> [no_formula(cell) for cell in ("cat", "=1+1", "-0.5", -0.5, "-e", "'tis")]
    ['cat', "'=1+1", '-0.5', -0.5, "'-e", "''tis"]
    """
    if not isinstance(cell, str) or not cell.startswith(("=", "+", "-", "@", "\t", "\r", "'")):
        return cell
    try:
        return str(cell) if math.isfinite(float(cell)) else f"'{cell}"
    except ValueError:
        return f"'{cell}"


def as_written(cell: str) -> str:
    """`no_formula` undone.

    >>> as_written(no_formula("=1+1")), as_written("-0.5")
    ('=1+1', '-0.5')
    """
    return cell.removeprefix("'")


def unknown(kind: str, value: object, known: Iterable[str], *, hint: str = "") -> UsageError:
    """The error for a name that does not exist, with the nearest names that do.

    >>> unknown("model", "lenet", ["lenet5", "mlp"], hint="`zoo list` shows all")
    UsageError("there is no model 'lenet'; did you mean lenet5? (`zoo list` shows all)")
    >>> unknown("option of nin", "size", [])
    UsageError("there is no option of nin 'size'; there are none")
    >>> unknown("option", "--lr", ["--learning-rate", "--run", "--loop"])
    UsageError("there is no option '--lr'; did you mean --learning-rate?")
    """
    known = sorted(set(known))
    asked = str(value).lower()
    near = [name for name in known if initials(name) == asked.strip("-")]
    near = near or difflib.get_close_matches(asked, known, n=3, cutoff=0.6)
    if not known:
        help = "there are none"
    elif near:
        help = f"did you mean {' or '.join(near)}?"
    else:
        help = f"there are {', '.join(known)}" if len(known) <= 24 else f"there are {len(known)}"
    return UsageError(f"there is no {kind} {value!r}; {help}" + (f" ({hint})" if hint else ""))


def initials(name: str) -> str:
    """Of a name of several words, by which people call it; "" of one word.

    >>> initials("--learning-rate"), initials("batch_size"), initials("--run")
    ('lr', 'bs', '')
    """
    words = re.findall(r"[A-Za-z0-9]+", name.replace("_", " "))
    return "".join(word[0] for word in words) if len(words) > 1 else ""


def some(things: Sequence[object], limit: int = 5) -> str:
    """The first things of a list, in words.

    >>> some(["a.png", "b.png", "c.png"], limit=2)
    'a.png, b.png, ...'
    """
    return ", ".join(map(str, things[:limit])) + (", ..." if len(things) > limit else "")


def first_line(error: BaseException) -> str:
    r"""The line of another library's error that says what is wrong.

    >>> first_line(ValueError("Exception encountered when calling Dense.call().\n\n\x1b[1mSizes differ.\x1b[0m\nMore"))
    'Sizes differ.'
    """
    own = re.search(r"UsageError: (.*)", str(error))  # wrapped in one of TensorFlow's
    if own:
        return own[1].strip()
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith(("Exception encountered", "in user code:"))]
    return telling[0] if telling else type(error).__name__
