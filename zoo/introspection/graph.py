"""The structure of a network, read from its graph: its stages (resolutions), its blocks, and what comes before what.

>>> import zoo
>>> model = zoo.build("resnet20")
>>> [(stage.name, stage.layer, stage.channels) for stage in list_stages(model)]
[('stride1', 'conv2_block3_out', 16), ('stride2', 'conv3_block3_out', 32), ('stride4', 'conv4_block3_out', 64)]
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from zoo.errors import UsageError, unknown

Call = tuple[Any, list[Any], list[Any]]  # of an operation in a graph: (operation, inputs, outputs)
Stride = tuple[int, ...]  # pixels (frames) of the input to one of a map, for each axis

NORMALIZATION = (layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization, layers.Normalization)
PADDING = (layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D)
UPSAMPLING = (layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D)
TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
AFTER_THE_HEAD = (  # what may stand between the layer that makes the logits, or maps of them, and the output
    layers.Activation,
    layers.Flatten,
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
    layers.GlobalAveragePooling3D,
    layers.Reshape,
    layers.UnitNormalization,
)
HIDDEN = ("relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "hard_silu", "mish")  # never of an output


@dataclass(frozen=True)
class Stage:
    """The last maps of a network at one resolution: what a detector, a style loss or Grad-CAM takes."""

    name: str  # "stride8", the same in every family; "stride1x2x2" where the axes differ
    layer: str  # that makes the maps
    stride: Stride
    channels: int


# Stages


def list_stages(model: Any) -> list[Stage]:
    """The stages of a network, from the finest to the coarsest.

    A stage is the last tensor at its stride that all paths from the input to the main output go through, so never a
    branch inside a block. Padding, which only prepares a halving, is no stage, nor is the input.

    Args:
        model: a flat Functional `keras.Model`; its input is (batch, *axes, channels).

    >>> keras.utils.set_random_seed(0)
    >>> image = keras.Input((32, 32, 3))
    >>> maps = layers.MaxPooling2D(2, name="pool")(layers.Conv2D(8, 3, padding="same", name="conv")(image))
    >>> list_stages(keras.Model(image, maps))
    [Stage(name='stride1', layer='conv', stride=(1, 1), channels=8), Stage(name='stride2', layer='pool', stride=(2, 2), channels=8)]
    """  # noqa: E501
    return [stage for stage, _ in _stages(model)]


def features(model: Any, stages: Iterable[str] | None = None) -> Any:
    """The same network with its stages as outputs.

    Args:
        model: a flat Functional `keras.Model` over images, sequences or clips.
        stages: names from `list_stages(model)`, or of layers; all stages if left out.

    Returns:
        A `keras.Model` that shares the layers of `model`: its input to a dict from a stage's name to its maps,
        (batch, height / stride, width / stride, channels), and from a layer's name to its output.

    Raises:
        UsageError: for a name that is neither a stage nor a layer, or a model without stages where none is named.

    >>> import zoo
    >>> body = features(zoo.build("resnet20"), ["stride2", "stride4"])
    >>> {name: maps.shape for name, maps in body.output.items()}
    {'stride2': (None, 16, 16, 32), 'stride4': (None, 8, 8, 64)}
    """
    found = {stage.name: tensor for stage, tensor in _stages(model)}
    if not found and stages is None:
        raise UsageError(f"{model.name} has no stages; expected a network over images, sequences or clips")
    names = [stages] if isinstance(stages, str) else [*(found if stages is None else stages)]
    outputs = {layer.name: layer.output for layer in model.layers if len(keras.tree.flatten(layer.output)) == 1}
    for name in names:
        if name not in found and name not in outputs:
            raise unknown(f"stage or layer of {model.name}", name, [*found, *outputs])
    chosen = {name: found.get(name, outputs.get(name)) for name in names}
    return keras.Model(model.input, chosen, name=f"{model.name}_features")


def _stages(model: Any) -> list[tuple[Stage, Any]]:
    """(stage, tensor) pairs: one sweep over the operations in topological order."""
    rank = len(model.inputs[0].shape)
    strides: dict[int, Stride | None] = {}  # by the id of a tensor; None where it is no map
    found: dict[str, tuple[Stage, Any]] = {}
    is_learned = False  # the image itself, padded or rescaled, is no feature
    for (operation, inputs, outputs), is_bottleneck in _in_order(model):
        is_learned = is_learned or (
            bool(getattr(operation, "weights", ())) and not isinstance(operation, layers.Normalization)
        )
        stride = _stride(operation, inputs, outputs, [strides.get(id(tensor)) for tensor in inputs], rank)
        strides |= {id(tensor): stride for tensor in outputs}
        if is_bottleneck and is_learned and stride and not isinstance(operation, PADDING):
            name = "stride" + "x".join(str(s) for s in (stride if len(set(stride)) > 1 else stride[:1]))
            tensor = outputs[0]
            found[name] = Stage(name, operation.name, stride, tensor.shape[-1]), tensor
    return list(found.values())


def _stride(
    operation: Any, inputs: list[Any], outputs: list[Any], before: Sequence[Stride | None], rank: int
) -> Stride | None:
    """The stride of a call's output, from those of its inputs; None if it is not a map of the input's rank."""
    if len(outputs) != 1 or len(outputs[0].shape) != rank or rank < 3:
        return None
    if not before:
        return (1,) * (rank - 2)  # an input
    maps = [stride for stride in before if stride]  # a gate computed from the mean of all pixels has none
    if not maps or type(operation).__name__.startswith("Global"):
        return None
    stride = [max(axis) for axis in zip(*maps)]  # branches meet at the coarsest
    return tuple(int(s * step) for s, step in zip(stride, _step(operation, inputs[0], outputs[0], rank)))


def _step(operation: Any, before: Any, after: Any, rank: int) -> Sequence[float]:
    """By how much one call coarsens each axis: its strides, or the ratio of its sizes if it does not tell."""
    if isinstance(operation, UPSAMPLING):
        return [1 / size for size in _per_axis(operation.size, rank)]
    strides = getattr(operation, "strides", None)
    if strides is not None:
        strides = _per_axis(strides, rank)
        return [1 / s for s in strides] if isinstance(operation, TRANSPOSED) else strides
    sizes = zip(before.shape[1:-1], after.shape[1:-1])
    return [max(1, round(before / after)) if before and after else 1 for before, after in sizes]


def _per_axis(value: int | Sequence[int], rank: int) -> Sequence[int]:
    return (value,) * (rank - 2) if isinstance(value, int) else tuple(value)


# Blocks


def blocks(model: Any) -> list[list[Any]]:
    """The layers with weights, grouped into the blocks that follow one another on the way to the main output.

    A block ends where all paths meet: a residual or Inception block is one, and so is a plain convolution. Attention
    and the layers up to its MLP are one, as papers count the layers of a Transformer, and so is all that embeds tokens;
    a normalisation goes with the layer before it. What does not lie on the way, as an auxiliary head, is in none.

    Args:
        model: a flat Functional `keras.Model`.

    >>> import zoo
    >>> [[layer.name for layer in block] for block in blocks(zoo.build("lenet5"))]
    [['c1'], ['c3'], ['c5'], ['f6'], ['logits']]
    """
    found: list[list[Any]] = []
    ends = head(model)
    is_open = True  # as long as only tokens were embedded, or attention waits for its MLP
    for block in _between_bottlenecks(model):
        joins = all(isinstance(layer, NORMALIZATION) for layer in block)
        with_kernel = [layer for layer in block if any("kernel" in weight.name for weight in layer.weights)]
        if not joins and is_open and found:
            joins = not set(block) & set(ends) and (has_attention(found[-1]) or not with_kernel)
        if found and joins:
            found[-1] += block
        else:
            found.append(block)
        is_open = all(map(is_attention, with_kernel)) and (is_open or has_attention(block))
    return found


def is_attention(layer: Any) -> bool:
    return isinstance(layer, layers.MultiHeadAttention)


def has_attention(block: Iterable[Any]) -> bool:
    return any(map(is_attention, block))


def _between_bottlenecks(model: Any) -> Iterator[list[Any]]:
    """The layers with weights on the way to the main output, from one place where all paths meet to the next."""
    block: list[Any] = []
    seen = set()
    for (operation, _, _), is_bottleneck in _in_order(model):
        if getattr(operation, "weights", ()) and operation not in seen:  # a shared layer goes with its first use
            block.append(operation)
            seen.add(operation)
        if is_bottleneck and block:
            yield block
            block = []


def head(model: Any) -> list[Any]:
    """The layer that makes the main output, with nothing between but activations, averages and reshapes.

    None where maps or features come out: behind a pooling, a sum, a normalisation, or an activation of hidden layers.

    >>> import zoo
    >>> [layer.name for layer in head(zoo.build("lenet5"))], head(zoo.build("vgg16_small", top=False))
    (['logits'], [])
    """
    tensor = main_output(model)
    if any(producer(other) is not producer(tensor) and producer(tensor) in ancestors(other) for other in model.outputs):
        return []  # one of several stages
    operation = last_operation(tensor)
    hidden = {getattr(getattr(each, "activation", None), "__name__", "") for each in (producer(tensor), operation)}
    has_weights = bool(getattr(operation, "weights", ())) and not isinstance(operation, NORMALIZATION)
    return [operation] if has_weights and not hidden & set(HIDDEN) else []


def last_operation(tensor: Any) -> Any:
    """The operation that an output comes from, but for what may follow the layer of the logits."""
    while isinstance(producer(tensor), AFTER_THE_HEAD):
        tensor = keras.tree.flatten(producer(tensor).input)[0]
    return producer(tensor)


# The graph


def main_output(model: Any) -> Any:
    """The tensor of the first output: of a dictionary, as it is written (`model.outputs` are sorted by name)."""
    return next(iter(model.output.values())) if isinstance(model.output, dict) else model.outputs[0]


def producer(tensor: Any) -> Any:
    """The operation whose output a tensor is."""
    return tensor._keras_history.operation


def ancestors(tensor: Any) -> set[Any]:
    """All operations that a tensor comes from, its `producer` among them.

    >>> import zoo
    >>> model = zoo.build("lenet5")
    >>> sorted(operation.name for operation in ancestors(model.get_layer("s2").output))
    ['c1', 'image', 's2']
    """
    nodes, waiting = set(), [tensor]
    while waiting:
        history = waiting.pop()._keras_history
        node = history.operation._inbound_nodes[history.node_index]  # a layer may be called twice: which call it was
        if node not in nodes:
            nodes.add(node)
            waiting += node.input_tensors
    return {node.operation for node in nodes}


def calls(model: Any) -> list[Call]:
    """Every call of an operation in the network, each after those that it needs.

    Not the operations alone: a layer may be called twice, as an embedding is whose matrix makes the logits too, and
    what Keras tells of it by public names is its first call.
    """
    depths = model._nodes_by_depth
    nodes = [node for depth in sorted(depths, reverse=True) for node in depths[depth]]
    return [(node.operation, node.input_tensors, node.output_tensors) for node in nodes]


def _needed(model: Any) -> list[Call]:
    """The calls on the way from the input to the main output, in order."""
    wanted, found = {id(main_output(model))}, []
    for call in reversed(calls(model)):
        _, inputs, outputs = call
        if any(id(tensor) in wanted for tensor in outputs):
            wanted |= {id(tensor) for tensor in inputs}
            found.append(call)
    return found[::-1]


def _in_order(model: Any) -> Iterator[tuple[Call, bool]]:
    """The calls on the way to the main output, and whether each is a bottleneck: no path leads around it.

    Whole numbers and masks are no path: every layer of a network over tokens may read them, to know the padding.
    """
    needed = _needed(model)
    position = {id(tensor): i for i, (_, _, outputs) in enumerate(needed) for tensor in outputs}
    last_use = [0] * len(needed)  # the last call that uses the outputs of this one
    for i, (_, inputs, _) in enumerate(needed):
        for tensor in inputs:
            if "float" in tensor.dtype:
                last_use[position[id(tensor)]] = i
    furthest = 0  # of all edges out of the calls so far
    for i, call in enumerate(needed):
        yield call, furthest <= i
        furthest = max(furthest, last_use[i])
