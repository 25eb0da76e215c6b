"""What a user's own task is told, in one line, where it does not hold together."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras

from zoo.errors import UsageError, unknown
from zoo.records import Card

if TYPE_CHECKING:
    from zoo.tasks.base import Task


def where(cls: type[Any]) -> str:
    """A class with its module, and the file of that."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return f"{cls.__module__}.{cls.__qualname__}" + (f" in {file}" if file else "")


def check_alone(cls: type[Task], other: type[Task] | None) -> None:
    """Raise if another class has the name of a task already; the same one may be made again, from its changed file."""
    if other is None or (cls.__qualname__ == other.__qualname__ and same_file(cls.__module__, other.__module__)):
        return
    raise UsageError(
        f"two tasks are called {cls.name!r}: {where(other)}, and {where(cls)}; expected one: give this one another name"
    )


def same_file(module: str, other: str) -> bool:
    """Whether two modules are one, or were made from one file."""
    files = [getattr(sys.modules.get(each), "__file__", None) for each in (module, other)]
    return module == other or (None not in files and files[0] == files[1])


def check_heads(card: Card, task: Task, heads: Sequence[str], losses: Any) -> None:
    """Raise unless each output has a loss, and the weights of the card are for outputs that there are."""
    kind = type(task).__qualname__
    if not isinstance(losses, Mapping) or set(losses) != set(heads):
        found = sorted(losses) if isinstance(losses, Mapping) else type(losses).__name__
        wanted = ", ".join(heads) if any(heads) else "no name (one output)"
        raise UsageError(
            f"the losses of {kind} are for {found}; the outputs of {card.name} have {wanted}: return one loss for each"
        )
    for head, loss in losses.items():
        if not isinstance(loss, keras.Loss):
            raise UsageError(
                f"the loss of {kind}{head and f' for {head}'} is {loss!r}; expected a keras.losses.Loss, as in "
                "keras.losses.MeanSquaredError(): return one"
            )
    for head in card.loss_weights:
        if head not in heads and any(heads):
            raise unknown(f"output of {card.name}", head, heads, hint="loss_weights of its card")
