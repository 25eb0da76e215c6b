"""Which images lie in a folder, of which class, and in whose split: sub-folders by class, or a table `labels.csv`."""

import csv
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

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
    found = from_table(table) if table.is_file() else list(from_folders(root))
    files = [each for each in found if each.path.suffix.lower() in endings]
    if others := sorted({path.suffix.lower() or path.name for path, _, _ in found} - set(endings)):
        log.warning(
            f"left out {len(found) - len(files)} files of {root} that do not end in {', '.join(endings)}: "
            f"{some(others)}"
        )
    labels = {each.label for each in found}
    if empty := sorted(labels_of(root) - {each.label for each in files}) if not table.is_file() else []:
        log.warning(f"left out {some(empty)} of {root}: no {kind} in there")
    splits = {each.split for each in files}
    if splits != {""} and (unseen := sorted(labels - {each.label for each in files if each.split == "train"})):
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
    """The names of the classes' folders, with or without anything in them."""
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
    columns = {str(name).strip().casefold(): name for name in (rows[0] if rows else {})}
    file_column, class_column = (
        next((columns[name] for name in names if name in columns), None) for names in (FILE_COLUMNS, CLASS_COLUMNS)
    )
    if file_column is None or class_column is None:
        raise UsageError(
            f"{table} has the columns {', '.join(columns) or '(none)'}; "
            f"expected {FILE_COLUMNS[0]} and {CLASS_COLUMNS[0]}"
        )
    split_column = columns.get("split")
    whole, lost = [], []
    for row in rows:
        name, label = (row[file_column] or "").strip(), (row[class_column] or "").strip()
        split = (row[split_column] or "").strip() if split_column else ""
        if split and split.casefold() not in MEANT:
            raise UsageError(f"{table} has the split {split!r}; expected {', '.join(SPLITS)}")
        if label and name and (table.parent / name).is_file():
            whole.append(Found(table.parent / name, label, MEANT.get(split.casefold(), "")))
        else:
            lost.append(name or "(no name)")
    if lost:
        log.warning(f"left out {len(lost)} rows of {table} without a class, or whose file is not there: {some(lost)}")
    splits = {each.split for each in whole}
    if "" in splits and len(splits) > 1:
        raise UsageError(f"{table} names a split in some rows only; expected one in each, or in none")
    return whole


def subfolders(path: Path) -> list[str]:
    """The names of the folders in a folder, sorted, without hidden ones."""
    return sorted(each.name for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))
