"""The weights in a `.keras` file, a network that Keras saved whole. What it says of its layers is not read."""

import contextlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from zoo.errors import UsageError
from zoo.weights import hdf5
from zoo.weights.checkpoint import Content, explained
from zoo.weights.hdf5_sandbox import screen

WEIGHTS = "model.weights.h5"  # as Keras calls them in the archive


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Content]:
    """The content of its weights, while the context lasts."""
    with unpacked(path) as file:
        screen(file)
        with hdf5.opened(file) as content:
            yield content


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The weights of the archive as a file of their own, no larger than the archive; its checksum is compared."""
    with tempfile.TemporaryDirectory(prefix="zoo-weights-") as folder:
        file = Path(folder) / WEIGHTS
        with explained(path, "a .keras file"), zipfile.ZipFile(path) as archive:
            if WEIGHTS not in archive.namelist():
                raise UsageError(f"{path} holds no {WEIGHTS}; expected a network that Keras saved")
            entry = archive.getinfo(WEIGHTS)
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > path.stat().st_size:
                raise UsageError(f"{path} is compressed inside, which Keras's files are not; restore it or train again")
            with archive.open(entry) as packed, file.open("wb") as out:
                shutil.copyfileobj(packed, out)
        try:
            yield file
        except UsageError as error:
            raise UsageError(str(error).replace(str(file), str(path))) from error
