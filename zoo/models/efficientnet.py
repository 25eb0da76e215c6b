"""EfficientNet, version 1: one small network, found by search, and seven larger ones by a rule.

M. Tan and Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019
(arXiv:1905.11946): Table 1 is the network of B0, Table 2 the figures of all, section 3.3 the rule.

Width (maps), depth (blocks) and resolution (pixels) grow together: width^1 1.1, depth 1.2 and resolution 1.15 to the
same power, chosen so that each step costs about twice the work. The block is MobileNetV2's (`zoo.models.mobilenet`,
called MBConv) with squeeze-and-excitation of a quarter of the block's *input* maps, and x sigmoid(x) ("swish") for the
activation.

    B0, 224x224    filters  t   maps  blocks  stride       name   pixels  width  depth     multiply-adds   trainable
    stem               3         32       1       2         b0       224    1.0    1.0      385,814,752   5,288,548
    MBConv             3    1     16       1       1         b1       240    1.0    1.1      686,802,832   7,794,184
                       3    6     24       2       2         b2       260    1.1    1.2      993,561,872   9,109,994
                       5    6     40       2       2         b3       300    1.2    1.4    1,827,141,392  12,233,232
                       3    6     80       3       2         b4       380    1.4    1.8    4,393,771,024  19,341,616
                       5    6    112       3       1         b5       456    1.6    2.2   10,266,384,752  30,389,784
                       5    6    192       4       2         b6       528    1.8    2.6   19,067,593,536  43,040,704
                       3    6    320       1       1         b7       600    2.0    3.1   37,745,884,192  66,347,960
    top                1       1280       1       1
    logits                     1000                         mean over the pixels, then a dense layer

Layers are called as keras.applications calls them (block2a_expand_conv, ..., but `logits`), so that its weights fit;
torchvision's and timm's fit with ``variant="torch"`` (`zoo.layers.halving`). Pixels are scaled outside of the network.

Longer than other files: the eight names of one paper, each with its card, its signature and an example.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_lowercase

import keras
from keras import KerasTensor, layers

from zoo.checks import check_image
from zoo.errors import UsageError
from zoo.layers.gates import squeeze_excite
from zoo.layers.halving import check_variant, convolution
from zoo.layers.normalization import BatchNormalization
from zoo.layers.residual import depth_rates, stochastic_depth
from zoo.layers.width import rounded
from zoo.recipes.efficientnet import RECIPES, WEIGHTS
from zoo.records import Card, Input, replace
from zoo.registry import register

TABLE = (  # size of the filters, expansion, maps, stride; how many blocks is an option
    (3, 1, 16, 1), (3, 6, 24, 2), (5, 6, 40, 2), (3, 6, 80, 2), (5, 6, 112, 1), (5, 6, 192, 2), (3, 6, 320, 1),
)  # fmt: skip
SCALING = "VarianceScaling"  # as the authors have it; one object for all layers would draw the same numbers
KERNELS = {"class_name": SCALING, "config": {"scale": 2.0, "mode": "fan_out", "distribution": "truncated_normal"}}
HEAD = {"class_name": SCALING, "config": {"scale": 1 / 3, "mode": "fan_out", "distribution": "uniform"}}
TORCH_EPSILON = {
    "efficientnet_b5": 1e-3,
    "efficientnet_b6": 1e-3,
    "efficientnet_b7": 1e-3,
}  # torchvision's; others 1e-5


@dataclass(frozen=True)
class Style:
    """What all convolutions of a network have in common."""

    variant: str
    epsilon: float = 1e-3

    def __call__(
        self, x: KerasTensor, filters: int | None, size: int, name: str, *, bn: str, activation: str = "",
        stride: int = 1,
    ) -> KerasTensor:  # fmt: skip
        """Convolution, normalisation, swish. (batch, h, w, c) -> (batch, h / stride, w / stride, filters or c)."""
        kernel = {"depthwise_initializer" if filters is None else "kernel_initializer": KERNELS}
        x = convolution(x, filters, size, name, stride=stride, variant=self.variant, **kernel)
        x = BatchNormalization(momentum=0.9, epsilon=self.epsilon, name=bn)(x)
        return layers.Activation("silu", name=activation)(x) if activation else x


def mbconv(
    x: KerasTensor, size: int, expansion: int, maps: int, stride: int, drop_path: float, conv: Style, name: str,
    depthwise: str = "dwconv",
) -> KerasTensor:  # fmt: skip
    """MBConv: expand, filter each map, gate, project. (batch, h, w, c) -> (batch, h / stride, w / stride, maps)."""
    skip, before = x, x.shape[-1]
    if expansion > 1:
        x = conv(
            x, expansion * before, 1, f"{name}_expand_conv", bn=f"{name}_expand_bn", activation=f"{name}_expand_silu"
        )
    x = conv(x, None, size, f"{name}_{depthwise}", bn=f"{name}_bn", activation=f"{name}_silu", stride=stride)
    x = squeeze_excite(
        x, max(1, before // 4), f"{name}_se", activation="silu", initializer=KERNELS
    )  # fmt: skip
    x = conv(x, maps, 1, f"{name}_project_conv", bn=f"{name}_project_bn")
    return add(skip, x, stride, drop_path, name)


def add(skip: KerasTensor, x: KerasTensor, stride: int, drop_path: float, name: str) -> KerasTensor:
    """The branch, added to the block's input where the shapes are the same."""
    if stride > 1 or skip.shape[-1] != x.shape[-1]:
        return x
    x = stochastic_depth(x, drop_path, f"{name}_drop_path")
    return layers.Add(name=f"{name}_add")([skip, x])


