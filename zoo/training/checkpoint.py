"""Checkpoints of a training: files that are written whole or not at all, and known by their hash.

A checkpoint is one ``.npz`` of arrays without pickles; one of them is a text of JSON, which says what they are and
holds the SHA-256 of them all. It is written under another name, brought to the disk (fsync) and renamed; then the
folder is brought to the disk. The one before it stays until the next is there: a damaged file costs one step back.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

FOLDER = "checkpoint"  # in a run folder
TEXT = "state.json"  # the array of a file that is no array
PLAIN = "biufcSU"  # kinds of dtypes that NumPy stores; bfloat16 and its like go as whole numbers


@dataclass(frozen=True)
class Checkpoint:
    """All that a training needs to go on: what JSON can hold, and arrays by name."""

    state: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """Epochs that are finished."""
        return int(self.state["epoch"])

    @property
    def batch(self) -> int:
        """Batches of the next epoch that are done."""
        return int(self.state["batch"])

    @property
    def where(self) -> str:
        """In words.

        >>> Checkpoint({"epoch": 1, "batch": 12}).where
        '1 epoch and 12 batches'
        """
        words = [f"{count} {unit}{'es' if unit == 'batch' else 's'}"[: None if count != 1 else len(f"1 {unit}")]
                 for count, unit in ((self.epoch, "epoch"), (self.batch, "batch")) if count]  # fmt: skip
        return " and ".join(words) or "nothing"


def digest(state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """The SHA-256 of a state and of its arrays: names, dtypes, shapes and bytes."""
    import numpy as np

    found = hashlib.sha256(json.dumps(state, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"{name} {array.dtype.str} {array.shape}".encode())
        found.update(array.data.cast("B") if array.size else b"")
    return found.hexdigest()


def write(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint into a folder that is made if need be; remove all others but the newest before it.

    Raises:
        UsageError: where it cannot be written; those that were there stay.
    """
    import numpy as np

    dtypes = {name: array.dtype.name for name, array in checkpoint.arrays.items() if array.dtype.kind not in PLAIN}
    arrays = {
        name: array.view(f"u{array.dtype.itemsize}") if name in dtypes else array
        for name, array in checkpoint.arrays.items()
    }
    state = {**checkpoint.state, "dtypes": dtypes}
    text = json.dumps({**state, "sha256": digest(state, arrays)})
    path = folder / f"epoch-{checkpoint.epoch:06}-batch-{checkpoint.batch:08}.npz"
    temporary = folder / ".new.tmp"
    needed = len(text) + sum(array.nbytes for array in arrays.values())
    try:
        if not folder.parent.is_dir():
            raise UsageError(
                f"there is no folder {folder.parent} any more: it was removed or renamed while the training ran; "
                "what was trained since is lost: if it was renamed, zoo train --resume takes its new name"
            )
        folder.mkdir(exist_ok=True)
        with temporary.open("wb") as file:
            np.savez(file, **{TEXT: np.frombuffer(text.encode(), "uint8")}, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync(folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        before = files(folder)
        on = f"the one before it stays: mend that, and go on with zoo train --resume {folder.parent}"
        raise UsageError(
            f"the checkpoint {path} cannot be written: {error.strerror} (it needs {needed / 2**20:.1f} MiB); "
            + (on if before else "mend that, or choose another folder")
        ) from error
    for older in files(folder)[2:]:
        with contextlib.suppress(OSError):
            older.unlink()
    return path


def sync(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system lets a folder be opened."""
    with contextlib.suppress(OSError, AttributeError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def files(folder: Path) -> list[Path]:
    """The checkpoints in a folder, the newest first: their names say which is."""
    return sorted(folder.glob("epoch-*.npz"), reverse=True)


def read(path: Path) -> Checkpoint:
    """A checkpoint, if it is whole.

    Raises:
        ValueError: if it is damaged, or no checkpoint.
    """
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        state = json.loads(arrays.pop(TEXT).tobytes())
        written = state.pop("sha256")
        whole = digest(state, arrays) == written
        dtypes = state.pop("dtypes")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise ValueError(f"{path} is no checkpoint, or is damaged: {error}") from None
    if not whole:
        raise ValueError(f"{path} is damaged: its content does not have the hash that was written with it")
    return Checkpoint(state, {name: of_dtype(array, dtypes.get(name)) for name, array in arrays.items()})


def of_dtype(array: np.ndarray, name: str | None) -> np.ndarray:
    """An array that was stored as whole numbers, as what it was."""
    if name is None:
        return array
    import ml_dtypes  # of Keras's backends

    return array.view(getattr(ml_dtypes, name))


def newest(run: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint of a run folder that is whole, and what is to be said of newer ones."""
    damaged: list[str] = []
    for path in files(run / FOLDER):
        try:
            return read(path), damaged
        except ValueError as error:
            damaged.append(f"{error}; the one before it is taken")
    return None, damaged


def remove(run: Path, *, keep: int = 0) -> None:
    """Remove the checkpoints of a run folder but the `keep` newest."""
    folder = run / FOLDER
    with contextlib.suppress(OSError):
        (folder / ".new.tmp").unlink(missing_ok=True)
        for path in files(folder)[keep:]:
            path.unlink()
        if not keep:
            folder.rmdir()


@contextlib.contextmanager
def alone(run: Path) -> Iterator[None]:
    """Hold a run folder: two trainings that write into one would spoil both. The system lets go of it if we die.

    Raises:
        UsageError: if another process trains in it.
    """
    try:
        import fcntl

        descriptor = os.open(run, os.O_RDONLY)
    except (ImportError, OSError):  # Windows, or a file system without locks
        yield
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"another process trains in {run}; wait until it has ended, or stop it") from None
        except OSError:
            pass
        yield
    finally:
        os.close(descriptor)
