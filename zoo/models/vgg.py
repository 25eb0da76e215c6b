"""VGG: how far 3x3 convolutions alone can go.

K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
ICLR 2015 (arXiv:1409.1556): Tables 1 and 2. S. Liu and W. Deng, "Very Deep Convolutional Neural Network
Based Image Classification Using Small Training Sample Size", ACPR 2015: the network for small images.

Two 3x3 convolutions see 5x5 pixels, three see 7x7, with fewer weights and a ReLU after each. So every
filter is 3x3; five blocks of them, each followed by a pool that halves the maps while the next block
doubles the channels; then three dense layers, which hold nine tenths of the weights of VGG-11.

    block        maps, at 224x224   convolutions in   vgg11 (A)     vgg13 (B)     vgg16 (D)     vgg19 (E)
    block1       224, 224,  64                                1             2             2             2
    block2       112, 112, 128                                1             2             2             2
    block3        56,  56, 256                                2             2             3             4
    block4        28,  28, 512                                2             2             3             4
    block5        14,  14, 512                                2             2             3             4
    fc1, fc2, predictions   4096, 4096, 1000
    trainable                                       132,863,336   133,047,848   138,357,544   143,667,240

Layers have the names that keras.applications gives them, so its weights map by name.
"""

from collections.abc import Sequence

import keras
from keras import KerasTensor, layers

from zoo.checks import check_image
from zoo.layers.normalization import BatchNormalization
from zoo.layers.width import scaled
from zoo.recipes.vgg import RECIPES, WEIGHTS
from zoo.records import Card, Input, replace
from zoo.registry import register

FILTERS = (64, 128, 256, 512, 512)  # of each block
CONVOLUTIONS = {  # in each block: Table 1, columns A, B, D and E
    "A": (1, 1, 2, 2, 2),
    "B": (2, 2, 2, 2, 2),
    "D": (2, 2, 3, 3, 3),
    "E": (2, 2, 4, 4, 4),
}
MOMENTUM = 0.9  # of running statistics: Keras's 0.99 needs more steps to settle than a short training has
EPSILON = 1.001e-5  # of published weights with batch normalisation (1e-5, but cuDNN's kernel takes no less than this)
SMALLEST = 32  # five pools halve it to one pixel
SMALLEST_OF_SMALL = 17  # below, the last of five pools, which round up, has one pixel to pool


def blocks(
    x: KerasTensor, convolutions: Sequence[int], *, batch_norm: bool, width: float, dropout: float = 0.0,
    pool_padding: str = "valid", epsilon: float = EPSILON,
) -> KerasTensor:  # fmt: skip
    """Five blocks of 3x3 convolutions, each with a pool: (batch, height, width, any) -> (batch, h / 32, w / 32, 512).

    Args:
        x: images.
        convolutions: how many in each block.
        batch_norm: normalise between each convolution and its ReLU.
        width: multiplies the channels.
        dropout: fraction of the activations dropped in training between the convolutions of a block.
        pool_padding: "valid" drops an odd last row, "same" keeps it.
        epsilon: added to the variances of the normalisation.
    """
    for block, (filters, count) in enumerate(zip(FILTERS, convolutions), start=1):
        for number in range(1, count + 1):
            name = f"block{block}_conv{number}"
            activation = None if batch_norm else "relu"
            x = layers.Conv2D(scaled(filters, width), 3, padding="same", activation=activation, name=name)(x)
            if batch_norm:
                x = BatchNormalization(momentum=MOMENTUM, epsilon=epsilon, name=f"{name}_bn")(x)
                x = layers.Activation("relu", name=f"{name}_relu")(x)
            if dropout and number < count:
                x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
        x = layers.MaxPooling2D(2, padding=pool_padding, name=f"block{block}_pool")(x)
    return x


