"""Text files of any size, read line by line and split into training, validation and test."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.data.base import SPLITS
from zoo.data.generators import from_generator
from zoo.data.sources import Source
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError, unknown

SPLIT_CYCLE = 20  # lines, of which these are held out; the rest trains
HELD_OUT = {0: "test", 1: "validation"}
LINE_PART = re.compile(r".{1,5000}(?:\s+|$)|\S+")  # longer lines count as several
BYTES_AT_ONCE = 2**20


@dataclass(frozen=True)
class TextSource(Source):
    """Lines of text files, read as they are needed."""

    lines: Callable[[str, str], Iterator[str]]  # (split, what the progress bar calls it) -> its lines


class TextFiles:
    """A text file (or a folder of ``.txt`` files) in UTF-8, of any size: one line in 20 tests, one validates.

    Raises:
        UsageError: where there is none.
    """

    def __init__(self, path: Path):
        self.path, self.name = path, str(path)
        self.files = sorted(path.rglob("*.txt")) if path.is_dir() else [path]
        if not self.files or not all(file.is_file() for file in self.files):
            raise UsageError(f"there is no text at {path}; expected a text file, or a folder of .txt files")

    def sha256(self) -> str:
        """Of the hashes of all files."""
        digest = hashlib.sha256()
        for file in self.files:
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
        return digest.hexdigest()

    def load(self) -> TextSource:
        """The files as a data set of lines."""

        def split(part: str) -> Any:
            signature = {"text": tensorflow().TensorSpec((), "string")}
            return from_generator(lambda: ({"text": line} for line in self.lines(part)), signature)

        return TextSource(self.name, (), split, self.lines)

    def lines(self, split: str, description: str = "reading") -> Iterator[str]:
        """The lines of a split; `description` stands before the progress bar."""
        if split not in SPLITS:
            raise unknown(f"split of {self.path}", split, SPLITS)
        number = 0
        for file in self.files:
            for line in lines_of(file, description=description):
                for part in LINE_PART.findall(line):
                    if HELD_OUT.get(number % SPLIT_CYCLE, "train") == split:
                        yield part
                    number += 1


def lines_of(path: Path, *, description: str = "reading") -> Iterator[str]:
    """The lines of a UTF-8 text file, one at a time, under a progress bar if someone watches.

    Raises:
        UsageError: for a file that is not there, or a byte that is no UTF-8 (with its offset).
    """
    from tqdm import tqdm

    def decoded(part: bytes) -> list[str]:
        try:
            return part.decode("utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise UsageError(
                f"byte {offset + error.start} of {path} is {part[error.start]:#04x}, which is no UTF-8; "
                "expected UTF-8 text: convert the file"
            ) from None

    offset, rest = 0, b""
    bar_options = dict(desc=description, unit="B", unit_scale=True, disable=None)
    try:
        size = path.stat().st_size
        with path.open("rb") as file, tqdm(total=size, **bar_options) as bar:
            while read := file.read(BYTES_AT_ONCE):
                bar.update(len(read))
                rest += read
                cut = rest.rfind(b"\n") + 1 or rest.rfind(b" ") + 1  # a text may be one line
                yield from decoded(rest[:cut])
                offset, rest = offset + cut, rest[cut:]
            yield from decoded(rest)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); expected a text file") from None
