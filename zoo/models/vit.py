"""The Vision Transformer: an image cut into patches, read as a sentence is read.

A. Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale", ICLR 2021
(arXiv:2010.11929): section 3.1, Figure 1, Table 1. Tiny and small are from H. Touvron et al., "Training data-efficient
image transformers & distillation through attention", ICML 2021 (arXiv:2012.12877), Table 1.

    image -> patches of 16x16 pixels, each to a vector (one convolution) -> a class token in front, positions added
          -> encoder blocks with their normalisations in front (`zoo.models.transformer.Block`) -> normalisation
          -> the class token's vector -> logits

    name         blocks   dim   heads    MLP      multiply-adds      trainable
    vit_tiny_16      12   192       3    768      1,253,683,200      5,717,416
    vit_small_16     12   384       6  1,536      4,598,882,304     22,050,664
    vit_base_16      12   768      12  3,072     17,563,828,224     86,567,656
    vit_large_16     24  1024      16  4,096     61,554,712,576    304,326,632

An image of another size has more or fewer patches: the positions are interpolated (section 3.2), so that the weights of
224x224 pixels serve any size that the patches divide.
"""

import keras
from keras import layers

from zoo.checks import check_whole
from zoo.errors import UsageError
from zoo.layers.patches import ClassToken, GridPositions
from zoo.models.transformer import encode
from zoo.recipes.vit import RECIPES, WEIGHTS
from zoo.records import Card, Input, replace
from zoo.registry import register

NORMAL = {"class_name": "TruncatedNormal", "config": {"stddev": 0.02}}


def patches_of(input_shape: tuple[int | None, ...], patch: int, name: str) -> tuple[int, int]:
    """How many patches there are (down, across)."""
    check_whole("patch", patch)
    height, width, _ = input_shape
    if height is None or width is None or height % patch or width % patch:
        raise UsageError(
            f"images of {height}x{width} for {name}; expected sides that patches of {patch} divide: resize them"
        )
    return height // patch, width // patch


def network(
    input_shape: tuple[int | None, ...], num_classes: int, dropout: float, drop_path: float, top: bool, patch: int,
    grid: tuple[int, int], num_layers: int, dim: int, num_heads: int, mlp_dim: int, name: str,
) -> keras.Model:  # fmt: skip
    """The network behind all names."""
    down, across = patches_of(input_shape, patch, name)
    image = keras.Input(input_shape, name="image")
    x = layers.Conv2D(dim, patch, strides=patch, kernel_initializer="lecun_normal", name="patches")(image)
    x = layers.Reshape((down * across, dim), name="sequence")(x)  # (batch, patches, dim)
    x = ClassToken(name="class_token")(x)
    x = GridPositions(grid, (down, across), name="positions")(x)
    x = layers.Dropout(dropout, name="embedding_dropout")(x)
    sizes = {"dim": dim, "num_heads": num_heads, "mlp_dim": mlp_dim, "dropout": dropout, "drop_path": drop_path}
    x = encode(x, None, num_layers, **sizes, norm="pre", activation="gelu", initializer="glorot_uniform")
    if top:
        x = layers.Cropping1D((0, down * across), name="class_vector")(x)  # (batch, 1, dim)
        x = layers.Reshape((dim,), name="features")(x)
        x = layers.Dense(num_classes, kernel_initializer=NORMAL, dtype="float32", name="logits")(x)
    else:
        x = layers.Cropping1D((1, 0), name="patch_vectors")(x)
        x = layers.Reshape((down, across, dim), name="maps")(x)
    return keras.Model(image, x, name=name)


BASE = Card(
    task="image_classification",
    summary="ViT-B/16: 12 Transformer blocks over patches of 16x16 pixels",
    params=86_567_656,
    paper="Dosovitskiy et al. 2021, ICLR, arXiv:2010.11929, Table 1",
    deviations=(
        "no layer before the logits in pretraining (the paper's has a hidden one there)",
        "dropout after each sublayer and the embedding alone, not inside of the MLP",
    ),
    notes=("the paper pretrains on 14 to 300 million images: from scratch on fewer, convolutions are better",),
    inputs=(Input("image", (224, 224, 3), holds="colour pixels, standardised by the training set"),),
    preprocessing="standardise",
    weights=WEIGHTS["vit_base_16"],
    recipes=RECIPES["vit_base_16"],
    tiny={
        "input_shape": (32, 32, 3),
        "num_classes": 10,
        "patch": 8,
        "grid": (2, 2),
        "num_layers": 1,
        "dim": 16,
        "num_heads": 2,
        "mlp_dim": 32,
    },
    tutorial="11_classic_cnns.py",
)


