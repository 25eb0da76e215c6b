"""Looking inside a network: its stages, and what each layer costs. Both are read from the graph itself.

>>> import zoo
>>> model = zoo.build("resnet20")
>>> [(stage.name, stage.layer, stage.channels) for stage in list_stages(model)]
[('stride1', 'conv2_block3_out', 16), ('stride2', 'conv3_block3_out', 32), ('stride4', 'conv4_block3_out', 64)]
>>> sum(row.multiply_adds for row in costs(model))
40551040
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from zoo.errors import UsageError, unknown


@dataclass(frozen=True)
class Stage:
    """The last maps of a network at one resolution: what a detector, a style loss or Grad-CAM takes."""

    name: str  # "stride8", the same in every family; "stride1x2x2" where the axes differ
    layer: str  # that makes the maps
    stride: tuple[int, ...]  # pixels (frames) of the input to one of the maps, for each axis
    channels: int


@dataclass(frozen=True)
class Cost:
    """One layer's numbers and work for one example."""

    layer: str
    type: str
    output_shape: tuple[int, ...]  # without the batch axis
    params: int
    multiply_adds: int | None  # None: the layer has weights, and how it uses them is not known here


# Stages


def list_stages(model: Any) -> list[Stage]:
    """The stages of a network, from the finest to the coarsest.

    A stage is the last tensor at its stride that all paths from the input to the (first) output go through, so never a
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
        stages: names from `list_stages(model)`; all of them if left out.

    Returns:
        A `keras.Model` that shares the layers of `model`: its input to a dict from a stage's name to its maps,
        (batch, height / stride, width / stride, channels).

    Raises:
        UsageError: for a name that is not among the model's stages, or a model without any.

    >>> import zoo
    >>> body = features(zoo.build("resnet20"), ["stride2", "stride4"])
    >>> {name: maps.shape for name, maps in body.output.items()}
    {'stride2': (None, 16, 16, 32), 'stride4': (None, 8, 8, 64)}
    """
    found = {stage.name: tensor for stage, tensor in _stages(model)}
    if not found:
        raise UsageError(f"{model.name} has no stages; expected a network over images, sequences or clips")
    for name in stages if stages is not None else ():
        if name not in found:
            raise unknown(f"stage of {model.name}", name, found)
    chosen = {name: found[name] for name in (stages if stages is not None else found)}
    return keras.Model(model.input, chosen, name=f"{model.name}_features")


def blocks(model: Any) -> list[list[Any]]:
    """The layers with weights, grouped into the blocks that follow one another on the way to the (first) output.

    A block ends where all paths meet: a residual or Inception block is one, and so is a plain convolution; a
    normalisation goes with the layer before it. The last block is the head. What does not lie on the way, as an
    auxiliary head, is in none.

    Args:
        model: a flat Functional `keras.Model`.

    >>> import zoo
    >>> [[layer.name for layer in block] for block in blocks(zoo.build("lenet5"))]
    [['c1'], ['c3'], ['c5'], ['f6'], ['logits']]
    """
    found, open_, seen = [], [], set()
    for operation, _, _, passed_by_all in _in_order(model):
        if getattr(operation, "weights", ()) and operation not in seen:  # a shared layer goes with its first use
            open_.append(operation)
            seen.add(operation)
        if passed_by_all and open_:
            if found and all(isinstance(layer, NORMALIZATION) for layer in open_):
                found[-1] += open_
            else:
                found.append(open_)
            open_ = []
    return found


def _calls(model):
    """Every call of an operation in the network: (operation, inputs, outputs), each after those that it needs.

    Not the operations alone: a layer may be called twice, as an embedding is whose matrix makes the logits too, and
    what Keras tells of it by public names is its first call.
    """
    depths = model._nodes_by_depth
    for node in (node for depth in sorted(depths, reverse=True) for node in depths[depth]):
        yield node.operation, node.input_tensors, node.output_tensors


def _needed(model):
    """The calls on the way from the input to the first output, in order."""
    wanted, found = {id(model.outputs[0])}, []
    for call in reversed(list(_calls(model))):
        if any(id(tensor) in wanted for tensor in call[2]):
            wanted |= {id(tensor) for tensor in call[1]}
            found.append(call)
    return found[::-1]


