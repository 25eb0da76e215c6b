"""Recipes of the networks that learn from images without labels (`zoo/models/rotnet.py`, `zoo/models/simclr.py`)."""

from typing import Any

from zoo.recipes import FASHION_MNIST, MNIST
from zoo.records import Recipe, replace

# What may happen to a view: a crop that keeps what it shows. Digits are not mirrored: that would make a 2 of no digit.
# For photographs in colour their light changes as well (`IN_COLOUR`).
VIEWS: dict[str, Any] = {"crop": (0.5, 1.0), "shift": 1}
SMALL = {"tower": "resnet20", "tower_options": {"blocks": (1, 1, 1), "width": 12}}  # 8 layers
DEMO = Recipe(
    name="demo",
    dataset="digits:1.0.0",
    preprocess={"resize": (16, 16)},
    model=SMALL,
    augment={"shift": 1},
    epochs=20,
    batch_size=64,
    learning_rate=3e-3,
    schedule="cosine",
)
SIMCLR: dict[str, Any] = {"loss": "nt_xent", "loss_options": {"temperature": 0.1}, "augment": VIEWS}
IN_COLOUR: dict[str, Any] = {
    "loss": "nt_xent",
    "loss_options": {"temperature": 0.2},
    "augment": {"crop": (0.2, 1.0), "flip": True, "colour": 0.4, "grey": 0.2},
}
MIRRORED: dict[str, Any] = {**SIMCLR, "augment": {**VIEWS, "flip": True}}
UNLABELLED = replace(  # a folder of one's own
    DEMO,
    name="folder",
    dataset="",
    preprocess={"cover": (32, 32)},
    model={"tower": "resnet20"},
    augment={"flip": True},
    epochs=60,
    min_steps=2000,
    batch_size=128,
    schedule_options={"warmup_epochs": 2},
)
CLOTHES = replace(
    FASHION_MNIST, model={"tower": "resnet20"}, augment={"flip": True}, epochs=20, learning_rate=3e-3, batch_size=256
)
PHOTOGRAPHS = replace(  # as a processor can: 8 layers, three quarters of the width and height
    CLOTHES,
    name="cifar10",
    dataset="cifar10:3.0.2",
    train="train[:45000]",
    validation="train[45000:]",
    preprocess={"cover": (24, 24)},
    model={"tower": "resnet20", "tower_options": {"blocks": (1, 1, 1), "width": 16}},
    epochs=6,
    batch_size=128,
    schedule_options={"warmup_epochs": 1},
)
DIGITS = replace(MNIST, model=CLOTHES.model, augment={"shift": 2}, epochs=10, learning_rate=3e-3, batch_size=256)

RECIPES: dict[str, tuple[Recipe, ...]] = {
    "rotnet": (DEMO, DIGITS, CLOTHES, UNLABELLED),
    "simclr": (
        replace(DEMO, **SIMCLR),
        replace(DIGITS, **SIMCLR),
        replace(CLOTHES, **MIRRORED),
        replace(PHOTOGRAPHS, **IN_COLOUR),
        replace(UNLABELLED, **MIRRORED),
    ),
}
