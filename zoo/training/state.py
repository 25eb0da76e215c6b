"""What a training is made of while it runs, taken down and put back: variables, callbacks, random numbers.

Variables are matched by their order, shape and dtype: Keras names those of a second network in a process otherwise.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state  # the one generator that Keras keeps to itself
from keras.src.random.seed_generator import global_seed_generator

from zoo import backend
from zoo.errors import UsageError
from zoo.training.checkpoint import Checkpoint

Arrays = dict[str, np.ndarray]
Variables = Mapping[str, Sequence[Any]]  # by section


def optimizers_of(model: keras.Model) -> list[keras.Optimizer]:
    """All optimizers that a model holds: its own, and those of a trainer that has several, in lists as well."""
    found: list[Any] = []
    for name in sorted(vars(model)):
        value = vars(model)[name]
        found += value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else [value]
    return list({id(each): each for each in found if isinstance(each, keras.Optimizer)}.values())


def variables_of(network: keras.Model, trainer: keras.Model) -> dict[str, list[Any]]:
    """The variables of a training by section, each once: of the network first, which stands for itself."""
    optimizers = optimizers_of(trainer)
    for optimizer in optimizers:
        own: Any = getattr(trainer, "optimizer", None)
        if optimizer is own and not optimizer.built:
            optimizer.build(trainer.trainable_variables)
    sections = {
        "network": network.variables,
        "trainer": trainer.variables,  # seed generators among them
        "optimizer": [variable for optimizer in optimizers for variable in optimizer.variables],
        "metric": trainer.metrics_variables,
    }
    seen: set[int] = set()
    found: dict[str, list[Any]] = {}
    for section, variables in sections.items():
        found[section] = [each for each in variables if id(each) not in seen]
        seen |= {id(each) for each in variables}
    return found


def take_variables(variables: Variables) -> Arrays:
    """Their values: copies, by section and number."""
    return {
        f"{section}.{number}": np.array(keras.ops.convert_to_numpy(variable))
        for section, group in variables.items()
        for number, variable in enumerate(group)
    }


def put_variables(variables: Variables, checkpoint: Checkpoint, *, of: str, but: Iterable[str] = ()) -> None:
    """Put the values of a checkpoint back, all or none.

    Args:
        variables: by section.
        checkpoint: as it was read.
        of: whose it is, for the message.
        but: sections that are left as they are.

    Raises:
        UsageError: where their number, a shape or a dtype differs.
    """
    values = []
    for section, group in variables.items():
        if section in but:
            continue
        stored = [name for name in checkpoint.arrays if name.rpartition(".")[0] == section]
        if len(stored) != len(group):
            raise UsageError(
                f"the checkpoint of {of} has {len(stored)} variables of its {section}, this training {len(group)}: "
                "the network, its optimizer or the program has changed; train anew"
            )
        for number, variable in enumerate(group):
            value = checkpoint.arrays[f"{section}.{number}"]
            if value.shape != tuple(variable.shape):
                raise UsageError(
                    f"{variable.path} has shape {tuple(variable.shape)}, and {value.shape} in the checkpoint of {of}: "
                    "the network, its optimizer or the program has changed; train anew"
                )
            values.append((variable, value))
    for variable, value in values:
        variable.assign(value)


# What Python holds


class NotPlain(TypeError):
    """A value that is no state: a function, a model, a file."""


def encode(value: Any, arrays: Arrays, name: str) -> Any:
    """A value as JSON, its arrays put beside.

    >>> arrays = {}
    >>> encode({"best": np.float32(0.5), "seen": [1, (2, None)]}, arrays, "state"), arrays
    ({'dict': {'best': {'scalar': 'state.best'}, 'seen': [1, {'tuple': [2, None]}]}}, {'state.best': array(0.5, dtype=float32)})
    """  # noqa: E501
    if value is None or (isinstance(value, (bool, int, float, str)) and not isinstance(value, np.generic)):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype.kind == "O":
            raise NotPlain
        arrays[name] = np.array(value)
        return {"array" if isinstance(value, np.ndarray) else "scalar": name}
    if isinstance(value, (list, tuple)):
        items = [encode(each, arrays, f"{name}.{number}") for number, each in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: encode(each, arrays, f"{name}.{key}") for key, each in value.items()}}
    if isinstance(value, np.random.Generator):
        return {"generator": encode(value.bit_generator.state, arrays, name)}
    if isinstance(value, random.Random):
        return {"random": encode(value.getstate(), arrays, name)}
    if isinstance(value, keras.Variable):
        return {"variable": encode(np.array(keras.ops.convert_to_numpy(value)), arrays, name)}
    if keras.ops.is_tensor(value):
        return encode(np.array(keras.ops.convert_to_numpy(value)), arrays, name)
    raise NotPlain


def decode(coded: Any, arrays: Mapping[str, np.ndarray], now: Any = None) -> Any:
    """The value; `now` is what stands in its place, which generators and variables go on being."""
    if isinstance(coded, list):
        return [decode(each, arrays) for each in coded]
    if not isinstance(coded, dict):
        return coded
    ((kind, content),) = coded.items()
    if kind == "array":
        return np.array(arrays[content])
    if kind == "scalar":
        return arrays[content][()]
    if kind == "tuple":
        return tuple(decode(each, arrays) for each in content)
    if kind == "dict":
        return {key: decode(each, arrays) for key, each in content.items()}
    value = decode(content, arrays)
    if kind == "generator":
        now.bit_generator.state = value
    elif kind == "random":
        now.setstate(value)
    else:
        now.assign(value)
    return now


def attributes(thing: Any) -> tuple[dict[str, Any], Arrays]:
    """What of an object's attributes is state, as JSON by name, and its arrays."""
    found, arrays = {}, dict[str, np.ndarray]()
    for name, value in vars(thing).items():
        if name in ("params", "_model", "validation_data"):
            continue
        own: Arrays = {}
        try:
            found[name] = encode(value, own, name)
        except NotPlain:
            continue
        arrays |= own
    return found, arrays


