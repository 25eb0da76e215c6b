"""What a classifier knows of an input before it names a class: the features that the layer of the logits takes."""

from typing import Any

import keras

from zoo.errors import UsageError
from zoo.introspection.grad_cam import one_output
from zoo.introspection.graph import AFTER_THE_HEAD, producer


def penultimate(model: Any, *, head: str | None = None) -> Any:
    """The same network with its features as output.

    Args:
        model: a flat Functional `keras.Model` with (batch, classes) logits.
        head: the name of an output, where the network has several.

    Returns:
        A `keras.Model` that shares the layers of `model`: its input to (batch, features). Where the logits are made of
        maps, before they are averaged, it is their mean over all positions.

    Raises:
        UsageError: where no layer with weights makes the logits.

    >>> import zoo
    >>> penultimate(zoo.build("lenet5")).output.shape, penultimate(zoo.build("resnet20")).output.shape
    ((None, 84), (None, 64))
    """
    tensor = one_output(model, head)
    while isinstance(producer(tensor), AFTER_THE_HEAD):
        tensor = inputs_of(tensor)[0]
    inputs = inputs_of(tensor)
    if not getattr(producer(tensor), "weights", ()) or len(inputs) != 1 or "float" not in inputs[0].dtype:
        raise UsageError(f"{model.name} has no layer of its own that makes the logits; expected features before it")
    (found,) = inputs
    if len(found.shape) > 2:
        found = keras.ops.mean(found, axis=tuple(range(1, len(found.shape) - 1)))
    return keras.Model(model.input, found, name=f"{model.name}_penultimate")


def inputs_of(tensor: Any) -> list[Any]:
    """What the call took that a tensor comes from: a layer may be called twice."""
    history = tensor._keras_history
    return list(history.operation._inbound_nodes[history.node_index].input_tensors)
