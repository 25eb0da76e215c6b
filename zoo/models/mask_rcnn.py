"""Mask R-CNN: Faster R-CNN, and a third stage that says of each pixel in a box whether it is of the thing.

K. He et al., "Mask R-CNN", ICCV 2017, arXiv:1703.06870, section 3 and Figure 4 (right), on the network of
`zoo.models.rcnn`:

    RoIAlign of the boxes to 14 x 14 x 256, from the same pyramid
    four convolutions 3x3  256
    a transposed one 2x2, of stride 2, 256, to 28 x 28
    1x1 to a map for each class and the background: a logit for each place

The masks of the classes do not compete: which of them is asked, the second stage has decided. In training they are
those of proposals, in use those of what was found. Boxes are the depth of convolutions in three dimensions whose
kernels are one deep: each box goes through them by itself.
"""

from collections.abc import Sequence

import keras
from keras import KerasTensor, layers

from zoo.checks import check_whole
from zoo.layers.mask_rows import MaskBoxes, MaskRows
from zoo.layers.regions import RegionAlign
from zoo.models.rcnn import LEVELS, RATIOS, SIDES, two_stages
from zoo.recipes.mask_rcnn import MASK_DEMO, MASK_FINETUNE, MASK_FOLDER, MASK_WEIGHTS
from zoo.records import Card, Input
from zoo.registry import register

ROI = 14  # places of what the third stage looks at, down and across; its masks have twice as many
CONVOLUTIONS = 4


@register(
    Card(
        task="instance_segmentation",
        summary="Faster R-CNN with a mask of each thing that it finds",
        params=44_401_393,
        non_trainable_params=106_240,
        paper="He et al. 2017, Mask R-CNN (1703.06870), section 3 and Figure 4",
        deviations=(
            "masks are learned from the best proposals, of which there are `masks`, not from a sample of all",
            "a pixel is of one thing: of two that overlap, of the one in front",
            "as faster_rcnn_resnet50_fpn",
        ),
        notes=(
            "no recipe was run to its end here; tutorial 29 trains the demo's network on 800 images of its kind",
            "the loss compares masks of 28 x 28 in the proposal with the true one, kept as 56 x 56 in its own box",
            "the weights for COCO could not be fetched here, and were not loaded: a state dict of an eighth of the "
            "channels was",
        ),
        inputs=(Input("image", (800, 800, 3), holds="colours, as the weights want them"),),
        preprocessing="standardise",
        loss="region_boxes",
        loss_weights={"detections": 1.0, "proposals": 1.0},
        head=("rpn_objectness", "rpn_offsets", "classes", "offsets", "mask_logits"),
        backbone=("conv?_*",),
        weights=MASK_WEIGHTS,
        recipes=(MASK_DEMO, MASK_FOLDER, MASK_FINETUNE),
        tiny={
            "input_shape": (32, 32, 3),
            "num_classes": 2,
            "blocks": (1, 1, 1, 1),
            "width": 8,
            "channels": 8,
            "units": 16,
            "sides": (10, 14, 18, 24, 32),
            "proposals": 60,
            "masks": 60,
            "frozen_norm": False,
        },
        tutorial="29_two_stage_detectors.py",
    )
)
def mask_rcnn_resnet50_fpn(
    *,
    input_shape: tuple[int, ...] = (800, 800, 3),
    num_classes: int = 90,
    sides: tuple[float, ...] = SIDES,
    ratios: tuple[float, ...] = RATIOS,
    proposals: int = 1000,
    masks: int = 100,
    blocks: Sequence[int] = (3, 4, 6, 3),
    width: int = 64,
    channels: int = 256,
    units: int = 1024,
    stride_in: str = "3x3",
    use_bias: bool = False,
    frozen_norm: bool = True,
    name: str = "mask_rcnn_resnet50_fpn",
) -> keras.Model:
    """Mask R-CNN on ResNet-50 and a feature pyramid (He et al. 2017).

    Args:
        masks: how many boxes of an image get one, at most.
        input_shape, num_classes, sides, ratios, proposals, blocks, width: as in `faster_rcnn_resnet50_fpn`.
        channels: of the pyramid, and of the third stage.
        units, stride_in, use_bias, frozen_norm: as in `faster_rcnn_resnet50_fpn`.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, *input_shape) to "masks", (batch, masks, 28, 28, 7 + num_classes), the rows of
        `zoo.boxes.masks`; and to "detections" and "proposals" of `faster_rcnn_resnet50_fpn`.

    Raises:
        UsageError: as `faster_rcnn_resnet50_fpn`, and for no masks or more than proposals.

    >>> small = dict(blocks=(1, 1, 1, 1), width=8, channels=8, units=8)
    >>> tuple(mask_rcnn_resnet50_fpn(input_shape=(64, 64, 3), num_classes=3, **small).output["masks"].shape)
    (None, 100, 28, 28, 10)
    """
    check_whole("masks", masks)
    check_whole("proposals", proposals, least=masks)
    found = two_stages(
        input_shape, num_classes, sides, ratios, proposals, units, channels, frozen_norm,
        dict(width=width, blocks=blocks, stride_in=stride_in, use_bias=use_bias), name,
    )  # fmt: skip
    boxes = MaskBoxes(masks, name="mask_boxes")([found.proposals, found.rows])
    maps = [found.levels[level] for level in LEVELS]
    logits = third_stage(boxes, maps, (input_shape[0], input_shape[1]), channels, num_classes)
    outputs = {"masks": MaskRows(name="masks")([boxes, logits]), **found.outputs}
    return keras.Model(found.image, outputs, name=name)


def third_stage(
    boxes: KerasTensor, maps: list[KerasTensor], image: tuple[int, int], channels: int, num_classes: int
) -> KerasTensor:
    """Logits of masks (batch, n, 28, 28, 1 + num_classes), from what the maps hold inside of boxes (batch, n, 6)."""
    x = RegionAlign(image, ROI, name="mask_align")([boxes, *maps])  # (batch, n, 14, 14, channels)
    how = dict(activation="relu", kernel_initializer="he_normal")
    for number in range(1, CONVOLUTIONS + 1):
        x = layers.Conv3D(channels, (1, 3, 3), padding="same", **how, name=f"mask_conv{number}")(x)
    x = layers.Conv3DTranspose(channels, (1, 2, 2), strides=(1, 2, 2), **how, name="mask_up")(x)
    return layers.Conv3D(1 + num_classes, 1, kernel_initializer="he_normal", dtype="float32", name="mask_logits")(x)