def _in_order(model):
    """(operation, inputs, outputs, whether no path leads around it) for `_needed` calls.

    Whole numbers and masks are no path: what padding there is, every layer of a network over tokens may ask.
    """
    calls = _needed(model)
    position = {id(tensor): i for i, (_, _, outputs) in enumerate(calls) for tensor in outputs}
    reach = [0] * len(calls)  # the last call that uses the outputs of this one
    for i, (_, inputs, _) in enumerate(calls):
        for tensor in inputs:
            if "float" in tensor.dtype:
                reach[position[id(tensor)]] = i
    furthest = 0  # of all edges out of the calls so far
    for i, call in enumerate(calls):
        yield *call, furthest <= i
        furthest = max(furthest, reach[i])


def _stages(model):
    """(stage, tensor) pairs: one sweep over the operations in topological order."""
    rank = len(model.inputs[0].shape)
    strides = {}  # tensor -> pixels of the input to one of its own, while it still is a map
    found = {}
    learned = False  # the image itself, padded or rescaled, is no feature
    for operation, inputs, outputs, passed_by_all in _in_order(model):
        learned = learned or (
            bool(getattr(operation, "weights", ())) and not isinstance(operation, layers.Normalization)
        )
        stride = _stride(operation, inputs, outputs, [strides.get(id(tensor)) for tensor in inputs], rank)
        strides |= {id(tensor): stride for tensor in outputs}
        if passed_by_all and learned and stride and not isinstance(operation, PADDING):
            name = "stride" + "x".join(str(s) for s in (stride if len(set(stride)) > 1 else stride[:1]))
            tensor = outputs[0]
            found[name] = Stage(name, operation.name, stride, tensor.shape[-1]), tensor
    return list(found.values())


NORMALIZATION = (layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization, layers.Normalization)
PADDING = (layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D)
UPSAMPLING = (layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D)
TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)


def ancestors(model: Any) -> set[Any]:
    """The operations on the way from the input to the first output."""
    return {operation for operation, _, _ in _needed(model)}


def _stride(operation, inputs, outputs, before, rank):
    """The stride of a call's output, from those of its inputs; None if it is not a map of the input's rank."""
    if len(outputs) != 1 or len(outputs[0].shape) != rank or rank < 3:
        return None
    if not before:
        return (1,) * (rank - 2)  # an input
    before = [stride for stride in before if stride]  # a gate computed from the mean of all pixels has none
    if not before or type(operation).__name__.startswith("Global"):
        return None
    stride = tuple(max(axis) for axis in zip(*before))  # branches meet at the coarsest
    return tuple(int(s * step) for s, step in zip(stride, _step(operation, inputs[0], outputs[0], rank)))


def _step(operation, before, after, rank):
    """By how much one call coarsens each axis: its strides, or the ratio of its sizes if it does not tell."""
    if isinstance(operation, UPSAMPLING):
        return [1 / size for size in _per_axis(operation.size, rank)]
    strides = getattr(operation, "strides", None)
    if strides is not None:
        strides = _per_axis(strides, rank)
        return [1 / s for s in strides] if isinstance(operation, TRANSPOSED) else strides
    sizes = zip(before.shape[1:-1], after.shape[1:-1])
    return [max(1, round(before / after)) if before and after else 1 for before, after in sizes]


def _per_axis(value, rank):
    return (value,) * (rank - 2) if isinstance(value, int) else tuple(value)


# Costs