def block_names(repeats: Sequence[int]) -> list[tuple[int, bool, str]]:
    """(stage from 0, whether it is the stage's first block, name) of each block: block1a, block2a, block2b, ...

    >>> block_names((1, 2))
    [(0, True, 'block1a'), (1, True, 'block2a'), (1, False, 'block2b')]
    """
    return [
        (stage, number == 0, f"block{stage + 1}{ascii_lowercase[number]}")
        for stage, count in enumerate(repeats)
        for number in range(count)
    ]


def head(
    x: KerasTensor, image: KerasTensor, channels: int, conv: Style, num_classes: int, dropout: float, top: bool,
    name: str,
) -> keras.Model:  # fmt: skip
    """The last convolution, the mean over the pixels, and logits."""
    x = conv(x, channels, 1, "top_conv", bn="top_bn", activation="top_silu")
    if top:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = layers.Dropout(dropout, name="dropout")(x)
        x = layers.Dense(num_classes, kernel_initializer=HEAD, dtype="float32", name="logits")(x)
    return keras.Model(image, x, name=name)


def network(
    input_shape: tuple[int | None, ...], num_classes: int, dropout: float, drop_path: float, top: bool, width: float,
    depth: float, repeats: Sequence[int], variant: str, name: str,
) -> keras.Model:  # fmt: skip
    """The network behind all names."""
    check_variant(variant)
    blocks = block_names([math.ceil(depth * count) for count in repeats])
    if not blocks:
        raise UsageError("there is no block in this network; expected repeats of at least one")
    check_image(input_shape, 2 ** (1 + sum(first and TABLE[stage][3] == 2 for stage, first, _ in blocks)), name)
    conv = Style(variant, 1e-3 if variant == "tensorflow" else TORCH_EPSILON.get(name, 1e-5))
    image = keras.Input(input_shape, name="image")
    x = conv(image, rounded(32 * width), 3, "stem_conv", bn="stem_bn", activation="stem_silu", stride=2)
    for (stage, is_first, block), rate in zip(blocks, depth_rates(drop_path, len(blocks))):
        size, expansion, maps, stride = TABLE[stage]
        x = mbconv(x, size, expansion, rounded(maps * width), stride if is_first else 1, rate, conv, block)
    return head(x, image, rounded(1280 * width), conv, num_classes, dropout, top, name)


PIXELS = "colour pixels, standardised by the training set"
B0 = Card(
    task="image_classification",
    summary="EfficientNet-B0: MobileNet blocks with squeeze-and-excitation, found by search",
    params=5_288_548,
    non_trainable_params=42_016,
    paper="Tan & Le 2019, ICML, arXiv:1905.11946, Tables 1 and 2",
    deviations=("running statistics with momentum .9", "no AutoAugment; AdamW in place of RMSProp in the recipes"),
    inputs=(Input("image", (224, 224, 3), holds=PIXELS),),
    preprocessing="standardise",
    weights=WEIGHTS["efficientnet_b0"],
    recipes=RECIPES["efficientnet_b0"],
    tiny={
        "input_shape": (32, 32, 3),
        "num_classes": 10,
        "width": 0.5,
        "depth": 1.0,
        "repeats": (1, 2, 1, 0, 0, 0, 0),
        "dropout": 0.0,
        "drop_path": 0.0,
    },
    tutorial="11_classic_cnns.py",
)


