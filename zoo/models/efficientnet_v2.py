"""EfficientNet, version 2: plain 3x3 convolutions where maps are large, and depthwise ones where they are many.

M. Tan and Q. Le, "EfficientNetV2: Smaller Models and Faster Training", ICML 2021 (arXiv:2104.00298): section 3,
Figure 2, Table 4.

A depthwise convolution multiplies little, and on large maps it is slow all the same, as processors wait for memory. So
the first three stages are of Fused-MBConv: the depthwise convolution and the 1x1 before it are one 3x3 convolution, and
there is no squeeze-and-excitation. The later stages are of MBConv (`zoo.models.efficientnet`). B0 to B3 are scaled as
version 1 is; S, M and L have tables of their own.

    name   pixels  width  depth    blocks of the stages      multiply-adds    trainable
    b0        224    1.0    1.0     1  2  2  3  5  8        718,086,176    7,139,704
    b1        240    1.0    1.1     2  3  3  4  6  9      1,196,819,360    8,141,052
    b2        260    1.1    1.2     2  3  3  4  6 10      1,697,542,832   10,096,086
    b3        300    1.2    1.4     2  3  3  5  7 12      3,011,458,816   14,358,406
    s         384                   2  4  4  6  9 15      8,365,617,152   21,458,488
    m         480                   3  5  5  7 14 18  5  24,582,460,384   54,139,356
    l         480                   4  7  7 10 19 25  7  56,079,699,008  118,515,272

Layers are called as keras.applications calls them (but `logits`), so that its weights fit; torchvision's of S, M and L
fit with ``variant="torch"``. Pixels are scaled outside of the network.

Longer than other files: the seven names of one paper, each with its card, its signature and an example.
"""

import math
from collections.abc import Sequence

import keras
from keras import KerasTensor

from zoo.checks import check_image
from zoo.errors import UsageError
from zoo.layers.halving import check_variant
from zoo.layers.residual import depth_rates
from zoo.layers.width import nearest
from zoo.models.efficientnet import Style, add, block_names, head, mbconv
from zoo.recipes.efficientnet import RECIPES, WEIGHTS
from zoo.records import Card, Input, replace
from zoo.registry import register

PIXELS = "colour pixels, standardised by the training set"
FUSED = 3  # stages, from the first
STAGES = ((1, 1), (4, 2), (4, 2), (4, 2), (6, 1), (6, 2), (6, 1))  # expansion and stride; B and S end before the last


def fused_mbconv(
    x: KerasTensor, expansion: int, maps: int, stride: int, drop_path: float, conv: Style, name: str
) -> KerasTensor:  # fmt: skip
    """3x3 to more maps, 1x1 back; or one 3x3. (batch, h, w, c) -> (batch, h / stride, w / stride, maps)."""
    skip = x
    if expansion == 1:
        project = f"{name}_project"
        x = conv(x, maps, 3, f"{project}_conv", bn=f"{project}_bn", activation=f"{project}_silu", stride=stride)
    else:
        expand, more = f"{name}_expand", expansion * x.shape[-1]
        x = conv(x, more, 3, f"{expand}_conv", bn=f"{expand}_bn", activation=f"{expand}_silu", stride=stride)
        x = conv(x, maps, 1, f"{name}_project_conv", bn=f"{name}_project_bn")
    return add(skip, x, stride, drop_path, name)


def network(
    input_shape: tuple[int | None, ...], num_classes: int, dropout: float, drop_path: float, top: bool, width: float,
    depth: float, stem: int, maps: Sequence[int], repeats: Sequence[int], variant: str, name: str,
) -> keras.Model:  # fmt: skip
    """The network behind all names."""
    check_variant(variant)
    blocks = block_names([math.ceil(depth * count) for count in repeats])
    if not blocks or len(repeats) != len(maps) or len(maps) > len(STAGES):
        raise UsageError(f"maps is {maps} and repeats {repeats}; expected as many of both, up to {len(STAGES)}")
    check_image(input_shape, 2 ** (1 + sum(first and STAGES[stage][1] == 2 for stage, first, _ in blocks)), name)
    conv = Style(variant)
    image = keras.Input(input_shape, name="image")
    x = conv(image, nearest(stem * width), 3, "stem_conv", bn="stem_bn", activation="stem_silu", stride=2)
    for (stage, is_first, block), rate in zip(blocks, depth_rates(drop_path, len(blocks))):
        expansion, stride = STAGES[stage]
        channels, stride = nearest(maps[stage] * width), stride if is_first else 1
        if stage < FUSED:
            x = fused_mbconv(x, expansion, channels, stride, rate, conv, block)
        else:
            x = mbconv(x, 3, expansion, channels, stride, rate, conv, block, depthwise="dwconv2")
    return head(x, image, nearest(1280 * width), conv, num_classes, dropout, top, name)


