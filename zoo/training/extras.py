"""What a caller of `zoo.train` adds to a recipe, or puts in place of its own: objects of Keras."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo import registry
from zoo.errors import UsageError, unknown

EXTRAS = ("callbacks", "metrics", "optimizer", "class_weight")


@dataclass(frozen=True)
class Extras:
    """What was given."""

    callbacks: Sequence[Any] = ()
    metrics: Sequence[Any] = ()
    optimizer: Any = None
    class_weight: Mapping[int | str, float] | str | None = None
    model: Any = None  # trained in place

    def described(self) -> dict[str, str]:
        """For config.json: what was given, in words."""
        found = {name: getattr(self, name) for name in (*EXTRAS, "model")}
        return {name: str(value) if isinstance(value, Mapping | str) else named(value)
                for name, value in found.items() if value}  # fmt: skip


def named(value: Any) -> str:
    return ", ".join(type(each).__name__ for each in value) if isinstance(value, list | tuple) else type(value).__name__


NOTHING = Extras()


def with_model(name: Any, options: dict[str, Any]) -> tuple[str, Any, dict[str, Any]]:
    """The name of a network, the network if it is given as one, and its options."""
    if isinstance(name, str):
        return name, None, options
    origin = registry.origin(name)
    if origin is None:
        raise UsageError(
            f"{getattr(name, 'name', name)!r} was not made by zoo.build; expected a name or what it returned: to train "
            "any other model by a recipe, put its builder under @zoo.register"
        )
    if options:
        raise UsageError(f"{', '.join(options)} given with a network that is built; expected options to its builder")
    return origin[0], name, dict(origin[1])


def class_weights(given: Any, network: Any, data: Any) -> dict[int, float] | None:
    """By class number, from numbers or names of classes, or "balanced": the inverse of how often each occurs."""
    if given is None:
        return None
    names = list(data.source.class_names)
    if network.heads or not names or getattr(data, "targets_are", "classes") != "classes":
        raise UsageError("class_weight is for networks with one output that gives classes: leave it out")
    if given == "balanced":
        import numpy as np

        counts = np.bincount(np.asarray(data.targets("train")).ravel(), minlength=len(names))
        return dict(enumerate((counts.sum() / (len(names) * np.maximum(counts, 1))).tolist()))
    if not isinstance(given, Mapping):
        raise UsageError(f"class_weight is {given!r}; expected a dictionary from classes to numbers, or 'balanced'")
    numbers: dict[Any, int] = {each: number for number, name in enumerate(names) for each in (name, number)}
    for key in given:
        if key not in numbers:
            raise unknown("class in class_weight", key, names)
    return {numbers[key]: float(weight) for key, weight in given.items()}
