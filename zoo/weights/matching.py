"""Where each array of a file belongs in a network, decided from names and shapes before any number is read."""

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras import layers

from zoo.errors import UsageError
from zoo.introspection.graph import NORMALIZATION
from zoo.weights import converters, input_channels
from zoo.weights.checkpoint import Content, Tensor, listed
from zoo.weights.name_mapping import Groups, Units, matched, rank
from zoo.weights.network_parts import NetworkParts, first_layer

FLOATS = ("float32", "float16", "bfloat16", "float64")
NO_AUXILIARY = "no auxiliary heads in the file"
AUXILIARY_PREFIX = "auxiliary"  # of the names of heads that serve training alone, in every family


@dataclass(frozen=True)
class Report:
    """What became of every array of the file and every variable of the network."""

    source: str
    loaded: tuple[str, ...]  # variables, as "layer/kernel"
    adapted: dict[str, str] = field(default_factory=dict)  # of those, what was changed on the way
    new: dict[str, str] = field(default_factory=dict)  # variables that keep their fresh values, and why
    unused: dict[str, str] = field(default_factory=dict)  # arrays of the file, and why

    @property
    def fresh_head(self) -> str:
        """In words, what is random before the main output, and why; "" where nothing is."""
        fresh = {key: why for key, why in self.new.items() if why != NO_AUXILIARY}
        return f"{listed(fresh)} keep fresh values ({listed(dict.fromkeys(fresh.values()))})" if fresh else ""

    def __str__(self) -> str:
        lines = [f"{len(self.loaded)} weights loaded from {self.source}"]
        for label, rows in (("adapted", self.adapted), ("newly initialised", self.new), ("unused", self.unused)):
            reasons: dict[str, list[str]] = {}
            for key, why in rows.items():
                reasons.setdefault(why, []).append(key)
            lines += [f"{label}: {listed(keys)} ({why})" for why, keys in reasons.items()]
        return "\n".join(lines)


@dataclass(frozen=True)
class Assignment:
    """One array of the file, and the variable that it goes into."""

    variable: Any
    tensor: Tensor  # its axes in Keras's order

    @property
    def shape(self) -> tuple[int, ...]:
        return self.tensor.shape


@dataclass(frozen=True)
class LoadingPlan:
    """What goes where, and the report on it."""

    assignments: list[Assignment]  # in the order of the model's variables
    report: Report
    first: input_channels.FirstLayer | None  # where the input channels differ
    classes: int | None = None  # of the file, where the network has another number


def plan_loading(model: Any, content: Content, path: Path, *, body: bool = False) -> LoadingPlan:
    """Find a variable for every array and an array for every variable, or an explanation.

    Args:
        model: what is loaded into.
        content: of the file.
        path: of the file.
        body: take the body alone: the file's network has this one for its tower, and its head answered something else.

    Raises:
        UsageError: where there is neither.
    """
    parts = NetworkParts(model)
    units, groups, unused = matched(model, parts, content, path, body=body)
    fresh = keep_head(groups, units, parts, unused) if body else {}
    too_many = explain_extra(groups, units, parts, unused)
    new, too_few = explain_missing(groups, units, parts)
    if too_many or too_few or not groups:
        differs = [f"has {listed(too_many)} besides"] * bool(too_many) + [f"lacks {listed(too_few)}"] * bool(too_few)
        raise UsageError(
            f"{path} {' and '.join(differs) or 'has none of the layers'}; expected the layers of {model.name}: "
            "it is of another network, or this one has other options"
        )
    new |= fresh
    assignments: list[Assignment] = []
    adapted: dict[str, str] = {}
    first = classes = None
    for unit in [unit for unit in units if unit in groups]:
        pairs = paired(unit, units[unit], groups[unit], parts, path)
        wrong = [pair for pair in pairs if pair.shape != tuple(pair.variable.shape)]
        if wrong and other_classes(pairs, wrong, parts):
            sizes = zip(wrong[0].shape, wrong[0].variable.shape)
            there, here = next((there, here) for there, here in sizes if there != here)
            is_head = parts.owner[id(pairs[0].variable)] == parts.head
            why = f"{there:,} {'classes' if is_head else 'outputs'} in the file, {here:,} here"
            new |= {pair.variable.path: why for pair in pairs}
            unused |= {pair.tensor.key: why for pair in pairs}
            classes = there if is_head else classes
            continue
        if wrong and other_channels(wrong, parts):
            first = first_layer(parts.first)
            there, here = wrong[0].shape[-2], first.kernel.shape[-2]
            adapted[first.kernel.path] = f"{there} input channels in the file, {here} here"
        elif wrong:
            raise does_not_fit(wrong[0], path)
        assignments += pairs
    order = {id(variable): position for position, variable in enumerate(model.weights)}
    assignments.sort(key=lambda each: order[id(each.variable)])
    for each in assignments:
        if each.tensor.dtype != each.variable.dtype:
            adapted.setdefault(each.variable.path, f"from {each.tensor.dtype} to {each.variable.dtype}")
    loaded = tuple(each.variable.path for each in assignments)
    return LoadingPlan(assignments, Report(str(path), loaded, adapted, new, unused), first, classes)


