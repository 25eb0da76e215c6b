"""Xception: an Inception whose towers are as many as the maps.

F. Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", CVPR 2017 (arXiv:1610.02357): Figure 5.

An Inception module (`zoo.models.inception`) looks at space in a few groups of maps and mixes the maps by 1x1
convolutions. Here the groups are single maps: a depthwise convolution, then a 1x1 one, with nothing between.

    299x299        block   maps
    entry          1        32,  64    two plain 3x3 convolutions, the first with a stride of 2
                   2, 3, 4  128, 256, 728    two separable ones and max pooling; the shortcut is a 1x1 of stride 2
    middle         5 to 12  728        three separable ones, and the block's input added
    exit           13       728, 1024  as in the entry
                   14       1536, 2048 two separable ones
    logits                  1000       mean over the pixels, then a dense layer

    22,855,952 trainable parameters, 8,357,403,496 multiply-adds.

Layers are called as in keras.applications, where they have names there; its weights fit. A ReLU comes before each
separable convolution but the first of block 2, and after those of block 14.
"""

import keras
from keras import KerasTensor, layers

from zoo.checks import check_image
from zoo.layers.normalization import BatchNormalization
from zoo.layers.width import rounded
from zoo.recipes.xception import RECIPES, WEIGHTS
from zoo.records import Card, Input
from zoo.registry import register


def norm(x: KerasTensor, name: str) -> KerasTensor:
    return BatchNormalization(momentum=0.9, name=name)(x)


def relu(x: KerasTensor, name: str) -> KerasTensor:
    return layers.Activation("relu", name=name)(x)


def separable(x: KerasTensor, filters: int, name: str, *, activate: bool = True) -> KerasTensor:
    """ReLU, separable convolution, normalisation. (batch, h, w, c) -> (batch, h, w, filters)."""
    x = relu(x, f"{name}_act") if activate else x
    x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return norm(x, f"{name}_bn")


def halving(x: KerasTensor, first: int, second: int, name: str, *, activate: bool = True) -> KerasTensor:
    """Two separable convolutions and a pool; beside, a 1x1. (batch, h, w, c) -> (batch, h / 2, w / 2, second)."""
    skip = layers.Conv2D(second, 1, strides=2, padding="same", use_bias=False, name=f"{name}_shortcut")(x)
    skip = norm(skip, f"{name}_shortcut_bn")
    x = separable(x, first, f"{name}_sepconv1", activate=activate)
    x = separable(x, second, f"{name}_sepconv2")
    x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
    return layers.Add(name=f"{name}_add")([x, skip])


@register(
    Card(
        task="image_classification",
        summary="Xception: depthwise separable convolutions with shortcuts",
        params=22_855_952,
        non_trainable_params=54_528,
        paper="Chollet 2017, CVPR, arXiv:1610.02357, Figure 5",
        deviations=("running statistics with momentum .9",),
        inputs=(Input("image", (299, 299, 3), holds="colour pixels, standardised by the training set"),),
        preprocessing="standardise",
        weights=WEIGHTS["xception"],
        recipes=RECIPES["xception"],
        tiny={"input_shape": (32, 32, 3), "num_classes": 10, "width": 0.02, "blocks": 1},
        tutorial="11_classic_cnns.py",
    )
)
def xception(
    *, input_shape: tuple[int | None, ...] = (299, 299, 3), num_classes: int = 1000, dropout: float = 0.0,
    top: bool = True, width: float = 1.0, blocks: int = 8, name: str = "xception",
) -> keras.Model:  # fmt: skip
    """Xception (Chollet 2017, Figure 5).

    Args:
        input_shape: (height, width, channels) of at least 32 x 32 pixels; None is any size.
        num_classes: length of the logit vector.
        dropout: fraction of the last features dropped in training; the paper has 0.5 on ImageNet.
        top: False ends at the last feature maps.
        width: multiplies the maps of all layers, rounded to multiples of 8.
        blocks: of the middle.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits; without
        top, to (batch, height / 32, width / 32, 2048 width).

    Raises:
        UsageError: if the images are too small.

    >>> xception(input_shape=(71, 71, 3), width=0.1, blocks=0, top=False).output_shape
    (None, 3, 3, 208)
    """
    check_image(input_shape, 32, name)

    def maps(count: int) -> int:
        return rounded(count * width)

    image = keras.Input(input_shape, name="image")
    x = layers.Conv2D(maps(32), 3, strides=2, use_bias=False, name="block1_conv1")(image)
    x = relu(norm(x, "block1_conv1_bn"), "block1_conv1_act")
    x = layers.Conv2D(maps(64), 3, use_bias=False, name="block1_conv2")(x)
    x = relu(norm(x, "block1_conv2_bn"), "block1_conv2_act")
    x = halving(x, maps(128), maps(128), "block2", activate=False)
    x = halving(x, maps(256), maps(256), "block3")
    x = halving(x, maps(728), maps(728), "block4")  # (batch, 19, 19, 728)
    for number in range(5, 5 + blocks):
        skip = x
        for step in (1, 2, 3):
            x = separable(x, maps(728), f"block{number}_sepconv{step}")
        x = layers.Add(name=f"block{number}_add")([x, skip])
    x = halving(x, maps(728), maps(1024), "block13")  # (batch, 10, 10, 1024)
    for step, count in enumerate((1536, 2048), start=1):
        x = separable(x, maps(count), f"block14_sepconv{step}", activate=False)
        x = relu(x, f"block14_sepconv{step}_act")
    if top:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = layers.Dropout(dropout, name="dropout")(x)
        x = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, x, name=name)
