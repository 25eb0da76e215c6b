"""Recipes and published weights of the AlexNets (`zoo/models/alexnet.py`)."""

from zoo.recipes import CIFAR10, DIGITS, FASHION_MNIST, FINETUNE, FOLDER, IMAGENET2012, IMAGENETTE
from zoo.recipes.published_weights import torchvision
from zoo.records import Expected, Recipe, Weights, replace

TORCHVISION = "torchvision, AlexNet_Weights.IMAGENET1K_V1"

DEMO = replace(
    DIGITS,
    preprocess={"resize": (67, 67)},
    augment={"shift": 6},
    epochs=15,
    learning_rate=1e-3,
    model={"width": 0.25},
)
SGD = {"momentum": 0.9, "weight_decay": 5e-3}
FASHION = replace(
    FASHION_MNIST,
    preprocess={"resize": (67, 67)},
    augment={"shift": 4, "flip": True},
    epochs=30,
    optimizer="sgd",
    optimizer_options=SGD,
    learning_rate=0.01,
)
CIFAR = replace(
    CIFAR10,
    preprocess={"resize": (67, 67)},
    epochs=60,
    optimizer_options=SGD,
    learning_rate=0.01,
    schedule_options={},
)
# Section 5. Random crops of 227 from 256 are shifts by up to 15. When the rate was cut three times is not told.
IMAGENET = replace(
    IMAGENET2012,
    preprocess={"resize": (227, 227)},
    augment={"shift": 15, "flip": True},
    batch_size=128,
    expected=Expected("accuracy", 0.593, "Krizhevsky 2012, Table 2: 40.7 % top-1 error, one network", measured=False),
)
IMAGENET_OWT = replace(
    IMAGENET,
    preprocess={"resize": (224, 224)},
    augment={"shift": 16, "flip": True},
    expected=Expected("accuracy", 0.56522, f"{TORCHVISION}: 56.522 % top-1", measured=False),
)
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "alexnet": (
        DEMO,
        FASHION,
        CIFAR,
        replace(IMAGENETTE, preprocess={"resize": (227, 227)}, augment={"shift": 15, "flip": True}, batch_size=128),
        IMAGENET,
        replace(FOLDER, preprocess={"cover": (227, 227)}),
    ),
    "alexnet_owt": (
        replace(DEMO, preprocess={"resize": (63, 63)}),
        replace(FASHION, preprocess={"resize": (63, 63)}),
        replace(CIFAR, preprocess={"resize": (63, 63)}),
        replace(IMAGENETTE, batch_size=128),
        IMAGENET_OWT,
        FINETUNE,
        FOLDER,
    ),
}
WEIGHTS: dict[str, tuple[Weights, ...]] = {
    "alexnet_owt": (torchvision("alexnet-owt", "7be5be79", accuracy=0.56522, top5=0.79066, source=TORCHVISION),)
}
