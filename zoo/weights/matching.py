"""Where each array of a file belongs in a network, decided from names and shapes before any number is read."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from keras import layers

from zoo.errors import UsageError
from zoo.weights import converters, input_channels
from zoo.weights.checkpoint import Content, Tensor, few
from zoo.weights.name_mapping import matched
from zoo.weights.network_parts import Anatomy

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
class LoadingPlan:
    steps: list[Step]
    report: Report
    first: input_channels.FirstLayer | None  # where the input channels differ


def fit(model, content: Content, path: Path) -> LoadingPlan:
    """Find a place for every array and an array for every variable, or an explanation.

    Raises:
        UsageError: where there is neither.
    """
    anatomy = Anatomy(model)
    units, groups, unused = matched(model, anatomy, content, path)
    too_many = explain_extra(groups, units, anatomy, unused)
    new, too_few = explain_missing(groups, units, anatomy)
    if too_many or too_few or not groups:
        differs = [f"has {few(too_many)} besides"] * bool(too_many) + [f"lacks {few(too_few)}"] * bool(too_few)
        raise UsageError(
            f"{path} {' and '.join(differs) or 'has none of the layers'}; expected the layers of {model.name}: "
            "it is of another network, or this one has other options"
        )
    steps, adapted, first = [], {}, None
    for unit in [unit for unit in units if unit in groups]:
        pairs = paired(unit, units[unit], groups[unit], anatomy, path)
        wrong = [step for step in pairs if step.shape != tuple(step.variable.shape)]
        if wrong and other_classes(pairs, wrong, anatomy):
            there, here = next(pair for pair in zip(wrong[0].shape, wrong[0].variable.shape) if pair[0] != pair[1])
            why = f"{there:,} classes in the file, {here:,} here"
            new |= {step.variable.path: why for step in pairs}
            unused |= {step.tensor.key: why for step in pairs}
            continue
        if wrong and other_channels(wrong, anatomy):
            first = anatomy.first_layer()
            there, here = wrong[0].shape[-2], first.kernel.shape[-2]
            adapted[first.kernel.path] = f"{there} input channels in the file, {here} here"
        elif wrong:
            raise does_not_fit(wrong[0], path)
        steps += pairs
    order = {id(variable): place for place, variable in enumerate(model.weights)}
    steps.sort(key=lambda step: order[id(step.variable)])
    for step in steps:
        if step.tensor.dtype != step.variable.dtype:
            adapted.setdefault(step.variable.path, f"from {step.tensor.dtype} to {step.variable.dtype}")
    return LoadingPlan(
        steps, Report(str(path), tuple(step.variable.path for step in steps), adapted, new, unused), first
    )


def other_classes(pairs, wrong, anatomy) -> bool:
    """Whether all that does not fit in this layer is the number of its outputs."""
    layer = anatomy.layers[anatomy.owner[id(pairs[0].variable)]]
    if layer.name not in anatomy.outputs or any(len(step.shape) != len(step.variable.shape) for step in wrong):
        return False
    sizes = [(there, here) for step in wrong for there, here in zip(step.shape, step.variable.shape) if there != here]
    return len(set(sizes)) == 1 and sizes[0][1] == layer.output.shape[-1]


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


def paired(unit, variables, tensors, anatomy, path) -> list[Step]:
    """The arrays of one layer with its variables: by name where the names are known, else in order."""
    if len(tensors) != len(variables):
        raise UsageError(
            f"{path} has {len(tensors)} arrays for {unit}, {few(tensor.key for tensor in tensors)}; "
            f"expected {len(variables)}: it is of another network"
        )
    for tensor in tensors:
        if tensor.dtype not in FLOATS:
            raise UsageError(f"{tensor.key} in {path} is {tensor.dtype}; expected {' or '.join(FLOATS)}: save it so")
    by_name = {re.split(r"[./]", tensor.key)[-1].removesuffix(":0"): tensor for tensor in tensors}
    turn = None
    if "weight" in by_name and by_name.keys() <= converters.NAMES.keys():  # PyTorch's
        layer = anatomy.layers[anatomy.owner[id(variables[0])]]
        normalisation = isinstance(layer, layers.BatchNormalization)
        by_name = {converters.NAMES[name][normalisation]: tensor for name, tensor in by_name.items()}
        turn = converters.kernel_order(anatomy.flattened_maps(layer))
    if by_name.keys() == {variable.name for variable in variables}:
        tensors = [by_name[variable.name] for variable in variables]
    return [
        Step(variable, tensor, turn if len(tensor.shape) > 1 else None) for variable, tensor in zip(variables, tensors)
    ]
