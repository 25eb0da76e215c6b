"""Keras's two layouts in HDF5, and what of HDF5 is not followed: links, other files, compression, references."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from zoo.errors import UsageError
from zoo.weights.checkpoint import MAX_TENSORS, Content, Tensor, check_declared

MAX_DEPTH = 16  # of groups in groups
MAX_ATTRIBUTE_BYTES = 2**20  # of a list of names: Keras splits longer lists of names


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Content]:
    """The content of an HDF5 file, while the context lasts."""
    with h5py.File(path, "r", locking=False) as file:
        root = file
        if not has_names(root, "layer_names") and "model_weights" in file:  # a whole model, saved by Keras 2
            root = member(path, file, "model_weights")
        content = legacy(path, root) if has_names(root, "layer_names") else keras3(path, file)
        sizes = [math.prod(tensor.shape) * np.dtype(tensor.dtype).itemsize for tensor in content.tensors]
        check_declared(path, sum(sizes))
        yield content


def legacy(path: Path, root: Any) -> Content:
    """Layers and their weights in the order of two attributes."""
    layers = {}
    for layer in names(path, root, "layer_names"):
        group = member(path, root, layer)
        weights = [dataset(path, group, weight, f"{layer}/{weight}") for weight in names(path, group, "weight_names")]
        if weights:
            layers[layer] = weights
    return Content("legacy", layers)


def keras3(path: Path, file: Any) -> Content:
    """Every group called "vars" is an object's: its path without "vars", and its variables by number."""
    layers: dict[str, list[Tensor]] = {}
    layer_names: dict[str, str] = {}
    seen: set[int] = set()
    waiting = [("", file, 0)]
    while waiting:
        prefix, group, depth = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen or depth > MAX_DEPTH or len(seen) > MAX_TENSORS:
            raise UsageError(f"{path} has groups inside themselves or without end; it is damaged: fetch it again")
        seen.add(address)
        for key in group:
            child = member(path, group, key)
            if isinstance(child, h5py.Dataset):
                continue  # no variable of Keras's: those are in "vars"
            if key != "vars":
                waiting.append((f"{prefix}/{key}".lstrip("/"), child, depth + 1))
                continue
            numbers = sorted(child, key=lambda text: (len(text), text))
            layer_names[prefix] = name_attribute(child)
            if numbers:
                layers[prefix] = [dataset(path, child, number, f"{prefix}/vars/{number}") for number in numbers]
    return Content("keras", layers, layer_names)


def name_attribute(group: Any) -> str:
    """The name that an object had when it was saved."""
    if "name" not in group.attrs or h5py.h5a.open(group.id, b"name").shape:
        return ""
    found = group.attrs["name"]
    return found if isinstance(found, str) else ""


def member(path: Path, group: Any, name: str) -> Any:
    """A child of a group, inside this file."""
    here = group
    for part in [part for part in name.split("/") if part]:
        if part == "." or not isinstance(here, h5py.Group):
            raise UsageError(f"{path} has no {name}; it is damaged: fetch it again")
        link = here.get(part, getlink=True)
        if link is None:
            raise UsageError(f"{path} lists {name} and does not hold it; it is damaged: fetch it again")
        if not isinstance(link, h5py.HardLink):
            raise UsageError(f"{name} in {path} is a link to elsewhere; expected all arrays in the file itself")
        here = here[part]
    if not isinstance(here, h5py.Group | h5py.Dataset):
        raise UsageError(f"{name} in {path} is neither a group nor an array; it is damaged: fetch it again")
    return here


def dataset(path: Path, group: Any, name: str, key: str) -> Tensor:
    """A dataset's header, if its bytes lie in this file as they are."""
    found = member(path, group, name)
    if not isinstance(found, h5py.Dataset) or found.shape is None:
        raise UsageError(f"{key} in {path} is no array; it is damaged: fetch it again")
    if found.is_virtual or found.external:
        raise UsageError(f"{key} in {path} is stored in another file; expected all arrays in the file itself")
    if found.dtype.kind not in "iuf":
        raise UsageError(f"{key} in {path} is of {found.dtype}; expected numbers")
    creation = found.id.get_create_plist()
    declared = math.prod(found.shape) * found.dtype.itemsize
    if creation.get_nfilters() or found.id.get_storage_size() != declared:
        raise UsageError(
            f"{key} in {path} declares {declared:,} bytes and stores {found.id.get_storage_size():,}; "
            "expected plain arrays, uncompressed and whole: fetch it again or save it anew with Keras"
        )
    return Tensor(key, tuple(found.shape), found.dtype.name, lambda: found[()])


def has_names(group: Any, attribute: str) -> bool:
    """Whether a list of names is there, whole or split."""
    return attribute in group.attrs or f"{attribute}0" in group.attrs


def names(path: Path, group: Any, attribute: str) -> list[str]:
    """A list of names; Keras splits a long one into attributes with a number behind."""
    parts = [attribute] if attribute in group.attrs else []
    while attribute not in parts and f"{attribute}{len(parts)}" in group.attrs:
        parts.append(f"{attribute}{len(parts)}")
    found = []
    for part in parts:
        held = h5py.h5a.open(group.id, part.encode())
        if len(held.shape or ()) != 1 or held.shape[0] * held.dtype.itemsize > MAX_ATTRIBUTE_BYTES:
            raise UsageError(f"the attribute {part} in {path} is no list of names; the file is damaged: fetch it again")
        found += [text.decode() if isinstance(text, bytes) else str(text) for text in group.attrs[part]]
    if len(set(found)) != len(found):
        raise UsageError(f"{path} names the same weights twice; it is damaged: fetch it again")
    return found
