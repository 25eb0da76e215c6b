"""ConvNeXt: a ResNet, brought up to date step by step with what Transformers do, and no attention.

Z. Liu, H. Mao, C.-Y. Wu, C. Feichtenhofer, T. Darrell and S. Xie, "A ConvNet for the 2020s", CVPR 2022
(arXiv:2201.03545): section 2 has the steps, Figure 4 the block, Table 9 the sizes.

    x + scale * mlp(norm(depthwise(x)))      7x7, each map alone; layer normalisation; four times the maps, GELU, back

Few activations, few normalisations, halvings between the stages by convolutions of their own (2x2 with a stride of 2;
the stem is 4x4 with a stride of 4, "patchify"), layer scale and stochastic depth (`zoo.layers.residual`).

    name      maps of the four stages    blocks          multiply-adds      trainable
    tiny        96   192   384   768     3  3   9  3      4,455,531,264     28,589,128
    small       96   192   384   768     3  3  27  3      8,683,712,256     50,223,688
    base       128   256   512  1024     3  3  27  3     15,354,729,472     88,591,464
    large      192   384   768  1536     3  3  27  3     34,361,433,600    197,767,336
    xlarge     256   512  1024  2048     3  3  27  3     60,921,030,656    350,196,968

Layers are called as keras.applications calls them, less the network's name, so that its weights fit; those of
torchvision, timm and the authors fit too. Pixels are scaled outside of the network.
"""

from collections.abc import Sequence

import keras
from keras import KerasTensor, layers

from zoo.checks import check_image
from zoo.errors import UsageError
from zoo.layers.residual import LayerScale, depth_rates, stochastic_depth
from zoo.recipes.convnext import RECIPES, WEIGHTS
from zoo.records import Card, Input, replace
from zoo.registry import register

NORMAL = {"class_name": "TruncatedNormal", "config": {"stddev": 0.02}}  # Table 5; an object would draw the same twice
EPSILON = 1e-6


def norm(x: KerasTensor, name: str) -> KerasTensor:
    """Over the channels of each pixel."""
    return layers.LayerNormalization(epsilon=EPSILON, name=name)(x)


def block(x: KerasTensor, drop_path: float, layer_scale: float, name: str) -> KerasTensor:
    """The block of Figure 4. (batch, h, w, c) -> the same."""
    skip, channels = x, x.shape[-1]
    x = layers.DepthwiseConv2D(7, padding="same", depthwise_initializer=NORMAL, name=f"{name}_depthwise_conv")(x)
    x = norm(x, f"{name}_layernorm")
    x = layers.Dense(4 * channels, kernel_initializer=NORMAL, name=f"{name}_pointwise_conv_1")(x)
    x = layers.Activation("gelu", name=f"{name}_gelu")(x)
    x = layers.Dense(channels, kernel_initializer=NORMAL, name=f"{name}_pointwise_conv_2")(x)
    if layer_scale:
        x = LayerScale(layer_scale, name=f"{name}_layer_scale")(x)
    x = stochastic_depth(x, drop_path, f"{name}_drop_path")
    return layers.Add(name=f"{name}_add")([skip, x])


def network(
    input_shape: tuple[int | None, ...], num_classes: int, dropout: float, drop_path: float, layer_scale: float,
    top: bool, maps: Sequence[int], blocks: Sequence[int], patch: int, name: str,
) -> keras.Model:  # fmt: skip
    """Stem, stages with halvings between them, mean over the pixels, normalisation, logits."""
    if len(maps) != len(blocks):
        raise UsageError(f"maps has {len(maps)} stages and blocks {len(blocks)}; expected as many")
    check_image(input_shape, patch * 2 ** (len(blocks) - 1), name)
    image = keras.Input(input_shape, name="image")
    x = layers.Conv2D(maps[0], patch, strides=patch, kernel_initializer=NORMAL, name="stem_conv")(image)
    x = norm(x, "stem_layernorm")
    rates = iter(depth_rates(drop_path, sum(blocks)))
    for stage, (channels, count) in enumerate(zip(maps, blocks)):
        if stage > 0:
            x = norm(x, f"downsampling_layernorm_{stage - 1}")
            halving = f"downsampling_conv_{stage - 1}"
            x = layers.Conv2D(channels, 2, strides=2, kernel_initializer=NORMAL, name=halving)(x)
        for number in range(count):
            x = block(x, next(rates), layer_scale, f"stage_{stage}_block_{number}")
    if top:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)  # (batch, channels)
        x = norm(x, "head_layernorm")
        x = layers.Dropout(dropout, name="dropout")(x)
        x = layers.Dense(num_classes, kernel_initializer=NORMAL, dtype="float32", name="logits")(x)
    return keras.Model(image, x, name=name)


TINY = Card(
    task="image_classification",
    summary="ConvNeXt-Tiny: 7x7 depthwise convolutions and MLPs, no attention",
    params=28_589_128,
    paper="Liu et al. 2022, CVPR, arXiv:2201.03545, section 2 and Table 9",
    deviations=("no mixup, CutMix or RandAugment in the recipes",),
    inputs=(Input("image", (224, 224, 3), holds="colour pixels, standardised by the training set"),),
    preprocessing="standardise",
    weights=WEIGHTS["convnext_tiny"],
    recipes=RECIPES["convnext_tiny"],
    tiny={
        "input_shape": (32, 32, 3),
        "num_classes": 10,
        "maps": (8, 16),
        "blocks": (1, 2),
        "drop_path": 0.0,
        "layer_scale": 0.1,
    },
    tutorial="11_classic_cnns.py",
)