@register(B0)
def efficientnet_b0(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.2,
    drop_path: float = 0.2, top: bool = True, width: float = 1.0, depth: float = 1.0,
    repeats: Sequence[int] = (1, 2, 2, 3, 3, 4, 1), variant: str = "tensorflow", name: str = "efficientnet_b0",
) -> keras.Model:  # fmt: skip
    """EfficientNet-B0 (Tan & Le 2019, Table 1).

    Args:
        input_shape: (height, width, channels) of at least 32 x 32 pixels; None is any size.
        num_classes: length of the logit vector.
        dropout: fraction of the last features dropped in training.
        drop_path: stochastic depth of the last block; it grows from 0 at the first.
        top: False ends at the last feature maps.
        width: multiplies the maps of all layers, rounded to multiples of 8.
        depth: multiplies the blocks of each row, rounded up.
        repeats: how many blocks each of the seven rows of the table has; rows of 0 are left out.
        variant: ``"tensorflow"`` or ``"torch"``: whose weights fit (`zoo.layers.halving`).
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits; without
        top, to (batch, height / 32, width / 32, 1280 width).

    Raises:
        UsageError: if the images are too small, or for another variant.

    >>> efficientnet_b0(input_shape=(32, 32, 3), repeats=(1, 1, 0, 0, 0, 0, 0), top=False).output_shape
    (None, 8, 8, 1280)
    """
    return network(**locals())


@register(
    replace(
        B0,
        summary="EfficientNet-B1: 1 times as wide and 1.1 times as deep as B0, 240x240 pixels",
        params=7_794_184,
        non_trainable_params=62_048,
        inputs=(Input("image", (240, 240, 3), holds=PIXELS),),
        weights=WEIGHTS["efficientnet_b1"],
        recipes=RECIPES["efficientnet_b1"],
    )
)
def efficientnet_b1(
    *, input_shape: tuple[int | None, ...] = (240, 240, 3), num_classes: int = 1000, dropout: float = 0.2,
    drop_path: float = 0.2, top: bool = True, width: float = 1.0, depth: float = 1.1,
    repeats: Sequence[int] = (1, 2, 2, 3, 3, 4, 1), variant: str = "tensorflow", name: str = "efficientnet_b1",
) -> keras.Model:  # fmt: skip
    """EfficientNet-B1 (Tan & Le 2019, Table 2); arguments, result and errors as in `efficientnet_b0`.

    >>> efficientnet_b1(input_shape=(32, 32, 3), repeats=(1, 1, 0, 0, 0, 0, 0), depth=1, top=False).output_shape
    (None, 8, 8, 1280)
    """
    return network(**locals())


@register(
    replace(
        B0,
        summary="EfficientNet-B2: 1.1 times as wide and 1.2 times as deep as B0, 260x260 pixels",
        params=9_109_994,
        non_trainable_params=67_568,
        inputs=(Input("image", (260, 260, 3), holds=PIXELS),),
        weights=WEIGHTS["efficientnet_b2"],
        recipes=RECIPES["efficientnet_b2"],
    )
)
def efficientnet_b2(
    *, input_shape: tuple[int | None, ...] = (260, 260, 3), num_classes: int = 1000, dropout: float = 0.3,
    drop_path: float = 0.2, top: bool = True, width: float = 1.1, depth: float = 1.2,
    repeats: Sequence[int] = (1, 2, 2, 3, 3, 4, 1), variant: str = "tensorflow", name: str = "efficientnet_b2",
) -> keras.Model:  # fmt: skip
    """EfficientNet-B2 (Tan & Le 2019, Table 2); arguments, result and errors as in `efficientnet_b0`.

    >>> efficientnet_b2(input_shape=(32, 32, 3), repeats=(1, 1, 0, 0, 0, 0, 0), depth=1, top=False).output_shape
    (None, 8, 8, 1408)
    """
    return network(**locals())


@register(
    replace(
        B0,
        summary="EfficientNet-B3: 1.2 times as wide and 1.4 times as deep as B0, 300x300 pixels",
        params=12_233_232,
        non_trainable_params=87_296,
        inputs=(Input("image", (300, 300, 3), holds=PIXELS),),
        weights=WEIGHTS["efficientnet_b3"],
        recipes=RECIPES["efficientnet_b3"],
    )
)
def efficientnet_b3(
    *, input_shape: tuple[int | None, ...] = (300, 300, 3), num_classes: int = 1000, dropout: float = 0.3,
    drop_path: float = 0.2, top: bool = True, width: float = 1.2, depth: float = 1.4,
    repeats: Sequence[int] = (1, 2, 2, 3, 3, 4, 1), variant: str = "tensorflow", name: str = "efficientnet_b3",
) -> keras.Model:  # fmt: skip
    """EfficientNet-B3 (Tan & Le 2019, Table 2); arguments, result and errors as in `efficientnet_b0`.

    >>> efficientnet_b3(input_shape=(32, 32, 3), repeats=(1, 1, 0, 0, 0, 0, 0), depth=1, top=False).output_shape
    (None, 8, 8, 1536)
    """
    return network(**locals())


