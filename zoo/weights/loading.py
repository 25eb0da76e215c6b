"""Weights from a file into a network: all of them, checked and accounted for, or none.

>>> import zoo, tempfile
>>> first, second = zoo.build("lenet5"), zoo.build("lenet5")
>>> with tempfile.TemporaryDirectory() as folder:
...     first.save_weights(f"{folder}/lenet5.weights.h5")
...     report = load_weights(second, f"{folder}/lenet5.weights.h5")
>>> len(report.loaded), report.new
(10, {})

Nothing is read before the file's size and hash are right and its header (names, shapes, dtypes) fits the network;
nothing is assigned before everything is read and finite. What the file lacks, or has too much, must have one of the
explanations below; else it is a `UsageError`, and the network is left bit for bit as it was.

* **Another number of classes**: the layer of the logits keeps its fresh values. The same number keeps the file's.
* **No top** in the file: all dense layers after the maps keep their fresh values. No top in the network: those of the
  file are not used.
* **Auxiliary heads** that only one of the two has.
* **Another number of input channels**: the first convolution is adapted (`zoo.weights.channels`).
"""

import hashlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.errors import UsageError
from zoo.weights import channels, layouts
from zoo.weights.fitting import Plan, Report, fit

log = logging.getLogger("zoo")


def load_weights(model: Any, weights: str | Path, *, hash: str = "", preprocessing: str = "") -> Report:
    """Load a file of weights into a network, completely or not at all.

    Args:
        model: a built, flat Functional `keras.Model`.
        weights: a file in one of the layouts of `zoo.weights.layouts`.
        hash: of the file, as ``"sha256:..."`` (or its first digits) or ``"md5:..."``; checked before anything is read.
        preprocessing: what the weights were trained on, a name of `zoo.weights.channels.PIXELS`; needed for another
            number of input channels only.

    Returns:
        A `Report`: `.loaded`, `.adapted`, `.new`, `.unused`; as text, a few lines.

    Raises:
        UsageError: in one line, for a file that is missing, damaged, another than its hash says, or of another network.
    """
    channels.check(preprocessing)
    path = Path(weights)
    check_file(path, hash=hash)
    with layouts.opened(path) as content:
        plan = fit(model, content, path)
        values = read(plan, path)
    channels.adapt(plan.first, values, preprocessing)
    assign(plan, values)
    return plan.report


def check_file(path: Path, *, hash: str = "", size: int | None = None) -> None:
    """Raise unless the file is there, and the one that is meant."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}; expected weights ({layouts.LAYOUTS})")
    found = path.stat().st_size
    if size is not None and found != size:
        raise UsageError(
            f"{path} has {found:,} bytes; expected {size:,}: it is another file or cut short, fetch it again"
        )
    if hash:
        algorithm, _, digits = hash.rpartition(":")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, algorithm or "sha256").hexdigest()
        if not digest.startswith(digits.lower()):
            raise UsageError(
                f"{path} is not the file it should be: {algorithm or 'sha256'} {digest[: len(digits)]}, "
                f"expected {digits}; fetch it again"
            )


# The numbers


def read(plan: Plan, path: Path) -> dict[int, np.ndarray]:
    """Every array of the plan, checked, by the `id` of its variable."""
    values = {}
    bar = progress(len(plan.steps))
    for step in plan.steps:
        key = step.tensor.key
        with layouts.explained(path, "damaged inside"):
            value = step.tensor.read()
        if value.shape != step.tensor.shape:
            raise UsageError(f"{key} in {path} is not what the header says; the file is damaged: fetch it again")
        if value.size and not np.isfinite([value.min(), value.max()]).all():
            raise UsageError(f"{key} in {path} has numbers that are not finite; the file is damaged: fetch it again")
        if step.variable.name == "moving_variance" and value.size and value.min() < 0:
            raise UsageError(f"{key} in {path} has negative variances; the file is damaged: fetch it again")
        values[id(step.variable)] = value if step.turn is None else step.turn(value)
        bar()
    return values


def assign(plan: Plan, values: dict[int, np.ndarray]) -> None:
    """Put the numbers into the network; if that fails or is stopped, put the old ones back."""
    before = []
    try:
        for step in plan.steps:
            before.append((step.variable, np.copy(keras.ops.convert_to_numpy(step.variable.value))))
            step.variable.assign(values.pop(id(step.variable)))
    except BaseException:
        for variable, value in before:
            variable.assign(value)
        raise


def progress(total: int) -> Callable[[], None]:
    """A bar for people who wait: after large networks, on a terminal."""
    if not sys.stdout.isatty():
        return lambda: None
    bar = keras.utils.Progbar(total, unit_name="weight")
    return lambda: bar.add(1)
