"""Recipes that the image networks since DenseNet share; families change fields with `replace`."""

from zoo.recipes import DIGITS, FINETUNE, FOLDER, IMAGENET2012, IMAGENETTE
from zoo.records import Expected, Recipe, replace

DEMO = replace(DIGITS, preprocess={"resize": (32, 32)}, augment={"shift": 2}, epochs=12, learning_rate=3e-3)
IMAGENET = replace(
    IMAGENET2012,
    augment={"crop": (0.08, 1.0), "flip": True},
    epochs=150,
    optimizer="adamw",
    optimizer_options={"weight_decay": 0.05},
    decay_kernels_only=True,
    learning_rate=1e-3,
    schedule="cosine",
    schedule_options={"warmup_epochs": 5},
    precision="mixed_bfloat16",
)
TEN_OF_IMAGENET = replace(
    IMAGENETTE,
    augment=IMAGENET.augment,
    epochs=80,
    optimizer="adamw",
    optimizer_options=IMAGENET.optimizer_options,
    decay_kernels_only=True,
    learning_rate=1e-3,
    schedule="cosine",
    schedule_options={"warmup_epochs": 5},
    precision="mixed_bfloat16",
    model={"num_classes": 10},
)


def image_recipes(
    demo: Recipe, accuracy: float, source: str, *, size: int = 224, pretrained: bool = True
) -> tuple[Recipe, ...]:
    """The recipes of a network for images of `size` pixels; `accuracy` is the paper's on ImageNet, by `source`.

    The recipe of ImageNet is one for all of these networks, shorter than those of the papers, and was not run here.
    """
    square, photograph = {"resize": (size, size)}, {"cover": (size, size)}
    return (
        demo,
        replace(TEN_OF_IMAGENET, preprocess=square),
        replace(IMAGENET, preprocess=square, expected=Expected("accuracy", accuracy, source, measured=False)),
        *([replace(FINETUNE, preprocess=photograph)] if pretrained else []),
        replace(FOLDER, preprocess=photograph),
    )
