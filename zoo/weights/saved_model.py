"""The weights of a network that Keras saved whole, into the same network, built here: no more of the file is used.

A `.keras` file describes its layers as well, and whoever wrote it decides what is built from that, and how much memory
it takes. So the description is not read: the network comes from its builder, and the weights must be all of its own and
no others.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras

from zoo.errors import UsageError
from zoo.weights import formats
from zoo.weights.loading import assign, read
from zoo.weights.matching import plan_loading

SPARE = 2**20  # numbers that a network may have beyond those of its file before it is stopped


def build_and_load(path: Path, build: Callable[[], Any]) -> Any:
    """A network with the weights of a `.keras` file.

    Args:
        path: the file.
        build: makes the network that was saved there. It is stopped once it asks for more numbers than the file holds.

    Raises:
        UsageError: for a file that is damaged or made to harm, or of another network.
    """
    with formats.opened(path) as content:
        with limited(sum(math.prod(tensor.shape) for tensor in content.tensors) + SPARE, path):
            model = build()
        plan = plan_loading(model, content, path)
        report = plan.report
        others = [key for key in report.unused if key.startswith("layers/")]
        assigned = {id(each.variable) for each in plan.assignments}
        if report.new or report.adapted or others or assigned != {id(variable) for variable in model.weights}:
            raise UsageError(
                f"{path} is not of the {model.name} that its config.json describes; restore it or train again"
            )
        values = read(plan, path)
    assign(plan, values)
    return model


class TooLarge(Exception):
    """A network has more numbers than its file."""


@contextlib.contextmanager
def limited(numbers: int, path: Path) -> Iterator[None]:
    """Stop layers that are built here before they take the memory for more numbers than that, together."""
    left = numbers
    add_weight = keras.Layer.add_weight

    def counted(self: Any, shape: Any = None, *arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= math.prod(shape) if isinstance(shape, (tuple, list)) else shape or 1
        if left < 0:
            raise TooLarge
        return add_weight(self, shape, *arguments, **options)

    keras.Layer.add_weight = counted
    try:
        yield
    except Exception as error:
        if left >= 0:
            raise
        raise UsageError(
            f"{path} holds {numbers - SPARE:,} numbers, fewer than the network that its config.json describes; restore "
            "it or train again"
        ) from error
    finally:
        keras.Layer.add_weight = add_weight
