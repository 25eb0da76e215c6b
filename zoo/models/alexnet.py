"""AlexNet: the network that won ImageNet in 2012, and the leaner one its author published after it.

A. Krizhevsky, I. Sutskever and G. Hinton, "ImageNet Classification with Deep Convolutional Neural
Networks", NIPS 2012: sections 3 to 5 and Figure 2. A. Krizhevsky, "One weird trick for parallelizing
convolutional neural networks", arXiv:1404.5997, 2014.

The network of 2012 did not fit on one graphics card, so two cards held half of the maps each. Layers 2,
4 and 5 look only at the maps of their own card, which is a convolution in two groups; that saves 1.4
million weights against one large card (`groups=1`). Today it is the dense layers that one would save on.

    layer                                        alexnet                     alexnet_owt
    conv1  11x11, stride 4            55, 55,  96      34,944      55, 55,  64      23,296
    norm1  across 5 maps; pool 3x3/2  27, 27,  96                  27, 27,  64  (no norm)
    conv2  5x5, 2 groups              27, 27, 256     307,456      27, 27, 192     307,392  (1 group)
    norm2  across 5 maps; pool 3x3/2  13, 13, 256                  13, 13, 192  (no norm)
    conv3  3x3                        13, 13, 384     885,120      13, 13, 384     663,936
    conv4  3x3, 2 groups              13, 13, 384     663,936      13, 13, 256     884,992  (1 group)
    conv5  3x3, 2 groups              13, 13, 256     442,624      13, 13, 256     590,080  (1 group)
    pool5  3x3, stride 2               6,  6, 256                   6,  6, 256
    fc6                               4096         37,752,832      4096         37,752,832
    fc7                               4096         16,781,312      4096         16,781,312
    logits                            1000          4,097,000      1000          4,097,000
"""

from typing import Any

import keras
from keras import layers, ops

from zoo.checks import check_image
from zoo.layers.normalization import LocalResponseNormalization
from zoo.layers.width import scaled
from zoo.recipes.alexnet import RECIPES, WEIGHTS
from zoo.records import Card, Input, replace
from zoo.registry import register

SMALLEST = 67  # pool5 needs 3x3 maps: 67 -> 15 -> 7 -> 3 -> 1
SMALLEST_OWT = 63  # conv1 is padded by 2 on each side


@keras.saving.register_keras_serializable("zoo")
class GroupedConv2D(layers.Conv2D):
    """``keras.layers.Conv2D`` whose groups are so many plain convolutions: the same weights, config and results.

    TensorFlow has no grouped convolution for CPUs: Keras has XLA compile one, which is many times slower than this.
    """

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        towers = zip(ops.split(inputs, self.groups, axis=-1), ops.split(kernel, self.groups, axis=-1))
        maps = [ops.conv(x, weights, strides=self.strides, padding=self.padding) for x, weights in towers]
        return ops.concatenate(maps, axis=-1)


ALEXNET = Card(
    task="image_classification",
    summary="AlexNet as published: two groups, response normalisation, overlapping pools",
    params=60_965_224,
    paper="Krizhevsky, Sutskever & Hinton 2012, NIPS, sections 3-5",
    deviations=(
        "227x227 input: the paper says 224, which an 11x11 filter at stride 4 does not fit",
        "both groups in one graph, on whatever device there is; response normalisation reaches across their border",
        "Glorot-uniform start without biases in place of a deviation of 0.01 with biases of 1 (section 5)",
        "no noise along the principal components of colour; one centred view in place of ten at test time",
    ),
    inputs=(Input("image", (227, 227, 3), holds="colours, standardised by the training set"),),
    preprocessing="standardise",
    recipes=RECIPES["alexnet"],
    tiny={"input_shape": (67, 67, 3), "num_classes": 10, "width": 0.0625},
    tutorial="11_classic_cnns.py",
)


