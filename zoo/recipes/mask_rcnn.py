"""Recipes and published weights of Mask R-CNN (`zoo/models/mask_rcnn.py`)."""

from zoo.recipes.published_weights import TORCHVISION
from zoo.recipes.rcnn import COCO, IMAGENET, RCNN_DEMO, RCNN_FINETUNE, RCNN_FOLDER
from zoo.records import Expected, replace

# The network of tutorial 29. A step takes .35 CPU seconds: some four CPU minutes in all.
MASK_DEMO = replace(
    RCNN_DEMO,
    dataset="shape_instances:1.0.0",
    optimizer_options={"clipnorm": 10.0},
    model={**RCNN_DEMO.model, "sides": (16, 22, 28, 36, 50), "proposals": 24, "masks": 12},
)
MASK_FINETUNE = RCNN_FINETUNE
MASK_FOLDER = RCNN_FOLDER
MASK_COCO = replace(
    COCO,
    url=f"{TORCHVISION}maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth",
    hash="sha256:bf2d0c1e",
    published=(
        Expected("map", 0.379, "torchvision's documentation", measured=False),
        Expected("mask_map", 0.346, "torchvision's documentation", measured=False),
    ),
)
MASK_WEIGHTS = (MASK_COCO, *IMAGENET)
