"""MobileNets, versions 2 and 3: a wide depthwise convolution between two narrow ends.

V2  M. Sandler, A. Howard, M. Zhu, A. Zhmoginov and L.-C. Chen, "MobileNetV2: Inverted Residuals and Linear
    Bottlenecks", CVPR 2018 (arXiv:1801.04381): Tables 1 and 2.
V3  A. Howard et al., "Searching for MobileNetV3", ICCV 2019 (arXiv:1905.02244): Tables 1 and 2, sections 5.1 to 5.3.

A 3x3 convolution of c maps into c maps multiplies 9 c c times a pixel. Taken apart, a depthwise one filters each map by
itself (9 c) and a 1x1 convolution mixes them (c c): about a ninth. The inverted residual block has both:

    x + project(depthwise(expand(x)))       1x1 to t times the maps; 3x3 or 5x5, each map alone; 1x1 back

without an activation at its narrow end, where a ReLU would lose what the few maps hold ("linear bottleneck"). The
shortcut is there where the shapes are the same.

    V2, 224x224     t   maps  blocks  stride        V3 (large: 15 rows, small: 11) adds to some rows
    conv                  32       1       2        squeeze-and-excitation of a quarter of the expanded maps, and
    bottleneck      1     16       1       1        hard-swish, x relu6(x + 3) / 6, in place of ReLU; its last 1x1
                    6     24       2       2        convolution comes after the mean over the pixels.
                    6     32       3       2
                    6     64       4       2                      multiply-adds    trainable
                    6     96       3       1        v2              300,774,272    3,504,872
                    6    160       3       2        v3_large        216,589,760    5,483,032
                    6    320       1       1        v3_small         56,510,400    2,542,856
    conv 1x1            1280       1       1
    logits              1000                        after the mean over the pixels

Layers are called as keras.applications calls them, in small letters, so that its weights fit. torchvision's fit with
``variant="torch"`` (`zoo.layers.halving`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
from keras import KerasTensor, layers

from zoo.checks import check_image
from zoo.errors import UsageError
from zoo.layers.gates import squeeze_excite
from zoo.layers.halving import check_variant, convolution
from zoo.layers.normalization import BatchNormalization
from zoo.layers.residual import depth_rates, stochastic_depth
from zoo.layers.width import rounded
from zoo.recipes.mobilenet import RECIPES, WEIGHTS
from zoo.records import Card, Input, replace
from zoo.registry import register

V2 = (  # Table 2: expansion, maps, stride; how many blocks is an option
    (1, 16, 1), (6, 24, 2), (6, 32, 2), (6, 64, 2), (6, 96, 1), (6, 160, 2), (6, 320, 1),
)  # fmt: skip
V3_LARGE = (  # Table 1: size of the filters, expanded maps, maps, squeeze-and-excitation, activation, stride
    (3, 16, 16, False, "relu", 1), (3, 64, 24, False, "relu", 2), (3, 72, 24, False, "relu", 1),
    (5, 72, 40, True, "relu", 2), (5, 120, 40, True, "relu", 1), (5, 120, 40, True, "relu", 1),
    (3, 240, 80, False, "hard_silu", 2), (3, 200, 80, False, "hard_silu", 1), (3, 184, 80, False, "hard_silu", 1),
    (3, 184, 80, False, "hard_silu", 1), (3, 480, 112, True, "hard_silu", 1), (3, 672, 112, True, "hard_silu", 1),
    (5, 672, 160, True, "hard_silu", 2), (5, 960, 160, True, "hard_silu", 1), (5, 960, 160, True, "hard_silu", 1),
)  # fmt: skip
V3_SMALL = (  # Table 2
    (3, 16, 16, True, "relu", 2), (3, 72, 24, False, "relu", 2), (3, 88, 24, False, "relu", 1),
    (5, 96, 40, True, "hard_silu", 2), (5, 240, 40, True, "hard_silu", 1), (5, 240, 40, True, "hard_silu", 1),
    (5, 120, 48, True, "hard_silu", 1), (5, 144, 48, True, "hard_silu", 1), (5, 288, 96, True, "hard_silu", 2),
    (5, 576, 96, True, "hard_silu", 1), (5, 576, 96, True, "hard_silu", 1),
)  # fmt: skip
V3_EPSILON = 1e-3  # TensorFlow's and torchvision's


@dataclass(frozen=True)
class Style:
    """What all convolutions of a network have in common."""

    variant: str
    epsilon: float

    def __call__(
        self, x: KerasTensor, filters: int | None, size: int, name: str, *, bn: str, activation: str = "",
        stride: int = 1,
    ) -> KerasTensor:  # fmt: skip
        """Convolution, normalisation, activation. (batch, h, w, c) -> (batch, h / stride, w / stride, filters or c)."""
        kernel = {"depthwise_initializer" if filters is None else "kernel_initializer": "he_normal"}
        x = convolution(x, filters, size, name, stride=stride, variant=self.variant, **kernel)
        x = BatchNormalization(momentum=0.9, epsilon=self.epsilon, name=bn)(x)
        return layers.Activation(activation, name=f"{name}_{activation}")(x) if activation else x


@dataclass(frozen=True)
class Row:
    """One inverted residual block."""

    size: int
    expanded: int  # maps between the two 1x1 convolutions; those of the input: no first convolution
    maps: int
    squeeze: bool
    activation: str
    stride: int


def inverted_residual(x: KerasTensor, row: Row, drop_path: float, conv: Style, name: str) -> KerasTensor:
    """Expand, filter each map, gate, project. (batch, h, w, c) -> (batch, h / stride, w / stride, maps)."""
    skip = x
    if row.expanded != x.shape[-1]:
        x = conv(x, row.expanded, 1, f"{name}_expand", bn=f"{name}_expand_bn", activation=row.activation)
    depthwise = f"{name}_depthwise"
    x = conv(x, None, row.size, depthwise, bn=f"{depthwise}_bn", activation=row.activation, stride=row.stride)
    if row.squeeze:
        units, se = rounded(row.expanded / 4), f"{name}_squeeze_excite"
        x = squeeze_excite(
            x, units, se, names=("conv", "conv_1"), gate="hard_sigmoid", initializer="he_normal"
        )  # fmt: skip
    x = conv(x, row.maps, 1, f"{name}_project", bn=f"{name}_project_bn")
    if row.stride > 1 or skip.shape[-1] != row.maps:
        return x
    x = stochastic_depth(x, drop_path, f"{name}_drop_path")
    return layers.Add(name=f"{name}_add")([skip, x])


def body(x: KerasTensor, rows: Sequence[Row], drop_path: float, conv: Style, prefix: str) -> KerasTensor:
    """The blocks, called `prefix`_1 and so on; the first is always called expanded_conv."""
    if not rows:
        raise UsageError("there is no block in this network; expected at least one")
    for number, (row, rate) in enumerate(zip(rows, depth_rates(drop_path, len(rows)))):
        x = inverted_residual(x, row, rate, conv, f"{prefix}_{number}" if number else "expanded_conv")
    return x


def smallest(rows: Sequence[Row]) -> int:
    """Pixels of the smallest image: one is left at the end."""
    return 2 ** (1 + sum(row.stride == 2 for row in rows))


@register(
    Card(
        task="image_classification",
        summary="MobileNetV2: depthwise convolutions between linear bottlenecks",
        params=3_504_872,
        non_trainable_params=34_112,
        paper="Sandler et al. 2018, CVPR, arXiv:1801.04381, Table 2",
        deviations=("running statistics with momentum .9", "truncated He initialisation"),
        inputs=(Input("image", (224, 224, 3), holds="colour pixels, standardised by the training set"),),
        preprocessing="standardise",
        weights=WEIGHTS["mobilenet_v2"],
        recipes=RECIPES["mobilenet_v2"],
        tiny={
            "input_shape": (32, 32, 3),
            "num_classes": 10,
            "width": 0.5,
            "repeats": (1, 2, 1, 0, 0, 0, 0),
            "dropout": 0.0,
        },
        tutorial="11_classic_cnns.py",
    )
)
def mobilenet_v2(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.2,
    drop_path: float = 0.0, top: bool = True, width: float = 1.0, repeats: Sequence[int] = (1, 2, 3, 4, 3, 3, 1),
    variant: str = "tensorflow", name: str = "mobilenet_v2",
) -> keras.Model:  # fmt: skip
    """MobileNetV2 (Sandler 2018, Table 2).

    Args:
        input_shape: (height, width, channels) of at least 32 x 32 pixels; None is any size.
        num_classes: length of the logit vector.
        dropout: fraction of the last features dropped in training.
        drop_path: stochastic depth of the last block; it grows from 0 at the first. The paper has none.
        top: False ends at the last feature maps.
        width: multiplies the maps of all layers, rounded to multiples of 8; those of the last convolution only if it
            is more than 1 (section 5).
        repeats: how many blocks each of the seven rows of the table has; rows of 0 are left out.
        variant: ``"tensorflow"`` or ``"torch"``: whose weights fit (`zoo.layers.halving`).
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits; without
        top, to (batch, height / 32, width / 32, 1280).

    Raises:
        UsageError: if the images are too small, or for another variant.

    >>> mobilenet_v2(width=0.35, top=False, repeats=(1, 1, 1, 1, 1, 1, 1)).output_shape
    (None, 7, 7, 1280)
    """
    check_variant(variant)
    rows: list[Row] = []
    before = rounded(32 * width)
    for (expansion, maps, stride), count in zip(V2, repeats, strict=True):
        for number in range(count):
            row = Row(3, expansion * before, rounded(maps * width), False, "relu6", 1 if number else stride)
            rows, before = [*rows, row], row.maps
    check_image(input_shape, smallest(rows), name)
    conv = Style(variant, 1e-3 if variant == "tensorflow" else 1e-5)
    image = keras.Input(input_shape, name="image")
    x = conv(image, rounded(32 * width), 3, "conv1", bn="bn_conv1", activation="relu6", stride=2)
    x = body(x, rows, drop_path, conv, "block")
    x = conv(x, rounded(1280 * max(1.0, width)), 1, "conv_1", bn="conv_1_bn", activation="relu6")
    if top:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)  # (batch, 1280)
        x = layers.Dropout(dropout, name="dropout")(x)
        x = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, x, name=name)


def v3(
    table: Sequence[tuple[int, int, int, bool, str, int]], units: int, input_shape: tuple[int | None, ...],
    num_classes: int, dropout: float, drop_path: float, top: bool, width: float, blocks: int, variant: str, name: str,
) -> keras.Model:  # fmt: skip
    """MobileNetV3 by the first `blocks` rows of its table; `units` of the layer before the logits."""
    check_variant(variant)
    rows: list[Row] = []
    before, paper_before = rounded(16 * width), 16
    for size, expanded, maps, squeeze, activation, stride in table[:blocks]:
        row = Row(
            size, rounded(before * expanded / paper_before), rounded(maps * width), squeeze, activation, stride
        )  # fmt: skip
        rows, before, paper_before = [*rows, row], row.maps, maps
    check_image(input_shape, smallest(rows), name)
    conv = Style(variant, V3_EPSILON)
    image = keras.Input(input_shape, name="image")
    x = conv(image, rounded(16 * width), 3, "conv", bn="conv_bn", activation="hard_silu", stride=2)
    x = body(x, rows, drop_path, conv, "expanded_conv")
    x = conv(x, rounded(6 * x.shape[-1]), 1, "conv_1", bn="conv_1_bn", activation="hard_silu")
    if top:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = layers.Dense(rounded(units * max(1.0, width)), kernel_initializer="he_normal", name="conv_2")(x)
        x = layers.Activation("hard_silu", name="conv_2_hard_silu")(x)
        x = layers.Dropout(dropout, name="dropout")(x)
        x = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, x, name=name)


LARGE = Card(
    task="image_classification",
    summary="MobileNetV3, large: found by search, with squeeze-and-excitation and hard-swish",
    params=5_483_032,
    non_trainable_params=24_400,
    paper="Howard et al. 2019, ICCV, arXiv:1905.02244, Table 1",
    deviations=("running statistics with momentum .9", "truncated He initialisation"),
    inputs=(Input("image", (224, 224, 3), holds="colour pixels, standardised by the training set"),),
    preprocessing="standardise",
    weights=WEIGHTS["mobilenet_v3_large"],
    recipes=RECIPES["mobilenet_v3_large"],
    tiny={"input_shape": (32, 32, 3), "num_classes": 10, "width": 0.5, "blocks": 4, "dropout": 0.0},
    tutorial="11_classic_cnns.py",
)


@register(LARGE)
def mobilenet_v3_large(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.2,
    drop_path: float = 0.0, top: bool = True, width: float = 1.0, blocks: int = 15, variant: str = "tensorflow",
    name: str = "mobilenet_v3_large",
) -> keras.Model:  # fmt: skip
    """MobileNetV3-Large (Howard 2019, Table 1).

    Args:
        input_shape, num_classes, dropout, drop_path, top, width, variant, name: as in `mobilenet_v2`.
        blocks: how many rows of the table are built, from the first.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits; without
        top, to (batch, height / 32, width / 32, 960).

    Raises:
        UsageError: as `mobilenet_v2`.

    >>> mobilenet_v3_large(blocks=4, top=False).output_shape
    (None, 28, 28, 240)
    """
    return v3(V3_LARGE, 1280, **locals())


@register(
    replace(
        LARGE,
        summary="MobileNetV3, small: found by search, for the slowest devices",
        params=2_542_856,
        non_trainable_params=12_112,
        paper="Howard et al. 2019, ICCV, arXiv:1905.02244, Table 2",
        tiny={**LARGE.tiny, "blocks": 3},
        weights=WEIGHTS["mobilenet_v3_small"],
        recipes=RECIPES["mobilenet_v3_small"],
    )
)
def mobilenet_v3_small(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.2,
    drop_path: float = 0.0, top: bool = True, width: float = 1.0, blocks: int = 11, variant: str = "tensorflow",
    name: str = "mobilenet_v3_small",
) -> keras.Model:  # fmt: skip
    """MobileNetV3-Small (Howard 2019, Table 2); arguments, result and errors as in `mobilenet_v3_large`.

    >>> mobilenet_v3_small(blocks=2, top=False).output_shape
    (None, 28, 28, 144)
    """
    return v3(V3_SMALL, 1024, **locals())
