"""What a weight file holds, read from its header: names, shapes and dtypes before any number.

Four layouts are known, told apart by their first bytes, never by the file's name:

* legacy Keras h5 (the files of keras.applications): layers and weights in the order of two attributes;
* Keras 3 ``.weights.h5``: a group of numbered variables for each object, under Keras's own path to it; the same inside
  a whole ``.keras`` network;
* safetensors: a flat dictionary of arrays;
* PyTorch's ``.pth``, a pickled dictionary, through ``torch.load(weights_only=True)`` alone.

Nothing here trusts the file. A header may not declare more bytes than the file has, nothing may point out of
the file, and whatever a library says about a broken file becomes one `UsageError`.
"""

import contextlib
import functools
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import UsageError
from zoo.weights import hdf5, keras_archive
from zoo.weights.checkpoint import Content, Tensor, check, check_declared, explained
from zoo.weights.hdf5_sandbox import screen

LAYOUTS = "Keras h5, .weights.h5, .keras, safetensors, .pth"
Reader = Callable[[Path], AbstractContextManager[Content]]


@contextlib.contextmanager
def opened(path: Path, *, trusted: bool = False) -> Iterator[Content]:
    """The content of a file; its tensors can be read while the context lasts.

    Args:
        path: the file.
        trusted: whether its hash is known to be right: then it needs no screening.

    Raises:
        UsageError: for a file in none of the layouts, or one that is damaged, or larger inside than outside.
    """
    reader, kind = recognise(path)
    if reader is hdf5.opened and not trusted:
        screen(path)
    with contextlib.ExitStack() as stack:
        with explained(path, kind):
            content = stack.enter_context(reader(path))
            check(path, content)
        yield content


def recognise(path: Path) -> tuple[Reader, str]:
    """The reader of a file's layout and its name for people."""
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; expected a file of weights") from None
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return hdf5.opened, "HDF5"
    if head.startswith(b"PK\x03\x04"):
        return archive(path)
    if head.startswith(b"\x80\x02\x8a\x0a"):  # pickle's protocol 2, then torch's magic number
        return torch_file, "a PyTorch file"
    if len(head) > 8 and head[8:9] == b"{":
        return safetensors_file, "safetensors"
    what = "empty" if not head else next((text for start, text in NOT_WEIGHTS.items() if start in head.lower()), "")
    raise UsageError(f"{path} is {what or 'in no layout known here'}; expected weights ({LAYOUTS})")


NOT_WEIGHTS = {  # what is often found in place of weights
    b"git-lfs": "a git-lfs pointer (`git lfs pull` fetches the file itself)",
    b"<html": "a web page (download the file itself)",
    b"<!doctype": "a web page (download the file itself)",
    b"accessdenied": "a server's refusal, not a file",
    b"\x1f\x8b": "compressed (unpack it)",
}


# safetensors


SAFETENSORS = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64", "I64": "int64"}


@contextlib.contextmanager
def safetensors_file(path: Path) -> Iterator[Content]:
    """A flat dictionary of arrays."""
    from safetensors import safe_open

    with path.open("rb") as file:  # the library maps the file and checks offsets; the length of the header first
        if int.from_bytes(file.read(8), "little") > os.fstat(file.fileno()).st_size - 8:
            raise UsageError(f"{path} is shorter than its own header; it is cut short: fetch it again")
    with safe_open(path, framework="numpy") as file:
        tensors = []
        for key in file.keys():  # noqa: SIM118  not a dictionary
            header = file.get_slice(key)
            dtype = SAFETENSORS.get(header.get_dtype(), header.get_dtype())
            tensors.append(Tensor(key, tuple(header.get_shape()), dtype, functools.partial(file.get_tensor, key)))
        yield flat("safetensors", tensors)


WRAPPERS = ("module.", "_orig_mod.", "model.")  # what DataParallel, compile and Lightning put before every key


def flat(layout: str, tensors: list[Tensor]) -> Content:
    """Arrays by layer, where a key is the layer's name and the weight's, joined by a dot or a slash."""
    keys = [tensor.key for tensor in tensors]
    before = next((prefix for prefix in WRAPPERS if all(key.startswith(prefix) for key in keys)), "")
    layers: dict[str, list[Tensor]] = {}
    for tensor in tensors:
        layer = tensor.key[: max(tensor.key.rfind("."), tensor.key.rfind("/"), 0)].removeprefix(before)
        layers.setdefault(layer, []).append(tensor)
    return Content(layout, layers)


# PyTorch


def archive(path: Path) -> tuple[Reader, str]:
    """Which of the zip archives of this field it is."""
    with explained(path, "a zip archive"), zipfile.ZipFile(path) as file:
        entries = file.infolist()
    if any(entry.filename.endswith("data.pkl") for entry in entries):
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise UsageError(f"{path} is compressed inside, which PyTorch's files are not; fetch it again")
        return torch_file, "a PyTorch file"
    if any(entry.filename == keras_archive.WEIGHTS for entry in entries):
        return keras_archive.opened, "a .keras file"
    raise UsageError(f"{path} is a zip archive; expected weights ({LAYOUTS}): unpack it")


@contextlib.contextmanager
def torch_file(path: Path) -> Iterator[Content]:
    """A state dict, first as shapes without storage, then, when an array is asked for, whole."""
    try:
        import torch
        from torch._subclasses.fake_tensor import FakeTensorMode
    except ImportError:
        raise UsageError(f"{path} is a PyTorch file and PyTorch is not installed; pip install torch") from None

    def load(**options: Any) -> Any:
        try:
            return state_dict_in(torch.load(path, weights_only=True, map_location="cpu", **options))
        except Exception as error:  # of the unpickler
            if type(error).__name__ != "UnpicklingError":
                raise
            found = re.search(r"GLOBAL ([\w.]+)", str(error))
            if found is None:
                raise
            raise UsageError(
                f"{path} holds objects of Python ({found[1]}), which could run code and are not opened; expected a "
                "state dict alone: torch.save(model.state_dict(), path)"
            ) from None

    with FakeTensorMode():
        shapes = load()
    if not isinstance(shapes, dict) or not all(isinstance(key, str) for key in shapes):
        raise UsageError(f"{path} holds {type(shapes).__name__}; expected a state dict: names and tensors")
    whole = functools.cache(lambda: load(mmap=zipfile.is_zipfile(path)))
    tensors, storages = [], {}
    for key, tensor in shapes.items():
        if not isinstance(tensor, torch.Tensor):
            raise UsageError(f"{key} in {path} is {type(tensor).__name__}; expected a state dict: names and tensors")
        dtype = str(tensor.dtype).removeprefix("torch.")
        storage = tensor.untyped_storage()
        storages[storage._cdata] = storage.nbytes()
        tensors.append(Tensor(key, tuple(tensor.shape), dtype, functools.partial(read_tensor, whole, key)))
    check_declared(path, sum(storages.values()))
    yield flat("torch", tensors)


STATE_DICTS = ("state_dict", "model_state_dict", "state_dict_ema", "model", "module", "net")  # in a checkpoint


def state_dict_in(checkpoint: Any) -> Any:
    """The weights in a checkpoint that holds the epoch, the optimizer and others beside them; else what is given."""
    if isinstance(checkpoint, dict):
        for key in STATE_DICTS:
            if isinstance(checkpoint.get(key), dict):
                return checkpoint[key]
    return checkpoint


def read_tensor(state_dict: Callable[[], Any], key: str) -> np.ndarray:
    """A PyTorch tensor as NumPy has it; bfloat16, which NumPy lacks, widened."""
    tensor = state_dict()[key].detach()
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