B0 = Card(
    task="image_classification",
    summary="EfficientNetV2-B0: plain convolutions first, then MobileNet blocks",
    params=7_139_704,
    non_trainable_params=60_608,
    paper="Tan & Le 2021, ICML, arXiv:2104.00298, section 3",
    deviations=("no progressive learning: one resolution from the start to the end", "no RandAugment or mixup"),
    inputs=(Input("image", (224, 224, 3), holds=PIXELS),),
    preprocessing="standardise",
    weights=WEIGHTS["efficientnet_v2_b0"],
    recipes=RECIPES["efficientnet_v2_b0"],
    tiny={
        "input_shape": (32, 32, 3),
        "num_classes": 10,
        "width": 0.5,
        "depth": 1.0,
        "stem": 16,
        "maps": (16, 32, 48, 48),
        "repeats": (1, 2, 0, 1),
        "dropout": 0.0,
        "drop_path": 0.0,
    },
    tutorial="11_classic_cnns.py",
)


@register(B0)
def efficientnet_v2_b0(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.2,
    drop_path: float = 0.2, top: bool = True, width: float = 1.0, depth: float = 1.0, stem: int = 32,
    maps: Sequence[int] = (16, 32, 48, 96, 112, 192), repeats: Sequence[int] = (1, 2, 2, 3, 5, 8),
    variant: str = "tensorflow", name: str = "efficientnet_v2_b0",
) -> keras.Model:  # fmt: skip
    """EfficientNetV2-B0 (Tan & Le 2021); its table is in their published code.

    Args:
        input_shape: (height, width, channels) of at least 32 x 32 pixels; None is any size.
        num_classes: length of the logit vector.
        dropout: fraction of the last features dropped in training.
        drop_path: stochastic depth of the last block; it grows from 0 at the first.
        top: False ends at the last feature maps.
        width: multiplies the maps of all layers, rounded to multiples of 8.
        depth: multiplies the blocks of each stage, rounded up.
        stem: maps of the first convolution, before `width`.
        maps: of each stage, before `width`.
        repeats: how many blocks each stage has; stages of 0 are left out.
        variant: ``"tensorflow"`` or ``"torch"``: whose weights fit (`zoo.layers.halving`).
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits; without
        top, to (batch, height / 32, width / 32, 1280 width).

    Raises:
        UsageError: if the images are too small, or for another variant.

    >>> efficientnet_v2_b0(input_shape=(32, 32, 3), maps=(8, 16), repeats=(1, 1), top=False).output_shape
    (None, 8, 8, 1280)
    """
    return network(**locals())


@register(
    replace(
        B0,
        summary="EfficientNetV2-B1: 1 times as wide and 1.1 times as deep as B0, 240x240 pixels",
        params=8_141_052,
        non_trainable_params=71_072,
        inputs=(Input("image", (240, 240, 3), holds=PIXELS),),
        weights=WEIGHTS["efficientnet_v2_b1"],
        recipes=RECIPES["efficientnet_v2_b1"],
    )
)
def efficientnet_v2_b1(
    *, input_shape: tuple[int | None, ...] = (240, 240, 3), num_classes: int = 1000, dropout: float = 0.2,
    drop_path: float = 0.2, top: bool = True, width: float = 1.0, depth: float = 1.1, stem: int = 32,
    maps: Sequence[int] = (16, 32, 48, 96, 112, 192), repeats: Sequence[int] = (1, 2, 2, 3, 5, 8),
    variant: str = "tensorflow", name: str = "efficientnet_v2_b1",
) -> keras.Model:  # fmt: skip
    """EfficientNetV2-B1 (Tan & Le 2021); arguments, result and errors as in `efficientnet_v2_b0`.

    >>> efficientnet_v2_b1(input_shape=(32, 32, 3), maps=(8, 16), repeats=(1, 1), top=False).output_shape
    (None, 8, 8, 1280)
    """
    return network(**locals())


@register(
    replace(
        B0,
        summary="EfficientNetV2-B2: 1.1 times as wide and 1.2 times as deep as B0, 260x260 pixels",
        params=10_096_086,
        non_trainable_params=82_288,
        inputs=(Input("image", (260, 260, 3), holds=PIXELS),),
        weights=WEIGHTS["efficientnet_v2_b2"],
        recipes=RECIPES["efficientnet_v2_b2"],
    )
)
def efficientnet_v2_b2(
    *, input_shape: tuple[int | None, ...] = (260, 260, 3), num_classes: int = 1000, dropout: float = 0.3,
    drop_path: float = 0.2, top: bool = True, width: float = 1.1, depth: float = 1.2, stem: int = 32,
    maps: Sequence[int] = (16, 32, 48, 96, 112, 192), repeats: Sequence[int] = (1, 2, 2, 3, 5, 8),
    variant: str = "tensorflow", name: str = "efficientnet_v2_b2",
) -> keras.Model:  # fmt: skip
    """EfficientNetV2-B2 (Tan & Le 2021); arguments, result and errors as in `efficientnet_v2_b0`.

    >>> efficientnet_v2_b2(input_shape=(32, 32, 3), maps=(8, 16), repeats=(1, 1), top=False).output_shape
    (None, 8, 8, 1408)
    """
    return network(**locals())


