"""A user's own labelled texts in one table: a column of texts and one of classes."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoo.data import table_file
from zoo.data.text.folder import Labelled, LabelledTexts, TextFolder
from zoo.errors import UsageError

log = logging.getLogger("zoo")

TEXT_NAMES = ("text", "review", "sentence", "content", "body", "message", "comment", "document")
LABEL_NAMES = ("label", "class", "category", "target", "sentiment", "topic", "y")
MAX_CLASSES = 1000


class TextTable(LabelledTexts):
    """A ``.csv``, ``.tsv`` or ``.jsonl`` file with a row for each text.

    The columns are chosen by ``--option text_column=`` and ``label_column=``, or else by their names: "text" and
    "label", or words like them; or else the text is the longest column, and the label that with fewest values.
    """

    def __init__(self, path: Path, text_column: str = "", label_column: str = ""):
        self.path, self.name = path, str(path)
        self.table = table_file.read_table(path)
        self.columns = choose_columns(self.table, path, text_column, label_column)
        labels = self.table[self.columns[1]]
        self.class_names = tuple(sorted({label.strip() for label in labels}))
        if not 2 <= len(self.class_names) <= MAX_CLASSES:
            raise UsageError(
                f"the column {self.columns[1]} of {path} has {len(self.class_names)} different values; expected 2 to "
                f"{MAX_CLASSES:,}, the classes: name another, --option label_column=COLUMN"
            )
        text, label = self.columns
        log.info(f"texts are the column {text}, their {len(self.class_names)} classes the column {label}")

    def sha256(self) -> str:
        return table_file.sha256(self.path)

    def read(self) -> dict[str, Labelled]:
        texts, labels = (self.table[name] for name in self.columns)
        number = {name: each for each, name in enumerate(self.class_names)}
        rows = [
            (text, number[label.strip()], f"row {row}")
            for row, (text, label) in enumerate(zip(texts, labels), start=1)
            if text.strip()
        ]
        if empty := len(texts) - len(rows):
            log.info(f"{empty:,} of {len(texts):,} rows of {self.path.name} have no text and are left out")
        found, numbers, names = zip(*rows) if rows else ((), (), ())
        return {"": (np.array(found, object), np.array(numbers, int), np.array(names, object))}


def choose_columns(table: table_file.Table, path: Path, text: str, label: str) -> tuple[str, str]:
    """The columns of texts and of classes.

    >>> choose_columns({"id": ["1", "2"], "body": ["a b", "c d"], "stars": ["5", "5"]}, Path("a.csv"), "", "")
    ('body', 'stars')
    """
    for name, option in ((text, "text_column"), (label, "label_column")):
        if name:
            table_file.check_column(table, name, path, option)
    rest = [name for name in table if name not in (text, label)]
    text = text or named(rest, TEXT_NAMES) or max(rest, key=lambda name: sum(map(len, table[name])), default="")
    rest = [name for name in rest if name != text]
    label = label or named(rest, LABEL_NAMES) or min(rest, key=lambda name: len(set(table[name])), default="")
    if not text or not label:
        raise UsageError(f"{path} has the columns {', '.join(table)}; expected one of texts and one of classes")
    return text, label


def named(columns: Sequence[str], usual: Sequence[str]) -> str:
    """The first column that has a usual name, or ""."""
    return next((name for word in usual for name in columns if name.strip().lower() == word), "")


def labelled_texts(path: Path, *, text_column: str = "", label_column: str = "") -> LabelledTexts:
    """A folder of texts, or a table with columns of texts and of classes."""
    if path.is_dir():
        return TextFolder(path)
    if path.suffix.lower() in table_file.SUFFIXES:
        return TextTable(path, text_column, label_column)
    raise UsageError(f"{path} is one text; expected a folder with a sub-folder for each class, or a table")
