"""The two files that AdaIN was published in again for PyTorch: its encoder, and its decoder."""

from pathlib import Path

import keras

from zoo.errors import UsageError
from zoo.weights import formats

ENCODER_LAYERS = 10  # up to block4_conv1; the file goes on to block5_conv4


def load_adain(model, encoder: str | Path, decoder: str | Path):
    """Load both into ``zoo.build("adain")``, or neither.

    Args:
        model: an `adain` of full width.
        encoder, decoder: state dicts of convolutions in their order, ``"2.weight", "2.bias", ...``, as naoto0804's
            pytorch-AdaIN writes them; opened without pickle.

    Returns:
        The model.

    Raises:
        UsageError: for files that are missing, damaged, or of another network.
    """
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    parts = (convolutions[:ENCODER_LAYERS], Path(encoder)), (convolutions[ENCODER_LAYERS:], Path(decoder))
    found = [(layer, values) for here, path in parts for layer, values in in_order(here, path)]
    for layer, values in found:
        layer.set_weights(values)
    return model


def in_order(here, path: Path):
    """(layer, [kernel, bias]) for the first layers of a file; each must fit."""
    with formats.opened(path) as content:
        names = sorted(content.layers, key=lambda name: int(name) if name.isdigit() else -1)
        if len(names) < len(here):
            raise UsageError(f"{path} has {len(names)} layers; expected {len(here)} convolutions: it is another file")
        for layer, name in zip(here, names):
            arrays = {tensor.key.rpartition(".")[2]: tensor for tensor in content.layers[name]}
            shape = tuple(layer.kernel.shape)
            wanted = {"weight": (shape[3], shape[2], *shape[:2]), "bias": shape[3:]}
            declared = {key: tensor.shape for key, tensor in arrays.items()}
            if declared != wanted:
                raise UsageError(f"{path} has {declared} in layer {name}; expected {wanted} for {layer.name}")
            yield layer, [arrays["weight"].read().transpose(2, 3, 1, 0), arrays["bias"].read()]