@register(
    replace(
        B0,
        summary="EfficientNetV2-B3: 1.2 times as wide and 1.4 times as deep as B0, 300x300 pixels",
        params=14_358_406,
        non_trainable_params=109_216,
        inputs=(Input("image", (300, 300, 3), holds=PIXELS),),
        weights=WEIGHTS["efficientnet_v2_b3"],
        recipes=RECIPES["efficientnet_v2_b3"],
    )
)
def efficientnet_v2_b3(
    *, input_shape: tuple[int | None, ...] = (300, 300, 3), num_classes: int = 1000, dropout: float = 0.3,
    drop_path: float = 0.2, top: bool = True, width: float = 1.2, depth: float = 1.4, stem: int = 32,
    maps: Sequence[int] = (16, 32, 48, 96, 112, 192), repeats: Sequence[int] = (1, 2, 2, 3, 5, 8),
    variant: str = "tensorflow", name: str = "efficientnet_v2_b3",
) -> keras.Model:  # fmt: skip
    """EfficientNetV2-B3 (Tan & Le 2021); arguments, result and errors as in `efficientnet_v2_b0`.

    >>> efficientnet_v2_b3(input_shape=(32, 32, 3), maps=(8, 16), repeats=(1, 1), top=False).output_shape
    (None, 8, 8, 1536)
    """
    return network(**locals())


@register(
    replace(
        B0,
        summary="EfficientNetV2-S: small, 384x384 pixels",
        params=21_458_488,
        non_trainable_params=153_872,
        inputs=(Input("image", (384, 384, 3), holds=PIXELS),),
        weights=WEIGHTS["efficientnet_v2_s"],
        recipes=RECIPES["efficientnet_v2_s"],
    )
)
def efficientnet_v2_s(
    *, input_shape: tuple[int | None, ...] = (384, 384, 3), num_classes: int = 1000, dropout: float = 0.2,
    drop_path: float = 0.2, top: bool = True, width: float = 1.0, depth: float = 1.0, stem: int = 24,
    maps: Sequence[int] = (24, 48, 64, 128, 160, 256), repeats: Sequence[int] = (2, 4, 4, 6, 9, 15),
    variant: str = "tensorflow", name: str = "efficientnet_v2_s",
) -> keras.Model:  # fmt: skip
    """EfficientNetV2-S (Tan & Le 2021, Table 4); arguments, result and errors as in `efficientnet_v2_b0`.

    >>> efficientnet_v2_s(input_shape=(32, 32, 3), maps=(8, 16), repeats=(1, 1), top=False).output_shape
    (None, 8, 8, 1280)
    """
    return network(**locals())


@register(
    replace(
        B0,
        summary="EfficientNetV2-M: medium, 480x480 pixels",
        params=54_139_356,
        non_trainable_params=292_032,
        inputs=(Input("image", (480, 480, 3), holds=PIXELS),),
        weights=WEIGHTS["efficientnet_v2_m"],
        recipes=RECIPES["efficientnet_v2_m"],
    )
)
def efficientnet_v2_m(
    *, input_shape: tuple[int | None, ...] = (480, 480, 3), num_classes: int = 1000, dropout: float = 0.3,
    drop_path: float = 0.2, top: bool = True, width: float = 1.0, depth: float = 1.0, stem: int = 24,
    maps: Sequence[int] = (24, 48, 80, 160, 176, 304, 512), repeats: Sequence[int] = (3, 5, 5, 7, 14, 18, 5),
    variant: str = "tensorflow", name: str = "efficientnet_v2_m",
) -> keras.Model:  # fmt: skip
    """EfficientNetV2-M (Tan & Le 2021); arguments, result and errors as in `efficientnet_v2_b0`.

    >>> efficientnet_v2_m(input_shape=(32, 32, 3), maps=(8, 16), repeats=(1, 1), top=False).output_shape
    (None, 8, 8, 1280)
    """
    return network(**locals())


@register(
    replace(
        B0,
        summary="EfficientNetV2-L: large, 480x480 pixels",
        params=118_515_272,
        non_trainable_params=512_576,
        inputs=(Input("image", (480, 480, 3), holds=PIXELS),),
        weights=WEIGHTS["efficientnet_v2_l"],
        recipes=RECIPES["efficientnet_v2_l"],
    )
)
def efficientnet_v2_l(
    *, input_shape: tuple[int | None, ...] = (480, 480, 3), num_classes: int = 1000, dropout: float = 0.4,
    drop_path: float = 0.2, top: bool = True, width: float = 1.0, depth: float = 1.0, stem: int = 32,
    maps: Sequence[int] = (32, 64, 96, 192, 224, 384, 640), repeats: Sequence[int] = (4, 7, 7, 10, 19, 25, 7),
    variant: str = "tensorflow", name: str = "efficientnet_v2_l",
) -> keras.Model:  # fmt: skip
    """EfficientNetV2-L (Tan & Le 2021); arguments, result and errors as in `efficientnet_v2_b0`.

    >>> efficientnet_v2_l(input_shape=(32, 32, 3), maps=(8, 16), repeats=(1, 1), top=False).output_shape
    (None, 8, 8, 1280)
    """
    return network(**locals())
