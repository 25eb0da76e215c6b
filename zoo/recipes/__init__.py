"""Recipes and records of weights that more than one family has. Free of Keras, so that cards may import them."""

from zoo.records import Recipe, replace

# For a folder of one's own images: the new head first, then the whole network, slower towards the input.
FINETUNE = Recipe(
    name="finetune",
    dataset="",
    weights="imagenet",
    preprocess={"cover": (224, 224)},
    augment={"crop": (0.5, 1.0), "flip": True},
    epochs=20,
    head_epochs=5,
    batch_size=32,
    optimizer="adamw",
    optimizer_options={"weight_decay": 0.05},
    learning_rate=3e-4,
    schedule="cosine",
    layer_decay=0.8,
    patience=5,
)
# The same from fresh weights, where there are enough images for it.
FOLDER = replace(
    FINETUNE,
    name="folder",
    weights="",
    epochs=60,
    head_epochs=0,
    schedule_options={"warmup_epochs": 5},
    layer_decay=1.0,
    patience=10,
)
