"""The cards of the zoo's families, kept beside their files as Python keeps its bytecode, until one of them changes.

To read the cards from the sources takes most of the time of a short command, as ``zoo list``. What is kept is JSON:
each record as the dictionary of its fields that are not as usual, each tuple marked as one.
"""

import contextlib
import dataclasses
import functools
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from zoo import records
from zoo.cards import read_cards
from zoo.errors import UsageError
from zoo.records import Card

NAME = f"cards.{sys.implementation.cache_tag}.json"
RECORD, TUPLE = "(record)", "(tuple)"  # keys: of the name of a record's class, among its fields; of a tuple's values
HERE = Path(__file__).parent
RULES = [HERE / name for name in ("card_cache.py", "cards.py", "checks.py", "preprocessing.py", "records.py")]


def families(folder: Path) -> list[tuple[Path, str]]:
    """The files of the zoo that hold builders, and the names of their modules."""
    return [(path, f"zoo.models.{path.stem}") for path in sorted(folder.glob("[!_]*.py"))]


def own_cards(folder: Path) -> tuple[dict[str, Card], dict[str, UsageError]]:
    """The cards of a folder of families: those that were kept, if their sources are as they were, or read anew.

    Returns:
        By name, the cards; and why some cannot be read, and then none are kept.
    """
    sources = [*(path for path, _ in families(folder)), *sorted((HERE / "recipes").glob("*.py")), *RULES]
    states = [path.stat() for path in sources]
    stamp = [sys.version, *([str(path), state.st_mtime_ns, state.st_size] for path, state in zip(sources, states))]
    place = folder / "__pycache__" / NAME
    with contextlib.suppress(Exception):  # none, or damaged: as good as none
        before, kept = json.loads(place.read_bytes())
        if before == stamp:
            return {name: unpacked(card) for name, card in kept.items()}, {}
    found: dict[str, Card] = {}
    broken: dict[str, UsageError] = {}
    for path, module in families(folder):
        cards, not_read = read_cards(path, module)
        found |= {name: card for name, card in cards.items() if name not in found}
        broken |= not_read
    if not broken and not sys.dont_write_bytecode:
        with contextlib.suppress(OSError, TypeError):  # where nothing may be written, or a card holds other things
            write(place, json.dumps([stamp, packed(found)]))
    return found, broken


def packed(value: Any) -> Any:
    """Records in tuples, lists and dictionaries as JSON can hold them.

    >>> packed([records.Input("image", (28, 1)), {"a": 1}])
    [{'(record)': 'Input', 'name': 'image', 'shape': {'(tuple)': [28, 1]}}, {'a': 1}]
    """
    if dataclasses.is_dataclass(value):
        kind: Any = type(value)
        fields = {name: getattr(value, name) for name in usual(kind)}
        changed = {name: packed(each) for name, each in fields.items() if each != usual(kind)[name]}
        return {RECORD: kind.__name__, **changed}
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("JSON has strings for keys alone")
        return {key: packed(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return {TUPLE: [packed(each) for each in value]}
    return [packed(each) for each in value] if isinstance(value, list) else value


def unpacked(value: Any) -> Any:
    """What was packed.

    >>> unpacked({"(record)": "Input", "name": "image", "shape": {"(tuple)": [28, 1]}}).shape
    (28, 1)
    """
    if isinstance(value, list):
        return [unpacked(each) for each in value]
    if not isinstance(value, dict):
        return value
    if TUPLE in value:
        return tuple(unpacked(each) for each in value[TUPLE])
    fields = {key: unpacked(each) for key, each in value.items()}
    return getattr(records, fields.pop(RECORD))(**fields) if RECORD in fields else fields


@functools.cache
def usual(kind: Any) -> dict[str, Any]:
    """What the fields of a record are where nobody says: `MISSING` where somebody must, or what is made anew."""
    return {field.name: field.default for field in dataclasses.fields(kind) if field.init}


def write(place: Path, content: str) -> None:
    """A file that is there whole or not at all, whoever else writes it."""
    place.parent.mkdir(exist_ok=True)
    handle, name = tempfile.mkstemp(dir=place.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        os.replace(name, place)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
