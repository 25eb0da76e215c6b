"""What is kept of prepared examples, so that each file is decoded once: in memory, or in files.

All splits of a data module share one limit of memory. What goes beyond is kept in a folder where one is named
(`--cache-dir`), and read from there by rows; else it is prepared anew in each epoch, which is said.
"""

import logging
import math
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.by_rows import by_rows
from zoo.data.checks import examples_at_once, readable
from zoo.data.sources import Source
from zoo.data.tensors import numpy_dtype, tensorflow
from zoo.errors import UsageError

log = logging.getLogger("zoo")


def example_bytes(examples: Any) -> int:
    """The memory that one example takes, or a guess of 1 MiB where its size varies."""
    specs = tensorflow().nest.flatten(examples.element_spec)
    if not of_one_size(examples):
        return 2**20
    return sum(math.prod(spec.shape) * numpy_dtype(spec.dtype).itemsize for spec in specs)


def of_one_size(examples: Any) -> bool:
    """Whether all examples have one shape."""
    specs = tensorflow().nest.flatten(examples.element_spec)
    return all(spec.shape is not None and None not in tuple(spec.shape) for spec in specs)


class Cache:
    """The memory that prepared examples may take, and the folder for those that do not fit.

    Args:
        limit: bytes, of all splits together.
        folder: for files, which are removed with the cache; None for none.
    """

    def __init__(self, limit: int, folder: Path | None = None):
        self.left, self.folder = limit, folder
        self._place: Any = None

    def keep(self, examples: Any, source: Source, split: str) -> Any:
        """The examples of a split, to be read any number of times.

        Raises:
            UsageError: where the folder is none, or the disk has no room.
        """
        count = int(examples.cardinality())  # negative where nobody knows
        size = count * example_bytes(examples)
        if 0 <= size <= self.left:
            self.left -= size
            return examples.cache()
        if size < 0 or not of_one_size(examples):
            return examples
        what = f"the {count:,} prepared examples of {source.name} ({split}) take {size / 2**30:.2g} GiB"
        if self.folder is None:
            log.info(
                f"{what}, more than the {self.left / 2**30:.2g} GiB of memory left for them: they are prepared anew in "
                "each epoch; --cache-dir DIR (cache_dir=) keeps them on the disk"
            )
            return examples
        if not self.folder.is_dir():
            raise UsageError(f"the cache {self.folder} is no folder; expected one to keep prepared examples in")
        if (free := shutil.disk_usage(self.folder).free) < size:
            raise UsageError(f"{what}; {self.folder} has {free / 2**30:.2g} GiB free: choose another with --cache-dir")
        log.info(f"{what}: they are kept in {self.folder} until the end")
        try:
            self._place = self._place or tempfile.TemporaryDirectory(prefix="zoo-cache-", dir=self.folder)
        except OSError as error:
            raise UsageError(f"the cache cannot be written to {self.folder}: {error.strerror or error}") from None
        place = Path(tempfile.mkdtemp(dir=self._place.name))
        return on_disk(readable(examples.batch(examples_at_once(examples)), source, split), examples, count, place)


def on_disk(batches: Any, examples: Any, count: int, place: Path) -> Any:
    """Examples in files, an array for each part of them, to be read by rows.

    Args:
        batches: of all of them, of NumPy, gone through once and now.
        examples: for their form.
        count: of them.
        place: an empty folder.
    """
    tf = tensorflow()
    specs = tf.nest.flatten(examples.element_spec)
    dtypes = [numpy_dtype(spec.dtype) for spec in specs]
    parts = [
        np.lib.format.open_memmap(place / f"{number}.npy", "w+", dtype, (count, *spec.shape))
        for number, (spec, dtype) in enumerate(zip(specs, dtypes))
    ]
    start = 0
    for batch in batches:
        flat = tf.nest.flatten(batch)
        for part, values in zip(parts, flat):
            part[start : start + len(values)] = values
        start += len(flat[0])
    for part in parts:
        part.flush()

    def read(row: Any) -> Any:
        found = tf.numpy_function(
            lambda row: [np.asarray(part[row]) for part in parts], [row], [spec.dtype for spec in specs], False
        )
        shaped = [tf.ensure_shape(values, spec.shape) for values, spec in zip(found, specs)]
        return tf.nest.pack_sequence_as(examples.element_spec, shaped)

    return by_rows(tf.data.Dataset.range(count), read)
