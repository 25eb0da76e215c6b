"""Where each array of a file belongs in a network, decided from names and shapes before any number is read."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from keras import layers, tree

from zoo.errors import UsageError
from zoo.weights import channels, converters
from zoo.weights.layouts import Content, Tensor

KEYS = "(conv[123]d|depthwise_conv2d|separable_conv2d|dense|batch_normalization)"
COUNTED = re.compile(KEYS + r"(_\d+)?")  # what Keras calls a layer that nobody named
FLOATS = ("float32", "float16", "bfloat16", "float64")
AUXILIARY = "auxiliary"  # how heads that serve training alone are called, in every family


@dataclass(frozen=True)
class Report:
    """What became of every array of the file and every variable of the network."""

    source: str
    loaded: tuple[str, ...]  # variables, as "layer/kernel"
    adapted: dict[str, str] = field(default_factory=dict)  # of those, what was changed on the way
    new: dict[str, str] = field(default_factory=dict)  # variables that keep their fresh values, and why
    unused: dict[str, str] = field(default_factory=dict)  # arrays of the file, and why

    def __str__(self):
        lines = [f"{len(self.loaded)} weights loaded from {self.source}"]
        for label, rows in (("adapted", self.adapted), ("newly initialised", self.new), ("unused", self.unused)):
            reasons = {}
            for key, why in rows.items():
                reasons.setdefault(why, []).append(key)
            lines += [f"{label}: {few(keys)} ({why})" for why, keys in reasons.items()]
        return "\n".join(lines)


# What the rules speak of


class Anatomy:
    """The parts of a network, by the names of its layers that have weights."""

    def __init__(self, model):
        self.layers = {layer.name: layer for layer in model.layers if layer.weights}
        self.owner = {id(variable): name for name, layer in self.layers.items() for variable in layer.weights}
        outputs = tree.flatten(model.output)
        main = next(iter(model.output.values())) if isinstance(model.output, dict) else outputs[0]
        trunk = ancestors(main)
        self.auxiliary = {name for name, layer in self.layers.items() if layer not in trunk}
        self.outputs = {maker(tensor).name for tensor in outputs} & set(self.layers)
        self.head = maker(main).name
        reads_maps = any(len(tensor.shape) > 2 for tensor in model.inputs)
        self.top = {  # all that comes after the maps
            name
            for name, layer in self.layers.items()
            if reads_maps and name not in self.auxiliary and len(inputs_of(layer)[0].shape) == 2
        }
        self.first = next(iter(self.layers.values()), None)
        if self.first is not None and any(
            getattr(operation, "weights", ()) for operation in ancestors(self.first.output) - {self.first}
        ):
            self.first = None

    def flattened_maps(self, layer):
        """(height, width, channels) of the maps that a dense layer reads through a Flatten, else None."""
        inputs = inputs_of(layer)
        while len(inputs) == 1 and not getattr(maker(inputs[0]), "weights", ()):
            operation = maker(inputs[0])
            inputs = inputs_of(operation)
            if isinstance(operation, layers.Flatten) and len(inputs[0].shape) == 4:
                return tuple(inputs[0].shape[1:])
        return None

    def first_layer(self):
        """What depends on the number of input channels."""
        bias = getattr(self.first, "bias", None)
        consumers = [node.operation for node in self.first._outbound_nodes]
        normalised = [layer for layer in consumers if isinstance(layer, layers.BatchNormalization)]
        return channels.FirstLayer(self.first.kernel, bias, normalised[0].moving_mean if normalised else None)


def maker(tensor):
    """The operation whose output a tensor is."""
    return tensor._keras_history.operation


def inputs_of(operation):
    return [] if isinstance(operation, layers.InputLayer) else tree.flatten(operation.input)


def ancestors(tensor):
    """All operations that a tensor comes from."""
    found, open_ = set(), [maker(tensor)]
    while open_:
        operation = open_.pop()
        if operation not in found:
            found.add(operation)
            open_ += [maker(before) for before in inputs_of(operation)]
    return found


# The plan: which array goes into which variable, from names and shapes alone


@dataclass(frozen=True)
class Step:
    """One array of the file on its way into one variable."""

    variable: Any
    tensor: Tensor
    turn: Callable[[np.ndarray], np.ndarray] | None = None  # for layouts that order the axes otherwise

    @property
    def shape(self):
        """Of the array, its axes in Keras's order."""
        shape = self.tensor.shape
        return shape if self.turn is None else (*shape[2:], shape[1], shape[0])


@dataclass(frozen=True)
class Plan:
    steps: list[Step]
    report: Report
    first: channels.FirstLayer | None  # where the input channels differ


