"""A folder of the user's own images and a table of what is true of each: a column for each yes/no question."""

import hashlib
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from zoo.data.base import SPLITS
from zoo.data.encodings import read_text
from zoo.data.image.attributes import chosen_of
from zoo.data.image.dividing import EVERYTHING, ImageFile, by_owner, by_record, digest_of
from zoo.data.image.files import ENDINGS, TOO_MANY_PIXELS
from zoo.data.image.jpeg import Size
from zoo.data.image.listing import FILE_COLUMNS, MEANT, TABLE
from zoo.data.image.reading import look, opened
from zoo.data.sources import Source
from zoo.data.split_record import Example, SplitRecord
from zoo.data.table_file import csv_rows
from zoo.errors import UsageError, some, unknown
from zoo.metrics.multi_task import UNKNOWN

log = logging.getLogger("zoo")

ANSWERS: Mapping[str, int] = {  # as cells hold them, in small letters
    **dict.fromkeys(("1", "1.0", "true", "yes"), 1),
    **dict.fromkeys(("0", "0.0", "false", "no"), 0),
    **dict.fromkeys(("", "-1", "-1.0", "nan", "na"), UNKNOWN),
}
FEWEST = 10  # images: of fewer one alone is a whole split


@dataclass(frozen=True)
class Row:
    """A row of the table: its last line, the file as it is written there, a number for each attribute, the split."""

    line: int
    file: str
    answers: tuple[int, ...]
    split: str


