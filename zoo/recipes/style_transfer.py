"""Recipes of style transfer (`zoo/models/style_transfer.py`)."""

from zoo.records import Recipe, replace

PIXELS = Recipe(
    name="demo",
    dataset="style_pair:1.0.0",
    validation="train",  # the image that is learned is the one that is looked at
    test="train",
    preprocess={"cover": (64, 96)},
    epochs=300,
    batch_size=1,
    learning_rate=0.02,
)
ONE_PASS = Recipe(
    name="demo",
    dataset="photo_tiles:1.0.0",
    preprocess={"cover": (64, 64)},
    augment={"flip": True},
    epochs=30,
    batch_size=4,
    learning_rate=3e-3,
    schedule="cosine",
    model={"input_shape": (None, None, 3), "width": 0.25},
)
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "style_transfer": (PIXELS,),
    "fast_style": (replace(ONE_PASS, model={**ONE_PASS.model, "blocks": 2}),),
    "adain": (ONE_PASS,),
}
