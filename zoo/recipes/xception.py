"""Recipes and published weights of Xception (`zoo/models/xception.py`)."""

from zoo.recipes.backbones import DEMO, image_recipes
from zoo.recipes.published_weights import keras_applications
from zoo.records import Recipe, Weights, replace

SMALL_DEMO = replace(DEMO, model={"width": 0.125, "blocks": 1})
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "xception": image_recipes(SMALL_DEMO, 0.790, "Chollet 2017, Table 1, one crop", size=299),
}
WEIGHTS: dict[str, tuple[Weights, ...]] = {
    "xception": keras_applications(
        "xception/xception",
        md5="0a58e3b7378bc2990ea3b43d5981f1f6",
        size=None,
        md5_notop="b0042744bf5b25fce3cb969f33bebb97",
        size_notop=None,
        accuracy=0.790,
        top5=0.945,
        preprocessing="tf",
        licence="MIT (F. Chollet)",
    ),
}
