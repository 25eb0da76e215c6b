"""Recipes and published weights of the detectors of two stages (`zoo/models/rcnn.py`)."""

from zoo.recipes.published_weights import TORCHVISION
from zoo.recipes.resnet import WEIGHTS as RESNET_WEIGHTS
from zoo.recipes.yolo import SHAPES
from zoo.records import Expected, Recipe, Weights, replace

# Images of 64 pixels, with shapes of 8 to 32. A step takes .26 CPU seconds, or .19 and 43 to compile with XLA: some
# four CPU minutes in all. It was not run to its end.
RCNN_DEMO = replace(
    SHAPES,
    epochs=5,
    batch_size=16,
    loss_options={"samples": 64},
    model={
        "blocks": (1, 1, 1, 1),
        "width": 16,
        "channels": 32,
        "units": 64,
        "sides": (12, 20, 28, 40, 60),
        "proposals": 32,
        "frozen_norm": False,
    },
)
# Lin et al., section 5.1: momentum .9, weight decay .0001, .02 for 16 images. Inside of the momentum that decay adds up
# ten times. The first two stages of the ResNet never learn, as in torchvision.
RCNN_FINETUNE = Recipe(
    name="finetune",
    dataset="",
    weights="imagenet_notop",
    preprocess={"letterbox": (640, 640)},
    augment={"flip": True},
    epochs=26,
    batch_size=4,
    optimizer="sgd",
    optimizer_options={"momentum": 0.9, "weight_decay": 1e-3, "clipnorm": 10.0},
    learning_rate=5e-3,
    decay_kernels_only=True,
    schedule="step",
    schedule_options={"at": (0.62, 0.85), "factor": 0.1},
    model={"stride_in": "1x1", "use_bias": True},
    freeze="conv2_block3_out",
)
RCNN_FOLDER = replace(
    RCNN_FINETUNE,
    name="folder",
    weights="",
    freeze="",
    augment={"crop": (0.4, 1.0), "flip": True},
    epochs=100,
    batch_size=8,
    optimizer="adamw",
    optimizer_options={"weight_decay": 5e-4},
    learning_rate=5e-4,
    schedule="cosine",
    schedule_options={"warmup_epochs": 3},
    model={"width": 32, "channels": 128, "units": 512, "proposals": 300, "frozen_norm": False},
)
RCNN_VOC = replace(RCNN_FINETUNE, name="voc", dataset="voc/2007:4.0.0", epochs=18)
COCO = Weights(
    tag="coco",
    url=f"{TORCHVISION}fasterrcnn_resnet50_fpn_coco-258fb6c6.pth",
    hash="sha256:258fb6c6",
    preprocessing="torch",
    licence="BSD-3-Clause (torchvision)",
    classes=90,
    published=(Expected("map", 0.370, "torchvision's documentation", measured=False),),
)
IMAGENET = tuple(
    replace(each, options={**each.options, "use_bias": True}) for each in RESNET_WEIGHTS["resnet50"] if not each.top
)
WEIGHTS = (COCO, *IMAGENET)