class Watched:
    """Callbacks, of which that is kept which has changed since the training began: not how they were made."""

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback]):
        self.callbacks = callbacks
        self.before = [attributes(each) for each in callbacks]

    def take(self, arrays: Arrays) -> list[dict[str, Any]]:
        """The state of each."""
        taken = []
        for number, (callback, (before, old)) in enumerate(zip(self.callbacks, self.before)):
            now, own = attributes(callback)
            changed = {name for name in now if differs(name, (before, old), (now, own))}
            renamed = {name: f"callback.{number}.{name}" for name in own if name.partition(".")[0] in changed}
            arrays |= {new: own[name] for name, new in renamed.items()}
            state = {name: with_names(now[name], renamed) for name in changed}
            taken.append({"class": type(callback).__qualname__, "state": state})
        return taken

    def put(self, taken: Sequence[Mapping[str, Any]], arrays: Mapping[str, np.ndarray], *, of: str) -> None:
        """Put the states back.

        Raises:
            UsageError: where the callbacks are others.
        """
        stored, here = [each["class"] for each in taken], [type(each).__qualname__ for each in self.callbacks]
        if stored != here:
            raise UsageError(
                f"the checkpoint of {of} was watched by {', '.join(stored)}, this training is by {', '.join(here)}: "
                "the program or the recipe has changed; train anew"
            )
        for callback, each in zip(self.callbacks, taken):
            if (
                each["state"] and getattr(callback, "monitor_op", ...) is None
            ):  # Keras's own set it up at an epoch's end,
                callback._set_monitor_op()  # and turn the sign of `min_delta`: not twice
            for name, coded in each["state"].items():
                setattr(callback, name, decode(coded, arrays, getattr(callback, name, None)))


def differs(name: str, before: tuple[Any, Arrays], now: tuple[Any, Arrays]) -> bool:
    """Whether an attribute has changed."""
    if name not in before[0] or before[0][name] != now[0][name]:
        return True
    own = [key for key in now[1] if key == name or key.startswith(f"{name}.")]
    return any(key not in before[1] or not np.array_equal(now[1][key], before[1][key]) for key in own)


def with_names(coded: Any, names: Mapping[str, str]) -> Any:
    """A coded value with its arrays called otherwise."""
    if isinstance(coded, list):
        return [with_names(each, names) for each in coded]
    if not isinstance(coded, dict):
        return coded
    ((kind, content),) = coded.items()
    if kind in ("array", "scalar"):
        return {kind: names[content]}
    if kind == "dict":
        return {kind: {key: with_names(each, names) for key, each in content.items()}}
    return {kind: with_names(content, names)}


def take_random(arrays: Arrays) -> dict[str, Any]:
    """The random numbers of Python, NumPy, Keras and PyTorch, each of which a network of one's own may draw from."""
    keras_seeds = global_state.get_global_attribute("global_seed_generator")
    found = {
        "python": random.getstate(),
        "numpy": np.random.get_state(legacy=False),
        "torch": backend.random_states(),
        "keras": None if keras_seeds is None else np.array(keras.ops.convert_to_numpy(keras_seeds.state)),
    }
    return {name: encode(value, arrays, f"numbers.{name}") for name, value in found.items()}


def put_random(taken: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Put them back."""
    random.setstate(decode(taken["python"], arrays))
    np.random.set_state(decode(taken["numpy"], arrays))
    if taken.get("torch") is not None:
        backend.put_random_states(decode(taken["torch"], arrays))
    if taken["keras"] is not None:
        global_seed_generator().state.assign(decode(taken["keras"], arrays))
