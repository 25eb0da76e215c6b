"""Recipes and published weights of the residual networks (`zoo/models/resnet.py`)."""

from zoo.recipes import CIFAR10, DIGITS, FASHION_MNIST, FINETUNE, FOLDER, IMAGENET2012, IMAGENETTE
from zoo.recipes.published_weights import keras_applications, torchvision
from zoo.records import Expected, Recipe, Weights, replace

TABLE_6 = "He 2015, Table 6 (110 layers: mean of 5 runs)"
RELEASED = "the authors' released model, one crop: KaimingHe/deep-residual-networks"
TORCHVISION = "torchvision's IMAGENET1K_V1, one crop: its documentation"

# L2 of 1e-4 in the gradient, as in the paper, passes through the momentum and comes to 1e-4 / (1 - .9) a step. Keras's
# `weight_decay` acts beside the momentum.
PAPER_SGD = {"momentum": 0.9, "weight_decay": 1e-3}
IMAGENET = replace(
    IMAGENET2012,
    augment={"crop": (0.08, 1.0), "flip": True},
    epochs=120,  # the paper's 600,000 steps of 256
    optimizer_options=PAPER_SGD,
    learning_rate=0.1,
    schedule_options={"at": (0.25, 0.5), "factor": 0.1},  # the paper waits for plateaus: Figure 4 has them near here
    precision="mixed_bfloat16",
)
TEN_OF_IMAGENET = replace(
    IMAGENETTE,
    augment=IMAGENET.augment,
    epochs=80,
    optimizer_options=PAPER_SGD,
    learning_rate=0.025,  # 0.1 scaled by the batch size
    schedule="cosine",
    schedule_options={"warmup_epochs": 5},
    precision="mixed_bfloat16",
    model={"num_classes": 10},
)
CIFAR = replace(
    CIFAR10,
    augment={"shift": 4, "flip": True},
    epochs=182,  # the paper's 64,000 steps of 128
    optimizer_options=PAPER_SGD,
    learning_rate=0.1,
    schedule="step",  # at 32,000 and 48,000 steps
    schedule_options={"at": (0.5, 0.75), "factor": 0.1},
)
FASHION = replace(
    FASHION_MNIST,
    augment={"shift": 2, "flip": True},
    epochs=24,
    optimizer="sgd",
    optimizer_options=PAPER_SGD,
    learning_rate=0.1,
    schedule_options={"warmup_epochs": 1},
    model={"input_shape": (28, 28, 1)},
)
DEMO = replace(
    DIGITS,
    preprocess={"resize": (16, 16)},
    augment={"shift": 1},
    epochs=12,
    learning_rate=3e-3,
    model={"input_shape": (16, 16, 1)},
)
NARROW_DEMO = replace(
    DEMO,
    model={"input_shape": (16, 16, 1), "num_classes": 10, "stem": "3x3", "width": 16, "blocks": (1, 1, 1, 1)},
)
SMALL_FOLDER = replace(FOLDER, preprocess={"cover": (32, 32)})


def imagenet(accuracy: float, source: str) -> Recipe:
    return replace(IMAGENET, expected=Expected("accuracy", accuracy, source, measured=False))


def cifar10(accuracy: float) -> Recipe:
    return replace(CIFAR, expected=Expected("accuracy", accuracy, TABLE_6, measured=False))


RECIPES: dict[str, tuple[Recipe, ...]] = {
    "resnet18": (
        NARROW_DEMO,
        replace(
            FASHION,
            optimizer_options={"momentum": 0.9, "weight_decay": 5e-3},
            model={"input_shape": (28, 28, 1), "num_classes": 10, "stem": "3x3"},
            expected=Expected("accuracy", 0.949, "a ResNet-18 in Fashion-MNIST's README", measured=False),
        ),
        TEN_OF_IMAGENET,
        imagenet(0.69758, TORCHVISION),
        FOLDER,
        FINETUNE,
    ),
    "resnet34": (NARROW_DEMO, TEN_OF_IMAGENET, imagenet(0.73314, TORCHVISION), FINETUNE, FOLDER),
    "resnet50": (NARROW_DEMO, TEN_OF_IMAGENET, imagenet(0.753, RELEASED), FOLDER, FINETUNE),
    "resnet101": (NARROW_DEMO, TEN_OF_IMAGENET, imagenet(0.764, RELEASED), FINETUNE, FOLDER),
    "resnet152": (NARROW_DEMO, TEN_OF_IMAGENET, imagenet(0.77, RELEASED), FINETUNE, FOLDER),
    "resnet20": (
        DEMO,
        replace(FASHION, expected=Expected("accuracy", 0.935, "3 seeds: results/fashion_mnist.csv")),
        cifar10(0.9125),
        SMALL_FOLDER,
    ),
    "resnet32": (DEMO, FASHION, cifar10(0.9249), SMALL_FOLDER),
    "resnet44": (DEMO, FASHION, cifar10(0.9283), SMALL_FOLDER),
    "resnet56": (DEMO, FASHION, cifar10(0.9303), SMALL_FOLDER),
    "resnet110": (DEMO, FASHION, cifar10(0.9339), SMALL_FOLDER),
    "plain20": (DEMO, FASHION, CIFAR, SMALL_FOLDER),  # and the deeper ones; the paper has figures of them, no table
}

# torchvision's own of the shallow two, and those of the authors in the files of keras.applications. torchvision's and
# timm's of 50 layers and more are of version 1.5, for stride_in="3x3" and use_bias=False.
AUTHORS = {"preprocessing": "caffe", "licence": "MIT (Kaiming He)", "options": {"stride_in": "1x1"}}
WEIGHTS: dict[str, tuple[Weights, ...]] = {
    "resnet18": (torchvision("resnet18", "f37072fd", accuracy=0.69758, top5=0.89078, source=TORCHVISION),),
    "resnet34": (torchvision("resnet34", "b627a593", accuracy=0.73314, top5=0.91420, source=TORCHVISION),),
    "resnet50": keras_applications(
        "resnet/resnet50",
        md5="2cb95161c43110f7111970584f804107",
        size=102_967_424,
        md5_notop="4d473c1dd8becc155b73f8504c6f6626",
        size_notop=94_765_736,
        accuracy=0.749,
        top5=0.921,
        **AUTHORS,
    ),
    "resnet101": keras_applications(
        "resnet/resnet101",
        md5="f1aeb4b969a6efcfb50fad2f0c20cfc5",
        size=179_648_224,
        md5_notop="88cf7a10940856eca736dc7b7e228a21",
        size_notop=171_446_536,
        accuracy=0.764,
        top5=0.928,
        **AUTHORS,
    ),
    "resnet152": keras_applications(
        "resnet/resnet152",
        md5="100835be76be38e30d865e96f2aaae62",
        size=None,
        md5_notop="ee4c566cf9a93f14d82f913c2dc6dd0c",
        size_notop=234_698_864,
        accuracy=0.766,
        top5=0.931,
        **AUTHORS,
    ),
}
