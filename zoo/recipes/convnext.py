"""Recipes and published weights of the ConvNeXts (`zoo/models/convnext.py`)."""

from typing import Any

from zoo.recipes.backbones import DEMO, image_recipes
from zoo.recipes.published_weights import keras_file, torchvision
from zoo.records import Recipe, Weights, replace

SMALL_DEMO = replace(
    DEMO, model={"maps": (32, 64, 128), "blocks": (1, 1, 2), "patch": 2, "drop_path": 0.0, "layer_scale": 0.1}
)
LICENCE = "Apache-2.0 (Keras); of the numbers: MIT (Meta)"
# The paper's accuracy; SHA-256 of Keras's whole file and of that without top, its accuracy; the digits of torchvision's
# file and its accuracies. Keras's of base and larger were trained on 21,841 classes first and have these 1,000.
TABLE = {
    "tiny": (0.821, "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
             "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
             0.813, ("983f1562", 0.82520, 0.96146)),
    "small": (0.831, "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
              "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
             0.823, ("0c510722", 0.83616, 0.96650)),
    "base": (0.838, "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
             "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
             0.853, ("6075fbad", 0.84062, 0.96870)),
    "large": (0.843, "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
              "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
             0.863, ("ea097f82", 0.84414, 0.96976)),
    "xlarge": (0.870, "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
               "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
             0.867, None),
}  # fmt: skip


def weights(
    name: str, paper: float, sha256: str, sha256_notop: str, accuracy: float, torch: tuple[str, float, float] | None
) -> tuple[Weights, ...]:
    """The two files of Keras, and the one of torchvision where there is one."""
    path = f"convnext/convnext_{name}"
    options: dict[str, Any] = {"preprocessing": "torch", "licence": LICENCE}
    found = [
        keras_file(f"{path}.h5", f"sha256:{sha256}", accuracy=accuracy, **options),
        keras_file(f"{path}_notop.h5", f"sha256:{sha256_notop}", top=False, **options),
    ]
    if torch:
        digits, accuracy, top5 = torch
        found.append(torchvision(f"convnext_{name}", digits, accuracy=accuracy, top5=top5, tag="torchvision"))
    return tuple(found)


RECIPES: dict[str, tuple[Recipe, ...]] = {
    f"convnext_{name}": image_recipes(
        SMALL_DEMO, row[0], "Liu 2022, Table 1" + (", trained on 21,841 classes first" if name == "xlarge" else "")
    )
    for name, row in TABLE.items()
}
WEIGHTS: dict[str, tuple[Weights, ...]] = {f"convnext_{name}": weights(name, *row) for name, row in TABLE.items()}
