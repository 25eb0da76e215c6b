"""Recipes and published weights of Inception-ResNet (`zoo/models/inception_resnet.py`)."""

from zoo.recipes.backbones import DEMO, image_recipes
from zoo.recipes.published_weights import keras_applications
from zoo.records import Recipe, Weights, replace

SMALL_DEMO = replace(
    DEMO, preprocess={"resize": (75, 75)}, augment={"shift": 6}, model={"width": 0.25, "blocks": (1, 1, 1)}
)
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "inception_resnet_v2": image_recipes(
        SMALL_DEMO, 0.801, "Szegedy 2016, Table 2: 19.9 % top-1 error, one crop", size=299
    ),
}
WEIGHTS: dict[str, tuple[Weights, ...]] = {
    "inception_resnet_v2": keras_applications(
        "inception_resnet_v2/inception_resnet_v2",
        md5="e693bd0210a403b3192acc6073ad2e96",
        size=None,
        md5_notop="d19885ff4a710c122648d3b5c3b684e4",
        size_notop=None,
        accuracy=0.803,
        top5=0.953,
        preprocessing="tf",
        licence="Apache-2.0 (tensorflow/models)",
    ),
}