def vgg(
    configuration: str, input_shape: tuple[int | None, ...], num_classes: int, batch_norm: bool, width: float,
    dropout: float, top: bool, name: str,
) -> keras.Model:  # fmt: skip
    """The network of one column of Table 1; see `vgg16` for the options."""
    check_image(input_shape, SMALLEST, name)
    image = keras.Input(input_shape, name="image")
    x = blocks(image, CONVOLUTIONS[configuration], batch_norm=batch_norm, width=width)  # (batch, 7, 7, 512)
    if not top:
        return keras.Model(image, x, name=name)
    x = layers.Flatten(name="flatten")(x)
    for number in (1, 2):
        x = layers.Dense(scaled(4096, width), activation="relu", name=f"fc{number}")(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="predictions")(x)
    return keras.Model(image, logits, name=name)


VGG16 = Card(
    task="image_classification",
    summary="VGG-16: thirteen 3x3 convolutions and three dense layers",
    params=138_357_544,
    loss_network=True,
    paper="Simonyan & Zisserman 2015, ICLR, Table 1, configuration D",
    deviations=(
        "colours divided by their standard deviation as well as centred",
        "no random colour shift or scale jitter; one view of 224x224 in place of dense evaluation",
        "Glorot-uniform start, which the paper found to do as well as growing from a trained VGG-11 (section 3.1)",
    ),
    inputs=(Input("image", (224, 224, 3), holds="colours, standardised by the training set"),),
    preprocessing="standardise",
    weights=WEIGHTS["vgg16"],
    recipes=RECIPES["vgg16"],
    tiny={"input_shape": (32, 32, 3), "num_classes": 10, "width": 0.125, "batch_norm": True},
    tutorial="11_classic_cnns.py",
)


@register(
    replace(
        VGG16,
        summary="VGG-11: eight 3x3 convolutions and three dense layers",
        params=132_863_336,
        paper="Simonyan & Zisserman 2015, ICLR, Table 1, configuration A",
        tiny={"input_shape": (32, 32, 3), "num_classes": 10, "width": 0.125},
        weights=(),
        recipes=RECIPES["vgg11"],
    )
)
def vgg11(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, batch_norm: bool = False,
    width: float = 1.0, dropout: float = 0.5, top: bool = True, name: str = "vgg11",
) -> keras.Model:  # fmt: skip
    """VGG-11 (Simonyan & Zisserman 2015, Table 1, column A). Options, shapes and errors are those of `vgg16`.

    >>> vgg11(width=0.125, num_classes=10).get_layer("fc2").output.shape
    (None, 512)
    """
    return vgg("A", input_shape, num_classes, batch_norm, width, dropout, top, name)


@register(
    replace(
        VGG16,
        summary="VGG-13: ten 3x3 convolutions and three dense layers",
        params=133_047_848,
        paper="Simonyan & Zisserman 2015, ICLR, Table 1, configuration B",
        weights=(),
        recipes=RECIPES["vgg13"],
    )
)
def vgg13(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, batch_norm: bool = False,
    width: float = 1.0, dropout: float = 0.5, top: bool = True, name: str = "vgg13",
) -> keras.Model:  # fmt: skip
    """VGG-13 (Simonyan & Zisserman 2015, Table 1, column B). Options, shapes and errors are those of `vgg16`.

    >>> len(vgg13(width=0.125).layers)  # an image, 10 convolutions, 5 pools, flatten, 3 dense layers, 2 dropouts
    22
    """
    return vgg("B", input_shape, num_classes, batch_norm, width, dropout, top, name)


@register(VGG16)
def vgg16(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, batch_norm: bool = False,
    width: float = 1.0, dropout: float = 0.5, top: bool = True, name: str = "vgg16",
) -> keras.Model:  # fmt: skip
    """VGG-16 (Simonyan & Zisserman 2015, Table 1, column D).

    Args:
        input_shape: (height, width, channels); at least 32 x 32 pixels.
        num_classes: length of the logit vector.
        batch_norm: normalise between each convolution and its ReLU, which the paper did not know yet: trains from
            fresh weights at ten times the rate.
        width: multiplies the channels and units of every layer, down to 8; less than 1 for small experiments.
        dropout: fraction of the units of fc1 and fc2 dropped in training.
        top: False stops at the maps of `block5_pool`, which fc1 would read.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits, or
        to (batch, height // 32, width // 32, 512) maps without `top`.

    Raises:
        UsageError: if the images are too small.

    >>> vgg16(width=0.125).get_layer("block3_conv3").output.shape
    (None, 56, 56, 32)
    """
    return vgg("D", input_shape, num_classes, batch_norm, width, dropout, top, name)