def fit(model, content: Content, path: Path) -> Plan:
    """Find a place for every array and an array for every variable, or an explanation.

    Raises:
        UsageError: where there is neither.
    """
    anatomy = Anatomy(model)
    units = units_of(model, anatomy, content.layout)
    groups, unused = named_as_here(content, units, anatomy, path)
    rename_head(groups, units, anatomy)
    check_titles(content, groups, units, anatomy, path)
    too_many = explain_extra(groups, units, anatomy, unused)
    new, too_few = explain_missing(groups, units, anatomy)
    if too_many or too_few or not groups:
        raise UsageError(
            f"{path} has {few(too_many) or 'nothing else'} and lacks {few(too_few) or 'nothing'}; expected the layers "
            f"of {model.name}: it is of another network, or this one has other options"
        )
    steps, adapted, first = [], {}, None
    for unit, variables in units.items():
        if unit not in groups:
            continue
        pairs = paired(unit, variables, groups[unit], anatomy, content.layout, path)
        wrong = [step for step in pairs if step.shape != tuple(step.variable.shape)]
        for step in pairs:
            if step.tensor.dtype not in FLOATS:
                raise UsageError(
                    f"{step.tensor.key} in {path} is {step.tensor.dtype}; expected {' or '.join(FLOATS)}: save it so"
                )
        layer = anatomy.owner[id(variables[0])]
        if wrong and layer in anatomy.outputs and all(step.shape[:-1] == step.variable.shape[:-1] for step in wrong):
            why = f"{wrong[0].shape[-1]:,} classes in the file, {wrong[0].variable.shape[-1]:,} here"
            new |= {variable.path: why for variable in variables}
            unused |= {step.tensor.key: why for step in pairs}
            continue
        if wrong and other_channels(wrong, anatomy):
            first = anatomy.first_layer()
            adapted[first.kernel.path] = (
                f"{wrong[0].shape[-2]} input channels in the file, {first.kernel.shape[-2]} here"
            )
            wrong = []
        if wrong:
            raise does_not_fit(wrong[0], path)
        steps += pairs
    for step in steps:
        if step.tensor.dtype != step.variable.dtype:
            adapted.setdefault(step.variable.path, f"from {step.tensor.dtype} to {step.variable.dtype}")
    return Plan(steps, Report(str(path), tuple(step.variable.path for step in steps), adapted, new, unused), first)


def other_channels(wrong, anatomy) -> bool:
    """Whether all that does not fit is the number of channels that the first convolution reads."""
    (step, *more), first = wrong, anatomy.first
    if more or not isinstance(first, layers.Conv1D | layers.Conv2D | layers.Conv3D) or first.groups > 1:
        return False
    here = tuple(step.variable.shape)
    return (
        step.variable is first.kernel
        and len(step.shape) == len(here)
        and step.shape[:-2] + step.shape[-1:] == here[:-2] + here[-1:]
    )


def does_not_fit(step: Step, path: Path) -> UsageError:
    return UsageError(
        f"{path} is of another network: {step.variable.path} is {step.shape} there and {tuple(step.variable.shape)} "
        "here; build with the options (input_shape, width, ...) that the weights were trained with"
    )


def units_of(model, anatomy, layout) -> dict[str, list[Any]]:
    """The variables of the network in the groups that a layout keeps together, under the layout's names."""
    if layout != "keras":
        return {name: list(layer.weights) for name, layer in anatomy.layers.items()}
    return {
        path: variables
        for path, variables in keras_paths(model).items()
        if variables and all(id(variable) in anatomy.owner for variable in variables)  # not the optimizer's
    }


def keras_paths(model) -> dict[str, list[Any]]:
    """Where Keras 3 puts the variables of a model in a ``.weights.h5``, told by its own code for saving."""
    from keras.src.saving import saving_lib

    class Recorder(saving_lib.H5IOStore):
        """In place of a file: notes paths and variables, writes nothing."""

        def __init__(self):
            self.found = {}

        def __bool__(self):
            return True

        def make(self, path, metadata=None):
            return self.found.setdefault(path, {})

    recorder = Recorder()
    saving_lib._save_state(model, recorder, None, "", set())
    return {path: list(variables.values()) for path, variables in recorder.found.items()}


def named_as_here(content, units, anatomy, path) -> tuple[dict[str, list[Tensor]], dict[str, str]]:
    """The file's groups under the names of `units`, and what is known to be of no use."""
    groups = dict(content.layers)
    if content.layout == "legacy" and any(COUNTED.fullmatch(name) and name not in units for name in groups):
        return in_order(groups, units, anatomy, path), {}
    if content.layout == "keras":
        unused = {key: "not of the network" for key in groups if not key.startswith("layers/")}
        unused = {tensor.key: why for key, why in unused.items() for tensor in groups.pop(key)}
        return groups, unused
    if content.layout == "legacy" or not any(tensor.key.endswith(".weight") for tensor in content.tensors):
        return groups, {}
    table = converters.converted(groups)
    if table is None:
        raise UsageError(
            f"{path} is a state dict of PyTorch with layers like {few(groups)}, for which there is no converter; "
            f"there are converters for torchvision's {', '.join(converters.CONVERTERS)}"
        )
    unused, kept = {}, {}
    for name, tensors in groups.items():
        useless = [tensor for tensor in tensors if table[name] is None or tensor.key.endswith(converters.COUNTER)]
        unused |= {
            tensor.key: "batches counted"
            if tensor.key.endswith(converters.COUNTER)
            else "an auxiliary head that differs"
            for tensor in useless
        }
        if table[name] is not None:
            kept[table[name]] = [tensor for tensor in tensors if tensor not in useless]
    return kept, unused


