"""Recipes and published weights of the Vision Transformers (`zoo/models/vit.py`)."""

from zoo.recipes.backbones import DEMO, image_recipes
from zoo.recipes.published_weights import torchvision
from zoo.records import Recipe, Weights, replace

SMALL = {"patch": 4, "grid": (4, 4), "num_layers": 4, "dim": 64, "num_heads": 4, "mlp_dim": 128}
SMALL_DEMO = replace(
    DEMO, preprocess={"resize": (16, 16)}, augment={"shift": 1}, epochs=40, learning_rate=1e-3, model=SMALL
)
PAPER = "Dosovitskiy 2021, Table 5: pretrained on ImageNet, 384x384 pixels"
DEIT = "Touvron 2021: DeiT without distillation"
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "vit_tiny_16": image_recipes(SMALL_DEMO, 0.722, DEIT, pretrained=False),
    "vit_small_16": image_recipes(SMALL_DEMO, 0.798, DEIT, pretrained=False),
    "vit_base_16": image_recipes(SMALL_DEMO, 0.7791, PAPER),
    "vit_large_16": image_recipes(SMALL_DEMO, 0.7653, PAPER),
}
# Of tiny and small nobody publishes a file with its hash; those of timm (safetensors) can be given by path.
WEIGHTS: dict[str, tuple[Weights, ...]] = {
    "vit_tiny_16": (),
    "vit_small_16": (),
    "vit_base_16": (torchvision("vit_b_16", "c867db91", accuracy=0.81072, top5=0.95318),),
    "vit_large_16": (torchvision("vit_l_16", "852ce7e3", accuracy=0.79662, top5=0.94638),),
}
