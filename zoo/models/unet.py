"""U-Net: what is in each pixel, by going down to see far and up again to see well.

O. Ronneberger, P. Fischer and T. Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015,
arXiv:1505.04597: section 2, Figure 1.

    down    twice a 3x3 convolution with ReLU, then a 2x2 pool; each level has twice the maps of the one above
    up      a 2x2 up-convolution that halves the maps, beside it the maps of the same level on the way down, and twice a
            3x3 convolution
    logits  a 1x1 convolution at the top

    level       1         2         3         4         5         maps 64, 128, 256, 512, 1024
    down    572-568   284-280   140-136    68-64     32-28        pixels across, without padding
    up      392-388   200-196   104-100    56-52                  together 31,030,658 (grey image, two classes)

The convolutions of the paper have no padding, so that 572 pixels give an answer for 388, and large images are taken
tile by tile. ``padding="same"`` answers for every pixel; it is what the recipes train.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import KerasTensor, layers

from zoo.checks import check_whole, is_whole
from zoo.errors import UsageError
from zoo.layers.initializers import fresh
from zoo.layers.normalization import BatchNormalization
from zoo.recipes.segmentation import MASK_FOLDER, PETS, UNET_SHAPE_MASKS
from zoo.records import Card, Input, replace
from zoo.registry import register


def two_convolutions(
    x: KerasTensor, filters: int, *, padding: str, batch_norm: bool, initializer: Any, name: str
) -> KerasTensor:
    """Two 3x3 convolutions with ReLU; without padding each takes a pixel off every side."""
    for number in (1, 2):
        x = layers.Conv2D(
            filters, 3, padding=padding, kernel_initializer=fresh(initializer), use_bias=not batch_norm,
            name=f"{name}_conv{number}",
        )(x)  # fmt: skip
        if batch_norm:
            x = BatchNormalization(momentum=0.9, name=f"{name}_conv{number}_bn")(x)
        x = layers.Activation("relu", name=f"{name}_conv{number}_relu")(x)
    return x


def cropped(x: KerasTensor, like: KerasTensor, name: str) -> KerasTensor:
    """The middle of the maps, as large as others."""
    if x.shape[1:3] == like.shape[1:3]:
        return x
    margins = [before - after for before, after in zip(x.shape[1:3], like.shape[1:3])]
    return layers.Cropping2D([(margin // 2, margin - margin // 2) for margin in margins], name=name)(x)


def check_sizes(input_shape: Sequence[int | None], levels: int, padding: str) -> None:
    """Raise unless every pool has an even number of pixels, and something is left."""
    if padding == "valid" and None in input_shape[:2]:
        raise UsageError(f"input_shape is {tuple(input_shape)}; expected fixed sizes, or padding='same'")
    for size in input_shape[:2]:
        left = size
        for _ in range(levels - 1):
            left = left and left - (4 if padding == "valid" else 0)
            if left is not None and (left < 2 or left % 2):
                expected = f"a multiple of {2 ** (levels - 1)}"
                if padding == "valid":
                    expected = "a size whose every pool has an even number of pixels, as 572 at five levels"
                raise UsageError(f"images of {size} pixels cannot be halved {levels - 1} times; expected {expected}")
            left = left and left // 2
        if padding == "valid" and left is not None and left <= 4:
            raise UsageError(f"images of {size} pixels run out of pixels in {levels} levels without padding")


@register(
    Card(
        task="semantic_segmentation",
        summary="U-Net: a class for each pixel, down to see far and up to see well",
        params=31_030_658,
        paper="Ronneberger, Fischer & Brox 2015, MICCAI, arXiv:1505.04597, section 2, Figure 1",
        deviations=(
            "no map of weights that favours the borders between cells, no elastic deformations",
            "the recipes pad the convolutions, normalise each batch and train fewer maps",
        ),
        inputs=(Input("image", (572, 572, 1), holds="colours or grey, standardised by the training set"),),
        preprocessing="standardise",
        recipes=(
            UNET_SHAPE_MASKS,
            replace(PETS, model={"padding": "same", "batch_norm": True}),
            replace(MASK_FOLDER, model={"padding": "same", "batch_norm": True, "filters": (32, 64, 128, 256, 512)}),
        ),
        tiny={"input_shape": (16, 16, 3), "num_classes": 3, "filters": (4, 8), "padding": "same"},
        tutorial="31_segmentation.py",
    )
)
def unet(
    *,
    input_shape: tuple[int | None, ...] = (572, 572, 1),
    num_classes: int = 2,
    filters: tuple[int, ...] = (64, 128, 256, 512, 1024),
    padding: str = "valid",
    skips: int | None = None,
    batch_norm: bool = False,
    dropout: float = 0.5,
    name: str = "unet",
) -> keras.Model:
    """U-Net (Ronneberger et al. 2015, Figure 1).

    Args:
        input_shape: (height, width, channels). Each pool halves an even number of pixels.
        num_classes: that a pixel may be of.
        filters: maps of each level, from the top down.
        padding: ``"valid"``, the paper's, whose answer is smaller than the image; ``"same"``, one for every pixel.
        skips: how many levels, from the lowest up, hand their maps across; None: all of them, as in the paper.
        batch_norm: normalise between each convolution and its ReLU.
        dropout: fraction of the maps zeroed in training at the end of the way down.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) to (batch, height, width, num_classes) logits, or those of the
        middle of the image without padding.

    Raises:
        UsageError: for a size that cannot be halved, another padding, or a number that is none of levels.

    >>> unet().output_shape, unet(input_shape=(64, 64, 3), filters=(8, 16), padding="same").output_shape
    ((None, 388, 388, 2), (None, 64, 64, 2))
    """
    if padding not in ("valid", "same"):
        raise UsageError(f"padding is {padding!r}; expected 'valid' or 'same'")
    for size in filters:
        check_whole("filters", size)
    check_sizes(input_shape, len(filters), padding)
    skips = len(filters) - 1 if skips is None else skips
    if not (skips == 0 or is_whole(skips)) or skips > len(filters) - 1:
        raise UsageError(f"skips is {skips!r}; expected 0 to {len(filters) - 1}, the levels above the lowest")
    he = keras.initializers.HeNormal()  # section 3: deviation sqrt(2 / N)
    options: dict[str, Any] = dict(padding=padding, batch_norm=batch_norm, initializer=he)
    image = keras.Input(input_shape, name="image")
    x, beside = image, []
    for level, size in enumerate(filters, start=1):
        x = two_convolutions(x, size, **options, name=f"down{level}")
        if level < len(filters):
            beside.append(x)
            x = layers.MaxPooling2D(2, name=f"down{level}_pool")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    for level in range(len(filters) - 1, 0, -1):
        x = layers.Conv2DTranspose(filters[level - 1], 2, strides=2, kernel_initializer=fresh(he), name=f"up{level}")(x)
        skip = beside.pop()
        if level >= len(filters) - skips:
            skip = cropped(skip, x, f"up{level}_crop")
            x = layers.Concatenate(name=f"up{level}_concat")([skip, x])  # (batch, height, width, 2 x filters)
        x = two_convolutions(x, filters[level - 1], **options, name=f"up{level}")
    return keras.Model(image, layers.Conv2D(num_classes, 1, dtype="float32", name="logits")(x), name=name)
