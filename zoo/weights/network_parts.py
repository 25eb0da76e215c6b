"""The parts of a network that the rules for loading speak of, read from its graph."""

from keras import layers, tree

from zoo.weights.input_channels import FirstLayer


class Anatomy:
    """The parts of a network, by the names of its layers that have weights."""

    def __init__(self, model):
        self.layers = {layer.name: layer for layer in model.layers if layer.weights}
        self.owner = {id(variable): name for name, layer in self.layers.items() for variable in layer.weights}
        outputs = tree.flatten(model.output)
        main = next(iter(model.output.values())) if isinstance(model.output, dict) else outputs[0]
        trunk = ancestors(main)
        self.auxiliary = {name for name, layer in self.layers.items() if layer not in trunk}
        self.outputs = {maker(tensor).name for tensor in outputs} & set(self.layers)
        self.head = maker(main).name
        reads_maps = any(len(tensor.shape) > 2 for tensor in model.inputs)
        self.top = {  # all that comes after the maps
            name
            for name, layer in self.layers.items()
            if reads_maps and name not in self.auxiliary and len(inputs_of(layer)[0].shape) == 2
        }
        self.first = next(iter(self.layers.values()), None)
        if self.first is not None and any(
            getattr(operation, "weights", ()) for operation in ancestors(self.first.output) - {self.first}
        ):
            self.first = None

    def flattened_maps(self, layer):
        """(height, width, channels) of the maps that a dense layer reads through a Flatten, else None."""
        inputs = inputs_of(layer)
        while len(inputs) == 1 and not getattr(maker(inputs[0]), "weights", ()):
            operation = maker(inputs[0])
            inputs = inputs_of(operation)
            if isinstance(operation, layers.Flatten) and len(inputs[0].shape) == 4:
                return tuple(inputs[0].shape[1:])
        return None

    def first_layer(self):
        """What depends on the number of input channels."""
        bias = getattr(self.first, "bias", None)
        consumers = [node.operation for node in self.first._outbound_nodes]
        normalised = [layer for layer in consumers if isinstance(layer, layers.BatchNormalization)]
        return FirstLayer(self.first.kernel, bias, normalised[0].moving_mean if normalised else None)


def maker(tensor):
    """The operation whose output a tensor is."""
    return tensor._keras_history.operation


def inputs_of(operation):
    return [] if isinstance(operation, layers.InputLayer) else tree.flatten(operation.input)


def ancestors(tensor):
    """All operations that a tensor comes from."""
    found, open_ = set(), [maker(tensor)]
    while open_:
        operation = open_.pop()
        if operation not in found:
            found.add(operation)
            open_ += [maker(before) for before in inputs_of(operation)]
    return found
