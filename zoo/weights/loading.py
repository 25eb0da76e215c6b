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

* **Another number of classes**: the layer of the logits, or those layers of the head that depend on it, keep their
  fresh values. The same number keeps the file's.
* **No top** in the file: all dense layers after the maps keep their fresh values. No top in the network: those of the
  file are not used.
* **A backbone alone** in the file, that of a classifier without its top: all that the network builds upon it keeps its
  fresh values.
* **Auxiliary heads** that only one of the two has.
* **Of another question**: a run whose network has this one for its tower gives the body. The head keeps its fresh
  values, whatever its size, and what the run had behind the body is not used.
* **Another number of input channels**: the first convolution is adapted (`zoo.weights.input_channels`).
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo import registry
from zoo.errors import UsageError
from zoo.weights import formats, input_channels, tags
from zoo.weights.checkpoint import explained
from zoo.weights.checksums import check_file
from zoo.weights.matching import LoadingPlan, Report, plan_loading
from zoo.weights.progress import progress_bar
from zoo.weights.tags import WeightsFile


def load_weights(model: Any, weights: str | Path, *, hash: str = "", preprocessing: str = "") -> Report:
    """Load a file of weights into a network, completely or not at all.

    Args:
        model: a built, flat Functional `keras.Model`.
        weights: a file in one of the layouts of `zoo.weights.formats`; an https address of one; the folder or address
            (``"hf://owner/name"``) of a GPT-2 or BERT of `transformers`; or, for what `zoo.build` made, a tag from its
            card, as ``"imagenet"``.
        hash: of the file, as ``"sha256:..."`` (or its first digits) or ``"md5:..."``; checked before anything is read.
            A tag brings its own.
        preprocessing: what the weights were trained on, a name of `zoo.preprocessing.PIXELS`; needed for another
            number of input channels only. A tag brings its own.

    Returns:
        A `Report`: `.loaded`, `.adapted`, `.new`, `.unused`; as text, a few lines.

    Raises:
        UsageError: in one line, for a file that is missing, damaged, another than its hash says, or of another network.
    """
    name, options = registry.origin(model) or (None, {})
    _, report = load(model, tags.find(weights, name, options, hash=hash, preprocessing=preprocessing))
    if name and report.fresh_head and "num_classes" not in options:
        warnings.warn(
            f"{model.name}: {report.fresh_head}: train it, or build with the file's num_classes", stacklevel=2
        )
    return report


def load(model: Any, source: WeightsFile, with_classes: Callable[[int], Any] | None = None) -> tuple[Any, Report]:
    """`load_weights`, from a file that has been found, into a model or, where the file has another number of classes,
    into the one that `with_classes` makes for them."""
    path = source.path
    check_file(path, hash=source.hash)
    if (origin := registry.origin(model)) and source.options:
        tags.check_options(*origin, source)
    with formats.opened(path, trusted=source.trusted) as content:
        plan = plan_loading(model, content, path, body=source.body)
        if plan.classes and with_classes:
            model = with_classes(plan.classes)
            plan = plan_loading(model, content, path)
        values = read(plan, path)
    input_channels.adapt(plan.first, values, source.preprocessing)
    assign(plan, values)
    return model, plan.report


# The numbers


def read(plan: LoadingPlan, path: Path) -> dict[int, np.ndarray]:
    """Every array of the plan, checked, by the `id` of its variable."""
    values = {}
    show = progress_bar(len(plan.assignments), "weight")
    for number, each in enumerate(plan.assignments, start=1):
        key = each.tensor.key
        with explained(path, "damaged inside"):
            value = each.tensor.read()
            value = value.astype(value.dtype.newbyteorder("="), copy=False)
        if value.shape != each.tensor.shape:
            raise UsageError(f"{key} in {path} is not what the header says; the file is damaged: fetch it again")
        if value.size and not np.isfinite([value.min(), value.max()]).all():
            raise UsageError(f"{key} in {path} has numbers that are not finite; the file is damaged: fetch it again")
        if each.variable.name == "moving_variance" and value.size and value.min() < 0:
            raise UsageError(f"{key} in {path} has negative variances; the file is damaged: fetch it again")
        values[id(each.variable)] = value
        show(number)
    return values


def assign(plan: LoadingPlan, values: dict[int, np.ndarray]) -> None:
    """Put the numbers into the network; if that fails or is stopped, put the old ones back."""
    before = []
    try:
        for variable in (each.variable for each in plan.assignments):
            before.append((variable, np.copy(keras.ops.convert_to_numpy(variable.value))))
            variable.assign(values.pop(id(variable)))
    except BaseException:
        for variable, value in before:
            variable.assign(value)
        raise
