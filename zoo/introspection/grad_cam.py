"""Where a network looks: Grad-CAM, for images, clips and series alike.

R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh and D. Batra, "Grad-CAM: Visual Explanations from Deep
Networks via Gradient-based Localization", ICCV 2017, section 3.

    weight of a map   a_c = mean over all positions of d logit / d map_c      (equation 1)
    heatmap           max(0, sum over c of a_c map_c), at each position       (equation 2)

Nothing in it counts the axes: the positions are (height, width) of an image, (time, height, width) of a clip or
(time,) of a series.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.backend import gradient
from zoo.errors import UsageError, unknown
from zoo.introspection.graph import list_stages

POOLING = ("MaxPooling", "AveragePooling")


def grad_cam(
    model: Any,
    x: Any,
    class_index: int | Sequence[int] | np.ndarray,
    layer: str | None = None,
    *,
    head: str | None = None,
) -> np.ndarray:
    """How much each position of the input speaks for a class.

    Args:
        model: a flat Functional `keras.Model`: (batch, *axes, channels) to (batch, classes) logits, or to a
            dictionary of such; one logit alone stands for class 1 of two.
        x: a batch of inputs, scaled as the model takes them.
        class_index: the class to explain, or one for each example.
        layer: whose maps (batch, *spatial, channels) are weighed; the last before the positions are
            averaged or flattened away (`map_layer`) if left out.
        head: the output to explain where there are several; ``"logits"`` if left out.

    Returns:
        float32 (batch, *spatial), at least 0, in the resolution of those maps; `stretch` brings it to the input's.

    Raises:
        UsageError: for a layer, head or class that does not exist, or a layer without maps.

    >>> image = keras.Input((2, 2, 1))
    >>> maps = keras.layers.Conv2D(1, 1, kernel_initializer="ones", name="conv")(image)
    >>> mean = keras.layers.GlobalAveragePooling2D()(maps)
    >>> model = keras.Model(image, keras.layers.Dense(2, kernel_initializer="ones")(mean))
    >>> grad_cam(model, np.float32([[[[4], [0]], [[-4], [8]]]]), 0)[0]  # each logit moves by 1/4 of each pixel
    array([[1., 0.],
           [0., 2.]], dtype=float32)
    """
    logits = one_output(model, head)
    maps = maps_of(model, keras.Model(model.input, logits, name=model.name), layer)
    x = keras.tree.map_structure(ops.convert_to_tensor, x)
    class_weights = weights_of_classes(class_index, len(keras.tree.flatten(x)[0]), logits.shape[-1])

    values = keras.Model(model.input, maps)(x, training=False)  # (batch, *spatial, channels)
    rest = keras.Model([*model.inputs, maps], logits)  # the network from the maps on, and around them where it is so
    inputs = [x[tensor.name] for tensor in model.inputs] if isinstance(x, dict) else keras.tree.flatten(x)

    def score(maps: Any) -> Any:
        """The sum of the logits that are explained, one for each example."""
        outputs = ops.cast(rest([*inputs, maps], training=False), "float32")  # (batch, classes)
        return ops.sum(outputs * ops.convert_to_tensor(class_weights))

    gradients = ops.cast(gradient(score, values), "float32")  # (batch, *spatial, channels)
    positions = tuple(range(1, len(gradients.shape) - 1))
    weights = ops.mean(gradients, axis=positions, keepdims=True)  # (batch, 1, ..., channels)
    return ops.convert_to_numpy(ops.relu(ops.sum(weights * ops.cast(values, "float32"), axis=-1)))


def stretch(heatmaps: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Heatmaps (batch, *spatial) at the resolution of the input, linear in between: (batch, *size).

    >>> stretch(np.float32([[0, 1]]), (4,))
    array([[0.  , 0.25, 0.75, 1.  ]], dtype=float32)
    """
    from scipy.ndimage import zoom

    factors = [1, *(to / of for to, of in zip(size, heatmaps.shape[1:], strict=True))]
    return zoom(heatmaps, factors, order=1, mode="nearest", grid_mode=True)


def map_layer(model: Any) -> str:
    """The layer that `grad_cam` explains: the last maps that a network computes and that have several positions.

    It is the end of the last stage (`zoo.introspection.graph.list_stages`) with more than one position that is no
    pooling: block5_conv3 of VGG-16, conv5_block3_out of ResNet-50.

    Raises:
        UsageError: if a network has no maps.
    """
    candidates = [
        stage.layer
        for stage in list_stages(model)
        if not type(model.get_layer(stage.layer)).__name__.startswith(POOLING)
        and set(model.get_layer(stage.layer).output.shape[1:-1]) != {1}
    ]
    if not candidates:
        raise UsageError(f"{model.name} has no maps; expected a network over images, clips or series")
    return candidates[-1]


def one_output(model: Any, head: str | None) -> Any:
    """The logits (batch, classes) that are meant."""
    outputs = model.output
    if isinstance(outputs, dict):
        if (head or "logits") not in outputs:
            raise unknown(f"head of {model.name}", head or "logits", outputs)
        outputs = outputs[head or "logits"]
    elif head is not None:
        raise UsageError(f"head is {head!r}; {model.name} has one output only: leave it out")
    if isinstance(outputs, (list, tuple)) or len(outputs.shape) != 2:
        raise UsageError(f"{model.name} does not return (batch, classes) logits; expected a classifier")
    return outputs


def maps_of(model: Any, classifier: Any, layer: str | None) -> Any:
    """The maps (batch, *spatial, channels) of a layer."""
    names = [each.name for each in model.layers]
    if layer is not None and layer not in names:
        raise unknown(f"layer of {model.name}", layer, names)
    maps = model.get_layer(layer or map_layer(classifier)).output
    if len(keras.tree.flatten(maps)) != 1 or len(maps.shape) < 3:
        raise UsageError(f"the layer {layer} of {model.name} has no maps; expected (batch, *spatial, channels)")
    return maps


def weights_of_classes(class_index: int | Sequence[int] | np.ndarray, batch: int, classes: int) -> np.ndarray:
    """(batch, classes): what the logits are multiplied with, so that the chosen ones are left: their one-hot code."""
    index = np.broadcast_to(np.asarray(class_index), (batch,))
    known = max(classes, 2)
    if index.dtype.kind not in "iu" or (index < 0).any() or (index >= known).any():
        raise UsageError(f"class_index is {class_index}; expected whole numbers from 0 to {known - 1}")
    if classes == 1:
        return (2 * index[:, None] - 1).astype("float32")  # class 0 is where the one logit is low
    one_hot: np.ndarray = np.eye(classes, dtype="float32")[index]
    return one_hot
