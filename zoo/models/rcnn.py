"""Faster R-CNN: a first stage proposes where something is, a second one looks there and says what it is.

S. Ren et al., "Faster R-CNN: Towards Real-Time Object Detection with Region Proposal Networks", NeurIPS 2015,
arXiv:1506.01497; on a pyramid of maps, T.-Y. Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017,
arXiv:1612.03144:

    maps, at 800 x 800                      of ResNet-50      of the pyramid           squares of anchors
    conv2 to conv5                          200, 100, 50, 25                           pixels
    level 2                                 200 x 200 x  256  256, level 3 enlarged    32
    level 3                                 100 x 100 x  512  256, level 4 enlarged    64
    level 4                                  50 x  50 x 1024  256, level 5 enlarged    128
    level 5                                  25 x  25 x 2048  256                      256
    level 6, every second place of level 5   13 x  13         256                      512

    first stage, on each level:   3x3  256, then 1x1 to 3 x 1 logits, and 1x1 to 3 x 4 offsets, for ratios .5, 1 and 2
    the 1,000 best of each level, without doubles; the 1,000 best of these are the proposals
    second stage, on each one:    RoIAlign to 7 x 7 x 256, dense 1024, dense 1024, then to 1 + classes logits, and to 4
                                  offsets for each class and the background

That makes 159,882 anchors. A level is the 1x1 convolution of the maps, with the level above it added, through a 3x3
convolution. The anchors' places are those of torchvision's, whose weights fit.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
from keras import KerasTensor, layers
from keras.initializers import RandomNormal

from zoo.boxes.anchors import region_sizes
from zoo.checks import check_whole
from zoo.errors import UsageError
from zoo.layers.default_boxes import DefaultBoxes
from zoo.layers.regions import ClassBoxes, Proposals, RegionAlign, SampleOrder
from zoo.models.resnet import resnet50
from zoo.recipes.rcnn import RCNN_DEMO, RCNN_FINETUNE, RCNN_FOLDER, RCNN_VOC, WEIGHTS
from zoo.records import Card, Input
from zoo.registry import register

SIDES = (32, 64, 128, 256, 512)  # of a square anchor of each level, in pixels
RATIOS = (0.5, 1.0, 2.0)  # of an anchor's height to its width
LEVELS = (2, 3, 4, 5)  # that are made of maps; level 6 is of level 5
COARSEST = 32  # pixels from place to place in level 5
ROI = 7  # places of what the second stage looks at, down and across


@register(
    Card(
        task="object_detection",
        summary="ResNet-50 and a pyramid: 1,000 proposals, and a second look at each",
        params=41_755_286,
        non_trainable_params=106_240,
        paper="Ren et al. 2015, Faster R-CNN (1506.01497); Lin et al. 2017, FPN (1612.03144), section 4",
        deviations=(
            "the things themselves are not among the proposals of training",
            "1,000 proposals in training as in use; torchvision has 2,000",
            "batch normalisation adds 1.001e-5 to variances, the published weights for COCO were trained with 0",
        ),
        notes=(
            "the second stage looks at all proposals, in training too, and its loss draws 512 of them",
            "no recipe was run to its end here, the demo neither: what it reaches is not measured",
            "the weights for COCO number its classes from 1 to 90 as COCO does, ten of them unused; they could not be "
            "fetched here, and were not loaded: a state dict of an eighth of the channels was",
        ),
        inputs=(Input("image", (800, 800, 3), holds="colours, as the weights want them"),),
        preprocessing="standardise",
        loss="region_boxes",
        loss_weights={"proposals": 1.0},
        head=("rpn_objectness", "rpn_offsets", "classes", "offsets"),
        backbone=("conv?_*",),
        weights=WEIGHTS,
        recipes=(RCNN_DEMO, RCNN_FOLDER, RCNN_FINETUNE, RCNN_VOC),
        tiny={
            "input_shape": (32, 32, 3),
            "num_classes": 2,
            "blocks": (1, 1, 1, 1),
            "width": 8,
            "channels": 8,
            "units": 16,
            "sides": (8, 12, 16, 24, 32),
            "proposals": 40,
            "frozen_norm": False,
        },
        tutorial="15_object_detection.py",
    )
)
def faster_rcnn_resnet50_fpn(
    *,
    input_shape: tuple[int, ...] = (800, 800, 3),
    num_classes: int = 90,
    sides: tuple[float, ...] = SIDES,
    ratios: tuple[float, ...] = RATIOS,
    proposals: int = 1000,
    blocks: Sequence[int] = (3, 4, 6, 3),
    width: int = 64,
    channels: int = 256,
    units: int = 1024,
    stride_in: str = "3x3",
    use_bias: bool = False,
    frozen_norm: bool = True,
    name: str = "faster_rcnn_resnet50_fpn",
) -> keras.Model:
    """Faster R-CNN on ResNet-50 and a feature pyramid (Ren et al. 2015; Lin et al. 2017, section 4).

    Args:
        input_shape: of an image; sides are multiples of 32.
        num_classes: of things, without the background. By default the numbers of COCO's classes.
        sides: of a square anchor of each of the five levels, in pixels.
        ratios: of an anchor's height to its width.
        proposals: how many boxes of each level are looked at, and how many the first stage proposes.
        blocks, width: of the ResNet, as in `resnet50`.
        channels: of the pyramid.
        units: of the two dense layers of the second stage.
        stride_in, use_bias: of the ResNet, as in `resnet50`; torchvision's by default.
        frozen_norm: keep the batch normalisation as it is, as pretrained weights want it: images come two by two. False
            is for training from fresh weights.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, *input_shape) to "detections", (batch, proposals, 1 + num_classes, 10), and
        "proposals", (batch, anchors, 11): the rows of `zoo.boxes.rows`, of things and of something, each with its order
        in the draw of a loss at the end.

    Raises:
        UsageError: for images that are no multiples of 32, another number of sides than five, or no proposals.

    >>> model = faster_rcnn_resnet50_fpn(input_shape=(128, 64, 3), blocks=(1, 1, 1, 1), width=8, channels=8, units=8)
    >>> {key: tuple(each.shape) for key, each in model.output.items()}
    {'detections': (None, 1000, 91, 10), 'proposals': (None, 2046, 11)}
    """
    found = two_stages(
        input_shape, num_classes, sides, ratios, proposals, units, channels, frozen_norm,
        dict(width=width, blocks=blocks, stride_in=stride_in, use_bias=use_bias), name,
    )  # fmt: skip
    return keras.Model(found.image, found.outputs, name=name)


class TwoStages(NamedTuple):
    """The tensors of a detector that a third stage takes."""

    image: KerasTensor
    levels: dict[int, KerasTensor]  # the maps of the pyramid
    proposals: KerasTensor  # (batch, proposals, 4)
    rows: KerasTensor  # of the proposals, (batch, proposals, 1 + num_classes, 9)
    outputs: dict[str, KerasTensor]


def two_stages(
    input_shape: tuple[int, ...], num_classes: int, sides: Sequence[float], ratios: Sequence[float], proposals: int,
    units: int, channels: int, frozen_norm: bool, resnet: Mapping[str, Any], name: str,
) -> TwoStages:  # fmt: skip
    """Both stages; the arguments are those of `faster_rcnn_resnet50_fpn`, and `resnet` those of `resnet50`."""
    if any(not side or side % COARSEST for side in input_shape[:2]):
        raise UsageError(f"input_shape of {name} is {input_shape}; expected sides that are multiples of {COARSEST}")
    check_whole("proposals", proposals)
    if len(sides) != len(LEVELS) + 1:
        raise UsageError(f"sides of {name} are {sides}; expected {len(LEVELS) + 1}, one for each level")
    body = resnet50(input_shape=input_shape, top=False, **resnet)
    for layer in body.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = not frozen_norm
    blocks = resnet["blocks"]
    stages = {level: body.get_layer(f"conv{level}_block{blocks[level - 2]}_out").output for level in LEVELS}
    levels = pyramid(stages, channels)
    first, counts = first_stage(levels, input_shape, sides, ratios)
    found = Proposals(counts, proposals, name="regions")(first)
    rows = second_stage(found, levels, input_shape, units, num_classes)
    outputs = {
        "detections": SampleOrder(name="detections")(rows),
        "proposals": SampleOrder(name="proposals")(first),
    }
    return TwoStages(body.input, levels, found, rows, outputs)


def pyramid(stages: Mapping[int, KerasTensor], channels: int) -> dict[int, KerasTensor]:
    """Maps of so many channels for each level: what the coarse maps know comes down to the fine ones (Lin, Figure 3).

    Args:
        stages: the maps of a network, by level, each twice as coarse as the one before.
        channels: of each level.
    """
    found: dict[int, KerasTensor] = {}
    above = None
    for level in sorted(stages, reverse=True):
        x = layers.Conv2D(channels, 1, name=f"pyramid{level}_lateral")(stages[level])
        if above is not None:
            enlarged = layers.UpSampling2D(2, name=f"pyramid{level + 1}_enlarged")(above)
            x = layers.Add(name=f"pyramid{level}_add")([x, enlarged])
        above = x
        found[level] = layers.Conv2D(channels, 3, padding="same", name=f"pyramid{level}")(x)
    top = max(stages)
    found[top + 1] = layers.MaxPooling2D(1, strides=2, name=f"pyramid{top + 1}")(found[top])
    return dict(sorted(found.items()))


def first_stage(
    levels: Mapping[int, KerasTensor], image: tuple[int, ...], sides: Sequence[float], ratios: Sequence[float]
) -> tuple[KerasTensor, list[int]]:
    """The rows of all anchors, (batch, n, 10), from layers that all levels share; and how many each level has."""
    channels = next(iter(levels.values())).shape[-1]
    shared = layers.Conv2D(
        channels, 3, padding="same", activation="relu", kernel_initializer=RandomNormal(stddev=0.01), name="rpn_conv"
    )
    heads = {
        name: layers.Conv2D(
            len(ratios) * size, 1, kernel_initializer=RandomNormal(stddev=0.01), dtype="float32", name=f"rpn_{name}"
        )
        for name, size in (("offsets", 4), ("objectness", 1))
    }
    found: dict[str, list[KerasTensor]] = {name: [] for name in heads}
    for level, x in levels.items():
        x = shared(x)
        for name, head in heads.items():
            size = head.filters // len(ratios)
            found[name].append(layers.Reshape((-1, size), name=f"rpn_{name}{level}")(head(x)))
    joined = [layers.Concatenate(axis=1, name=f"rpn_all_{name}")(each) for name, each in found.items()]

    maps = [(int(x.shape[1]), int(x.shape[2])) for x in levels.values()]
    steps = [(image[0] // rows / image[0], image[1] // columns / image[1]) for rows, columns in maps]
    sizes = [[(across / image[1], down / image[0]) for across, down in region_sizes(side, ratios)] for side in sides]
    anchors = DefaultBoxes(maps, steps, sizes, offset=0.0, variances=(1.0, 1.0, 1.0, 1.0), name="anchors")
    return anchors(joined), [rows * columns * len(ratios) for rows, columns in maps]


def second_stage(
    proposals: KerasTensor, levels: Mapping[int, KerasTensor], image: tuple[int, ...], units: int, num_classes: int
) -> KerasTensor:
    """The rows of the proposals (batch, n, 4), (batch, n, 1 + num_classes, 9), from what the levels hold inside."""
    maps = [levels[level] for level in LEVELS]
    x = RegionAlign((image[0], image[1]), ROI, name="roi_align")([proposals, *maps])
    x = layers.Reshape((-1, ROI * ROI * maps[0].shape[-1]), name="roi_flat")(x)
    for name in ("fc6", "fc7"):
        x = layers.Dense(units, activation="relu", kernel_initializer="he_uniform", name=name)(x)
    logits = layers.Dense(
        1 + num_classes, kernel_initializer=RandomNormal(stddev=0.01), dtype="float32", name="classes"
    )(x)
    offsets = layers.Dense(
        4 * (1 + num_classes), kernel_initializer=RandomNormal(stddev=0.001), dtype="float32", name="offsets"
    )(x)
    return ClassBoxes(name="boxes")([proposals, offsets, logits])
