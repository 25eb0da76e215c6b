"""A network as other programs get it: scaling inside, and probabilities in the place of logits."""

from typing import Any

import keras
import numpy as np


def takes_unscaled(model: keras.Model, data: Any) -> keras.Model:
    """The same for inputs as they were before the data module scaled them; of layers that plain Keras opens.

    Every input that has the shape of an example is scaled; one that has another, as noise, is taken as it is.

    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> given = keras.Input((4, 4, 1), name="image")
    >>> data = SimpleNamespace(scaling=SimpleNamespace(mean=(100.0,), std=(50.0,), reverse=False), shape=(4, 4, 1))
    >>> pixels = takes_unscaled(keras.Model(given, keras.layers.Flatten()(given)), data)
    >>> keras.ops.convert_to_numpy(pixels(np.full((1, 4, 4, 1), 150.0))).max().item()
    1.0
    """
    scaling = getattr(data, "scaling", None)
    if scaling is None:
        return model
    given, _ = ends(model)

    def scaled(given: Any) -> Any:
        if "float" not in given.dtype or len(given.shape) - 1 != len(data.shape):
            return given
        scale, mean = 1 / np.array(scaling.std), np.array(scaling.mean)
        x = given[..., ::-1] if scaling.reverse else given
        layer = keras.layers.Rescaling(scale.tolist(), (-mean * scale).tolist(), name=f"scaling_of_{given.name}")
        return layer(x)

    inputs = keras.tree.map_structure(
        lambda given: keras.Input(given.shape[1:], dtype=given.dtype, name=given.name), given
    )
    return keras.Model(inputs, model(keras.tree.map_structure(scaled, inputs)), name=model.name)


def says_probabilities(model: keras.Model, *, apart: bool = False) -> keras.Model:
    """The same with probabilities where it had logits: of classes, or where they are `apart` of each answer by itself.

    One logit alone becomes the probability of the second class.

    >>> dense = keras.layers.Dense(3, kernel_initializer="zeros")
    >>> model = says_probabilities(keras.Sequential([keras.Input((2,)), dense]))
    >>> keras.ops.convert_to_numpy(model(np.zeros((1, 2)))).round(2)
    array([[0.33, 0.33, 0.33]], dtype=float32)
    """

    def probabilities(logits: Any) -> Any:
        kind = "sigmoid" if apart or logits.shape[-1] == 1 else "softmax"
        return keras.layers.Activation(kind, dtype="float32", name=f"{kind}_of_{logits.name}")(logits)

    given, logits = ends(model)
    return keras.Model(given, keras.tree.map_structure(probabilities, logits), name=model.name)


def ends(model: keras.Model) -> tuple[Any, Any]:
    """Inputs and outputs, of a `keras.Sequential` as well."""
    return (model.inputs[0], model.outputs[0]) if isinstance(model, keras.Sequential) else (model.input, model.output)
