"""Recipes of the CycleGAN: Adam's rate and momentum are those of Zhu 2017, section 4: 2e-4 and .5, batches of one."""

from typing import Any

from zoo.records import Recipe

ADAM: dict[str, Any] = {"optimizer": "adam", "optimizer_options": {"beta_1": 0.5}}
DIGITS = Recipe(  # so small that two cores do it in a minute
    name="demo",
    dataset="digits_and_negatives:1.0.0",
    preprocess={"resize": (16, 16)},
    epochs=4,
    batch_size=16,
    # 16x16 is small enough as it is. And the discriminators are to say which way round the grey goes: the cycle loss
    # is as well off if it stays as it was, and with a weight of 10 it has been (benchmarks/unpaired_translation.py).
    model={"filters": 8, "blocks": 2, "halvings": 0, "patch_filters": 16, "patch_layers": 1},
    loss_options={"cycle_weight": 1.0},
    learning_rate=1e-3,
    schedule="cosine",
    **ADAM,
)
FOLDER = Recipe(  # trainA, trainB, testA and testB: as the authors train on 256x256
    name="folder",
    dataset="",
    preprocess={"cover": (256, 256)},
    augment={"flip": True},
    epochs=200,
    batch_size=1,
    learning_rate=2e-4,
    schedule="cosine",
    **ADAM,
)
RECIPES = (DIGITS, FOLDER)
