"""What a user gives a trained network to read: texts, or the names of files that hold them.

A word that is the name of a file is taken for the file: nobody asks what a network thinks of "review.txt".
"""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from zoo.data.encodings import read_text
from zoo.errors import UsageError

SUFFIXES = (".txt", ".md", ".csv", ".tsv", ".jsonl")  # of what must be a file


def file_named(text: str) -> Path | None:
    """The file that a text is the name of, if it is one.

    Raises:
        UsageError: for the name of a text file that is not there.
    """
    name = text.strip()
    if not name or "\n" in name or len(name) > 255:
        return None
    path = Path(name)
    if os.path.isfile(name):  # unlike Path's own, it answers for names that are too long
        return path
    if path.suffix.lower() in SUFFIXES and " " not in name:
        raise UsageError(f"there is no file {name}; expected a text, or a file that holds one: check the name")
    return None


def read_texts(inputs: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What to call each input, and its text: itself, the whole of its file, or of the standard input (``-``).

    >>> list(read_texts(["so good"]))
    [('so good', 'so good')]
    """
    for text in inputs:
        if text == "-":
            yield "-", sys.stdin.read()
        elif path := file_named(text):
            yield text, read_text(path)
        else:
            yield text, text


def read_lines(inputs: Iterable[str]) -> Iterator[str]:
    """Each input, or the lines of its file, of which the empty ones stay.

    >>> list(read_lines(["so good"]))
    ['so good']
    """
    for text in inputs:
        if path := file_named(text):
            yield from read_text(path).splitlines()
        else:
            yield text
