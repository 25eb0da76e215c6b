"""Residual networks, version 1: each block learns what to add to its input.

K. He, X. Zhang, S. Ren and J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016
(arXiv:1512.03385): Table 1 for ImageNet, section 4.2 for CIFAR-10.

    y = relu(F(x) + x)      F: two 3x3 convolutions (`basic`), or 1x1, 3x3, 1x1 (`bottleneck`)

Where a stage halves the image and multiplies the channels, x cannot be added as it is. The paper's
option B projects it by a 1x1 convolution (`resnet18` to `resnet152`); its option A takes every second pixel
and fills the new channels with zeros, at no parameter (`resnet20` to `resnet110`). `plain20` to `plain56` leave
"+ x" out and are the paper's evidence: the deeper, the worse they fit even the training set.

    ImageNet, 224x224               18           34           50            101           152
    conv1   112, 112,  64           7x7, stride 2, then 3x3 max pooling of stride 2
    conv2    56,  56,  64 (256)     2 basic      3 basic      3 bottleneck  3             3
    conv3    28,  28, 128 (512)     2            4            4             4             8
    conv4    14,  14, 256 (1024)    2            6            6             23            36
    conv5     7,   7, 512 (2048)    2            3            3             3             3
    logits  1000                    mean over the pixels, then a dense layer
    trainable                       11,689,512   21,797,672   25,583,592    44,601,832    60,268,520

    CIFAR-10, 32x32                 20           32           44            56            110
    conv1    32,  32,  16           3x3
    conv2    32,  32,  16           3 basic      5            7             9             18
    conv3    16,  16,  32           3            5            7             9             18
    conv4     8,   8,  64           3            5            7             9             18
    trainable                       269,722      464,154      658,586       853,018       1,727,962

Layers are called as keras.applications calls them (conv3_block1_2_conv, ..., but `logits` in place of
`predictions`); the graph and the order of the weights are the same too, so that its ResNet-50, 101 and 152 weights
fit as they are.

Longer than other files: the fourteen names of one paper, each with its card, its signature and an example. The networks
themselves are the first hundred lines.
"""

from collections.abc import Callable, Sequence
from functools import partial

import keras
from keras import KerasTensor, layers

from zoo.checks import check_image
from zoo.errors import UsageError
from zoo.layers.normalization import BatchNormalization
from zoo.recipes.resnet import RECIPES, WEIGHTS
from zoo.records import Card, Input, replace
from zoo.registry import register

# Blocks

Block = Callable[[KerasTensor, int, int, str], KerasTensor]  # (x, filters, stride, name): a block, or its shortcut


def conv_bn(
    x: KerasTensor, filters: int, size: int, name: str, *, stride: int = 1, bias: bool = False, relu: bool = True
) -> KerasTensor:
    """Convolution, batch normalisation, ReLU. (batch, h, w, c) -> (batch, h / stride, w / stride, filters)."""
    if stride > 1 and size > 1:  # "same" would pad a halving on one side only, and move the image by half a pixel
        x = layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x)
    x = layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        use_bias=bias,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    # Keras's momentum of .99 needs hundreds of steps to forget its initial values; .9 is what the others use.
    x = BatchNormalization(momentum=0.9, epsilon=1.001e-5, name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x) if relu else x


def projected(x: KerasTensor, filters: int, stride: int, name: str, bias: bool = False) -> KerasTensor:
    """Option B: a 1x1 convolution, where the shapes differ."""
    if stride == 1 and x.shape[-1] == filters:
        return x
    return conv_bn(x, filters, 1, f"{name}_0", stride=stride, bias=bias, relu=False)


def zero_padded(x: KerasTensor, filters: int, stride: int, name: str) -> KerasTensor:
    """Option A: every second pixel, and zeros in the new channels. No parameters."""
    if stride > 1:
        x = layers.AveragePooling2D(1, strides=stride, name=f"{name}_0_pool")(x)
    if x.shape[-1] < filters:
        # Keras pads the last two axes of "channels_first" data: here they are the width and the channels.
        new = ((0, 0), (0, filters - x.shape[-1]))
        x = layers.ZeroPadding2D(new, data_format="channels_first", name=f"{name}_0_pad")(x)
    return x