@register(TINY)
def convnext_tiny(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.0,
    drop_path: float = 0.1, layer_scale: float = 1e-6, top: bool = True,
    maps: Sequence[int] = (96, 192, 384, 768), blocks: Sequence[int] = (3, 3, 9, 3), patch: int = 4,
    name: str = "convnext_tiny",
) -> keras.Model:  # fmt: skip
    """ConvNeXt-Tiny (Liu 2022, Table 9).

    Args:
        input_shape: (height, width, channels) of at least 32 x 32 pixels; None is any size.
        num_classes: length of the logit vector.
        dropout: fraction of the last features dropped in training; the paper has none.
        drop_path: stochastic depth of the last block; it grows from 0 at the first (Table 5).
        layer_scale: what each channel of a block's branch is multiplied by at the start; 0 leaves the layer out.
        top: False ends at the last feature maps.
        maps: of each stage.
        blocks: of each stage.
        patch: side and stride of the first convolution; 2 for small images.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits; without
        top, to (batch, height / 32, width / 32, 768), rounded down.

    Raises:
        UsageError: if the images are too small, or `maps` and `blocks` are of different lengths.

    >>> convnext_tiny(input_shape=(64, 64, 3), maps=(8, 16), blocks=(1, 1), top=False).output_shape
    (None, 8, 8, 16)
    """
    return network(**locals())


@register(
    replace(
        TINY,
        summary="ConvNeXt-Small: 96, 192, 384, 768 maps",
        params=50_223_688,
        weights=WEIGHTS["convnext_small"],
        recipes=RECIPES["convnext_small"],
    )
)
def convnext_small(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.0,
    drop_path: float = 0.4, layer_scale: float = 1e-6, top: bool = True,
    maps: Sequence[int] = (96, 192, 384, 768), blocks: Sequence[int] = (3, 3, 27, 3), patch: int = 4,
    name: str = "convnext_small",
) -> keras.Model:  # fmt: skip
    """ConvNeXt-Small (Liu 2022, Table 9); arguments, result and errors as in `convnext_tiny`.

    >>> convnext_small(input_shape=(64, 64, 3), maps=(8, 16), blocks=(1, 1), top=False).output_shape
    (None, 8, 8, 16)
    """
    return network(**locals())


@register(
    replace(
        TINY,
        summary="ConvNeXt-Base: 128, 256, 512, 1024 maps",
        params=88_591_464,
        weights=WEIGHTS["convnext_base"],
        recipes=RECIPES["convnext_base"],
    )
)
def convnext_base(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.0,
    drop_path: float = 0.5, layer_scale: float = 1e-6, top: bool = True,
    maps: Sequence[int] = (128, 256, 512, 1024), blocks: Sequence[int] = (3, 3, 27, 3), patch: int = 4,
    name: str = "convnext_base",
) -> keras.Model:  # fmt: skip
    """ConvNeXt-Base (Liu 2022, Table 9); arguments, result and errors as in `convnext_tiny`.

    >>> convnext_base(input_shape=(64, 64, 3), maps=(8, 16), blocks=(1, 1), top=False).output_shape
    (None, 8, 8, 16)
    """
    return network(**locals())


@register(
    replace(
        TINY,
        summary="ConvNeXt-Large: 192, 384, 768, 1536 maps",
        params=197_767_336,
        weights=WEIGHTS["convnext_large"],
        recipes=RECIPES["convnext_large"],
    )
)
def convnext_large(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.0,
    drop_path: float = 0.5, layer_scale: float = 1e-6, top: bool = True,
    maps: Sequence[int] = (192, 384, 768, 1536), blocks: Sequence[int] = (3, 3, 27, 3), patch: int = 4,
    name: str = "convnext_large",
) -> keras.Model:  # fmt: skip
    """ConvNeXt-Large (Liu 2022, Table 9); arguments, result and errors as in `convnext_tiny`.

    >>> convnext_large(input_shape=(64, 64, 3), maps=(8, 16), blocks=(1, 1), top=False).output_shape
    (None, 8, 8, 16)
    """
    return network(**locals())


@register(
    replace(
        TINY,
        summary="ConvNeXt-XLarge: 256, 512, 1024, 2048 maps",
        params=350_196_968,
        weights=WEIGHTS["convnext_xlarge"],
        recipes=RECIPES["convnext_xlarge"],
    )
)
def convnext_xlarge(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.0,
    drop_path: float = 0.5, layer_scale: float = 1e-6, top: bool = True,
    maps: Sequence[int] = (256, 512, 1024, 2048), blocks: Sequence[int] = (3, 3, 27, 3), patch: int = 4,
    name: str = "convnext_xlarge",
) -> keras.Model:  # fmt: skip
    """ConvNeXt-XLarge (Liu 2022, Table 9); arguments, result and errors as in `convnext_tiny`.

    >>> convnext_xlarge(input_shape=(64, 64, 3), maps=(8, 16), blocks=(1, 1), top=False).output_shape
    (None, 8, 8, 16)
    """
    return network(**locals())
