"""DenseNet: each layer reads the maps of all layers before it in its block, and adds a few of its own.

G. Huang, Z. Liu, L. van der Maaten and K. Weinberger, "Densely Connected Convolutional Networks", CVPR 2017
(arXiv:1608.06993): equation 2, section 3, Table 1.

    x -> concatenate(x, layer(x))       layer: normalise, ReLU, 1x1 to 4 k maps, normalise, ReLU, 3x3 to k maps; k = 32

A ResNet adds, and what is added cannot be told apart again; here nothing is lost, and a layer needs few maps. Between
the blocks a 1x1 convolution halves the number of maps, and average pooling height and width.

    224x224                 121             169             201
    conv1   112, 112,  64   7x7, stride 2, then 3x3 max pooling of stride 2
    conv2    56,  56, 256   6 layers        6               6               then halved: 28, 28, 128
    conv3    28,  28, 512   12              12              12                           14, 14, 256
    conv4    14,  14        24: 1024 maps   32: 1280        48: 1792                      7,  7, half as many
    conv5     7,   7        16: 1024        32: 1664        32: 1920
    logits  1000            normalise, ReLU, mean over the pixels, then a dense layer
    multiply-adds           2,834,161,664   3,359,843,328   4,291,365,888
    trainable               7,978,856       14,149,480      20,013,928

Layers are called as keras.applications calls them, but `logits`; its weights fit, and torchvision's.
"""

from collections.abc import Sequence

import keras
from keras import KerasTensor, layers

from zoo.checks import check_image
from zoo.layers.normalization import BatchNormalization
from zoo.recipes.densenet import RECIPES, WEIGHTS
from zoo.records import Card, Input, replace
from zoo.registry import register


def bn_relu(x: KerasTensor, bn: str, relu: str) -> KerasTensor:
    """Normalisation and ReLU, in front of a convolution as in ResNets of version 2."""
    return layers.Activation("relu", name=relu)(BatchNormalization(momentum=0.9, epsilon=1.001e-5, name=bn)(x))


def convolution(x: KerasTensor, filters: int, size: int, name: str, stride: int = 1) -> KerasTensor:
    padding = "same" if stride == 1 else "valid"
    options = {"strides": stride, "padding": padding, "use_bias": False, "kernel_initializer": "he_normal"}
    return layers.Conv2D(filters, size, **options, name=name)(x)


def dense_layer(x: KerasTensor, growth: int, dropout: float, name: str) -> KerasTensor:
    """(batch, h, w, c) -> (batch, h, w, c + growth)."""
    new = bn_relu(x, f"{name}_0_bn", f"{name}_0_relu")
    new = convolution(new, 4 * growth, 1, f"{name}_1_conv")
    new = bn_relu(new, f"{name}_1_bn", f"{name}_1_relu")
    new = convolution(new, growth, 3, f"{name}_2_conv")
    if dropout:
        new = layers.Dropout(dropout, name=f"{name}_dropout")(new)
    return layers.Concatenate(name=f"{name}_concat")([x, new])


def transition(x: KerasTensor, name: str) -> KerasTensor:
    """(batch, h, w, c) -> (batch, h / 2, w / 2, c / 2), rounded down."""
    x = bn_relu(x, f"{name}_bn", f"{name}_relu")
    x = convolution(x, x.shape[-1] // 2, 1, f"{name}_conv")
    return layers.AveragePooling2D(2, name=f"{name}_pool")(x)


def network(
    input_shape: tuple[int | None, ...], num_classes: int, dropout: float, top: bool, growth: int, width: int,
    blocks: Sequence[int], name: str,
) -> keras.Model:  # fmt: skip
    """The network behind all names."""
    check_image(input_shape, 4 * 2 ** (len(blocks) - 1), name)
    image = keras.Input(input_shape, name="image")
    x = layers.ZeroPadding2D(3, name="conv1_pad")(image)
    x = convolution(x, width, 7, "conv1_conv", stride=2)  # (batch, height / 2, width / 2, 64)
    x = bn_relu(x, "conv1_bn", "conv1_relu")
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for stage, count in enumerate(blocks, start=2):
        for number in range(1, count + 1):
            x = dense_layer(x, growth, dropout, f"conv{stage}_block{number}")
        if stage <= len(blocks):
            x = transition(x, f"pool{stage}")
    x = bn_relu(x, "bn", "relu")
    if top:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, x, name=name)


