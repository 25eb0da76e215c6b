"""SSD: boxes from maps of several sizes at once, small things from the fine ones and large things from the coarse.

W. Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016, arXiv:1512.02325: section 2, Figure 2 and section 3.

    VGG-16 as far as its fifth block, and what was dense as convolutions, a hundred times smaller:

    layer                                        maps, at 300 x 300      boxes in a place    ratios
    block4_conv3, of length 1, times a scale         38 x 38 x  512                    4     2
    pool5 3x3 / 1, fc6 3x3 of every 6th pixel
    fc7     1x1                                      19 x 19 x 1024                    6     2, 3
    conv8   1x1  256, 3x3 / 2                        10 x 10 x  512                    6     2, 3
    conv9   1x1  128, 3x3 / 2                         5 x  5 x  256                    6     2, 3
    conv10  1x1  128, 3x3 unpadded                    3 x  3 x  256                    4     2
    conv11  1x1  128, 3x3 unpadded                    1 x  1 x  256                    4     2

    on each map, for each box: a 3x3 convolution to its 4 offsets, and another to its classes and the background

That makes 8,732 boxes in 300 x 300 pixels. Scales and steps are those of the code that the authors published, and of
torchvision's, whose weights fit: on COCO the finest boxes have .07 of the image's side, then .15 to .87.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import KerasTensor, layers

from zoo.boxes.anchors import default_sizes
from zoo.errors import UsageError
from zoo.layers.default_boxes import DefaultBoxes
from zoo.layers.normalization import BatchNormalization, ScaledL2Normalization
from zoo.layers.width import scaled
from zoo.models.vgg import CONVOLUTIONS, EPSILON, MOMENTUM, SMALLEST, blocks
from zoo.recipes.ssd import SSD_DEMO, SSD_FINETUNE, SSD_FOLDER, SSD_VOC, WEIGHTS
from zoo.records import Card, Input
from zoo.registry import register

SCALES = (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05)  # of the image's sides; the last is that of no map
RATIOS = ((2.0,), (2.0, 3.0), (2.0, 3.0), (2.0, 3.0), (2.0,), (2.0,))
EXTRA = (("conv8", 256, 512, 2), ("conv9", 128, 256, 2), ("conv10", 128, 256, 1), ("conv11", 128, 256, 1))
SOURCES = ("block4", "fc7", "conv8", "conv9", "conv10", "conv11")
HEAD = tuple(f"{source}_{part}" for source in SOURCES for part in ("offsets", "classes"))
SCALE = 20.0  # of the finest map's vectors of 512 channels, at the start (section 3.1)
STRIDE = 8  # of the finest map, in pixels; each next one has twice as many, as far as they are padded


@register(
    Card(
        task="object_detection",
        summary="VGG-16 and smaller maps behind it: 8,732 boxes in 300 x 300 pixels",
        params=35_641_826,
        paper="Liu et al. 2016, SSD (1512.02325), section 2 and Figure 2",
        deviations=(
            "scales of boxes as for COCO (section 3.4) and as torchvision's: .07, then .15 to .87, on any data",
            "the weights of fc6 and fc7 are not those of VGG-16, thinned out, but fresh",
            "images are cropped and mirrored; no crops by overlap, no zooming out, no colours (section 2.2)",
        ),
        notes=(
            "the weights for COCO number its classes from 1 to 90 as COCO does, ten of them unused; they could not be "
            "fetched here, and were not loaded: a state dict of torchvision's own drawing was",
        ),
        inputs=(Input("image", (300, 300, 3), holds="colours, as the weights want them"),),
        preprocessing="standardise",
        loss="multibox",
        head=HEAD,
        backbone=("block*_conv*",),
        weights=WEIGHTS,
        recipes=(SSD_DEMO, SSD_FOLDER, SSD_FINETUNE, SSD_VOC),
        tiny={
            "input_shape": (32, 32, 3),
            "num_classes": 2,
            "width": 0.01,
            "batch_norm": True,
            "scales": (0.2, 0.3, 0.45, 0.6),
        },
        tutorial="15_object_detection.py",
    )
)
def ssd300_vgg16(
    *,
    input_shape: tuple[int, ...] = (300, 300, 3),
    num_classes: int = 90,
    scales: tuple[float, ...] = SCALES,
    ratios: tuple[tuple[float, ...], ...] = RATIOS,
    width: float = 1.0,
    batch_norm: bool = False,
    name: str = "ssd300_vgg16",
) -> keras.Model:
    """SSD on VGG-16 (Liu et al. 2016, Figure 2).

    Args:
        input_shape: of an image. There are as many maps as it has room for: six of 300 pixels, four of 128.
        num_classes: of things, without the background. By default the numbers of COCO's classes.
        scales: of the default boxes of each map, as fractions of the image's sides, and one more, of no map; what is
            too many is left out.
        ratios: of the default boxes of each map, the longer side by the shorter.
        width: multiplies the channels of all layers but the last.
        batch_norm: normalise between each convolution and its ReLU, but the last ones: to train from fresh weights.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, *input_shape) to the rows of `zoo.boxes.rows`, (batch, boxes, 9 + num_classes).

    Raises:
        UsageError: for images that are too small, or fewer scales or ratios than there are maps.

    >>> ssd300_vgg16(width=1 / 64).output_shape  # 8,732 boxes, 90 classes
    (None, 8732, 99)
    """
    if any(not side or side < SMALLEST for side in input_shape[:2]):
        raise UsageError(f"input_shape of {name} is {input_shape}; expected sides of at least {SMALLEST} pixels")
    image = keras.Input(input_shape, name="image")
    maps, steps = source_maps(image, width, batch_norm)
    check_boxes(scales, ratios, len(maps), name)
    sizes = [default_sizes(*each) for each in zip(scales, scales[1:], ratios[: len(maps)])]
    sides = [(int(each.shape[1]), int(each.shape[2])) for each in maps.values()]
    places = [
        (step / input_shape[0] if step else 1 / rows, step / input_shape[1] if step else 1 / columns)
        for step, (rows, columns) in zip(steps, sides)
    ]
    counts = [len(each) for each in sizes]
    outputs = [predicted(maps, counts, 4, "offsets"), predicted(maps, counts, 1 + num_classes, "classes")]
    return keras.Model(image, DefaultBoxes(sides, places, sizes, name="boxes")(outputs), name=name)


def source_maps(image: KerasTensor, width: float, batch_norm: bool) -> tuple[dict[str, KerasTensor], list[int]]:
    """The maps that boxes are told from, the finest first, and the pixels from place to place in each; 0 where a map
    fills the image."""

    def convolution(x: KerasTensor, filters: int, size: int, name: str, **options: Any) -> KerasTensor:
        activation = None if batch_norm else "relu"
        x = layers.Conv2D(scaled(filters, width), size, activation=activation, name=name, **options)(x)
        if batch_norm:
            x = BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=f"{name}_bn")(x)
            x = layers.Activation("relu", name=f"{name}_relu")(x)
        return x

    x = blocks(image, CONVOLUTIONS["D"], batch_norm=batch_norm, width=width, pool_padding="same")
    body = keras.Model(image, x)
    finest, x = (body.get_layer(f"block{number}_pool").input for number in (4, 5))  # what these pools read
    length = SCALE * math.sqrt(finest.shape[-1] / 512)  # of fewer channels: a value stays as large
    maps, steps = {"block4": ScaledL2Normalization(length, name="norm4")(finest)}, [STRIDE, 2 * STRIDE]
    x = layers.MaxPooling2D(3, strides=1, padding="same", name="pool5")(x)
    x = convolution(x, 1024, 3, "fc6", padding="same", dilation_rate=6)
    maps["fc7"] = x = convolution(x, 1024, 1, "fc7")
    for layer, narrow, wide, stride in EXTRA:
        halves = stride > 1
        if min(x.shape[1:3]) < (2 if halves else 3):
            break
        x = convolution(x, narrow, 1, f"{layer}_1")
        x = layers.ZeroPadding2D(1, name=f"{layer}_pad")(x) if halves else x
        maps[layer] = x = convolution(x, wide, 3, f"{layer}_2", strides=stride)
        steps.append(2 * steps[-1] if halves else 0)
    return maps, steps


def predicted(maps: Mapping[str, KerasTensor], counts: Sequence[int], numbers: int, name: str) -> KerasTensor:
    """So many numbers for each box of all maps, (batch, boxes, numbers): a 3x3 convolution on each map.

    Args:
        maps: by the names of their layers.
        counts: of the boxes in a place of each map.
        numbers: of each box.
        name: what they are.
    """
    found = []
    for (source, x), count in zip(maps.items(), counts):
        x = layers.Conv2D(count * numbers, 3, padding="same", dtype="float32", name=f"{source}_{name}")(x)
        found.append(layers.Reshape((-1, numbers), name=f"{source}_{name}_rows")(x))
    return layers.Concatenate(axis=1, name=name)(found)


def check_boxes(scales: Sequence[float], ratios: Sequence[Sequence[float]], maps: int, name: str) -> None:
    """Raise unless each map has a scale and the next one, and ratios."""
    if len(scales) <= maps or len(ratios) < maps:
        raise UsageError(
            f"{name} has {len(scales)} scales and {len(ratios)} ratios for {maps} maps; expected at least {maps + 1} "
            f"and {maps}"
        )