def other_classes(pairs: Sequence[Assignment], wrong: Sequence[Assignment], parts: NetworkParts) -> bool:
    """Whether all that does not fit in this layer is the number of its outputs."""
    layer = parts.layers[parts.owner[id(pairs[0].variable)]]
    if layer.name not in parts.outputs or any(len(each.shape) != len(each.variable.shape) for each in wrong):
        return False
    sizes = [(there, here) for each in wrong for there, here in zip(each.shape, each.variable.shape) if there != here]
    return len(set(sizes)) == 1 and bool(sizes[0][1] == layer.output.shape[-1])


def other_channels(wrong: Sequence[Assignment], parts: NetworkParts) -> bool:
    """Whether all that does not fit is the number of channels that the first convolution reads."""
    (pair, *more), first = wrong, parts.first
    if more or not isinstance(first, layers.Conv1D | layers.Conv2D | layers.Conv3D) or first.groups > 1:
        return False
    here = tuple(pair.variable.shape)
    return (
        pair.variable is first.kernel
        and len(pair.shape) == len(here)
        and pair.shape[:-2] + pair.shape[-1:] == here[:-2] + here[-1:]
    )


def does_not_fit(pair: Assignment, path: Path) -> UsageError:
    return UsageError(
        f"{path} is of another network: {pair.variable.path} is {pair.shape} there and {tuple(pair.variable.shape)} "
        "here; build with the options (input_shape, width, ...) that the weights were trained with"
    )


def keep_head(groups: Groups, units: Units, parts: NetworkParts, unused: dict[str, str]) -> dict[str, str]:
    """Take the head out of `units`, and out of `groups` all that is not the body's. Returns the variables that keep
    their fresh values, and why."""
    heads = [unit for unit, variables in units.items() if parts.owner[id(variables[0])] == parts.head]
    new = {variable.path: "the head of another question in the file" for unit in heads for variable in units.pop(unit)}
    for name in [name for name in groups if name not in units]:
        unused |= {tensor.key: "not of the body" for tensor in groups.pop(name)}
    return new


def explain_extra(groups: Groups, units: Units, parts: NetworkParts, unused: dict[str, str]) -> list[str]:
    """Take out of `groups` what the network has no variables for. Returns the names that nothing explains."""
    extra = {name: groups.pop(name) for name in list(groups) if name not in units}
    small = all(rank(tensor) <= 2 for tensors in extra.values() for tensor in tensors)
    unexplained = []
    for name, tensors in extra.items():
        if name.startswith(AUXILIARY_PREFIX):
            unused |= {tensor.key: "an auxiliary head" for tensor in tensors}
        elif small and not parts.top:
            unused |= {tensor.key: "the top, which is not built here" for tensor in tensors}
        else:
            unexplained.append(name)
    return unexplained


