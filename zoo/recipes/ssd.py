"""Recipes and published weights of SSD (`zoo/models/ssd.py`)."""

from zoo.recipes.published_weights import TORCHVISION
from zoo.recipes.vgg import WEIGHTS as VGG_WEIGHTS
from zoo.recipes.yolo import SHAPES
from zoo.records import Expected, Recipe, Weights, replace

SSD_DEMO = replace(  # images of 64 pixels, with shapes of 8 to 32: four maps, of 8, 4, 2 and 1 places a side
    SHAPES,
    epochs=14,
    batch_size=16,
    loss_options={},
    model={"width": 0.125, "batch_norm": True, "scales": (0.16, 0.28, 0.42, 0.6, 0.8)},
)
# Section 3: momentum .9, weight decay .0005, batches of 32. Inside of the momentum that decay adds up ten times.
SSD_FINETUNE = Recipe(
    name="finetune",
    dataset="",
    weights="imagenet_notop",
    preprocess={"letterbox": (300, 300)},
    augment={"crop": (0.3, 1.0), "flip": True},
    epochs=100,
    batch_size=32,
    optimizer="sgd",
    optimizer_options={"momentum": 0.9, "weight_decay": 5e-3},
    learning_rate=1e-3,
    decay_kernels_only=True,
    schedule="step",
    schedule_options={"at": (0.67, 0.83), "factor": 0.1},
)
SSD_FOLDER = replace(
    SSD_FINETUNE,
    name="folder",
    weights="",
    optimizer="adamw",
    optimizer_options={"weight_decay": 5e-4},
    schedule="cosine",
    schedule_options={"warmup_epochs": 3},
    model={"batch_norm": True, "width": 0.5},
)
SSD_VOC = replace(
    SSD_FINETUNE,
    name="voc",
    dataset="voc/2007:4.0.0",
    epochs=240,
    expected=Expected("map_voc2007", 0.680, "Liu et al. 2016, Table 1: SSD300 trained on VOC 2007", measured=False),
)
COCO = Weights(
    tag="coco",
    url=f"{TORCHVISION}ssd300_vgg16_coco-b556d3b4.pth",
    hash="sha256:b556d3b4",
    preprocessing="caffe_rgb",
    licence="BSD-3-Clause (torchvision)",
    classes=90,
    published=(Expected("map", 0.251, "torchvision's documentation", measured=False),),
)
WEIGHTS = (COCO, *(each for each in VGG_WEIGHTS["vgg16"] if not each.top))
