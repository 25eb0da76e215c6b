"""What each layer of a network costs: parameters, and multiply-adds by the formula of its type.

>>> import zoo
>>> sum(row.multiply_adds for row in costs(zoo.build("resnet20")))
40551040
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from zoo.errors import UsageError
from zoo.introspection.graph import NORMALIZATION, TRANSPOSED, Call, calls

Shape = tuple[int, ...]  # without the batch axis
Count = Callable[[Any, list[Shape], Shape], int]  # (layer, shapes of its inputs, of its output) -> multiply-adds


@dataclass(frozen=True)
class Cost:
    """One layer's numbers and work for one example."""

    layer: str
    type: str
    output_shape: Shape
    params: int
    multiply_adds: int | None  # None: the layer has weights, and how it uses them is not known here


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

    >>> import keras
    >>> image = keras.Input((8, 8, 3))
    >>> maps = layers.Conv2D(4, 3, padding="same", name="conv")(image)
    >>> costs(keras.Model(image, maps))[-1]  # 8 x 8 pixels of 3 x 3 x 3 x 4
    Cost(layer='conv', type='Conv2D', output_shape=(8, 8, 4), params=112, multiply_adds=6912)
    """
    all_calls = calls(model)
    times = _times(all_calls)
    return [
        _cost(layer, [(inputs, outputs) for operation, inputs, outputs in all_calls if operation is layer], times)
        for layer in model.layers
    ]


def _times(all_calls: list[Call]) -> dict[int, int]:
    """How often an example is in the batch of each tensor, by its `id`: images that are joined end to end go through
    one tower as many."""
    times: dict[int, int] = {}
    for operation, inputs, outputs in all_calls:
        before = [times[id(tensor)] for tensor in inputs] or [1]
        joined = isinstance(operation, layers.Concatenate) and operation.axis in (0, -len(outputs[0].shape))
        after = sum(before) if joined else max(before)
        if after > 1 and len(inputs) == 1 and not getattr(operation, "weights", ()):  # it may take them apart
            (together,) = inputs
            spec = operation.compute_output_spec(keras.KerasTensor((after, *together.shape[1:]), together.dtype))
            after = keras.tree.flatten(spec)[0].shape[0] or 1
        times |= {id(tensor): after for tensor in outputs}
    return times


def _cost(layer: Any, layer_calls: list[tuple[list[Any], list[Any]]], times: dict[int, int]) -> Cost:
    """One layer over all of its calls, each (inputs, outputs)."""
    shapes = [([_shape(layer, each) for each in inputs], _shape(layer, outputs[0])) for inputs, outputs in layer_calls]
    counts = [_work(layer, before, after) for before, after in shapes]
    work = [
        count if count is None else count * max([times[id(tensor)] for tensor in inputs], default=1)
        for count, (inputs, _) in zip(counts, layer_calls)
    ]
    known = [count for count in work if count is not None]
    total = sum(known) if len(known) == len(work) else None
    return Cost(layer.name, type(layer).__name__, shapes[0][1], layer.count_params(), total)


def _work(layer: Any, before: list[Shape], after: Shape) -> int | None:
    """Multiply-adds of one call."""
    if hasattr(layer, "multiply_adds"):
        found: int | None = layer.multiply_adds(before[0] if len(before) == 1 else before, after)
        return found
    count = next((count for types, count in MULTIPLY_ADDS.items() if isinstance(layer, types)), None)
    if count is None:
        return None if layer.weights else 0
    return count(layer, before, after)


def _shape(layer: Any, tensor: Any) -> Shape:
    shape = tuple(tensor.shape[1:])
    if None in shape:
        raise UsageError(f"{layer.name} has the shape {shape}; expected fixed sizes: build with an input_shape")
    return shape


def _size(weight: Any) -> int:
    return math.prod(weight.shape)


# How many, by the shapes of all inputs and of the output.


def _convolution(layer: Any, before: list[Shape], after: Shape) -> int:
    """Every weight meets every output pixel once; groups and dilation are in the kernel's shape already."""
    return math.prod(after[:-1]) * _size(layer.kernel)


def _transposed(layer: Any, before: list[Shape], after: Shape) -> int:
    return math.prod(before[0][:-1]) * _size(layer.kernel)  # every weight meets every input pixel


def _separable(layer: Any, before: list[Shape], after: Shape) -> int:
    return math.prod(after[:-1]) * (_size(layer.depthwise_kernel) + _size(layer.pointwise_kernel))


def _recurrent(layer: Any, before: list[Shape], after: Shape) -> int:
    return before[0][0] * (_size(layer.cell.kernel) + _size(layer.cell.recurrent_kernel))  # (time, dim)


def _attention(layer: Any, before: list[Shape], after: Shape) -> int:
    """Four projections, the scores of every pair, and the weighted sum of the values; masks save nothing."""
    (queries, _), (keys, _) = before[:2]
    width = layer.num_heads * (layer.key_dim + layer.value_dim)
    projections = queries * (_size(layer.query_dense.kernel) + _size(layer.output_dense.kernel))
    projections += keys * (_size(layer.key_dense.kernel) + _size(layer.value_dense.kernel))
    return int(projections + queries * keys * width)


def _single_head(layer: Any, before: list[Shape], after: Shape) -> int:
    """Attention without projections: a score for every pair, and the weighted sum of the values."""
    (queries, query_dim), (keys, value_dim) = before[:2]
    return queries * keys * (query_dim + value_dim)


def _reversible(layer: Any, before: list[Shape], after: Shape) -> int:
    """A lookup; in reverse, a product with the whole table."""
    return math.prod(before[0]) * after[-1] if after[-1] == layer.input_dim and len(before[0]) > 1 else 0


def _nothing(layer: Any, before: list[Shape], after: Shape) -> int:
    return 0


# The first line whose types fit. Keras's separable and transposed convolutions are not kinds of its plain ones.
MULTIPLY_ADDS: dict[tuple[type, ...], Count] = {
    (layers.SeparableConv1D, layers.SeparableConv2D): _separable,
    TRANSPOSED: _transposed,
    (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv1D, layers.DepthwiseConv2D): _convolution,
    (layers.Dense,): _convolution,  # at every position, as a 1x1 convolution
    (layers.SimpleRNN, layers.LSTM, layers.GRU): _recurrent,
    (layers.MultiHeadAttention,): _attention,
    (layers.Attention, layers.AdditiveAttention): _single_head,
    (layers.ReversibleEmbedding,): _reversible,
    NORMALIZATION: _nothing,
    (layers.Embedding, layers.PReLU): _nothing,  # a lookup; an activation
}
