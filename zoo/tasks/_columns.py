"""Targets and outputs of a single number for each example, (batch,) here and (batch, 1) there."""

from collections.abc import Mapping
from typing import Any


def columns_of(model: Any) -> dict[str, int]:
    """How many axes each output has whose last one holds a single number, by head; none of a trainer."""
    outputs = getattr(model, "output", None)
    heads = outputs if isinstance(outputs, Mapping) else {"": outputs}
    shapes = {head: tuple(getattr(output, "shape", ())) for head, output in heads.items()}
    return {head: len(shape) for head, shape in shapes.items() if shape[-1:] == (1,)}


def as_column(y: Any, rank: int | None) -> Any:
    """Targets (batch, ...) as (batch, ..., 1), where an output of that rank is.

    A loss that subtracts one from the other would compare each example with all others.
    """
    shape = getattr(y, "shape", None)
    axes = getattr(shape, "rank", None) if hasattr(shape, "rank") else len(shape or ())  # TensorFlow's may be unknown
    return y[..., None] if rank is not None and axes == rank - 1 else y
