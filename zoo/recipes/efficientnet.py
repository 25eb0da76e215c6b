"""Recipes and published weights of the EfficientNets (`zoo/models/efficientnet.py`, `efficientnet_v2.py`)."""

from typing import Any

from zoo.recipes.backbones import DEMO, image_recipes
from zoo.recipes.published_weights import keras_file, torchvision
from zoo.records import Recipe, Weights, replace

SMALL: dict[str, Any] = {"width": 0.5, "depth": 1.0, "repeats": (1, 2, 2, 1, 0, 0, 0), "drop_path": 0.0}
V1_DEMO = replace(DEMO, model=SMALL)
V2_DEMO = replace(DEMO, model={**SMALL, "stem": 32, "maps": (16, 32, 48, 96), "repeats": (1, 1, 1, 1)})
PAPER = "Tan & Le 2019, Table 2"
PAPER_V2 = "Tan & Le 2021, Table 7"
V1_HOST = "https://storage.googleapis.com/keras-applications/"
TENSORFLOW: dict[str, Any] = {"licence": "Apache-2.0 (Google)", "options": {"variant": "tensorflow"}}
TORCH: dict[str, Any] = {"options": {"variant": "torch"}, "tag": "torchvision"}

# Pixels of a side, the paper's accuracy; MD5 of the whole file and of that without top, Keras's accuracies of it; the
# name and digits of torchvision's file and its accuracies.
V1 = {
    "b0": (224, 0.771, "902e53a9f72be733fc0bcb005b3ebbac", "50bc09e76180e00e4465e1a485ddc09d", 0.771, 0.933,
           "b0_rwightman", "7f5810bc", 0.77692, 0.93532),
    "b1": (240, 0.791, "1d254153d4ab51201f1646940f018540", "74c4e6b3e1f6a1eea24c589628592432", 0.791, 0.944,
           "b1_rwightman", "bac287d4", 0.78642, 0.94186),
    "b2": (260, 0.801, "b15cce36ff4dcbd00b6dd88e7857a6ad", "111f8e2ac8aa800a7a99e3239f7bfb39", 0.801, 0.949,
           "b2_rwightman", "c35c1473", 0.80608, 0.95310),
    "b3": (300, 0.816, "ffd1fdc53d0ce67064dc6a9c7960ede0", "af6d107764bb5b1abb91932881670226", 0.816, 0.957,
           "b3_rwightman", "b3899882", 0.82008, 0.96054),
    "b4": (380, 0.829, "18c95ad55216b8f92d7e70b3a046e2fc", "ebc24e6d6c33eaebbd558eafbeedf1ba", 0.829, 0.964,
           "b4_rwightman", "23ab8bcd", 0.83384, 0.96594),
    "b5": (456, 0.836, "ace28f2a6363774853a83a0b21b9421a", "38879255a25d3c92d5e44e04ae6cec6f", 0.836, 0.967,
           "b5_lukemelas", "1a07897c", 0.83444, 0.96628),
    "b6": (528, 0.840, "165f6e37dce68623721b423839de8be5", "9ecce42647a20130c1f39a5d4cb75743", 0.840, 0.968,
           "b6_lukemelas", "24a108a5", 0.84008, 0.96916),
    "b7": (600, 0.843, "8c03f828fec3ef71311cd463b6759d99", "cbcfe4450ddf6f3ad90b1b398090fe4a", 0.843, 0.970,
           "b7_lukemelas", "c5b4e57e", 0.84122, 0.96908),
}  # fmt: skip
V2 = {
    "b0": (224, 0.787, "21ecbf6da12460d5c40bb2f29ceb2188", "893217f2bb855e2983157299931e43ff", 0.787, 0.943),
    "b1": (240, 0.798, "069f0534ff22adf035c89e2d9547a9dc", "0e80663031ca32d657f9caa404b6ec37", 0.798, 0.950),
    "b2": (260, 0.805, "424e49f28180edbde1e94797771950a7", "1dfe2e7a5d45b6632553a8961ea609eb", 0.805, 0.951),
    "b3": (300, 0.820, "1f1fc43bd98a6e4fd8fdfd551e02c7a0", "f6abf7b5849ac99a89b50dd3fd532856", 0.820, 0.958),
    "s": (384, 0.839, "e1d88a8495beba45748fedd0cecbe016", "af0682fb74e8c54910f2d4393339c070", 0.839, 0.967),
    "m": (480, 0.851, "a3bf6aa3276309f4fc6a34aa114c95cd", "1b8dc055df72dde80d614482840fe342", 0.853, 0.974),
    "l": (480, 0.857, "27e6d408b53c7ebc868fefa357689935", "b0b66b5c863aef5b46e8608fe1711615", 0.857, 0.975),
}  # fmt: skip
TORCHVISION_V2 = {  # digits, accuracies, and how its pixels are scaled
    "s": ("dd5fe13b", 0.84228, 0.96878, "torch"),
    "m": ("dc08266a", 0.85112, 0.97156, "torch"),
    "l": ("59c71312", 0.85808, 0.97788, "tf"),
}


def v1_weights(
    name: str, size: int, paper: float, md5: str, md5_notop: str, accuracy: float, top5: float, torch_name: str,
    sha256: str, torch_accuracy: float, torch_top5: float,
) -> tuple[Weights, ...]:  # fmt: skip
    """The two files of Keras and the one of torchvision. All of them saw pixels scaled by ImageNet's statistics."""
    options: dict[str, Any] = {**TENSORFLOW, "host": V1_HOST, "preprocessing": "torch"}
    return (
        keras_file(f"efficientnet{name}.h5", f"md5:{md5}", accuracy=accuracy, top5=top5, **options),
        keras_file(f"efficientnet{name}_notop.h5", f"md5:{md5_notop}", top=False, **options),
        torchvision(f"efficientnet_{torch_name}", sha256, accuracy=torch_accuracy, top5=torch_top5, **TORCH),
    )


def v2_weights(
    name: str, size: int, paper: float, md5: str, md5_notop: str, accuracy: float, top5: float
) -> tuple[Weights, ...]:  # fmt: skip
    """The same of version 2: of those with letters, Keras scales pixels to x / 128 - 1."""
    is_scaled = name.startswith("b")
    path = f"efficientnet_v2/efficientnetv2-{name}"
    options: dict[str, Any] = {**TENSORFLOW, "preprocessing": "torch" if is_scaled else "tf128"}
    found = [
        keras_file(f"{path}.h5", f"md5:{md5}", accuracy=accuracy, top5=top5, **options),
        keras_file(f"{path}_notop.h5", f"md5:{md5_notop}", top=False, **options),
    ]
    if name in TORCHVISION_V2:
        sha256, accuracy, top5, scaling = TORCHVISION_V2[name]
        file = f"efficientnet_v2_{name}"
        found.append(torchvision(file, sha256, accuracy=accuracy, top5=top5, preprocessing=scaling, **TORCH))
    return tuple(found)


RECIPES: dict[str, tuple[Recipe, ...]] = {
    **{f"efficientnet_{name}": image_recipes(V1_DEMO, row[1], PAPER, size=row[0]) for name, row in V1.items()},
    **{f"efficientnet_v2_{name}": image_recipes(V2_DEMO, row[1], PAPER_V2, size=row[0]) for name, row in V2.items()},
}
WEIGHTS: dict[str, tuple[Weights, ...]] = {
    **{f"efficientnet_{name}": v1_weights(name, *row) for name, row in V1.items()},
    **{f"efficientnet_v2_{name}": v2_weights(name, *row) for name, row in V2.items()},
}
