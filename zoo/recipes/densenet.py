"""Recipes and published weights of the DenseNets (`zoo/models/densenet.py`)."""

from typing import Any

from zoo.recipes.backbones import DEMO, image_recipes
from zoo.recipes.published_weights import keras_applications, torchvision
from zoo.records import Recipe, Weights, replace

SMALL_DEMO = replace(DEMO, model={"growth": 16, "width": 32, "blocks": (3, 3)})
PAPER = "Huang 2017, Table 3, one crop"
KERAS: dict[str, Any] = {
    "preprocessing": "torch",
    "licence": "BSD-3-Clause (the authors)",
    "size": None,
    "size_notop": None,
}
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "densenet121": image_recipes(SMALL_DEMO, 0.7498, PAPER),
    "densenet169": image_recipes(SMALL_DEMO, 0.7620, PAPER),
    "densenet201": image_recipes(SMALL_DEMO, 0.7742, PAPER),
}
WEIGHTS: dict[str, tuple[Weights, ...]] = {
    "densenet121": (
        *keras_applications(
            "densenet/densenet121",
            md5="9d60b8095a5708f2dcce2bca79d332c7",
            md5_notop="30ee3e1110167f948a6b9946edeeb738",
            accuracy=0.750,
            top5=0.923,
            **KERAS,
        ),
        torchvision("densenet121", "a639ec97", accuracy=0.74434, top5=0.91972, tag="torchvision"),
    ),
    "densenet169": (
        *keras_applications(
            "densenet/densenet169",
            md5="d699b8f76981ab1b30698df4c175e90b",
            md5_notop="b8c4d4c20dd625c148057b9ff1c1176b",
            accuracy=0.762,
            top5=0.932,
            **KERAS,
        ),
        torchvision("densenet169", "b2777c0a", accuracy=0.75600, top5=0.92806, tag="torchvision"),
    ),
    "densenet201": (
        *keras_applications(
            "densenet/densenet201",
            md5="1ceb130c1ea1b78c3bf6114dbdfd8807",
            md5_notop="c13680b51ded0fb44dff2d8f86ac8bb1",
            accuracy=0.773,
            top5=0.936,
            **KERAS,
        ),
        torchvision("densenet201", "c1103571", accuracy=0.76896, top5=0.93370, tag="torchvision"),
    ),
}
