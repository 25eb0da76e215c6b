"""Which images lie in a folder, of which class, and in whose split: sub-folders by class, or a table `labels.csv`."""

import csv
import logging
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, NamedTuple

from zoo.data.base import SPLITS
from zoo.errors import UsageError, some

log = logging.getLogger("zoo")

TABLE = "labels.csv"
SPELLINGS = {  # of the splits, as people name their folders
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}
MEANT = {spelling: split for split, spellings in SPELLINGS.items() for spelling in spellings}
FILE_COLUMNS, CLASS_COLUMNS = ("path", "file", "filename", "file_name", "image"), ("label", "class", "category")


class Found(NamedTuple):
    """A file, its class, and the split that its owner put it in ("" where there is none)."""

    path: Path
    label: str
    split: str


def listed(root: Path, endings: Sequence[str], kind: str) -> list[Found]:
    """Every file below `root` that says by its ending that it is one of a `kind` ("images"); the others are told.

    Raises:
        UsageError: if a table cannot be read, or splits stand beside folders that are none.
    """
    table = root / TABLE
    by_table = table.is_file()
    found = from_table(table) if by_table else list(from_folders(root))
    return sound(found, root, endings, kind, labels=set() if by_table else labels_of(root))


def sound(
    found: list[Found], root: Path, endings: Sequence[str], kind: str, *, labels: AbstractSet[str] = frozenset()
) -> list[Found]:
    """Those that end as one of a `kind` does, of classes that are trained on; the others are told.

    Args:
        found: files.
        root: what they were found in, for what is said of it.
        endings: of the kind.
        kind: what they are.
        labels: classes that there should be.
    """
    files = [each for each in found if each.path.suffix.lower() in endings]
    if others := sorted({path.suffix.lower() or path.name for path, _, _ in found} - set(endings)):
        log.warning(
            f"left out {len(found) - len(files)} files of {root} that do not end in {', '.join(endings)}: "
            f"{some(others)}"
        )
    if empty := sorted(labels - {each.label for each in files}):
        log.warning(f"left out {some(empty)} of {root}: no {kind} in there")
    splits = {each.split for each in files}
    trained = {each.label for each in files if each.split == "train"}
    if splits != {""} and (unseen := sorted({each.label for each in found} - trained)):
        log.warning(f"left out {some(unseen)} of {root}: no {kind} to train on, only elsewhere")
        files = [each for each in files if each.label not in unseen]
    return files


def from_folders(root: Path) -> Iterator[Found]:
    """``<class>/**/<file>`` or ``<split>/<class>/**/<file>``, without hidden files, sorted."""
    for folder, split in split_folders(root).items():
        for label in subfolders(root / folder):
            inside = (root / folder / label).rglob("*")
            for file in sorted(inside):
                hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
                if file.is_file() and not hidden:
                    yield Found(file, label, split)


def split_folders(root: Path) -> dict[str, str]:
    """The folders that hold the classes' folders, and the splits that they are: ``{"val": "validation", ...}``.

    ``{".": ""}`` where the classes lie in `root` itself.
    """
    names = subfolders(root)
    splits = {name: MEANT[name.casefold()] for name in names if name.casefold() in MEANT}
    if "train" not in splits.values() or len(splits) < 2:
        return {".": ""}
    if others := [name for name in names if name not in splits]:
        raise UsageError(f"{root} has the split {some(others)}; expected train, test and perhaps validation")
    if len(set(splits.values())) < len(splits):
        raise UsageError(f"{root} has {some(names)}; expected one folder for each of {', '.join(SPLITS)}")
    return splits


def labels_of(root: Path) -> set[str]:
    """The names of the classes' folders, with or without anything in them.

    Raises:
        UsageError: if it is a file.
    """
    if root.is_file():
        raise UsageError(f"{root} is no folder; expected one of files: give {root.parent}, where it lies, or another")
    return {label for folder in split_folders(root) for label in subfolders(root / folder)}


def from_table(table: Path) -> list[Found]:
    """The rows of a table with a column of files (from the table's folder on), one of classes, perhaps one of splits.

    Raises:
        UsageError: if it has no such columns.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{table} cannot be read ({error}); expected commas between columns, in UTF-8") from None
    return from_rows(rows, str(table), table.parent)


def from_rows(rows: Sequence[Mapping[Any, Any]], name: str, root: Path) -> list[Found]:
    """The files that rows name, from a folder on, with their classes and perhaps their splits.

    Raises:
        UsageError: if there are no such columns.
    """
    columns = {str(key).strip().casefold(): key for key in (rows[0] if rows else {})}
    file_column, class_column = (
        next((columns[name] for name in names if name in columns), None) for names in (FILE_COLUMNS, CLASS_COLUMNS)
    )
    if file_column is None or class_column is None:
        raise UsageError(
            f"{name} has the columns {', '.join(columns) or '(none)'}; "
            f"expected {FILE_COLUMNS[0]} and {CLASS_COLUMNS[0]}"
        )
    split_column = columns.get("split")
    whole, lost = [], []
    for row in rows:
        file, label = cell(row[file_column]), cell(row[class_column])
        split = cell(row[split_column]) if split_column is not None else ""
        if split and split.casefold() not in MEANT:
            raise UsageError(f"{name} has the split {split!r}; expected {', '.join(SPLITS)}")
        if label and file and (root / file).is_file():
            whole.append(Found(root / file, label, MEANT.get(split.casefold(), "")))
        else:
            lost.append(file or "(no name)")
    if lost:
        log.warning(f"left out {len(lost)} rows of {name} without a class, or whose file is not there: {some(lost)}")
    splits = {each.split for each in whole}
    if "" in splits and len(splits) > 1:
        raise UsageError(f"{name} names a split in some rows only; expected one in each, or in none")
    return whole


def cell(value: Any) -> str:
    """What stands in a cell, as text; "" for nothing (pandas has NaN there)."""
    return "" if value is None or value != value else str(value).strip()


def subfolders(path: Path) -> list[str]:
    """The names of the folders in a folder, sorted, without hidden ones."""
    return sorted(each.name for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))