def costs(model: Any) -> list[Cost]:
    """What each layer of a network holds and does, in the order of the graph.

    Counted as papers count: one multiplication with its addition is one, in the products and convolutions only.
    Biases, normalisation, activations and pooling are left out.

    Args:
        model: a flat Functional `keras.Model` with fixed sizes.

    Returns:
        A row for each layer. `multiply_adds` is None, so that no sum hides it, for a layer with weights that is not
        known here; a custom layer can tell by itself, in a method ``multiply_adds(input_shape, output_shape)`` over
        shapes without the batch axis.

    Raises:
        UsageError: if a size is free.

    >>> image = keras.Input((8, 8, 3))
    >>> maps = layers.Conv2D(4, 3, padding="same", name="conv")(image)
    >>> costs(keras.Model(image, maps))[-1]  # 8 x 8 pixels of 3 x 3 x 3 x 4
    Cost(layer='conv', type='Conv2D', output_shape=(8, 8, 4), params=112, multiply_adds=6912)
    """
    calls = list(_calls(model))
    return [_cost(layer, [call[1:] for call in calls if call[0] is layer]) for layer in model.layers]


def _cost(layer, calls):
    """One layer over all of its calls, each (inputs, outputs)."""
    shapes = [([_shape(layer, tensor) for tensor in inputs], _shape(layer, outputs[0])) for inputs, outputs in calls]
    work = [_work(layer, before, after) for before, after in shapes]
    output = shapes[0][1]
    return Cost(layer.name, type(layer).__name__, output, layer.count_params(), None if None in work else sum(work))


def _work(layer, before, after):
    if hasattr(layer, "multiply_adds"):
        return layer.multiply_adds(before[0] if len(before) == 1 else before, after)
    known = next((count for types, count in MULTIPLY_ADDS.items() if isinstance(layer, types)), None)
    return known(layer, before, after) if known else None if layer.weights else 0


def _shape(layer, tensor):
    shape = tuple(tensor.shape[1:])
    if None in shape:
        raise UsageError(f"{layer.name} has the shape {shape}; expected fixed sizes: build with an input_shape")
    return shape


def _size(weight):
    return math.prod(weight.shape)


# How many, by the shapes of all inputs and of the output.


def _convolution(layer, before, after):
    """Every weight meets every output pixel once; groups and dilation are in the kernel's shape already."""
    return math.prod(after[:-1]) * _size(layer.kernel)


def _transposed(layer, before, after):
    return math.prod(before[0][:-1]) * _size(layer.kernel)  # every weight meets every input pixel


def _separable(layer, before, after):
    return math.prod(after[:-1]) * (_size(layer.depthwise_kernel) + _size(layer.pointwise_kernel))


def _recurrent(layer, before, after):
    return before[0][0] * (_size(layer.cell.kernel) + _size(layer.cell.recurrent_kernel))  # (time, dim)


def _attention(layer, before, after):
    """Four projections, the scores of every pair, and the weighted sum of the values; masks save nothing."""
    (queries, _), (keys, _) = before[:2]
    wide = layer.num_heads * (layer.key_dim + layer.value_dim)
    projected = queries * (_size(layer.query_dense.kernel) + _size(layer.output_dense.kernel))
    projected += keys * (_size(layer.key_dense.kernel) + _size(layer.value_dense.kernel))
    return projected + queries * keys * wide


def _scores(layer, before, after):
    """One head without projections: a score for every pair, and the weighted sum of the values."""
    (queries, width), (places, values) = before[:2]
    return queries * places * (width + values)


def _reversible(layer, before, after):
    """A lookup; in reverse, a product with the whole table."""
    return math.prod(before[0]) * after[-1] if after[-1] == layer.input_dim and len(before[0]) > 1 else 0


def _nothing(layer, before, after):
    return 0


# The first line whose types fit. Keras's separable and transposed convolutions are not kinds of its plain ones.
MULTIPLY_ADDS: dict[tuple[type, ...], Callable] = {
    (layers.SeparableConv1D, layers.SeparableConv2D): _separable,
    TRANSPOSED: _transposed,
    (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv1D, layers.DepthwiseConv2D): _convolution,
    (layers.Dense,): _convolution,  # at every position, as a 1x1 convolution
    (layers.SimpleRNN, layers.LSTM, layers.GRU): _recurrent,
    (layers.MultiHeadAttention,): _attention,
    (layers.Attention, layers.AdditiveAttention): _scores,
    (layers.ReversibleEmbedding,): _reversible,
    (layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization, layers.Normalization): _nothing,
    (layers.Embedding, layers.PReLU): _nothing,  # a lookup; an activation
}
