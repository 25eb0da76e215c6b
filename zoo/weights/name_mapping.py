"""One name for one thing: the groups of a file and the layers of a network under the same words.

Legacy files, state dicts and safetensors go by the names of layers; Keras 3 by paths of its own, beside which it notes
the names. State dicts of PyTorch are renamed by a converter.
"""

import re
from pathlib import Path
from typing import Any

from keras.src.saving import saving_lib  # private, and the one place that knows Keras's paths

from zoo.errors import UsageError
from zoo.weights import converters
from zoo.weights.checkpoint import Content, Tensor, few
from zoo.weights.network_parts import Anatomy

KEYS = "(conv[123]d|depthwise_conv2d|separable_conv2d|dense|batch_normalization)"
COUNTED = re.compile(KEYS + r"(_\d+)?")  # what Keras calls a layer that nobody named

Units = dict[str, list[Any]]  # the variables of a network in the groups that a file keeps together
Groups = dict[str, list[Tensor]]  # the arrays of a file, likewise


def matched(model: Any, anatomy: Anatomy, content: Content, path: Path) -> tuple[Units, Groups, dict[str, str]]:
    """The variables of the network and the arrays of the file under common names; and the arrays known to be of no use.

    Raises:
        UsageError: for names that cannot be those of this network.
    """
    groups, unused = dict(content.layers), {}
    units = {name: list(layer.weights) for name, layer in anatomy.layers.items()}
    if content.layout == "keras":
        units, groups, unused = by_path(model, anatomy, content)
    elif content.layout == "legacy" and any(COUNTED.fullmatch(name) and name not in units for name in groups):
        groups = in_order(groups, units, anatomy, path)
    elif content.layout in ("torch", "safetensors") and any(each.key.endswith(".weight") for each in content.tensors):
        groups, unused = renamed(groups, path)
    rename_head(groups, units, anatomy)
    return units, groups, unused


# Keras 3


class Recorder(saving_lib.H5IOStore):
    """In place of a file that Keras saves to: notes paths, names and variables, and writes nothing."""

    def __init__(self):
        self.found, self.titles = {}, {}

    def __bool__(self):
        return True

    def make(self, path, metadata=None):
        self.titles[path] = (metadata or {}).get("name", "")
        return self.found.setdefault(path, {})


def by_path(model, anatomy, content) -> tuple[Units, Groups, dict[str, str]]:
    """Keras's path counts objects of a kind ("layers/conv2d_3"): the name noted there says more, if there is one."""
    recorder = Recorder()
    saving_lib._save_state(model, recorder, None, "", set())
    units = {path: list(variables.values()) for path, variables in recorder.found.items() if variables}
    units = {path: each for path, each in units.items() if all(id(variable) in anatomy.owner for variable in each)}
    groups = {path: tensors for path, tensors in content.layers.items() if path.startswith("layers/")}
    rest = [tensor.key for path in content.layers.keys() - groups.keys() for tensor in content.layers[path]]
    here, there = entitled(units, recorder.titles), entitled(groups, content.titles)
    if here and there:
        units, groups = here, there
    return units, groups, dict.fromkeys(rest, "not of the network")


def entitled(found: dict[str, list], titles: dict[str, str]) -> dict[str, list] | None:
    """The same with names for paths, if every layer has one of its own.

    >>> entitled({"layers/gru": [1], "layers/gru/cell": [2]}, {"layers/gru": "memory"})
    {'memory': [1], 'memory/cell': [2]}
    """
    renamed = {}
    for path, what in found.items():
        _, layer, *inner = path.split("/")
        renamed["/".join([titles.get(f"layers/{layer}", ""), *inner])] = what
    unnamed = any(name.startswith("/") or not name for name in renamed)
    return None if unnamed or len(renamed) < len(found) else renamed


# Legacy files


def in_order(groups: Groups, units: Units, anatomy: Anatomy, path: Path) -> Groups:
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


# State dicts of PyTorch


def renamed(groups: Groups, path: Path) -> tuple[Groups, dict[str, str]]:
    table = converters.converted(groups)
    if table is None:
        raise UsageError(
            f"{path} is a state dict of PyTorch with layers like {few(groups)}, for which there is no converter; "
            f"there are converters for torchvision's {', '.join(converters.CONVERTERS)}"
        )
    kept, unused = {}, {}
    for name, tensors in groups.items():
        counters = [tensor for tensor in tensors if tensor.key.endswith(converters.COUNTER)]
        unused |= {tensor.key: "a count of batches" for tensor in counters}
        others = [tensor for tensor in tensors if tensor not in counters]
        if table[name] is None:
            unused |= {tensor.key: "an auxiliary head unlike those here" for tensor in others}
        else:
            kept[table[name]] = others
    return kept, unused


# All


def rename_head(groups: Groups, units: Units, anatomy: Anatomy) -> None:
    """The last dense layer is called "predictions", "probs", "fc1000" or "logits", depending on whom one asks."""
    missing = [unit for unit in units if unit not in groups]
    extra = [name for name in groups if name not in units]
    if missing == [anatomy.head] and len(extra) == 1 and is_dense(groups[extra[0]]):
        groups[anatomy.head] = groups.pop(extra[0])


def is_dense(tensors) -> bool:
    return max(len(tensor.shape) for tensor in tensors) == 2
