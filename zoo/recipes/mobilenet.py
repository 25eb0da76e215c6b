"""Recipes and published weights of the MobileNets (`zoo/models/mobilenet.py`)."""

from typing import Any

from zoo.recipes.backbones import DEMO, image_recipes
from zoo.recipes.published_weights import keras_file, torchvision
from zoo.records import Recipe, Weights, replace

KERAS_V2 = "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224"
KERAS_V3 = "mobilenet_v3/weights_mobilenet_v3_"
TENSORFLOW: dict[str, Any] = {
    "preprocessing": "tf",
    "licence": "Apache-2.0 (tensorflow/models)",
    "options": {"variant": "tensorflow"},
}
TORCH: dict[str, Any] = {"options": {"variant": "torch"}}

V2_DEMO = replace(DEMO, model={"repeats": (1, 2, 2, 2, 0, 0, 0), "width": 0.5})
V3_DEMO = replace(DEMO, model={"blocks": 6, "width": 0.75})
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "mobilenet_v2": image_recipes(V2_DEMO, 0.72, "Sandler 2018, Table 4"),
    "mobilenet_v3_large": image_recipes(V3_DEMO, 0.752, "Howard 2019, Table 3"),
    "mobilenet_v3_small": image_recipes(V3_DEMO, 0.674, "Howard 2019, Table 3"),
}
# Keras ships no hashes of V2's files; accuracies are those of Keras's documentation and source.
WEIGHTS: dict[str, tuple[Weights, ...]] = {
    "mobilenet_v2": (
        keras_file(f"{KERAS_V2}.h5", "", accuracy=0.713, top5=0.901, **TENSORFLOW),
        keras_file(f"{KERAS_V2}_no_top.h5", "", top=False, **TENSORFLOW),
        torchvision("mobilenet_v2", "b0353104", accuracy=0.71878, top5=0.90286, tag="torchvision", **TORCH),
    ),
    "mobilenet_v3_large": (
        keras_file(
            f"{KERAS_V3}large_224_1.0_float.h5", "md5:59e551e166be033d707958cf9e29a6a7", accuracy=0.756, **TENSORFLOW
        ),
        keras_file(
            f"{KERAS_V3}large_224_1.0_float_no_top_v2.h5",
            "md5:07fb09a5933dd0c8eaafa16978110389",
            top=False,
            **TENSORFLOW,
        ),
        torchvision("mobilenet_v3_large", "8738ca79", accuracy=0.74042, top5=0.9134, tag="torchvision", **TORCH),
    ),
    "mobilenet_v3_small": (
        keras_file(
            f"{KERAS_V3}small_224_1.0_float.h5", "md5:8768d4c2e7dee89b9d02b2d03d65d862", accuracy=0.681, **TENSORFLOW
        ),
        keras_file(
            f"{KERAS_V3}small_224_1.0_float_no_top_v2.h5",
            "md5:d3e8ec802a04aa4fc771ee12a9a9b836",
            top=False,
            **TENSORFLOW,
        ),
        torchvision("mobilenet_v3_small", "047dcff4", accuracy=0.67668, top5=0.87402, tag="torchvision", **TORCH),
    ),
}
