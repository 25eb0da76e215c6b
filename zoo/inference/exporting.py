"""A trained network for other programs: a file that takes what a user has, and that was read back before it is given.

The file takes pixels as they are in a picture (0 to 255, or whatever the run learned from), numbers as they are in a
table, or the ids of tokens; scaling is inside. A classifier answers with probabilities, a detector with the boxes that
suppression leaves. Class names are inside, each where its format has room for them.
"""

import contextlib
import importlib.util
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.errors import UsageError, first_line, unknown
from zoo.inference.export_formats import FORMATS, Format, flat, write
from zoo.tasks.base import Trained

TOLERANCE = 1e-4  # of what the file answers, as a part of the largest number that the network does
EXAMPLES = 3  # that the file and the network answer
FREE_SIZES = {1: 12, 3: 64, 4: 16}  # in place of None, by the rank of an example
LONGEST_REASON = 160  # letters of a library's message


def export(trained: Trained, format: str, path: Path) -> Path:
    """Write a network, read it back, compare; only a file that answers as the network does is left.

    Raises:
        UsageError: for a format that there is not or that this network cannot have, with the reason.
    """
    own = trained.network.task.formats
    if format in own:
        return own[format](trained, path)
    if format not in FORMATS:
        raise unknown(f"format of {trained.network.card.name}", format, [*own, *FORMATS])
    chosen = FORMATS[format]
    check_possible(format, chosen, path)
    in_full_precision(trained.network.model)
    model = trained.network.task.answering(trained.network, trained.data)
    examples = examples_for(model, trained.data)
    expected = flat(model(keras.tree.pack_sequence_as(model.input, examples), training=False))
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".zoo-") as folder:
        written = Path(folder) / path.name
        with explained(trained.network.card.name, format), quiet():
            write(model, chosen, written, trained.data.class_names)
            answers = chosen.read(written)(examples)
        check_same(expected, answers, f"{trained.network.card.name} as {format}")
        for file in Path(folder).iterdir():  # of OpenVINO two
            shutil.move(file, path.parent / file.name)
    return path


def in_full_precision(model: keras.Model) -> None:
    """Have a network that was trained in mixed precision compute in float32, as its variables are: no other program
    has the bfloat16 of a GPU on every device."""
    for layer in model._flatten_layers():
        if layer.dtype_policy.name.startswith("mixed_"):
            layer.dtype_policy = "float32"


@contextlib.contextmanager
def explained(name: str, format: str) -> Iterator[None]:
    """Whatever one of six libraries cannot do, in one line."""
    try:
        yield
    except (KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk is full, the name too long
            raise
        others = ", ".join(each for each in FORMATS if each != format)
        raise UsageError(f"{name} cannot be {format} ({reason(error)}); another format may do: {others}") from error


def reason(error: Exception) -> str:
    """What a library says, as far as it helps."""
    if "Select TensorFlow op" in str(error):
        return "the interpreter of LiteRT lacks operations of TensorFlow that it needs"
    if "Guard failed" in str(error):
        return "PyTorch's file would take inputs of one length only"
    if "unconverted_ops" in str(error):
        return "OpenVINO has no words for some of its operations"
    if "XNNPACK" in str(error):
        return "the interpreter of LiteRT cannot run some of its operations on numbers of 8 bits"
    lines = [line for line in str(error).splitlines() if not line.startswith(("Exception from src/", "Check '"))]
    told = first_line(type(error)("\n".join(lines))).rpartition(" failed:")[2]
    return told if len(told) <= LONGEST_REASON else told[: LONGEST_REASON - 3] + "..."


def check_possible(format: str, chosen: Format, path: Path) -> None:
    """Raise before the work where a format cannot be written here."""
    if chosen.suffix and path.suffix != chosen.suffix:
        raise UsageError(f"{path} does not end in {chosen.suffix}, by which {format} is known; name it so")
    if chosen.also and os.path.lexists(beside := path.with_suffix(chosen.also)):
        raise UsageError(f"{beside}, where {format} writes the weights, is there already; choose another name")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is no folder; make it first, or choose another path")
    if chosen.backends and (backend := keras.config.backend()) not in chosen.backends:
        able = " or ".join(f"KERAS_BACKEND={each}" for each in chosen.backends)
        raise UsageError(f"{format} is not written by the backend {backend}: set {able}")
    needed = [name for name in chosen.packages if not importlib.util.find_spec(name.replace("-", "_"))]
    if needed:
        raise UsageError(f"{format} needs {' and '.join(needed)}: pip install 'keras-zoo[export]'")


def examples_for(model: keras.Model, data: Any) -> list[np.ndarray]:
    """Numbers of the kind that each input takes, drawn evenly."""
    rng = np.random.default_rng(0)
    known = [layer.input_dim for layer in model._flatten_layers() if isinstance(layer, keras.layers.Embedding)]
    tokens, high = min(known, default=10), getattr(data, "high", 1.0)

    def drawn(given: Any) -> np.ndarray:
        shape = [size or FREE_SIZES.get(len(given.shape) - 1, 6) for size in (EXAMPLES, *given.shape[1:])]
        if "int" in given.dtype:
            return rng.integers(0, 256 if given.dtype == "uint8" else tokens, shape).astype(given.dtype)
        return rng.uniform(0, high, shape).astype(given.dtype)

    return [drawn(given) for given in keras.tree.flatten(model.input)]


def check_same(expected: list[np.ndarray], answers: list[np.ndarray], what: str) -> None:
    """Raise where a file does not answer as its network does."""
    there = sorted(each.shape for each in answers)
    if there != sorted(each.shape for each in expected):
        raise UsageError(f"{what} gives outputs of the shapes {there}; expected {[each.shape for each in expected]}")
    for one, others in [*((each, answers) for each in expected), *((each, expected) for each in answers)]:
        apart = min(np.abs(one - each).max(initial=0) for each in others if each.shape == one.shape)
        if not apart <= TOLERANCE * max(1.0, np.abs(one).max(initial=0)):
            raise UsageError(f"{what} answers otherwise than the network, by {apart:.2g}: it is not kept")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What the libraries have to tell of their work, on any road, is not for the user."""
    before, handlers = logging.root.manager.disable, logging.root.handlers[:]
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), open(os.devnull, "w") as nowhere:
            warnings.simplefilter("ignore")
            with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
                yield
    finally:
        logging.disable(before)
        logging.root.handlers[:] = handlers  # a library's would write to what is closed now
