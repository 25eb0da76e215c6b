"""What data sets that need no download have in common: `Embedded`, a genuine tfds builder where tfds is installed."""

import ast
import hashlib
import inspect
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data.tensors import installed
from zoo.errors import UsageError

PREPARED = installed("tensorflow_datasets") and installed("tensorflow")  # by tfds, on the disk; else made in memory
if TYPE_CHECKING or PREPARED:
    import tensorflow_datasets as tfds
else:
    from zoo.data.builtin import without_tfds as tfds

__all__ = ["PREPARED", "Embedded", "embedded", "place", "tfds"]

log = logging.getLogger("zoo")

DIGEST = "generator.sha256"  # beside the prepared data: which program made them


class Embedded(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """A data set whose examples are computed or read from an installed package.

    A subclass has a `VERSION`, an `_info` with `supervised_keys`, and `examples`; it may have `rows` of its own. Its
    name is that of the class: ``class NoisyBars`` is "noisy_bars".
    """

    def __init_subclass__(cls, **options: Any):
        try:
            super().__init_subclass__(**options)
        except ValueError as error:
            registered = tfds.core.registered
            names = {**registered._ABSTRACT_DATASET_REGISTRY, **registered._DATASET_REGISTRY}
            other = names.get(cls.name)
            if other is None:
                raise
            if place(cls) != place(other):
                raise UsageError(
                    f"{place(cls)} takes the name {cls.name!r}, which is that of {place(other)}; rename the class"
                ) from error
            registered._DATASET_REGISTRY[cls.name] = cls  # its file was imported again

    def examples(self) -> tuple[Any, Any]:
        """Inputs and targets of all examples, in a fixed order."""
        raise UsageError(f"{place(type(self))} has no examples(); expected a method that returns inputs and targets")

    def rows(self, x: Any, y: Any) -> Mapping[str, Any]:
        """The row numbers of each split: 70 % train, 10 % validation, 20 % test, stratified by class."""
        from sklearn.model_selection import train_test_split

        everything = np.arange(len(y))
        rest, test = train_test_split(everything, test_size=0.2, stratify=y, random_state=0)
        train, validation = train_test_split(rest, test_size=0.125, stratify=y[rest], random_state=0)
        return {"train": train, "validation": validation, "test": test}

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        where = place(type(self))
        if not self.info.supervised_keys:
            raise UsageError(f"{where} has no supervised_keys; expected _info to say which feature is the target")
        x, y = self.examples()
        if len(x) != len(y) or not len(y):
            raise UsageError(
                f"examples() of {where} gives {len(x)} inputs and {len(y)} targets; "
                "expected as many of both, and at least one"
            )
        rows = self.rows(x, y)
        if empty := [split for split, numbers in rows.items() if not len(numbers)]:
            raise UsageError(f"rows() of {where} leaves {', '.join(empty)} empty; expected an example in every split")
        return {split: self._generate_examples(x, y, numbers) for split, numbers in rows.items()}

    def _generate_examples(self, x: Any, y: Any, rows: Any) -> Iterator[tuple[int, dict[str, Any]]]:
        input_key, target_key = self.info.supervised_keys
        for row in rows:
            yield int(row), {input_key: x[row], target_key: y[row]}

    def _download_and_prepare(self, dl_manager: tfds.download.DownloadManager, *rest: Any, **options: Any) -> None:
        super()._download_and_prepare(dl_manager, *rest, **options)
        if program := digest(type(self)):
            (Path(self.data_dir) / DIGEST).write_text(program)  # in tfds' temporary folder: all or nothing

    def check_unchanged(self) -> None:
        """Warn where another program than this one made the data on the disk: it may have made the same.

        Data without a digest, of earlier versions of the zoo, are taken as they are.
        """
        note, program = Path(self.data_dir) / DIGEST, digest(type(self))
        if program and note.is_file() and note.read_text() != program:
            log.warning(
                f"{place(type(self))} has changed since it made {note.parent}; if its examples have, raise its VERSION "
                "or delete that folder"
            )


def file_of(builder: type) -> Path | None:
    """The file that defines a builder; None for one of a notebook."""
    try:
        file = Path(inspect.getfile(builder))
    except (TypeError, OSError):
        return None
    return file if file.is_file() else None


def place(builder: type) -> str:
    """A builder and its file, for what is said of it."""
    return f"{builder.__name__} in {file_of(builder) or builder.__module__}"


def digest(builder: type) -> str | None:
    """SHA-256 of the program of a builder: its file without comments, docstrings and the other builders in it."""
    file = file_of(builder)
    if file is None:
        return None
    tree = ast.parse(file.read_text(encoding="utf-8"))
    builders = {cls.__name__ for cls in descendants(tfds.core.DatasetBuilder) if cls.__module__ == builder.__module__}
    others = builders - {cls.__name__ for cls in builder.__mro__}
    tree.body = [node for node in tree.body if not (isinstance(node, ast.ClassDef) and node.name in others)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()


def descendants(cls: Any) -> Iterator[Any]:
    """All classes below a class, whoever defined them."""
    for below in cls.__subclasses__():
        yield below
        yield from descendants(below)


def embedded() -> list[str]:
    """The names of the data sets that need no network, those of imported files among them."""
    return sorted({cls.name for cls in descendants(Embedded)})
