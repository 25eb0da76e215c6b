"""The two files that AdaIN was published in again for PyTorch: its encoder, and its decoder."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.errors import UsageError
from zoo.weights import formats

ENCODER_LAYERS = 10  # up to block4_conv1; the file goes on to block5_conv4


def load_adain(model: Any, encoder: str | Path, decoder: str | Path) -> Any:
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
    values = [
        *arrays_in_order(convolutions[:ENCODER_LAYERS], Path(encoder)),
        *arrays_in_order(convolutions[ENCODER_LAYERS:], Path(decoder)),
    ]
    for layer, arrays in zip(convolutions, values):
        layer.set_weights(arrays)
    return model


def arrays_in_order(convolutions: Sequence[Any], path: Path) -> Iterator[list[np.ndarray]]:
    """[kernel, bias] for each convolution, from the first layers of a file; each must fit."""
    with formats.opened(path) as content:
        names = sorted(content.layers, key=lambda name: int(name) if name.isdigit() else -1)
        if len(names) < len(convolutions):
            raise UsageError(
                f"{path} has {len(names)} layers; expected {len(convolutions)} convolutions: it is another file"
            )
        for layer, name in zip(convolutions, names):
            arrays = {tensor.key.rpartition(".")[2]: tensor for tensor in content.layers[name]}
            shape = tuple(layer.kernel.shape)
            expected = {"weight": (shape[3], shape[2], *shape[:2]), "bias": shape[3:]}
            declared = {key: tensor.shape for key, tensor in arrays.items()}
            if declared != expected:
                raise UsageError(f"{path} has {declared} in layer {name}; expected {expected} for {layer.name}")
            yield [arrays["weight"].read().transpose(2, 3, 1, 0), arrays["bias"].read()]
