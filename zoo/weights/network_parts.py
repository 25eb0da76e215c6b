"""The parts of a network that the rules for loading speak of, read from its graph and its card."""

import fnmatch
from typing import Any

from keras import layers, tree

from zoo import registry
from zoo.introspection.graph import ancestors, last_operation, main_output, producer
from zoo.weights.input_channels import FirstLayer


class NetworkParts:
    """The parts of a network, by the names of its layers that have weights.

    `layers`: those layers; `owner`: the layer's name by the `id` of a variable; `outputs`: those that make what the
    network returns; `head`: the one that makes the main output; `auxiliary`: heads for training, on no way to the main
    output; `top`: all that comes after the maps; `first`: the layer that reads the input, or None.
    """

    def __init__(self, model: Any):
        self.layers: dict[str, Any] = {layer.name: layer for layer in model.layers if layer.weights}
        self.owner = {id(variable): name for name, layer in self.layers.items() for variable in layer.weights}
        main = main_output(model)
        trunk = ancestors(main)
        self.auxiliary = {name for name, layer in self.layers.items() if layer not in trunk}
        name, _ = registry.origin(model) or ("", {})
        card = registry.cards().get(name)
        ends = {last_operation(tensor).name for tensor in tree.flatten(model.output)}
        self.outputs = {*ends, *(card.head if card else ())} & set(self.layers)
        backbone = card.backbone if card else ()
        self.upon = {
            name for name in self.layers if backbone and not any(fnmatch.fnmatchcase(name, each) for each in backbone)
        }
        self.head = last_operation(main).name
        reads_maps = any(len(tensor.shape) > 2 for tensor in model.inputs)
        self.top = {
            name
            for name, layer in self.layers.items()
            if name not in self.auxiliary
            and len(inputs_of(layer)[0].shape) == 2
            and (reads_maps or reads_sequences(layer))
        }
        first = next(iter(self.layers.values()), None)
        if first is not None and any(getattr(each, "weights", ()) for each in ancestors(first.output) - {first}):
            first = None
        self.first = first

    def flattened_maps(self, layer: Any) -> tuple[int, ...] | None:
        """(height, width, channels) of the maps that a dense layer reads through a Flatten, or through a Reshape of
        those of many boxes, else None."""
        inputs = inputs_of(layer)
        while len(inputs) == 1 and not getattr(producer(inputs[0]), "weights", ()):
            operation = producer(inputs[0])
            inputs = inputs_of(operation)
            if isinstance(operation, layers.Flatten) and len(inputs[0].shape) == 4:
                return tuple(inputs[0].shape[1:])
            if isinstance(operation, layers.Reshape) and len(inputs[0].shape) == 5 and len(operation.output.shape) == 3:
                return tuple(inputs[0].shape[2:])  # of maps inside of many boxes
        return None


def reads_sequences(layer: Any) -> bool:
    """Whether a layer comes after vectors of the steps of a sequence: (batch, time, dim), by layers with weights."""
    before = ancestors(inputs_of(layer)[0])
    return any(getattr(each, "weights", ()) and len(tree.flatten(each.output)[0].shape) > 2 for each in before)


def first_layer(layer: Any) -> FirstLayer:
    """What of a first convolution depends on the number of input channels."""
    consumers = [node.operation for node in layer._outbound_nodes]
    moving_means = [each.moving_mean for each in consumers if isinstance(each, layers.BatchNormalization)]
    return FirstLayer(layer.kernel, getattr(layer, "bias", None), next(iter(moving_means), None))


def inputs_of(operation: Any) -> list[Any]:
    """The tensors that an operation reads, in its first call."""
    return [] if isinstance(operation, layers.InputLayer) else tree.flatten(operation.input)
