"""GPT-2 and BERT as the package `transformers` saves them, under the names and in the axes that they have here.

The arrays of one layer there may belong to several here (GPT-2 keeps queries, keys and values in one matrix), and heads
share an axis that they have to themselves here: each array here is a `Tensor` that is cut and reshaped when it is read.

    there                                                           here
    transformer.h.0.attn.c_attn   (dim, 3 dim)                      block1_attention: query, key, value
    bert.encoder.layer.0.attention.self.query   (dim, dim), turned  encoder1_attention: query

GPT-2's matrices are (inputs, outputs); BERT's are PyTorch's, outputs first.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import UsageError
from zoo.weights.checkpoint import Tensor

Arrays = dict[str, Tensor]  # of a file, by their keys without the prefix
Change = Callable[[np.ndarray], np.ndarray]

PREFIXES = ("transformer.", "bert.")
OLD_NAMES = {"gamma": "weight", "beta": "bias"}  # of a normalisation, in files that came from TensorFlow
PARTS = ("query", "key", "value")
NO_WEIGHTS = re.compile(r"(.*\.)?(attn\.(masked_)?bias|embeddings\.position_ids)")  # buffers: masks and 0, 1, 2, ...
PRETRAINING = re.compile(r"cls\..*")  # BERT's heads for masked tokens and for the next sentence


@dataclass(frozen=True)
class Arranged:
    """The arrays for each layer here, in the order of its variables, and those of no use with the reason."""

    groups: dict[str, list[Tensor]]
    unused: dict[str, str]


def arranged(tensors: list[Tensor], heads: Mapping[str, int], path: Path) -> Arranged | None:
    """A state dict of GPT-2 or BERT, arranged for a network here; None where it is of neither.

    Args:
        tensors: of the file.
        heads: how many each attention of the network has, by the name of its layer.
        path: of the file.

    Raises:
        UsageError: for arrays that this kind of network does not have.
    """
    arrays = {plain(tensor.key): tensor for tensor in tensors}
    kind = next((each for each in (Gpt2, Bert) if each.mark in arrays), None)
    if kind is None:
        return None
    unused = {tensor.key: "no weights" for key, tensor in arrays.items() if NO_WEIGHTS.fullmatch(key)}
    unused |= {each.key: "a head for pre-training" for key, each in arrays.items() if PRETRAINING.fullmatch(key)}
    rest = {key: tensor for key, tensor in arrays.items() if tensor.key not in unused}
    found = kind(rest, heads, path)
    found.take_all()
    if found.arrays:
        raise UsageError(f"{path} has {next(iter(found.arrays))}, which a {kind.called} here does not have")
    return Arranged(found.groups, unused | found.unused)


def plain(key: str) -> str:
    """A key without the prefix that whole models have, its last word in the newer names.

    >>> plain("bert.embeddings.LayerNorm.gamma"), plain("transformer.wte.weight"), plain("wte.weight")
    ('embeddings.LayerNorm.weight', 'wte.weight', 'wte.weight')
    """
    prefix = next((each for each in PREFIXES if key.startswith(each)), "")
    before, dot, last = key.removeprefix(prefix).rpartition(".")
    return before + dot + OLD_NAMES.get(last, last)


class Layers:
    """Takes arrays from a file, layer after layer."""

    mark = ""  # an array that every file of the kind has
    called = ""

    def __init__(self, arrays: Arrays, heads: Mapping[str, int], path: Path):
        self.arrays, self.heads, self.path = dict(arrays), heads, path
        self.groups: dict[str, list[Tensor]] = {}
        self.unused: dict[str, str] = {}

    def take_all(self) -> None:
        raise NotImplementedError

    def take(self, key: str, dims: int) -> Tensor:
        """An array of so many axes, which is not left over then."""
        tensor = self.arrays.pop(key, None)
        if tensor is None:
            raise UsageError(f"{self.path} lacks {key}; it is no whole {self.called}: fetch it again")
        if len(tensor.shape) != dims:
            raise UsageError(f"{key} in {self.path} has the shape {tensor.shape}; expected {dims} axes")
        return tensor

    def table(self, layer: str, key: str) -> None:
        """Rows of vectors."""
        self.groups[layer] = [changed(self.take(f"{key}.weight", 2), "table")]

    def norm(self, layer: str, key: str) -> None:
        scale, shift = self.take(f"{key}.weight", 1), self.take(f"{key}.bias", 1)
        self.groups[layer] = [changed(scale, "gamma"), changed(shift, "beta")]

    def dense(self, layer: str, key: str) -> None:
        kernel, bias = self.matrix(key)
        self.groups[layer] = [kernel, bias]

    def matrix(self, key: str) -> tuple[Tensor, Tensor]:
        """(inputs, outputs) and (outputs,)."""
        raise NotImplementedError

    def blocks(self, pattern: str) -> range:
        """The numbers of the blocks that there are."""
        numbers = {int(found[1]) for key in self.arrays if (found := re.match(pattern, key))}
        return range(len(numbers))

    def split_heads(self, kernel: Tensor, bias: Tensor, layer: str, part: str) -> list[Tensor]:
        """Queries, keys or values: (dim, dim) -> (dim, heads, dim / heads); and the bias likewise."""
        width = kernel.shape[1]
        shape = (self.heads_of(layer, width), width // self.heads_of(layer, width))
        return [
            changed(kernel, f"{part} kernel", (kernel.shape[0], *shape)),
            changed(bias, f"{part} bias", shape),
        ]

    def joined_heads(self, kernel: Tensor, bias: Tensor, layer: str) -> list[Tensor]:
        """The last projection of an attention: (dim, dim) -> (heads, dim / heads, dim)."""
        width = kernel.shape[0]
        heads = self.heads_of(layer, width)
        return [changed(kernel, "output kernel", (heads, width // heads, kernel.shape[1])), changed(bias, "output")]

    def heads_of(self, layer: str, width: int) -> int:
        """How many heads the network here has; 1 where it has no such layer, or one that cannot fit, which is found
        out by the shapes."""
        heads = self.heads.get(layer, 1)
        return heads if width % heads == 0 else 1


class Gpt2(Layers):
    """`GPT2Model` and `GPT2LMHeadModel`."""

    mark, called = "wpe.weight", "GPT-2"

    def take_all(self) -> None:
        tied = self.arrays.pop("lm_head.weight", None)
        table = self.take("wte.weight", 2)
        if tied is not None:
            self.unused[tied.key] = "the same as the embedding"
            table = replace(table, read=partial(same, table.read, tied.read, self.path))
        self.groups["embedding"] = [changed(table, "table")]
        self.table("positions", "wpe")
        for number in self.blocks(r"h\.(\d+)\."):
            there, here = f"h.{number}", f"block{number + 1}"
            self.norm(f"{here}_attention_norm", f"{there}.ln_1")
            self.attention(f"{here}_attention", f"{there}.attn")
            self.norm(f"{here}_mlp_norm", f"{there}.ln_2")
            self.dense(f"{here}_mlp_in", f"{there}.mlp.c_fc")
            self.dense(f"{here}_mlp_out", f"{there}.mlp.c_proj")
        self.norm("norm", "ln_f")

    def attention(self, layer: str, key: str) -> None:
        kernel, bias = self.matrix(f"{key}.c_attn")
        width = kernel.shape[1] // 3
        found: list[Tensor] = []
        for number, part in enumerate(PARTS):
            mine = partial(third, number=number)
            cut = changed(kernel, part, (kernel.shape[0], width), mine), changed(bias, part, (width,), mine)
            found += self.split_heads(*cut, layer, part)
        self.groups[layer] = found + self.joined_heads(*self.matrix(f"{key}.c_proj"), layer)

    def matrix(self, key: str) -> tuple[Tensor, Tensor]:
        return changed(self.take(f"{key}.weight", 2), "kernel"), changed(self.take(f"{key}.bias", 1), "bias")


class Bert(Layers):
    """`BertModel` and those with a head: `BertForPreTraining`, `BertForSequenceClassification`, ..."""

    mark, called = "embeddings.token_type_embeddings.weight", "BERT"

    def take_all(self) -> None:
        self.table("embedding", "embeddings.word_embeddings")
        self.table("positions", "embeddings.position_embeddings")
        self.table("segment", "embeddings.token_type_embeddings")
        self.norm("embedding_norm", "embeddings.LayerNorm")
        for number in self.blocks(r"encoder\.layer\.(\d+)\."):
            there, here = f"encoder.layer.{number}", f"encoder{number + 1}"
            attention = f"{here}_attention"
            self.groups[attention] = [
                tensor
                for part in PARTS
                for tensor in self.split_heads(*self.matrix(f"{there}.attention.self.{part}"), attention, part)
            ] + self.joined_heads(*self.matrix(f"{there}.attention.output.dense"), attention)
            self.norm(f"{here}_attention_norm", f"{there}.attention.output.LayerNorm")
            self.dense(f"{here}_mlp_in", f"{there}.intermediate.dense")
            self.dense(f"{here}_mlp_out", f"{there}.output.dense")
            self.norm(f"{here}_mlp_norm", f"{there}.output.LayerNorm")
        for layer, key in {"pooler": "pooler.dense", "logits": "classifier"}.items():
            if f"{key}.weight" in self.arrays:
                self.dense(layer, key)

    def matrix(self, key: str) -> tuple[Tensor, Tensor]:
        weight = self.take(f"{key}.weight", 2)
        turned = changed(weight, "kernel", weight.shape[::-1], np.transpose)
        return turned, changed(self.take(f"{key}.bias", 1), "bias")


def changed(tensor: Tensor, part: str, shape: tuple[int, ...] | None = None, change: Change | None = None) -> Tensor:
    """A part of an array, in another shape; the key says which part.

    >>> part = changed(Tensor("h.0.bias", (6,), "float32", lambda: np.arange(6.0)), "query", (2,), lambda a: a[:2])
    >>> part.key, part.shape, part.read()
    ('h.0.bias (query)', (2,), array([0., 1.]))
    """
    shape = tensor.shape if shape is None else shape

    def read() -> np.ndarray:
        array = tensor.read()
        return (array if change is None else change(array)).reshape(shape)

    return Tensor(f"{tensor.key.partition(' (')[0]} ({part})", shape, tensor.dtype, read)


def third(array: np.ndarray, number: int) -> np.ndarray:
    """Of a matrix or a bias, the columns of the queries (0), the keys (1) or the values (2)."""
    return np.split(array, 3, axis=-1)[number]


def same(read: Callable[[], np.ndarray], tied: Callable[[], np.ndarray], path: Path) -> Any:
    """An array, if another one is equal to it."""
    found = read()
    if not np.array_equal(found, tied()):
        raise UsageError(f"{path} has a head of its own beside the embedding; GPT-2 here has one matrix for both")
    return found
