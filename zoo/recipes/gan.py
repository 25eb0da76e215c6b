"""Recipes of the generative adversarial networks.

Adam's rate and momentum are those of Radford 2016, section 4: 2e-4 and .5, in place of .9 with which it swung.
"""

from typing import Any

from zoo.recipes import MNIST
from zoo.records import Expected, Recipe, replace

ADAM: dict[str, Any] = {"optimizer": "adam", "optimizer_options": {"beta_1": 0.5}, "learning_rate": 2e-4}
RING = Recipe(
    name="demo",
    dataset="ring_of_gaussians:1.0.0",
    expected=Expected("frechet_distance", 0.01, "worst of 3 seeds: results/demo.csv"),
    epochs=300,
    batch_size=256,
    optimizer="adam",
    optimizer_options={"beta_1": 0.5, "beta_2": 0.9},
    learning_rate=1e-3,
    schedule="cosine",
)
GAN_RECIPES = (RING,)
DIGITS_16 = Recipe(  # so small that two cores do it in a minute
    name="demo",
    dataset="digits:1.0.0",
    preprocess={"resize": (16, 16)},
    epochs=60,
    batch_size=64,
    model={"filters": (64, 32), "latent_size": 32},
    expected=Expected("frechet_distance", 25.0, "worst of 3 seeds: results/demo.csv"),
    **{**ADAM, "learning_rate": 5e-4},
)
MNIST_28 = replace(MNIST, epochs=20, model={"filters": (128, 64)}, schedule="constant", **ADAM)
FOLDER = Recipe(  # a folder of one's own images
    name="folder",
    dataset="",
    preprocess={"cover": (64, 64)},
    augment={"flip": True},
    min_steps=20_000,
    epochs=100,
    batch_size=64,
    **ADAM,
)
DCGAN_RECIPES = (DIGITS_16, MNIST_28, replace(MNIST_28, name="fashion_mnist", dataset="fashion_mnist:3.0.1"), FOLDER)
