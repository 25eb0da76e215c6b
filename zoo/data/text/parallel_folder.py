"""A user's own parallel text, laid out as for `tfds.TranslateFolder`: a file for each language and split.

DIR/de.train.txt       DIR/en.train.txt        a sentence a line, the same line of both files says the same
DIR/de.validation.txt  DIR/en.validation.txt   without them, a tenth of the training lines
DIR/de.test.txt        DIR/en.test.txt

Or a table (`.tsv`, `.csv`, `.jsonl`) with a column for each language, named in its first line if that is none of the
pairs: a pair in ten tests and one in ten validates, the same sources together.
"""

import hashlib
import logging
import re
from pathlib import Path

from zoo.data import table_file
from zoo.data.encodings import check_fits, read_text
from zoo.data.sources import ParallelSource, Source
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError, unknown

log = logging.getLogger("zoo")

NAME = re.compile(r"(?P<language>[^.]+)\.(?P<split>train|validation|val|test)\.txt")
NAMES_A_COLUMN = re.compile("source|target|language|sentence|phrase|text|word|translat", re.IGNORECASE)
MIN_LINES = 20  # of training
TENTHS = {0: "test", 1: "validation"}  # of a table; the others train


class ParallelFolder:
    """Two (or more) languages, line by line."""

    def __init__(self, path: Path):
        self.path, self.name = path, str(path)
        if not path.is_dir():
            raise UsageError(f"{path} is no folder; expected one with de.train.txt, en.train.txt and so on")
        self.files: dict[str, dict[str, Path]] = {}  # split -> language -> file
        for file in sorted(path.iterdir()):
            if match := NAME.fullmatch(file.name):
                split = match["split"].replace("val", "validation") if match["split"] == "val" else match["split"]
                self.files.setdefault(split, {})[match["language"]] = file
        languages = {split: set(files) for split, files in self.files.items()}
        found = sorted(set().union(*languages.values()))
        if len(found) < 2:
            raise UsageError(
                f"{path} has files for {', '.join(found) or 'no language'}; expected two languages, as in de.train.txt "
                "and en.train.txt"
            )
        for split in {"train", "test", *languages}:
            if missing := set(found) - languages.get(split, set()):
                raise UsageError(f"{path} has no {min(missing)}.{split}.txt; expected one for each language and split")
        self.languages = found
        check_fits([file for files in self.files.values() for file in files.values()], path)

    def sha256(self) -> str:
        """Of names and contents."""
        digest = hashlib.sha256()
        for file in (file for files in self.files.values() for file in files.values()):
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
        return digest.hexdigest()

    def load(self) -> Source:
        """Read all files; hold a tenth of the training lines out where there is no validation split."""
        splits = {split: self._read(split) for split in self.files}
        if "validation" not in splits:
            count = len(splits["train"][self.languages[0]])
            if count < MIN_LINES:
                raise UsageError(f"{self.path} holds {count} training lines; expected at least {MIN_LINES}")
            whole = splits["train"]
            splits["validation"] = {language: lines[9::10] for language, lines in whole.items()}
            splits["train"] = {
                language: [line for number, line in enumerate(lines) if number % 10 != 9]
                for language, lines in whole.items()
            }

        def columns(name: str) -> dict[str, list[str]]:
            if name not in splits:
                raise unknown(f"split of {self.path}", name, splits)
            return splits[name]

        return ParallelSource(
            self.name, (), lambda name: tensorflow().data.Dataset.from_tensor_slices(columns(name)), columns
        )

    def _read(self, split: str) -> dict[str, list[str]]:
        texts = {language: read_text(file) for language, file in self.files[split].items()}
        lines = {language: text.removesuffix("\n").split("\n") for language, text in texts.items()}
        counts = {language: len(each) for language, each in lines.items()}
        if len(set(counts.values())) > 1:
            counted = " and ".join(f"{self.files[split][each].name} {count:,}" for each, count in counts.items())
            raise UsageError(f"the files of {self.path} differ in lines: {counted}; expected the same number, in pairs")
        return lines


class ParallelTable:
    """Two (or more) languages in the columns of a table."""

    def __init__(self, path: Path):
        self.path, self.name = path, str(path)
        self.table = table_file.read_table(path)
        if path.suffix.lower() != ".jsonl" and any(map(is_sentence, self.table)):
            log.info(f"the first line of {path.name} is taken for a pair; it would name the columns if it said so")
            columns = enumerate(self.table.items(), start=1)
            self.table = {str(number): [first, *cells] for number, (first, cells) in columns}
        if len(self.table) < 2:
            raise UsageError(
                f"{path} has one column ({', '.join(self.table)}); expected one for each language, as de and en"
            )

    def sha256(self) -> str:
        return table_file.sha256(self.path)

    def load(self) -> Source:
        """Divide the rows by the hash of what stands in the first column."""
        parts = [TENTHS.get(tenth_of(cell), "train") for cell in next(iter(self.table.values()))]
        splits = {
            split: {
                language: [cell for cell, each in zip(cells, parts) if each == split]
                for language, cells in self.table.items()
            }
            for split in ("train", "validation", "test")
        }
        for split in splits:
            if split not in parts:
                raise UsageError(f"{self.path} holds {len(parts)} pairs, too few that differ; expected {MIN_LINES}")

        def columns(name: str) -> dict[str, list[str]]:
            if name not in splits:
                raise unknown(f"split of {self.path}", name, splits)
            return splits[name]

        return ParallelSource(
            self.name, (), lambda name: tensorflow().data.Dataset.from_tensor_slices(columns(name)), columns
        )


def is_sentence(name: str) -> bool:
    """Whether the name of a column is no name but part of a text.

    >>> [is_sentence(name) for name in ("en", "English sentences", "Go.", "a cat sat")]
    [False, False, True, True]
    """
    ends = name.rstrip().endswith(tuple(".!?\N{IDEOGRAPHIC FULL STOP}\N{HORIZONTAL ELLIPSIS}"))
    return ends or (" " in name.strip() and not NAMES_A_COLUMN.search(name))


def tenth_of(text: str) -> int:
    """0 to 9, the same for texts that are the same but for case and spaces.

    >>> tenth_of("Ja.") == tenth_of(" ja. ")
    True
    """
    return hashlib.sha256(" ".join(text.lower().split()).encode()).digest()[0] % 10


def parallel_texts(path: Path) -> ParallelFolder | ParallelTable:
    """A folder of files, or a table."""
    return ParallelTable(path) if path.suffix.lower() in table_file.SUFFIXES else ParallelFolder(path)
