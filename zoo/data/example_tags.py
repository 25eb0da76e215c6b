"""Tags that a user gives to examples: a table with a row for each, its file or number first, then its tags."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from zoo.errors import UsageError, as_written

NAMES = ("file", "example")  # of the first column, as the zoo writes it
OTHERS = ("class", "predicted", "confidence")  # columns of the zoo's own beside it: no tags


def read_tags(path: str | Path) -> dict[str, list[str]]:
    """The tags of each example, by its file or number as ``mistakes.csv`` and ``errors.csv`` have it.

    Each further cell of a row holds a tag, as many as there are. The zoo's own tables may be filled in: their other
    columns are passed over. Examples without a tag are left out.

    Raises:
        UsageError: for a file that cannot be read or holds no tag, or a row without its example.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            table = [[as_written(cell.strip()) for cell in row] for row in csv.reader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as a table of tags: {error}") from None
    passed_over: set[int] = set()
    tags: dict[str, list[str]] = {}
    for number, row in enumerate(table):
        if number == 0 and row and row[0].lower() in NAMES:
            passed_over = {column for column, name in enumerate(row) if name.lower() in OTHERS}
            continue
        found = [cell for column, cell in enumerate(row) if cell and column and column not in passed_over]
        if found and not row[0]:
            raise UsageError(f"row {number + 1} of {path} has tags and no example; expected its file or number first")
        if found:
            tags.setdefault(row[0], []).extend(found)
    if not tags:
        raise UsageError(
            f"{path} holds no tags; expected rows like `17,blurred` or `cats/3.png,blurred,dark`: an example, its tags"
        )
    return tags


def tagged(tags: Mapping[str, list[str]], names: list[str], where: str) -> dict[str, np.ndarray]:
    """Whether each example has a tag, (examples,), by tag.

    Args:
        tags: of some examples, by name.
        names: of all examples, in their order.
        where: these are, for what is said of them.

    Raises:
        UsageError: for an example that there is not.

    >>> tagged({"1": ["blurred", "dark"]}, ["0", "1"], "the test set")["dark"].tolist()
    [False, True]
    """
    row_of = {name: row for row, name in enumerate(names)}
    found: dict[str, np.ndarray] = {}
    for name, of_example in tags.items():
        if name not in row_of:
            raise UsageError(
                f"there is no example {name!r} in {where}; expected a file or number as errors.csv names it, from "
                f"{names[0]} to {names[-1]}"
            )
        for tag in of_example:
            found.setdefault(tag, np.zeros(len(names), bool))[row_of[name]] = True
    return found
