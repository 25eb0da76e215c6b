"""What a user's own task is told, in one line, where it does not hold together."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from zoo.errors import UsageError, unknown
from zoo.records import Card


def where(cls: type[Any]) -> str:
    """A class with its module, and the file of that."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return f"{cls.__module__}.{cls.__qualname__}" + (f" in {file}" if file else "")


def check_alone(cls: type[Any], other: type[Any] | None) -> None:
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


def check_heads(card: Card, task: Any, heads: Sequence[str], losses: Any) -> None:
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


def check_complete(task: Any, base: type[Any], loss: str) -> None:
    """Raise unless a task defines what every training needs."""
    cls = type(task)
    missing = [each for each in ("metric", "data_module") if not hasattr(cls, each)]
    for either, other, given in (("loss", "losses", loss), ("scores", "evaluate", "")):
        own = [each for each in (either, other) if getattr(cls, each) is not getattr(base, each)]
        if not own and not given:
            missing.append(f"{either} (or {other})")
    if missing:
        raise UsageError(
            f"the task {where(cls)} has no {' and no '.join(missing)}; every task needs metric, data_module, loss and "
            "scores: define what is missing"
        )


def check_returned(task: Any, method: str, found: Any, kind: type[Any]) -> None:
    """Raise unless a method of a task returned what it should."""
    if not isinstance(found, kind):
        name = f"zoo.tasks.base.{kind.__name__}" if kind.__module__.startswith("zoo") else "dictionary of metrics"
        raise UsageError(
            f"{type(task).__qualname__}.{method} returned {type(found).__name__}; expected a {name}: return one"
        )


def check_metric(task: Any, metrics: Mapping[str, float]) -> None:
    """Raise unless the main metric of a task is among those that it found."""
    if task.metric not in metrics:
        raise UsageError(
            f"{type(task).__qualname__} measured {', '.join(map(str, metrics)) or 'nothing'}; expected its metric "
            f"{task.metric!r} among them: return that from scores or evaluate, or name another as metric"
        )
