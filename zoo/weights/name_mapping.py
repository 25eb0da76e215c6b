"""One name for one thing: the groups of a file and the layers of a network under the same words.

Legacy files, state dicts and safetensors go by the names of layers; Keras 3 by paths of its own, beside which it notes
the names. State dicts of PyTorch are renamed by a converter.
"""

import re
from pathlib import Path
from typing import Any

from keras.src.saving import saving_lib  # private; the one module that knows Keras's paths

from zoo.errors import UsageError
from zoo.weights import backbone_names, converters, transformers_names
from zoo.weights.checkpoint import Content, Tensor, listed
from zoo.weights.network_parts import NetworkParts

SEQUENTIAL = re.compile(r"stem|downsampling_block_(\d)")
KINDS = "(conv[123]d|depthwise_conv2d|separable_conv2d|dense|batch_normalization)"
NUMBERED = re.compile(KINDS + r"(_\d+)?")  # what Keras calls a layer that nobody named

Units = dict[str, list[Any]]  # the variables of a network in the groups that a file keeps together
Groups = dict[str, list[Tensor]]  # the arrays of a file, likewise


def matched(
    model: Any, parts: NetworkParts, content: Content, path: Path, *, body: bool = False
) -> tuple[Units, Groups, dict[str, str]]:
    """The variables of the network and the arrays of the file under common names; and the arrays known to be of no use.
    Of a file that is to give the `body` alone, no layer stands for the head.

    Raises:
        UsageError: for names that cannot be those of this network.
    """
    groups, unused = dict(content.layers), dict[str, str]()
    units = {name: list(layer.weights) for name, layer in parts.layers.items()}
    if content.layout == "keras":
        units, groups, unused = by_path(model, parts, content)
    elif content.layout == "legacy":
        groups, unused = of_keras_applications(groups, units)
        if any(NUMBERED.fullmatch(name) and name not in units for name in groups):
            groups = in_order(groups, units, parts, path)
    elif content.layout in ("torch", "safetensors") and any(each.key.endswith(".weight") for each in content.tensors):
        heads = {name: layer.num_heads for name, layer in parts.layers.items() if hasattr(layer, "num_heads")}
        if found := transformers_names.arranged(content.tensors, heads, path):
            return units, found.groups, found.unused
        groups = by_parameter(groups)
        converters.check_options(groups, model, path)
        groups, unused = renamed(groups, path)
    if not body:
        rename_head(groups, units, parts)
    return units, groups, unused


# Keras 3


class Recorder(saving_lib.H5IOStore):
    """In place of a file that Keras saves to: notes paths, names and variables, and writes nothing."""

    def __init__(self) -> None:
        self.variables: dict[str, dict[str, Any]] = {}  # by path, then by number
        self.names: dict[str, str] = {}

    def __bool__(self) -> bool:
        return True

    def make(self, path: str, metadata: dict[str, Any] | None = None) -> dict[str, Any]:
        self.names[path] = (metadata or {}).get("name", "")
        return self.variables.setdefault(path, {})


def by_path(model: Any, parts: NetworkParts, content: Content) -> tuple[Units, Groups, dict[str, str]]:
    """Keras's path counts objects of a kind ("layers/conv2d_3"): the name noted there says more, if there is one."""
    recorder = Recorder()
    saving_lib._save_state(model, recorder, None, "", set())
    units = {path: list(variables.values()) for path, variables in recorder.variables.items() if variables}
    units = {path: each for path, each in units.items() if all(id(variable) in parts.owner for variable in each)}
    groups = {path: tensors for path, tensors in content.layers.items() if path.startswith("layers/")}
    rest = [tensor.key for path in content.layers.keys() - groups.keys() for tensor in content.layers[path]]
    here, there = by_name(units, recorder.names), by_name(groups, content.names)
    if here and there and here.keys() != there.keys():  # layers that nobody named have the numbers of their process
        ours, theirs = (
            by_name(each, names, numbers=True) for each, names in ((units, recorder.names), (groups, content.names))
        )
        if ours and theirs and ours.keys() == theirs.keys():
            there = {name: theirs[number] for name, number in zip(here, ours)}
    if here and there:
        units, groups = here, there
    return units, groups, dict.fromkeys(rest, "not of the network")