DENSENET121 = Card(
    task="image_classification",
    summary="121 layers, each of which reads all before it in its block",
    params=7_978_856,
    non_trainable_params=83_648,
    paper="Huang et al. 2017, CVPR, arXiv:1608.06993, Table 1",
    deviations=("running statistics with momentum .9", "truncated He initialisation"),
    notes=("all maps of a block are kept for the way back: training takes more memory than a ResNet of its size",),
    inputs=(Input("image", (224, 224, 3), holds="colour pixels, standardised by the training set"),),
    preprocessing="standardise",
    weights=WEIGHTS["densenet121"],
    recipes=RECIPES["densenet121"],
    tiny={"input_shape": (32, 32, 3), "num_classes": 10, "growth": 8, "width": 8, "blocks": (1, 2)},
    tutorial="11_classic_cnns.py",
)


@register(DENSENET121)
def densenet121(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.0,
    top: bool = True, growth: int = 32, width: int = 64, blocks: Sequence[int] = (6, 12, 24, 16),
    name: str = "densenet121",
) -> keras.Model:  # fmt: skip
    """DenseNet-121 (Huang 2017, Table 1).

    Args:
        input_shape: (height, width, channels) of at least 32 x 32 pixels; None is any size.
        num_classes: length of the logit vector.
        dropout: fraction of each layer's new maps zeroed in training: the paper has 0.2 on small data sets.
        top: False ends at the last feature maps.
        growth: maps that each layer adds (k in the paper).
        width: maps of the first convolution.
        blocks: how many layers each block has.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits; without
        top, to (batch, height / 32, width / 32, 1024).

    Raises:
        UsageError: if the images are too small.

    >>> densenet121(input_shape=(64, 64, 3), blocks=(1, 1), top=False).output_shape  # (64 + 32) / 2 + 32
    (None, 8, 8, 80)
    """
    return network(**locals())


@register(
    replace(
        DENSENET121,
        summary="169 layers, each of which reads all before it in its block",
        params=14_149_480,
        non_trainable_params=158_400,
        weights=WEIGHTS["densenet169"],
        recipes=RECIPES["densenet169"],
    )
)
def densenet169(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.0,
    top: bool = True, growth: int = 32, width: int = 64, blocks: Sequence[int] = (6, 12, 32, 32),
    name: str = "densenet169",
) -> keras.Model:  # fmt: skip
    """DenseNet-169 (Huang 2017, Table 1); arguments, result and errors as in `densenet121`.

    >>> densenet169(input_shape=(64, 64, 3), blocks=(1, 1), top=False).output_shape
    (None, 8, 8, 80)
    """
    return network(**locals())


@register(
    replace(
        DENSENET121,
        summary="201 layers, each of which reads all before it in its block",
        params=20_013_928,
        non_trainable_params=229_056,
        weights=WEIGHTS["densenet201"],
        recipes=RECIPES["densenet201"],
    )
)
def densenet201(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.0,
    top: bool = True, growth: int = 32, width: int = 64, blocks: Sequence[int] = (6, 12, 48, 32),
    name: str = "densenet201",
) -> keras.Model:  # fmt: skip
    """DenseNet-201 (Huang 2017, Table 1); arguments, result and errors as in `densenet121`.

    >>> densenet201(input_shape=(64, 64, 3), blocks=(1, 1), top=False).output_shape
    (None, 8, 8, 80)
    """
    return network(**locals())
