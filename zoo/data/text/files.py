"""zoo.data.text.files."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.data.base import SPLITS
from zoo.data.sources import Source, tensorflow
from zoo.data.text import files as text_files
from zoo.errors import UsageError, unknown


@dataclass(frozen=True)
class TextSource(Source):
    """Lines of text files, read as they are needed."""

    lines: Callable[[str, str], Iterator[str]]  # (split, what to call it) -> its lines


PARTS = {0: "test", 1: "validation"}  # of every 20 lines; the rest trains
EVERY = 20
PIECE = re.compile(r".{1,5000}(?:\s+|$)|\S+")  # longer lines count as several


class TextFiles:
    """A text file (or a folder of ``.txt`` files) in UTF-8, of any size: one line in 20 tests, one validates."""

    def __init__(self, path: Path):
        self.path, self.name = path, str(path)
        self.files = sorted(path.rglob("*.txt")) if path.is_dir() else [path]
        if not self.files or not all(file.is_file() for file in self.files):
            raise UsageError(f"there is no text at {path}; expected a text file, or a folder of .txt files")

    def sha256(self) -> str:
        digest = hashlib.sha256()
        for file in self.files:
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
        return digest.hexdigest()

    def load(self) -> Source:
        def split(text):
            lines = tensorflow().data.Dataset.from_generator(
                lambda: ({"text": line} for line in self.lines(text)),
                output_signature={"text": tensorflow().TensorSpec((), "string")},
            )
            return lines

        return TextSource(self.name, (), split, self.lines)

    def lines(self, split: str, what: str = "") -> Iterator[str]:
        if split not in SPLITS:
            raise unknown(f"split of {self.path}", split, SPLITS)
        number = 0
        for file in self.files:
            for line in text_files.lines_of(file, what=what or "reading"):
                for piece in PIECE.findall(line):
                    if PARTS.get(number % EVERY, "train") == split:
                        yield piece
                    number += 1


def lines_of(path: Path, *, what: str = "reading") -> Iterator[str]:
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
    try:
        size = path.stat().st_size
        with path.open("rb") as file, tqdm(desc=what, total=size, unit="B", unit_scale=True, disable=None) as bar:
            while block := file.read(2**20):
                bar.update(len(block))
                rest += block
                cut = rest.rfind(b"\n") + 1 or rest.rfind(b" ") + 1  # a text may be one line
                yield from decoded(rest[:cut])
                offset, rest = offset + cut, rest[cut:]
            yield from decoded(rest)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); expected a text file") from None
