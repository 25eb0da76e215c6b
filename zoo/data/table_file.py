"""Tables in text files: CSV with commas, semicolons or tabs, whose first line names the columns, and JSON lines."""

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from zoo.data.encodings import check_fits, read_text
from zoo.errors import UsageError, unknown

SUFFIXES = (".csv", ".tsv", ".jsonl")
DELIMITERS = ",;\t|"
Table = Mapping[str, list[str]]  # column -> its cells, as they stand in the file


def read_table(path: Path) -> Table:
    """The columns of a table.

    Raises:
        UsageError: for a file that is none, with the line.
    """
    check_table(path)
    check_fits([path], path)
    text = read_text(path)
    table = read_json_lines(text, path) if path.suffix.lower() == ".jsonl" else read_csv(text, path)
    if not table or not next(iter(table.values())):
        raise UsageError(f"{path} holds no rows; expected a line of names, and then one for each example")
    return table


def check_table(path: Path) -> None:
    """Raise unless there is a file with a name as tables have."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}; expected a table: {', '.join(SUFFIXES)}")
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path} is no table; expected a file that ends in {', '.join(SUFFIXES)}")


def read_csv(text: str, path: Path) -> Table:
    """Cells between the delimiter that the first line has most of; a quoted cell may hold it, and line ends."""
    (_, names), *rows = csv_rows(text, path)
    return {name: [row[number] for _, row in rows] for number, name in enumerate(names)}


def csv_rows(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """As `read_csv`, row after row: the line that it ends on, and its cells; first the names of the columns."""
    first = text.partition("\n")[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        names = [name.strip() for name in next(reader, [])]
        if len(set(names)) < len(names):
            raise UsageError(
                f"{path} has two columns of one name ({', '.join(names)}); expected the first line to name"
            )
        yield reader.line_num, names
        for row in reader:
            if row and len(row) != len(names):
                raise UsageError(
                    f"line {reader.line_num} of {path} has {len(row)} cells; expected {len(names)}, as its first line"
                )
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise UsageError(f"line {reader.line_num} of {path} cannot be read ({error}); expected CSV") from None


def read_json_lines(text: str, path: Path) -> Table:
    """The fields that all objects have."""
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise UsageError(f"line {number} of {path} is no JSON object; expected one a line")
        rows.append(row)
    names = [name for name in (rows[0] if rows else {}) if all(name in row for row in rows)]
    return {name: ["" if row[name] is None else str(row[name]) for row in rows] for name in names}


def check_column(table: Table, name: str, path: Path, option: str) -> str:
    """The name of a column that there is.

    Raises:
        UsageError: for another one; `option` says which of them was asked for.
    """
    if name not in table:
        raise unknown(f"column of {path} for {option}", name, table)
    return name


def sha256(path: Path) -> str:
    """Of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