@register(BASE)
def vit_base_16(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.0,
    drop_path: float = 0.0, top: bool = True, patch: int = 16, grid: tuple[int, int] = (14, 14), num_layers: int = 12,
    dim: int = 768, num_heads: int = 12, mlp_dim: int = 3072, name: str = "vit_base_16",
) -> keras.Model:  # fmt: skip
    """ViT-B/16 (Dosovitskiy 2021, Table 1).

    Args:
        input_shape: (height, width, channels), sides that `patch` divides.
        num_classes: length of the logit vector.
        dropout: fraction of the embedding and of each sublayer's output that is zeroed in training; the paper has 0.1
            on ImageNet alone and none on more.
        drop_path: stochastic depth of the last block; it grows from 0 at the first. The paper has none.
        top: False ends at the vectors of the patches, as maps.
        patch: side of a patch in pixels.
        grid: (down, across): the positions that are learned; they are interpolated for images of another size.
        num_layers: blocks, one after the other.
        dim: width of the sequence.
        num_heads: of each attention; they divide `dim`.
        mlp_dim: units between the two layers of an MLP.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits; without
        top, to (batch, height / patch, width / patch, dim).

    Raises:
        UsageError: if `patch` does not divide the sides, or `num_heads` does not divide `dim`.

    >>> vit_base_16(input_shape=(32, 48, 3), num_layers=1, top=False).output_shape
    (None, 2, 3, 768)
    """
    return network(**locals())


@register(
    replace(
        BASE,
        summary="ViT-Ti/16: 12 Transformer blocks of width 192 over patches of 16x16 pixels",
        params=5_717_416,
        paper="Touvron et al. 2021, ICML, arXiv:2012.12877, Table 1",
        weights=WEIGHTS["vit_tiny_16"],
        recipes=RECIPES["vit_tiny_16"],
    )
)
def vit_tiny_16(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.0,
    drop_path: float = 0.0, top: bool = True, patch: int = 16, grid: tuple[int, int] = (14, 14), num_layers: int = 12,
    dim: int = 192, num_heads: int = 3, mlp_dim: int = 768, name: str = "vit_tiny_16",
) -> keras.Model:  # fmt: skip
    """ViT-Ti/16 (Touvron 2021, Table 1); arguments, result and errors as in `vit_base_16`.

    >>> vit_tiny_16(input_shape=(32, 48, 3), num_layers=1, top=False).output_shape
    (None, 2, 3, 192)
    """
    return network(**locals())


@register(
    replace(
        BASE,
        summary="ViT-S/16: 12 Transformer blocks of width 384 over patches of 16x16 pixels",
        params=22_050_664,
        paper="Touvron et al. 2021, ICML, arXiv:2012.12877, Table 1",
        weights=WEIGHTS["vit_small_16"],
        recipes=RECIPES["vit_small_16"],
    )
)
def vit_small_16(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.0,
    drop_path: float = 0.0, top: bool = True, patch: int = 16, grid: tuple[int, int] = (14, 14), num_layers: int = 12,
    dim: int = 384, num_heads: int = 6, mlp_dim: int = 1536, name: str = "vit_small_16",
) -> keras.Model:  # fmt: skip
    """ViT-S/16 (Touvron 2021, Table 1); arguments, result and errors as in `vit_base_16`.

    >>> vit_small_16(input_shape=(32, 48, 3), num_layers=1, top=False).output_shape
    (None, 2, 3, 384)
    """
    return network(**locals())


@register(
    replace(
        BASE,
        summary="ViT-L/16: 24 Transformer blocks of width 1024 over patches of 16x16 pixels",
        params=304_326_632,
        weights=WEIGHTS["vit_large_16"],
        recipes=RECIPES["vit_large_16"],
    )
)
def vit_large_16(
    *, input_shape: tuple[int | None, ...] = (224, 224, 3), num_classes: int = 1000, dropout: float = 0.0,
    drop_path: float = 0.0, top: bool = True, patch: int = 16, grid: tuple[int, int] = (14, 14), num_layers: int = 24,
    dim: int = 1024, num_heads: int = 16, mlp_dim: int = 4096, name: str = "vit_large_16",
) -> keras.Model:  # fmt: skip
    """ViT-L/16 (Dosovitskiy 2021, Table 1); arguments, result and errors as in `vit_base_16`.

    >>> vit_large_16(input_shape=(32, 48, 3), num_layers=1, top=False).output_shape
    (None, 2, 3, 1024)
    """
    return network(**locals())