def by_name(
    by_path: dict[str, list[Any]], names: dict[str, str], *, numbers: bool = False
) -> dict[str, list[Any]] | None:
    """The same by the names of the layers, if every layer has one of its own.

    Args:
        by_path: what belongs to each path.
        names: of the layers, by path.
        numbers: take the path for a name that Keras has given, "dense_7": it counts from the start in each network.

    >>> by_name({"layers/gru": [1], "layers/gru/cell": [2]}, {"layers/gru": "memory"})
    {'memory': [1], 'memory/cell': [2]}
    """
    found = {}
    for path, held in by_path.items():
        _, layer, *inner = path.split("/")
        name, kind = names.get(f"layers/{layer}", ""), re.sub(r"_\d+$", "", layer)
        if numbers and re.fullmatch(rf"{kind}(_\d+)?", name):
            name = layer
        found["/".join([name, *inner])] = held
    unnamed = any(name.startswith("/") or not name for name in found)
    return None if unnamed or len(found) < len(by_path) else found


# Legacy files


def of_keras_applications(groups: Groups, units: Units) -> tuple[Groups, dict[str, str]]:
    """Layers that keras.applications calls otherwise under their names here, and what scales its pixels apart."""
    kept: Groups = {}
    unused: dict[str, str] = {}
    for name, tensors in groups.items():
        here = backbone_names.keras_applications(name)
        parts = SEQUENTIAL.fullmatch(here or "")
        if name in units:
            kept[name] = tensors
        elif here is None:
            unused |= {tensor.key: "scales pixels, or features, outside of the network here" for tensor in tensors}
        elif parts and len(tensors) == 4:  # ConvNeXt's convolutions and normalisations, two by two in one layer
            names = ("layernorm", "conv") if parts[1] else ("conv", "layernorm")
            first, second = (f"downsampling_{each}_{parts[1]}" if parts[1] else f"stem_{each}" for each in names)
            kept |= {first: tensors[:2], second: tensors[2:]}
        else:
            kept[here if here in units else name] = tensors
    return kept, unused


def in_order(groups: Groups, units: Units, parts: NetworkParts, path: Path) -> Groups:
    """For files whose layers have the numbers that Keras counts in one process: the order is all that they tell."""
    names = [name for name in units if name not in parts.auxiliary]
    body = [name for name in names if name not in parts.top]
    if len(groups) == len(body):
        names = body
    if len(groups) < len(names) or any(name in units and name != here for name, here in zip(groups, names)):
        raise UsageError(
            f"{path} has {len(groups)} layers with weights, {listed(groups)}; "
            f"expected {len(names)} in the order {listed(names)}: it is of another network"
        )
    extra = dict(list(groups.items())[len(names) :])
    return {**dict(zip(names, groups.values())), **extra}


# State dicts of PyTorch


def by_parameter(groups: Groups) -> Groups:
    """The same, but for what is no layer's weight or bias and belongs to a block by itself, as a class token does:
    a group of its own, by its whole name."""
    found: Groups = {}
    for layer, tensors in groups.items():
        for tensor in tensors:
            ending = tensor.key.rpartition(".")[2]
            known = ending in (*converters.NAMES, converters.BATCH_COUNTER)
            found.setdefault(layer if known else f"{layer}.{ending}".lstrip("."), []).append(tensor)
    return found


def renamed(groups: Groups, path: Path) -> tuple[Groups, dict[str, str]]:
    """The layers of a state dict under their names here, and the arrays that are of no use."""
    table = converters.converted(groups)
    if table is None:
        raise UsageError(
            f"{path} is a state dict of PyTorch with layers like {listed(groups)}, for which there is no converter; "
            f"there are converters for torchvision's {', '.join(converters.CONVERTERS)}, transformers' GPT-2 and BERT"
        )
    kept: Groups = {}
    unused: dict[str, str] = {}
    for name, tensors in groups.items():
        counters = [tensor for tensor in tensors if tensor.key.endswith(converters.BATCH_COUNTER)]
        unused |= {tensor.key: "a count of batches" for tensor in counters}
        others = [tensor for tensor in tensors if tensor not in counters]
        here = table[name]
        if here is None:
            unused |= {tensor.key: "an auxiliary head unlike those here" for tensor in others}
        else:
            kept[here] = kept.get(here, []) + others
    return kept, unused


# All


def rename_head(groups: Groups, units: Units, parts: NetworkParts) -> None:
    """The last dense layer is called "predictions", "probs", "fc1000" or "logits", depending on the publisher."""
    missing = [unit for unit in units if unit not in groups]
    extra = [name for name in groups if name not in units]
    if missing == [parts.head] and len(extra) == 1 and is_dense(groups[extra[0]]):
        groups[parts.head] = groups.pop(extra[0])


def is_dense(tensors: list[Tensor]) -> bool:
    """Whether arrays are a matrix and perhaps a bias."""
    return max(map(rank, tensors)) == 2


def rank(tensor: Tensor) -> int:
    """How many axes an array has; two for the kernel of a 1x1 convolution, which may stand for a dense layer."""
    return 2 if len(tensor.shape) == 4 and tensor.shape[:2] == (1, 1) else len(tensor.shape)
