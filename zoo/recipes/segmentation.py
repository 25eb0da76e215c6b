"""Recipes of networks that give a class to each pixel (`zoo/models/unet.py`, `zoo/models/fcn.py`)."""

from zoo.recipes import FOLDER
from zoo.recipes.vgg import WEIGHTS
from zoo.records import Expected, Recipe, replace

SHAPE_MASKS = Recipe(
    name="demo",
    dataset="shape_masks:1.0.0",
    augment={"flip": True},
    epochs=12,
    batch_size=32,
    learning_rate=3e-3,
    schedule="cosine",
)
# Small batches take more steps in the same time. No dropout, for only the lowest level sees enough of a shape to tell
# its class, and even so one seed of three tells the classes apart five epochs after the others.
UNET_SHAPE_MASKS = replace(
    SHAPE_MASKS,
    expected=Expected("mean_iou", 0.90, "worst of 3 seeds: results/demo.csv"),
    epochs=28,
    batch_size=16,
    loss="dice",
    loss_options={"crossentropy": 1.0},
    model={"padding": "same", "batch_norm": True, "filters": (8, 16, 32, 64), "dropout": 0.0},
)
PETS = Recipe(
    name="oxford_iiit_pet",
    dataset="oxford_iiit_pet:4.0.0",
    train="train[:90%]",
    validation="train[90%:]",
    preprocess={"resize": (128, 128)},
    augment={"flip": True, "crop": (0.5, 1.0)},
    data_options={"classes": ("pet", "background", "border"), "lowest": 1},
    epochs=60,
    batch_size=32,
    optimizer="adamw",
    optimizer_options={"weight_decay": 0.05},
    decay_kernels_only=True,
    schedule="cosine",
    schedule_options={"warmup_epochs": 2},
)
MASK_FOLDER = replace(
    FOLDER,
    preprocess={"resize": (256, 256)},
    batch_size=16,
    min_steps=500,
    learning_rate=1e-3,
    loss="dice",
    loss_options={"crossentropy": 1.0},
)
FCN_WEIGHTS = tuple(each for each in WEIGHTS["vgg16"] if not each.top)
