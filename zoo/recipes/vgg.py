"""Recipes and published weights of the VGG networks (`zoo/models/vgg.py`)."""

from zoo.recipes import CIFAR10, DIGITS, FASHION_MNIST, FINETUNE, FOLDER, IMAGENET2012, IMAGENETTE, NESTEROV
from zoo.recipes.published_weights import keras_applications
from zoo.records import Expected, Recipe, Weights, replace

DEMO = replace(
    DIGITS,
    preprocess={"resize": (32, 32)},
    augment={"shift": 3},
    epochs=15,
    learning_rate=1e-3,
    model={"width": 0.125, "batch_norm": True},
)
FASHION = replace(
    FASHION_MNIST,
    preprocess={"pad": (32, 32)},
    augment={"shift": 4, "flip": True},
    epochs=40,
    model={"batch_norm": True},
    **NESTEROV,
)
VGG16_FASHION = replace(
    FASHION,
    expected=Expected(
        "accuracy", 0.935, "zalandoresearch/fashion-mnist, README: VGG16 with 26 M parameters", measured=False
    ),
)
CIFAR = replace(CIFAR10, augment={"shift": 4, "flip": True}, epochs=160, model={"batch_norm": True})
# Section 3.1: 370,000 steps of 256 images are 74 epochs; the rate was cut three times, when is not told. Random crops
# of 224 from 256 are shifts by up to 16.
IMAGENET = replace(IMAGENET2012, augment={"shift": 16, "flip": True}, epochs=74)
TEN_OF_IMAGENET = replace(IMAGENETTE, model={"batch_norm": True})


def imagenet(accuracy: float) -> Recipe:
    source = "Simonyan & Zisserman 2015, Table 3, images scaled to 256"
    return replace(IMAGENET, expected=Expected("accuracy", accuracy, source, measured=False))


RECIPES: dict[str, tuple[Recipe, ...]] = {
    "vgg11": (replace(DEMO, model={"width": 0.125}), FASHION, CIFAR, TEN_OF_IMAGENET, imagenet(0.704), FOLDER),
    "vgg13": (DEMO, FASHION, CIFAR, TEN_OF_IMAGENET, imagenet(0.713), FOLDER),
    "vgg16": (DEMO, VGG16_FASHION, CIFAR, TEN_OF_IMAGENET, imagenet(0.730), FOLDER, FINETUNE),
    "vgg19": (DEMO, FASHION, CIFAR, TEN_OF_IMAGENET, imagenet(0.727), FINETUNE, FOLDER),
    "vgg16_small": (
        replace(DEMO, model={"width": 0.125, "dropout": 0.0}),
        replace(VGG16_FASHION, preprocess={}, model={}),
        replace(
            CIFAR,
            model={},
            expected=Expected("accuracy", 0.9155, "Liu & Deng 2015, abstract: 8.45 % error", measured=False),
        ),
        replace(IMAGENETTE, preprocess={"resize": (64, 64)}, augment={"shift": 8, "flip": True}),
        replace(IMAGENET, preprocess={"resize": (64, 64)}, augment={"shift": 8, "flip": True}),
        replace(FOLDER, preprocess={"cover": (32, 32)}),
    ),
}

# The weights of keras.applications, which are those of the authors: blue, green and red, centred and not divided.
AUTHORS = {"preprocessing": "caffe", "licence": "CC BY 4.0 (VGG, Oxford)"}
WEIGHTS: dict[str, tuple[Weights, ...]] = {
    "vgg16": keras_applications(
        "vgg16/vgg16",
        md5="64373286793e3c8b2b4e3219cbf3544b",
        size=553_467_096,
        md5_notop="6d6bbae143d832006294945121d1f1fc",
        size_notop=58_889_256,
        accuracy=0.713,
        top5=0.901,
        **AUTHORS,
    ),
    "vgg19": keras_applications(
        "vgg19/vgg19",
        md5="cbe5617147190e668d6c5d5026f83318",
        size=574_710_816,
        md5_notop="253f8cb515780f3b799900260a226db6",
        size_notop=80_134_624,
        accuracy=0.713,
        top5=0.900,
        **AUTHORS,
    ),
}
