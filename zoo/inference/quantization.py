"""A classifier in whole numbers: LiteRT's quantisation after training, with what it costs.

B. Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR
2018, section 2: a real number r stands as r = S(q - Z), q of 8 bits; S and Z of a layer's outputs are those of the
range they take on examples (calibration).
"""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import UsageError
from zoo.inference.export_formats import FORMATS, Answer, in_whole_numbers, read_litert, write
from zoo.inference.exporting import check_possible, explained, in_full_precision, quiet
from zoo.tasks.base import Trained

CALIBRATION = 200  # training examples at most


@dataclass(frozen=True)
class Quantised:
    """A file in int8, and the same network in float32 beside it."""

    path: Path
    examples: int  # of the test set
    accuracy: float
    float_accuracy: float
    size: int  # bytes
    float_size: int

    def __str__(self) -> str:
        return (
            f"{self.path}: litert in int8, {self.size / 1000:,.0f} kB for {self.float_size / 1000:,.0f}; accuracy on "
            f"{self.examples:,} test examples {self.accuracy:.4f}, in float32 {self.float_accuracy:.4f}"
        )


def quantise(trained: Trained, path: Path) -> Quantised:
    """Write a classifier with weights and outputs of layers in int8, and measure it on its test set.

    Args:
        trained: with its data set.
        path: of the file, ``.tflite``.

    Raises:
        UsageError: for a network that is not measured by its accuracy, or that LiteRT cannot write.
    """
    task, card = trained.network.task, trained.network.card
    if task.metric != "accuracy" or len(trained.network.model.inputs) > 1 or trained.network.heads:
        raise UsageError(f"{card.name} cannot be litert in int8: expected a classifier of one input and one output")
    form = FORMATS["litert"]
    check_possible("litert", form, path)
    in_full_precision(trained.network.model)
    model = task.answering(trained.network, trained.data)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".zoo-") as folder:
        whole, small = Path(folder) / f"whole-{path.name}", Path(folder) / path.name
        with explained(card.name, "litert in int8"), quiet():
            write(model, form, whole)
            write(model, form, small, trained.data.class_names, **in_whole_numbers(lambda: shown(trained.data)))
            right, right_before = (right_of(read_litert(each), trained.data) for each in (small, whole))
        sizes = [each.stat().st_size for each in (small, whole)]
        small.replace(path)
    return Quantised(path, len(right), float(right.mean()), float(right_before.mean()), *sizes)


def shown(data: Any) -> Iterator[list[np.ndarray]]:
    """Training examples one by one, as they were before they were scaled: from all of the set, for a folder is in the
    order of its classes."""
    batches = data.batches("train").as_numpy_iterator()
    for each in spread((each for x, *_ in batches for each in x), CALIBRATION):
        yield [unscaled(data, each[None]).astype("float32")]


def spread(examples: Iterable[Any], most: int) -> list[Any]:
    """At most so many, at equal distances, of all that come.

    >>> spread(range(12), 5)
    [0, 4, 8]
    """
    kept, apart = list[Any](), 1
    for number, each in enumerate(examples):
        if number % apart == 0:
            kept.append(each)
        if len(kept) > most:
            kept, apart = kept[::2], 2 * apart
    return kept


def unscaled(data: Any, x: np.ndarray) -> np.ndarray:
    return data.scaling.undo(x) if hasattr(data, "scaling") else x


def right_of(answer: Answer, data: Any) -> np.ndarray:
    """Which examples of the test set a file answers right: (examples,)."""
    batches = data.batches("test").as_numpy_iterator()
    return np.concatenate([classes(answer([unscaled(data, x).astype("float32")])[0]) == y for x, y in batches])


def classes(probabilities: np.ndarray) -> np.ndarray:
    """The likeliest: (examples, classes) to (examples,); one probability alone is that of the second class.

    >>> classes(np.array([[0.4], [0.6]]))
    array([0, 1])
    """
    if probabilities.shape[-1] == 1:
        probabilities = np.concatenate([1 - probabilities, probabilities], axis=-1)
    return np.asarray(probabilities.argmax(-1))