def explain_missing(groups: Groups, units: Units, parts: NetworkParts) -> tuple[dict[str, str], list[str]]:
    """The variables that keep their fresh values, and why; and the layers for which nothing explains it."""
    missing = [variable for unit in units if unit not in groups for variable in units[unit]]
    names = {parts.owner[id(variable)] for variable in missing}
    new: dict[str, str] = {}
    reasons = (
        (parts.auxiliary, NO_AUXILIARY),
        (parts.top, "no top in the file"),
        ({parts.head} & parts.top, "no head in the file"),
        (parts.upon, "built upon the backbone, which the file has alone"),
    )
    for part, why in reasons:
        if part and part <= names:
            new |= {variable.path: why for variable in missing if parts.owner[id(variable)] in part}
            names -= part
    return new, [name for name in parts.layers if name in names]


def paired(
    unit: str, variables: Sequence[Any], tensors: Sequence[Tensor], parts: NetworkParts, path: Path
) -> list[Assignment]:
    """The arrays of one layer with its variables: by name where the names are known, else in order."""
    for tensor in tensors:
        if tensor.dtype not in FLOATS:
            raise UsageError(f"{tensor.key} in {path} is {tensor.dtype}; expected {' or '.join(FLOATS)}: save it so")
    layer = parts.layers[parts.owner[id(variables[0])]]
    if isinstance(layer, layers.MultiHeadAttention) and len(tensors) == 4 != len(variables):  # PyTorch's
        with contextlib.suppress(KeyError):
            return [Assignment(*pair) for pair in zip(variables, converters.attention(tensors, layer))]
    if len(tensors) != len(variables):
        raise UsageError(
            f"{path} has {len(tensors)} arrays for {unit}, {listed(tensor.key for tensor in tensors)}; "
            f"expected {len(variables)}: it is of another network"
        )
    by_name = {re.split(r"[./]", tensor.key)[-1].removesuffix(":0"): tensor for tensor in tensors}
    if "weight" in by_name and by_name.keys() <= converters.NAMES.keys():  # PyTorch's
        by_name = {
            converters.NAMES[name][isinstance(layer, NORMALIZATION)]: in_keras_order(tensor, layer, parts)
            for name, tensor in by_name.items()
        }
        tensors = list(by_name.values())
    if by_name.keys() == {variable.name for variable in variables}:
        tensors = [by_name[variable.name] for variable in variables]
    return [
        Assignment(variable, without_axes_of_one(tensor, tuple(variable.shape), layer))
        for variable, tensor in zip(variables, tensors)
    ]


def in_keras_order(tensor: Tensor, layer: Any, parts: NetworkParts) -> Tensor:
    """A kernel of PyTorch's, outputs first, as Keras has it, outputs last; any other array as it is."""
    if len(tensor.shape) < 2:
        return tensor
    outputs, inputs, *sizes = tensor.shape
    return tensor.changed((*sizes, inputs, outputs), converters.kernel_converter(parts.flattened_maps(layer)))


def without_axes_of_one(tensor: Tensor, shape: tuple[int, ...], layer: Any) -> Tensor:
    """The array in the shape of its variable where only axes of length 1 are too many, too few or elsewhere.

    A 1x1 convolution of one pixel is a dense layer; the kernel of a depthwise convolution is that of one in groups.
    """
    here, there = ([size for size in each if size != 1] for each in (shape, tensor.shape))
    elsewhere = len(shape) != len(tensor.shape) or isinstance(layer, layers.DepthwiseConv2D)
    if here != there or tensor.shape == shape or not elsewhere:
        return tensor
    return tensor.changed(shape, lambda value: value.reshape(shape))
