"""A classifier that looks at every place of a larger image: window by window, or all windows in one pass.

A dense layer over maps of k x k is a convolution with a kernel of k x k that fits once. In a larger image the same
kernel fits in many places, and what overlapping windows have in common is computed once: P. Sermanet et al.,
"OverFeat", ICLR 2014, section 3.5; J. Long et al., "Fully Convolutional Networks for Semantic Segmentation", CVPR 2015,
section 3.1.
"""

import itertools
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo.errors import UsageError

POOLS = (layers.MaxPooling2D, layers.AveragePooling2D)
ONE_BY_ONE = (layers.Activation, layers.ReLU, layers.LeakyReLU, layers.Dropout, layers.BatchNormalization)


def sliding_window(model: keras.Model, image: np.ndarray, *, stride: int) -> np.ndarray:
    """What a classifier says of each window of an image, one crop after another.

    Args:
        model: of (height, width, channels) to one vector.
        image: (rows, columns, channels), at least as large.
        stride: from window to window, in pixels.

    Returns:
        (places down, places across, outputs).
    """
    height, width, _ = model.input_shape[1:]
    tops = range(0, image.shape[0] - height + 1, stride)
    lefts = range(0, image.shape[1] - width + 1, stride)
    crops = np.stack([image[top : top + height, left : left + width] for top in tops for left in lefts])
    return model.predict(crops, verbose=0).reshape(len(tops), len(lefts), -1)


def fully_convolutional(model: keras.Model, *, exact: bool = True) -> keras.Model:
    """The same classifier for images of any size: each dense layer as a convolution, with its weights.

    Of an image as large as the classifier takes it, the output is (batch, 1, 1, classes); of a larger one, a vector for
    each window, the windows as far apart as all its strides multiplied: what `sliding_window` gives for that stride.

    Args:
        model: a chain of layers: convolutions and pools, then Flatten or global average pooling, then dense layers.
        exact: whether to refuse padding, which stands at the edge of each window, or else of the whole image alone.

    Raises:
        UsageError: for layers in another order or of other kinds, and for padding where it must be exact.

    >>> image = keras.Input((6, 6, 1))
    >>> x = layers.Flatten()(layers.MaxPooling2D(2)(layers.Conv2D(2, 3)(image)))
    >>> convolutional = fully_convolutional(keras.Model(image, layers.Dense(5)(x)))
    >>> tuple(convolutional(np.zeros((1, 10, 8, 1))).shape)
    (1, 3, 2, 5)
    """
    chain = chain_of(model)
    first, *rest = chain
    x = image = keras.Input((None, None, first.batch_shape[-1]), dtype=first.dtype, name=first.name)
    kernel, kernels = (1, 1), {}
    for layer in rest:
        if isinstance(layer, layers.Flatten):
            kernel = layer.input.shape[1:3]
        elif isinstance(layer, layers.GlobalAveragePooling2D):
            x = layers.AveragePooling2D(layer.input.shape[1:3], strides=1, name=layer.name)(x)
        elif isinstance(layer, layers.Dense):
            options = dict(activation=layer.activation, use_bias=layer.use_bias, dtype=layer.dtype_policy)
            x = layers.Conv2D(layer.units, kernel, name=layer.name, **options)(x)
            kernels[layer.name], kernel = (*kernel, x.shape[-1]), (1, 1)
        else:
            check_layer(layer, model.name, exact)
            x = type(layer).from_config(layer.get_config())(x)
    found = keras.Model(image, x, name=model.name)
    for layer in found.layers:
        weights = model.get_layer(layer.name).get_weights()
        if layer.name in kernels:  # (height * width * channels, units) as (height, width, channels, units)
            weights[0] = weights[0].reshape(tuple(ops.shape(layer.kernel)))
        layer.set_weights(weights)
    return found


def chain_of(model: keras.Model) -> list[Any]:
    """The layers, from the input on.

    Raises:
        UsageError: where one has another number of inputs than one, or the first is no image's.
    """
    chain = list(model.layers)
    for before, layer in itertools.pairwise(chain):
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        if len(inputs) != 1 or inputs[0] is not before.output:
            raise UsageError(
                f"{layer.name} of {model.name} does not follow {before.name} alone; expected a chain of layers"
            )
    if not isinstance(chain[0], layers.InputLayer) or len(model.input_shape) != 4:
        raise UsageError(
            f"{model.name} takes {model.input_shape}; expected a network of images, (None, height, width, channels)"
        )
    return chain


def check_layer(layer: Any, name: str, exact: bool) -> None:
    """Raise for a layer that would not do the same in a larger image."""
    if isinstance(layer, (layers.Conv2D, *POOLS)):
        size = layer.pool_size if isinstance(layer, POOLS) else layer.kernel_size
        if exact and layer.padding == "same" and max(size) > 1:
            raise UsageError(
                f"{layer.name} of {name} pads its input, which a window inside of an image has not: the results would "
                "differ; expected padding='valid', or say exact=False"
            )
    elif not isinstance(layer, ONE_BY_ONE):
        raise UsageError(
            f"{layer.name} of {name} is a {type(layer).__name__}; expected convolutions, pools and dense layers"
        )