@register(
    replace(
        B0,
        summary="EfficientNet-B4: 1.4 times as wide and 1.8 times as deep as B0, 380x380 pixels",
        params=19_341_616,
        non_trainable_params=125_200,
        inputs=(Input("image", (380, 380, 3), holds=PIXELS),),
        weights=WEIGHTS["efficientnet_b4"],
        recipes=RECIPES["efficientnet_b4"],
    )
)
def efficientnet_b4(
    *, input_shape: tuple[int | None, ...] = (380, 380, 3), num_classes: int = 1000, dropout: float = 0.4,
    drop_path: float = 0.2, top: bool = True, width: float = 1.4, depth: float = 1.8,
    repeats: Sequence[int] = (1, 2, 2, 3, 3, 4, 1), variant: str = "tensorflow", name: str = "efficientnet_b4",
) -> keras.Model:  # fmt: skip
    """EfficientNet-B4 (Tan & Le 2019, Table 2); arguments, result and errors as in `efficientnet_b0`.

    >>> efficientnet_b4(input_shape=(32, 32, 3), repeats=(1, 1, 0, 0, 0, 0, 0), depth=1, top=False).output_shape
    (None, 8, 8, 1792)
    """
    return network(**locals())


@register(
    replace(
        B0,
        summary="EfficientNet-B5: 1.6 times as wide and 2.2 times as deep as B0, 456x456 pixels",
        params=30_389_784,
        non_trainable_params=172_736,
        inputs=(Input("image", (456, 456, 3), holds=PIXELS),),
        weights=WEIGHTS["efficientnet_b5"],
        recipes=RECIPES["efficientnet_b5"],
    )
)
def efficientnet_b5(
    *, input_shape: tuple[int | None, ...] = (456, 456, 3), num_classes: int = 1000, dropout: float = 0.4,
    drop_path: float = 0.2, top: bool = True, width: float = 1.6, depth: float = 2.2,
    repeats: Sequence[int] = (1, 2, 2, 3, 3, 4, 1), variant: str = "tensorflow", name: str = "efficientnet_b5",
) -> keras.Model:  # fmt: skip
    """EfficientNet-B5 (Tan & Le 2019, Table 2); arguments, result and errors as in `efficientnet_b0`.

    >>> efficientnet_b5(input_shape=(32, 32, 3), repeats=(1, 1, 0, 0, 0, 0, 0), depth=1, top=False).output_shape
    (None, 8, 8, 2048)
    """
    return network(**locals())


@register(
    replace(
        B0,
        summary="EfficientNet-B6: 1.8 times as wide and 2.6 times as deep as B0, 528x528 pixels",
        params=43_040_704,
        non_trainable_params=224_432,
        inputs=(Input("image", (528, 528, 3), holds=PIXELS),),
        weights=WEIGHTS["efficientnet_b6"],
        recipes=RECIPES["efficientnet_b6"],
    )
)
def efficientnet_b6(
    *, input_shape: tuple[int | None, ...] = (528, 528, 3), num_classes: int = 1000, dropout: float = 0.5,
    drop_path: float = 0.2, top: bool = True, width: float = 1.8, depth: float = 2.6,
    repeats: Sequence[int] = (1, 2, 2, 3, 3, 4, 1), variant: str = "tensorflow", name: str = "efficientnet_b6",
) -> keras.Model:  # fmt: skip
    """EfficientNet-B6 (Tan & Le 2019, Table 2); arguments, result and errors as in `efficientnet_b0`.

    >>> efficientnet_b6(input_shape=(32, 32, 3), repeats=(1, 1, 0, 0, 0, 0, 0), depth=1, top=False).output_shape
    (None, 8, 8, 2304)
    """
    return network(**locals())


@register(
    replace(
        B0,
        summary="EfficientNet-B7: 2 times as wide and 3.1 times as deep as B0, 600x600 pixels",
        params=66_347_960,
        non_trainable_params=310_720,
        inputs=(Input("image", (600, 600, 3), holds=PIXELS),),
        weights=WEIGHTS["efficientnet_b7"],
        recipes=RECIPES["efficientnet_b7"],
    )
)
def efficientnet_b7(
    *, input_shape: tuple[int | None, ...] = (600, 600, 3), num_classes: int = 1000, dropout: float = 0.5,
    drop_path: float = 0.2, top: bool = True, width: float = 2.0, depth: float = 3.1,
    repeats: Sequence[int] = (1, 2, 2, 3, 3, 4, 1), variant: str = "tensorflow", name: str = "efficientnet_b7",
) -> keras.Model:  # fmt: skip
    """EfficientNet-B7 (Tan & Le 2019, Table 2); arguments, result and errors as in `efficientnet_b0`.

    >>> efficientnet_b7(input_shape=(32, 32, 3), repeats=(1, 1, 0, 0, 0, 0, 0), depth=1, top=False).output_shape
    (None, 8, 8, 2560)
    """
    return network(**locals())