def in_order(groups, units, anatomy, path):
    """For files whose layers have the numbers that Keras counts in one process: the order is all that they tell."""
    names = [name for name in units if name not in anatomy.auxiliary]
    body = [name for name in names if name not in anatomy.top]
    if len(groups) == len(body):
        names = body
    if len(groups) < len(names) or any(name in units and name != here for name, here in zip(groups, names)):
        raise UsageError(
            f"{path} has {len(groups)} layers with weights, {few(groups)}; "
            f"expected {len(names)} in the order {few(names)}: it is of another network"
        )
    extra = dict(list(groups.items())[len(names) :])
    return {**dict(zip(names, groups.values())), **extra}


def rename_head(groups, units, anatomy) -> None:
    """The last dense layer is called "predictions", "probs", "fc1000" or "logits", depending on whom one asks."""
    missing = [unit for unit in units if unit not in groups]
    extra = [name for name in groups if name not in units]
    if missing == [anatomy.head] and len(extra) == 1 and extra[0] == list(groups)[-1] and is_dense(groups[extra[0]]):
        groups[anatomy.head] = groups.pop(extra[0])


def is_dense(tensors) -> bool:
    return max(len(tensor.shape) for tensor in tensors) == 2


def check_titles(content, groups, units, anatomy, path) -> None:
    """Keras finds objects by their kind and number; the names saved beside them tell whether they are the same."""
    for unit in groups:
        if unit in units and unit.count("/") == 1:
            here, there = anatomy.owner[id(units[unit][0])], content.titles.get(unit, "")
            if there and there != here and here not in anatomy.outputs:
                raise UsageError(f"{path} is of another network: its layer {there} stands where this one has {here}")


def explain_extra(groups, units, anatomy, unused) -> list[str]:
    """Take out of `groups` what the network has no place for. Returns the names that nothing explains."""
    extra = {name: groups.pop(name) for name in list(groups) if name not in units}
    small = all(len(tensor.shape) <= 2 for tensors in extra.values() for tensor in tensors)
    unexplained = []
    for name, tensors in extra.items():
        if name.startswith(AUXILIARY):
            unused |= {tensor.key: "an auxiliary head" for tensor in tensors}
        elif small and not anatomy.top:
            unused |= {tensor.key: "the top, which is not built here" for tensor in tensors}
        else:
            unexplained.append(name)
    return unexplained


def explain_missing(groups, units, anatomy) -> tuple[dict[str, str], list[str]]:
    """The variables that keep their fresh values, and why; and the layers for which nothing explains it."""
    missing = [variable for unit in units if unit not in groups for variable in units[unit]]
    names = {anatomy.owner[id(variable)] for variable in missing}
    new = {}
    for part, why in ((anatomy.auxiliary, "no auxiliary heads in the file"), (anatomy.top, "no top in the file")):
        if part and part <= names:
            new |= {variable.path: why for variable in missing if anatomy.owner[id(variable)] in part}
            names -= part
    return new, [name for name in anatomy.layers if name in names]


def few(words, limit=3) -> str:
    words = list(words)
    return ", ".join(words[:limit]) + (f" and {len(words) - limit} more" if len(words) > limit else "")


def paired(unit, variables, tensors, anatomy, layout, path) -> list[Step]:
    """The arrays of one layer with its variables: by name where the names are known, else in order."""
    if len(tensors) != len(variables):
        raise UsageError(
            f"{path} has {len(tensors)} arrays for {unit}, {few(tensor.key for tensor in tensors)}; "
            f"expected {len(variables)}: it is of another network"
        )
    by_name = {re.split(r"[./]", tensor.key)[-1].removesuffix(":0"): tensor for tensor in tensors}
    layer = anatomy.layers[anatomy.owner[id(variables[0])]]
    if by_name.keys() <= converters.NAMES.keys() and "weight" in by_name:
        second = isinstance(layer, layers.BatchNormalization)
        by_name = {converters.NAMES[name][second]: tensor for name, tensor in by_name.items()}
        turns = {"kernel": converters.kernel_order(anatomy.flattened_maps(layer))} if not second else {}
    else:
        turns = {}
    if by_name.keys() == {variable.name for variable in variables}:
        tensors = [by_name[variable.name] for variable in variables]
    return [
        Step(variable, tensor, turns.get(variable.name) if len(tensor.shape) > 1 else None)
        for variable, tensor in zip(variables, tensors)
    ]