@register(
    replace(
        VGG16,
        summary="VGG-19: sixteen 3x3 convolutions and three dense layers",
        params=143_667_240,
        paper="Simonyan & Zisserman 2015, ICLR, Table 1, configuration E",
        weights=WEIGHTS["vgg19"],
        recipes=RECIPES["vgg19"],
    )
)
def vgg19(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, batch_norm: bool = False,
    width: float = 1.0, dropout: float = 0.5, top: bool = True, name: str = "vgg19",
) -> keras.Model:  # fmt: skip
    """VGG-19 (Simonyan & Zisserman 2015, Table 1, column E). Options, shapes and errors are those of `vgg16`.

    >>> vgg19(width=0.125, top=False).output_shape
    (None, 7, 7, 64)
    """
    return vgg("E", input_shape, num_classes, batch_norm, width, dropout, top, name)


@register(
    replace(
        VGG16,
        summary="VGG-16 for small images: batch normalisation, and one dense layer of 512 in place of two of 4096",
        params=14_991_946,
        non_trainable_params=9_472,
        paper="Liu & Deng 2015, ACPR",
        deviations=(
            "the exact positions and rates of dropout are those of geifmany/cifar-vgg, which follows the paper",
            "batch normalisation before the ReLU; pools round odd sizes up, so that 28 pixels last",
        ),
        inputs=(Input("image", (32, 32, 3), holds="colours, standardised by the training set"),),
        weights=(),
        recipes=RECIPES["vgg16_small"],
        loss_network=False,
        tiny={"width": 0.125, "dropout": 0.0},
    )
)
def vgg16_small(
    *, input_shape: tuple[int | None, ...] = (32, 32, 3), num_classes: int = 10, width: float = 1.0,
    dropout: float = 0.5, top: bool = True, name: str = "vgg16_small",
) -> keras.Model:  # fmt: skip
    """VGG-16 for images of 28 to 64 pixels (Liu & Deng 2015): the thirteen convolutions with a small head.

    Args:
        input_shape: (height, width, channels); at least 17 x 17 pixels.
        num_classes: length of the logit vector.
        width: multiplies the channels and units of every layer, down to 8; less than 1 for small experiments.
        dropout: fraction of the units dropped in training before and after `fc1`; between the convolutions of a block
            it is four fifths of that. 0 for none.
        top: False stops at the maps of `block5_pool`.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits, or
        to (batch, ceil(height / 32), ceil(width / 32), 512) maps without `top`.

    Raises:
        UsageError: if the images are too small.

    >>> vgg16_small(input_shape=(28, 28, 1), width=0.125, top=False).output_shape
    (None, 1, 1, 64)
    """
    check_image(input_shape, SMALLEST_OF_SMALL, name)
    image = keras.Input(input_shape, name="image")
    x = blocks(
        image, CONVOLUTIONS["D"], batch_norm=True, width=width, dropout=0.8 * dropout, pool_padding="same", epsilon=1e-3
    )
    if not top:
        return keras.Model(image, x, name=name)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(dropout, name="dropout1")(x)
    x = layers.Dense(scaled(512, width), name="fc1")(x)
    x = BatchNormalization(momentum=MOMENTUM, name="fc1_bn")(x)
    x = layers.Activation("relu", name="fc1_relu")(x)
    x = layers.Dropout(dropout, name="dropout2")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="predictions")(x)
    return keras.Model(image, logits, name=name)