@register(ALEXNET)
def alexnet(
    *, input_shape: tuple[int | None, ...] = (227, 227, 3), num_classes: int = 1000, groups: int = 2,
    width: float = 1.0, dropout: float = 0.5, top: bool = True, name: str = "alexnet",
) -> keras.Model:  # fmt: skip
    """AlexNet as published (Krizhevsky 2012, Figure 2).

    Args:
        input_shape: (height, width, channels); at least 67 x 67 pixels.
        num_classes: length of the logit vector.
        groups: of conv2, conv4 and conv5: 2 as on the paper's two cards, 1 as if on one (62,378,344 weights).
        width: multiplies the channels and units of every layer, down to 8; less than 1 for small experiments.
        dropout: fraction of the units of fc6 and fc7 dropped in training.
        top: False stops at the maps of `pool5`, which fc6 would read.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits, or
        to (batch, 6, 6, 256) maps for the default size without `top`.

    Raises:
        UsageError: if the images are too small.

    >>> alexnet(input_shape=(67, 67, 3), width=0.25, top=False).output_shape
    (None, 1, 1, 64)
    """
    check_image(input_shape, SMALLEST, name)
    c96, c256, c384, c4096 = (scaled(size, width, groups) for size in (96, 256, 384, 4096))

    image = keras.Input(input_shape, name="image")
    x = layers.Conv2D(c96, 11, strides=4, activation="relu", name="conv1")(image)  # (batch, 55, 55, 96)
    x = LocalResponseNormalization(name="norm1")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)  # (batch, 27, 27, 96): windows of 3 at a stride of 2 overlap
    x = GroupedConv2D(c256, 5, groups=groups, padding="same", activation="relu", name="conv2")(x)
    x = LocalResponseNormalization(name="norm2")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool2")(x)  # (batch, 13, 13, 256)
    x = layers.Conv2D(c384, 3, padding="same", activation="relu", name="conv3")(x)
    x = GroupedConv2D(c384, 3, groups=groups, padding="same", activation="relu", name="conv4")(x)
    x = GroupedConv2D(c256, 3, groups=groups, padding="same", activation="relu", name="conv5")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool5")(x)  # (batch, 6, 6, 256)
    if not top:
        return keras.Model(image, x, name=name)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(c4096, activation="relu", name="fc6")(x)
    x = layers.Dropout(dropout, name="dropout6")(x)
    x = layers.Dense(c4096, activation="relu", name="fc7")(x)
    x = layers.Dropout(dropout, name="dropout7")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name=name)


@register(
    replace(
        ALEXNET,
        summary="AlexNet in one tower, as most libraries ship it: fewer maps, no groups, no normalisation",
        params=61_100_840,
        paper="Krizhevsky 2014, arXiv:1404.5997",
        weights=WEIGHTS["alexnet_owt"],
        deviations=(
            "no response normalisation, and dropout before fc6 and fc7 rather than after: as torchvision",
            "one device in place of the paper's scheme for several",
        ),
        inputs=(Input("image", (224, 224, 3), holds="colours, standardised by the training set"),),
        recipes=RECIPES["alexnet_owt"],
        tiny={"input_shape": (63, 63, 3), "num_classes": 10, "width": 0.0625},
    )
)
def alexnet_owt(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, width: float = 1.0,
    dropout: float = 0.5, top: bool = True, name: str = "alexnet_owt",
) -> keras.Model:  # fmt: skip
    """AlexNet in one tower ("one weird trick", Krizhevsky 2014), with torchvision's order of layers.

    Args:
        input_shape: (height, width, channels); at least 63 x 63 pixels.
        num_classes: length of the logit vector.
        width: multiplies the channels and units of every layer, down to 8; less than 1 for small experiments.
        dropout: fraction of the inputs of fc6 and fc7 dropped in training.
        top: False stops at the maps of `pool5`, which fc6 would read.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits, or
        to (batch, 6, 6, 256) maps for the default size without `top`.

    Raises:
        UsageError: if the images are too small.

    >>> alexnet_owt(input_shape=(95, 95, 1), width=0.25, top=False).output_shape
    (None, 2, 2, 64)
    """
    check_image(input_shape, SMALLEST_OWT, name)
    c64, c192, c384, c256, c4096 = (scaled(size, width) for size in (64, 192, 384, 256, 4096))

    image = keras.Input(input_shape, name="image")
    x = layers.ZeroPadding2D(2, name="pad1")(image)
    x = layers.Conv2D(c64, 11, strides=4, activation="relu", name="conv1")(x)  # (batch, 55, 55, 64)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)  # (batch, 27, 27, 64)
    x = layers.Conv2D(c192, 5, padding="same", activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool2")(x)  # (batch, 13, 13, 192)
    x = layers.Conv2D(c384, 3, padding="same", activation="relu", name="conv3")(x)
    x = layers.Conv2D(c256, 3, padding="same", activation="relu", name="conv4")(x)
    x = layers.Conv2D(c256, 3, padding="same", activation="relu", name="conv5")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool5")(x)  # (batch, 6, 6, 256)
    if not top:
        return keras.Model(image, x, name=name)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(dropout, name="dropout6")(x)
    x = layers.Dense(c4096, activation="relu", name="fc6")(x)
    x = layers.Dropout(dropout, name="dropout7")(x)
    x = layers.Dense(c4096, activation="relu", name="fc7")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name=name)