class AttributeFolder:
    """``PHOTOS/labels.csv`` and the images that it names: columns file, one for each attribute, and perhaps split.

    A cell is 1 (yes, true) or 0 (no, false); an empty one, or -1, is an answer that is not known. Commas, semicolons
    or tabs stand between cells. Without splits of their own, 70 % of the images train, 10 % validate and 20 % test, by
    the content of the files.

    Args:
        path: of the folder, or of the table, from whose folder on the files are named.
        attributes: the columns to learn, with commas between them; "" for all that are not file or split.
        cover: a size of images; a photograph that has twice, four or eight times that is read at a fraction of its own.
    """

    def __init__(self, path: Path, *, attributes: str = "", cover: Size | None = None):
        self.at_least = cover
        self.path, self.table = (path.parent, path) if path.is_file() else (path, path / TABLE)
        self.name, self.chosen = str(path), chosen_of(attributes)
        if not self.table.is_file():
            raise UsageError(
                f"{path} has no {TABLE}; expected one with the columns file and one for each yes/no question, with 1, "
                "0, or nothing where the answer is not known"
            )

    @cached_property
    def rows(self) -> tuple[tuple[str, ...], list[Row]]:
        """The attributes, and the rows of the table whose files are there.

        Raises:
            UsageError: with the line, for what is no table of answers.
        """
        (_, header), *lines = csv_rows(read_text(self.table), self.table)
        columns = {name.casefold(): number for number, name in enumerate(header)}
        file = next((columns[name] for name in FILE_COLUMNS if name in columns), None)
        if file is None:
            raise UsageError(
                f"line 1 of {self.table} names the columns {', '.join(header) or '(none)'}; expected file (or path), "
                "and one for each yes/no question"
            )
        split = columns.get("split")
        names = self.chosen or [name for number, name in enumerate(header) if number not in (file, split)]
        for name in names:
            if name not in header:
                raise unknown(f"column of {self.table}", name, header)
        if not names:
            raise UsageError(f"line 1 of {self.table} names the files only; expected a column for each yes/no question")
        places = {name: header.index(name) for name in names}
        found, seen = list[Row](), dict[str, int]()
        lost = list[str]()
        for line, cells in lines:
            row = Row(
                line,
                cells[file].strip(),
                tuple(self._answer(cells[place], name, line) for name, place in places.items()),
                self._split(cells[split] if split is not None else "", line),
            )
            if not row.file:
                raise UsageError(f"line {line} of {self.table} names no file; expected one from its folder on")
            if row.file in seen:
                raise UsageError(
                    f"line {line} of {self.table} names {row.file}, as line {seen[row.file]} does; expected a row for "
                    "each image: drop one"
                )
            seen[row.file] = line
            if (self.path / row.file).is_file():
                found.append(row)
            else:
                lost.append(f"{row.file} (line {line})")
        if lost and not found:
            raise UsageError(f"{self.table} names {lost[0]}, which is not in {self.path}; expected files from there on")
        if lost:
            log.warning(f"left out {len(lost)} rows of {self.table} whose file is not there: {some(lost)}")
        if found and not any(answer != UNKNOWN for row in found for answer in row.answers):
            raise UsageError(f"{self.table} answers nothing: all cells of {some(names)} are empty; expected 1 and 0")
        return tuple(names), found

    def _answer(self, cell: str, name: str, line: int) -> int:
        answer = ANSWERS.get(cell.strip().casefold())
        if answer is None:
            raise UsageError(
                f"line {line} of {self.table} has {cell.strip()[:40]!r} under {name}; expected 1, 0, or nothing where "
                "it is not known; other columns are left out by naming those to learn: --option attributes=..."
            )
        return answer

    def _split(self, cell: str, line: int) -> str:
        if cell.strip() and cell.strip().casefold() not in MEANT:
            raise UsageError(
                f"line {line} of {self.table} has the split {cell.strip()!r}; expected {', '.join(SPLITS)}"
            )
        return MEANT.get(cell.strip().casefold(), "")

    @cached_property
    def answers(self) -> Mapping[Path, Row]:
        """The row of each image that can be read, of whose answers some are known; the others are named.

        Copies of an image of which different things are said are left out too.
        """

        def readable(row: Row) -> bool:
            try:
                look(self.path / row.file)
            except UsageError as error:
                if "pip install" in str(error) or TOO_MANY_PIXELS in str(error):
                    raise
                return False
            return True

        rows = [row for row in self.rows[1] if set(row.answers) != {UNKNOWN}]
        if empty := len(self.rows[1]) - len(rows):
            log.info(f"{self.table}: {empty} rows without any answer are left out")
        images = [row for row in rows if (self.path / row.file).suffix.lower() in ENDINGS]
        with ThreadPoolExecutor() as pool:
            sound = dict(zip((row.file for row in images), pool.map(readable, images)))
        if strange := [f"{row.file} (line {row.line})" for row in rows if not sound.get(row.file, False)]:
            log.warning(f"left out {len(strange)} files of {self.table} that cannot be read as images: {some(strange)}")
        return {self.path / row.file: row for row in rows if sound.get(row.file, False)}

    @cached_property
    def images(self) -> list[ImageFile]:
        with ThreadPoolExecutor() as pool:
            digests = dict(zip(self.answers, pool.map(digest_of, self.answers)))
        said: dict[str, set[tuple[int, ...]]] = {}
        for path, digest in digests.items():
            said.setdefault(digest, set()).add(self.answers[path].answers)
        twice = [row.file for path, row in self.answers.items() if len(said[digests[path]]) > 1]
        if twice:
            log.warning(f"left out {len(twice)} copies of images of {self.path} with different answers: {some(twice)}")
        found = [
            ImageFile(path, EVERYTHING, digests[path], row.split)
            for path, row in self.answers.items()
            if len(said[digests[path]]) == 1
        ]
        if len(found) < FEWEST:
            raise UsageError(f"{self.table} has {len(found)} images with answers; expected at least {FEWEST}")
        return found

    def sha256(self) -> str:
        """Of the images and what is said of them."""
        lines = sorted(f"{each.digest} {each.split} {self.answers[each.path].answers}" for each in self.images)
        return hashlib.sha256("\n".join([" ".join(self.rows[0]), *lines]).encode()).hexdigest()

    def load(self) -> Source:
        """Look at every image, split them and open them."""
        return self._opened(by_owner(self.images, self.path, FEWEST))

    def load_by(self, record: SplitRecord) -> Source:
        """As `load`, with the splits of a run, whatever has changed since."""
        return self._opened(by_record(self.images, record, self.path))

    def _opened(self, splits: Mapping[str, list[ImageFile]]) -> Source:
        counts = ", ".join(f"{len(splits[split])} {split}" for split in SPLITS)
        names, total = self.rows[0], sum(map(len, splits.values()))
        log.info(f"{self.path}: {total} images ({counts}), attributes {some(names)}")
        ordered = {split: sorted(images, key=lambda each: each.digest) for split, images in splits.items()}

        def split(text: str) -> Any:
            if text not in ordered:
                raise unknown(f"split of {self.path}", text, ordered)
            paths = [each.path for each in ordered[text]]
            return opened(paths, [self.answers[path].answers for path in paths], 3, self.at_least)

        examples = tuple(
            Example(split, each.label, each.digest, self.answers[each.path].file)
            for split, images in ordered.items()
            for each in images
        )
        return Source(self.name, names, split, examples=examples)