def basic(x: KerasTensor, filters: int, stride: int, name: str, shortcut: Block | None = projected) -> KerasTensor:
    """Two 3x3 convolutions. (batch, h, w, c) -> (batch, h / stride, w / stride, filters)."""
    skip = shortcut(x, filters, stride, name) if shortcut else None
    x = conv_bn(x, filters, 3, f"{name}_1", stride=stride)
    x = conv_bn(x, filters, 3, f"{name}_2", relu=False)
    if shortcut:
        x = layers.Add(name=f"{name}_add")([skip, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


def bottleneck(
    x: KerasTensor, filters: int, stride: int, name: str, stride_in: str = "1x1", bias: bool = True
) -> KerasTensor:
    """1x1 to few channels, 3x3, 1x1 to four times as many. (batch, h, w, c) -> (batch, h / stride, w / stride, 4 f)."""
    first, second = (stride, 1) if stride_in == "1x1" else (1, stride)
    skip = projected(x, 4 * filters, stride, name, bias)
    x = conv_bn(x, filters, 1, f"{name}_1", stride=first, bias=bias)
    x = conv_bn(x, filters, 3, f"{name}_2", stride=second, bias=bias)
    x = conv_bn(x, 4 * filters, 1, f"{name}_3", bias=bias, relu=False)
    x = layers.Add(name=f"{name}_add")([skip, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


# Networks


def network(
    block: Block, blocks: Sequence[int], width: int, stem: str, input_shape: tuple[int | None, ...], num_classes: int,
    dropout: float, top: bool, name: str, *, bias: bool = False,
) -> keras.Model:  # fmt: skip
    """Stem, stages of `blocks` blocks that each double the channels, mean over the pixels, logits."""
    if stem not in ("7x7", "3x3"):
        raise UsageError(
            f"stem is {stem!r}; expected '7x7', which quarters height and width, or '3x3', which keeps them"
        )
    smallest = (4 if stem == "7x7" else 1) * 2 ** (len(blocks) - 1)
    check_image(input_shape, smallest, name)
    image = keras.Input(input_shape, name="image")
    if stem == "7x7":
        x = conv_bn(image, width, 7, "conv1", stride=2, bias=bias)  # (batch, height / 2, width / 2, 64)
        x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
        x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    else:
        x = conv_bn(image, width, 3, "conv1", bias=bias)
    for stage, count in enumerate(blocks):
        for number in range(count):
            stride = 2 if stage > 0 and number == 0 else 1
            x = block(x, width * 2**stage, stride, f"conv{stage + 2}_block{number + 1}")
    if top:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)  # (batch, channels)
        x = layers.Dropout(dropout, name="dropout")(x)
        x = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, x, name=name)


def bottlenecks(stride_in: str, use_bias: bool) -> Block:
    """The block of `resnet50` and deeper with these options."""
    if stride_in not in ("1x1", "3x3"):
        raise UsageError(f"stride_in is {stride_in!r}; expected '1x1', the paper's, or '3x3', version 1.5's")
    return partial(bottleneck, stride_in=stride_in, bias=use_bias)


PAPER = "He, Zhang, Ren & Sun 2015, arXiv:1512.03385 (CVPR 2016)"
STANDARDISED = "colour pixels, standardised by the training set"
RESNET18 = Card(
    task="image_classification",
    summary="18 layers with shortcuts: two 3x3 convolutions to a block",
    params=11_689_512,
    non_trainable_params=9_600,
    paper=PAPER + ", Table 1",
    deviations=(
        "truncated He initialisation",
        "running statistics with momentum .9 in place of one pass over the training set",
    ),
    inputs=(Input("image", (224, 224, 3), holds=STANDARDISED),),
    preprocessing="standardise",
    weights=WEIGHTS["resnet18"],
    recipes=RECIPES["resnet18"],
    tiny={"input_shape": (64, 64, 3), "num_classes": 10, "width": 8, "blocks": (1, 1, 1, 1)},
    tutorial="11_classic_cnns.py",
)


@register(RESNET18)
def resnet18(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.0,
    top: bool = True, stem: str = "7x7", width: int = 64, blocks: Sequence[int] = (2, 2, 2, 2), name: str = "resnet18",
) -> keras.Model:  # fmt: skip
    """ResNet-18 (He 2015, Table 1), with a projection where the shape changes (option B).

    Args:
        input_shape: (height, width, channels) of at least 32 x 32 pixels, 8 x 8 with the small stem; None is any size.
        num_classes: length of the logit vector.
        dropout: fraction of the last features dropped in training; the paper has none.
        top: False ends at the last feature maps.
        stem: ``"7x7"``, the paper's, quarters height and width; ``"3x3"``, one convolution without pooling, keeps them,
            for images of 28 to 64 pixels.
        width: channels of the first stage; each further stage doubles them.
        blocks: how many blocks each stage has.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits; without
        top, to (batch, height / 32, width / 32, 8 width), or eighths with the small stem.

    Raises:
        UsageError: if the images are too small, or `stem` is not one of the two.

    >>> resnet18(input_shape=(64, 64, 3), top=False).output_shape
    (None, 2, 2, 512)
    """
    return network(basic, blocks, width, stem, input_shape, num_classes, dropout, top, name)


@register(
    replace(
        RESNET18,
        summary="34 layers with shortcuts: two 3x3 convolutions to a block",
        params=21_797_672,
        non_trainable_params=17_024,
        weights=WEIGHTS["resnet34"],
        recipes=RECIPES["resnet34"],
    )
)
def resnet34(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.0,
    top: bool = True, stem: str = "7x7", width: int = 64, blocks: Sequence[int] = (3, 4, 6, 3), name: str = "resnet34",
) -> keras.Model:  # fmt: skip
    """ResNet-34 (He 2015, Table 1), with projections where `resnet18` has them; arguments, result and errors as there.

    >>> resnet34(input_shape=(28, 28, 1), stem="3x3", width=8, num_classes=10).output_shape
    (None, 10)
    """
    return network(basic, blocks, width, stem, input_shape, num_classes, dropout, top, name)


RESNET50 = replace(
    RESNET18,
    summary="50 layers with shortcuts: 1x1, 3x3 and 1x1 convolutions to a block",
    params=25_583_592,
    non_trainable_params=53_120,
    deviations=(
        *RESNET18.deviations,
        "convolutions have biases, as in keras.applications; the normalisation cancels them",
    ),
    weights=WEIGHTS["resnet50"],
    recipes=RECIPES["resnet50"],
    # No biases here: all that reaches them is rounding.
    tiny={"input_shape": (64, 64, 3), "num_classes": 10, "width": 8, "blocks": (1, 1, 1, 1), "use_bias": False},
)


@register(RESNET50)
def resnet50(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.0,
    top: bool = True, stem: str = "7x7", width: int = 64, blocks: Sequence[int] = (3, 4, 6, 3), stride_in: str = "1x1",
    use_bias: bool = True, name: str = "resnet50",
) -> keras.Model:  # fmt: skip
    """ResNet-50 (He 2015, Table 1). The weights of keras.applications' ResNet-50 fit as they are.

    The image is halved by the first 1x1 convolution of conv3, conv4 and conv5, as in the paper. Version 1.5, which
    torchvision ships, halves it in the 3x3 convolution, which costs 6 % more multiplications.

    Args:
        input_shape, num_classes, dropout, top, stem, width, blocks, name: as in `resnet18`; the maps at the end have
            32 times the channels of `width`.
        stride_in: the convolution of a block that halves: ``"1x1"`` or ``"3x3"``.
        use_bias: whether convolutions have biases. False leaves 25,557,032 trainable parameters, as torchvision has.

    Raises:
        UsageError: as `resnet18`, and if `stride_in` is not one of the two.

    >>> resnet50(input_shape=(None, None, 3), top=False, width=8).output_shape
    (None, None, None, 256)
    """
    block = bottlenecks(stride_in, use_bias)
    return network(block, blocks, width, stem, input_shape, num_classes, dropout, top, name, bias=use_bias)


@register(
    replace(
        RESNET50,
        summary="101 layers with shortcuts: 1x1, 3x3 and 1x1 convolutions to a block",
        params=44_601_832,
        non_trainable_params=105_344,
        weights=WEIGHTS["resnet101"],
        recipes=RECIPES["resnet101"],
    )
)
def resnet101(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.0,
    top: bool = True, stem: str = "7x7", width: int = 64, blocks: Sequence[int] = (3, 4, 23, 3), stride_in: str = "1x1",
    use_bias: bool = True, name: str = "resnet101",
) -> keras.Model:  # fmt: skip
    """ResNet-101 (He 2015, Table 1); the rest as in `resnet50`, and keras.applications' weights fit as they are.

    >>> resnet101(input_shape=(32, 32, 3), blocks=(1, 1, 1, 1), width=8, num_classes=10).output_shape
    (None, 10)
    """
    block = bottlenecks(stride_in, use_bias)
    return network(block, blocks, width, stem, input_shape, num_classes, dropout, top, name, bias=use_bias)


@register(
    replace(
        RESNET50,
        summary="152 layers with shortcuts: 1x1, 3x3 and 1x1 convolutions to a block",
        params=60_268_520,
        non_trainable_params=151_424,
        weights=WEIGHTS["resnet152"],
        recipes=RECIPES["resnet152"],
    )
)
def resnet152(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.0,
    top: bool = True, stem: str = "7x7", width: int = 64, blocks: Sequence[int] = (3, 8, 36, 3), stride_in: str = "1x1",
    use_bias: bool = True, name: str = "resnet152",
) -> keras.Model:  # fmt: skip
    """ResNet-152 (He 2015, Table 1); the rest as in `resnet50`, and keras.applications' weights fit as they are.

    >>> resnet152(input_shape=(32, 32, 3), blocks=(1, 1, 1, 1), width=8, num_classes=10).output_shape
    (None, 10)
    """
    block = bottlenecks(stride_in, use_bias)
    return network(block, blocks, width, stem, input_shape, num_classes, dropout, top, name, bias=use_bias)


residual = partial(basic, shortcut=zero_padded)
plain = partial(basic, shortcut=None)
RESNET20 = Card(
    task="image_classification",
    summary="20 layers with parameter-free shortcuts, for images of 32x32",
    params=269_722,
    non_trainable_params=1_376,
    paper=PAPER + ", section 4.2",
    deviations=RESNET18.deviations,
    inputs=(Input("image", (32, 32, 3), holds=STANDARDISED),),
    preprocessing="standardise",
    recipes=RECIPES["resnet20"],
    tiny={"input_shape": (16, 16, 3), "width": 8, "blocks": (1, 1, 1)},
    tutorial="12_resnet_vs_plain.py",
)


@register(RESNET20)
def resnet20(
    *, input_shape: tuple[int | None, ...] = (32, 32, 3), num_classes: int = 10, dropout: float = 0.0, top: bool = True,
    width: int = 16, blocks: Sequence[int] = (3, 3, 3), name: str = "resnet20",
) -> keras.Model:  # fmt: skip
    """ResNet-20 (He 2015, section 4.2): three stages of three blocks, shortcuts without parameters (option A).

    Args:
        input_shape: (height, width, channels) of at least 4 x 4 pixels; None is any size.
        num_classes: length of the logit vector.
        dropout: fraction of the last features dropped in training; the paper has none.
        top: False ends at the last feature maps.
        width: channels of the first stage; each further stage doubles them.
        blocks: how many blocks each stage has: n of them make 6n + 2 layers.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits; without
        top, to (batch, height / 4, width / 4, 4 width).

    Raises:
        UsageError: if the images are too small.

    >>> resnet20(input_shape=(28, 28, 1), top=False).output_shape
    (None, 7, 7, 64)
    """
    return network(residual, blocks, width, "3x3", input_shape, num_classes, dropout, top, name)


@register(
    replace(
        RESNET20,
        summary="32 layers with parameter-free shortcuts, for images of 32x32",
        params=464_154,
        non_trainable_params=2_272,
        recipes=RECIPES["resnet32"],
    )
)
def resnet32(
    *, input_shape: tuple[int | None, ...] = (32, 32, 3), num_classes: int = 10, dropout: float = 0.0, top: bool = True,
    width: int = 16, blocks: Sequence[int] = (5, 5, 5), name: str = "resnet32",
) -> keras.Model:  # fmt: skip
    """ResNet-32 (He 2015, section 4.2): 5 blocks to a stage; the rest as in `resnet20`.

    >>> resnet32(blocks=(1, 1, 1)).output_shape
    (None, 10)
    """
    return network(residual, blocks, width, "3x3", input_shape, num_classes, dropout, top, name)


@register(
    replace(
        RESNET20,
        summary="44 layers with parameter-free shortcuts, for images of 32x32",
        params=658_586,
        non_trainable_params=3_168,
        recipes=RECIPES["resnet44"],
    )
)
def resnet44(
    *, input_shape: tuple[int | None, ...] = (32, 32, 3), num_classes: int = 10, dropout: float = 0.0, top: bool = True,
    width: int = 16, blocks: Sequence[int] = (7, 7, 7), name: str = "resnet44",
) -> keras.Model:  # fmt: skip
    """ResNet-44 (He 2015, section 4.2): 7 blocks to a stage; the rest as in `resnet20`.

    >>> resnet44(blocks=(1, 1, 1)).output_shape
    (None, 10)
    """
    return network(residual, blocks, width, "3x3", input_shape, num_classes, dropout, top, name)


@register(
    replace(
        RESNET20,
        summary="56 layers with parameter-free shortcuts, for images of 32x32",
        params=853_018,
        non_trainable_params=4_064,
        recipes=RECIPES["resnet56"],
    )
)
def resnet56(
    *, input_shape: tuple[int | None, ...] = (32, 32, 3), num_classes: int = 10, dropout: float = 0.0, top: bool = True,
    width: int = 16, blocks: Sequence[int] = (9, 9, 9), name: str = "resnet56",
) -> keras.Model:  # fmt: skip
    """ResNet-56 (He 2015, section 4.2): 9 blocks to a stage; the rest as in `resnet20`.

    >>> resnet56(blocks=(1, 1, 1)).output_shape
    (None, 10)
    """
    return network(residual, blocks, width, "3x3", input_shape, num_classes, dropout, top, name)


@register(
    replace(
        RESNET20,
        summary="110 layers with parameter-free shortcuts, for images of 32x32",
        params=1_727_962,
        non_trainable_params=8_096,
        recipes=RECIPES["resnet110"],
    )
)
def resnet110(
    *, input_shape: tuple[int | None, ...] = (32, 32, 3), num_classes: int = 10, dropout: float = 0.0, top: bool = True,
    width: int = 16, blocks: Sequence[int] = (18, 18, 18), name: str = "resnet110",
) -> keras.Model:  # fmt: skip
    """ResNet-110 (He 2015, section 4.2): 18 blocks to a stage; the rest as in `resnet20`.

    The paper starts it at a learning rate of .01 for some 400 steps. With .1, it says, the first epochs learn
    little and the end is the same.

    >>> resnet110(blocks=(1, 1, 1)).output_shape
    (None, 10)
    """
    return network(residual, blocks, width, "3x3", input_shape, num_classes, dropout, top, name)


PLAIN20 = replace(RESNET20, summary="resnet20 without the shortcuts", recipes=RECIPES["plain20"])


@register(PLAIN20)
def plain20(
    *, input_shape: tuple[int | None, ...] = (32, 32, 3), num_classes: int = 10, dropout: float = 0.0, top: bool = True,
    width: int = 16, blocks: Sequence[int] = (3, 3, 3), name: str = "plain20",
) -> keras.Model:  # fmt: skip
    """`resnet20` without its shortcuts (He 2015, section 4.2): a chain of 19 convolutions, and as many parameters.

    Arguments, result and errors are those of `resnet20`.

    >>> plain20().count_params() == resnet20().count_params()
    True
    """
    return network(plain, blocks, width, "3x3", input_shape, num_classes, dropout, top, name)


@register(replace(PLAIN20, summary="resnet32 without the shortcuts", params=464_154, non_trainable_params=2_272))
def plain32(
    *, input_shape: tuple[int | None, ...] = (32, 32, 3), num_classes: int = 10, dropout: float = 0.0, top: bool = True,
    width: int = 16, blocks: Sequence[int] = (5, 5, 5), name: str = "plain32",
) -> keras.Model:  # fmt: skip
    """`resnet32` without its shortcuts (He 2015, section 4.2): 5 blocks to a stage; the rest as in `plain20`.

    >>> plain32(blocks=(1, 1, 1)).output_shape
    (None, 10)
    """
    return network(plain, blocks, width, "3x3", input_shape, num_classes, dropout, top, name)


@register(replace(PLAIN20, summary="resnet44 without the shortcuts", params=658_586, non_trainable_params=3_168))
def plain44(
    *, input_shape: tuple[int | None, ...] = (32, 32, 3), num_classes: int = 10, dropout: float = 0.0, top: bool = True,
    width: int = 16, blocks: Sequence[int] = (7, 7, 7), name: str = "plain44",
) -> keras.Model:  # fmt: skip
    """`resnet44` without its shortcuts (He 2015, section 4.2): 7 blocks to a stage; the rest as in `plain20`.

    >>> plain44(blocks=(1, 1, 1)).output_shape
    (None, 10)
    """
    return network(plain, blocks, width, "3x3", input_shape, num_classes, dropout, top, name)


@register(replace(PLAIN20, summary="resnet56 without the shortcuts", params=853_018, non_trainable_params=4_064))
def plain56(
    *, input_shape: tuple[int | None, ...] = (32, 32, 3), num_classes: int = 10, dropout: float = 0.0, top: bool = True,
    width: int = 16, blocks: Sequence[int] = (9, 9, 9), name: str = "plain56",
) -> keras.Model:  # fmt: skip
    """`resnet56` without its shortcuts (He 2015, section 4.2): 9 blocks to a stage; the rest as in `plain20`.

    >>> plain56(blocks=(1, 1, 1)).output_shape
    (None, 10)
    """
    return network(plain, blocks, width, "3x3", input_shape, num_classes, dropout, top, name)
