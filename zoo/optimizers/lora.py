"""Low-rank adapters beside frozen kernels.

E. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685 (2021): what fine-tuning adds to a
kernel is a product of two thin matrices (section 4.1), beside the projections of attention alone (section 4.2).

>>> import zoo
>>> model = lora(zoo.build("gpt", num_layers=1, dim=16, num_heads=2), rank=2, targets=["query", "value"])
>>> [weight.path for weight in model.trainable_weights][:2]
['block1_attention/query/lora_kernel_a', 'block1_attention/query/lora_kernel_b']
"""

import fnmatch
import gc
import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo.checks import check_whole
from zoo.errors import UsageError, some, unknown
from zoo.optimizers.finetuning import freeze, head

PROJECTIONS = ("query_dense", "key_dense", "value_dense", "output_dense")  # of Keras's attention


def lora(model: Any, *, rank: int = 4, targets: Sequence[str] | None = None) -> Any:
    """Freeze all but the head, and give kernels before it a trainable product of two thin matrices (Hu 2021).

    An embedding that makes the logits too is frozen as well. Keras does the work (`enable_lora`), in its dense,
    convolutional, embedding and einsum layers. Its kernels of queries, keys and values are (dim, heads, dim / heads):
    each head has a first matrix of its own. A saved network holds the sums; `merge_lora` makes them in place.

    Args:
        model: a flat Functional `keras.Model`.
        rank: of the products.
        targets: which kernels, by the names of layers or of what is in attention, with wildcards:
            ``["query", "value"]``, ``["block1_*"]``. Left out, those of attention ("query", "key", "value",
            "attention_output"), or, in a network without attention, all.

    Returns:
        The model; compile it anew.

    Raises:
        UsageError: for a rank below 1, a name that is no kernel's, a network without kernels for it, or one that has
            such products already.

    >>> import zoo
    >>> len(lora(zoo.build("lenet5"), rank=2).trainable_weights)  # c1, c3, c5, f6: a pair each; the head's kernel, bias
    10
    """
    check_whole("rank", rank)
    if any(getattr(layer, "lora_enabled", False) for layer in kernels(model).values()):
        raise UsageError(f"{model.name} has thin matrices already; expected a network without: merge_lora first")
    chosen = choose(model, targets)
    freeze(model)
    for layer in head(model):
        layer.trainable = not isinstance(layer, layers.Embedding)
    for layer in model.layers:
        parts = [each for path, each in chosen.items() if path.partition("/")[0] == layer.name]
        if not parts:
            continue
        layer.trainable = True
        for part in parts_of(layer).values():
            part.trainable = part in parts
        for part in parts:
            part.enable_lora(rank)
            if getattr(part, "bias", None) is not None:
                part.bias.trainable = False
    return model


def merge_lora(model: Any) -> Any:
    """Add the products to their kernels, and take the thin matrices out: the network computes the same, and is plain.

    What was frozen stays so until `zoo.unfreeze`.

    Returns:
        The model; compile it anew.

    Raises:
        UsageError: for a network without such products.
    """
    adapted = [layer for layer in kernels(model).values() if getattr(layer, "lora_enabled", False)]
    if not adapted:
        raise UsageError(f"{model.name} has no thin matrices; expected what zoo.lora returned")
    gc.freeze()  # Keras looks for garbage after each variable that it deletes: among what is made from here on alone
    try:
        for layer in adapted:
            _merge(layer)
    finally:
        gc.unfreeze()
    return model


def _merge(layer: Any) -> None:
    name = "kernel" if hasattr(layer, "lora_kernel_a") else "embeddings"
    parts = [f"lora_{name}_a", f"lora_{name}_b"]
    added = layer.lora_alpha / layer.lora_rank * np.matmul(*(ops.convert_to_numpy(getattr(layer, p)) for p in parts))
    layer.lora_enabled, layer.lora_rank, layer.lora_alpha = False, None, None
    kernel = getattr(layer, name)  # without the product, now
    kernel.assign(ops.convert_to_numpy(kernel) + added)
    for part in parts:
        delattr(layer, part)


def choose(model: Any, targets: Sequence[str] | None) -> dict[str, Any]:
    """The kernels that get adapters, by their paths."""
    kept = {layer.name for layer in head(model)}
    body = {path: layer for path, layer in kernels(model).items() if path.partition("/")[0] not in kept}
    recurrent = [layer.name for layer in model.layers if isinstance(layer, layers.RNN | layers.Bidirectional)]
    without = f"{some(recurrent)}: Keras has no thin matrices for recurrent kernels" if recurrent else "no kernel"
    if targets is None:
        attention = {path: layer for path, layer in body.items() if "/" in path}
        if not body:
            raise UsageError(f"{model.name} has nothing for thin matrices before its head ({without}): use zoo.freeze")
        if recurrent:
            warnings.warn(f"these stay frozen, {without}", stacklevel=3)
        return attention or body
    found: dict[str, Any] = {}
    for target in [targets] if isinstance(targets, str) else targets:
        matching = {path: body[path] for path in body if matches(target, path, path.rpartition("/")[2])}
        if not matching and matches(target, *recurrent):
            raise UsageError(f"targets has {without}; expected names of other layers")
        if not matching:
            raise unknown(f"kernel before the head of {model.name}", target, {*body, *(p.split("/")[-1] for p in body)})
        found |= matching
    return found


def matches(pattern: str, *names: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for name in names)


def kernels(model: Any) -> dict[str, Any]:
    """What `enable_lora` can be called of, by "layer" or "layer/projection"."""
    found: dict[str, Any] = {}
    for layer in model.layers:
        found |= {f"{layer.name}/{part.name}": part for part in parts_of(layer).values()}
        if layer.weights and hasattr(layer, "enable_lora"):
            found[layer.name] = layer
    return found


def parts_of(layer: keras.Layer) -> dict[str, Any]:
    """The projections of an attention layer; of no other layer any."""
    if not isinstance(layer, layers.MultiHeadAttention):
        return {}
    return {name: getattr(layer, name) for name in PROJECTIONS}
