"""Recipes of the networks that look for one thing, or for its points (`zoo/models/localizer.py`)."""

from zoo.records import Expected, Recipe, replace

ONE_SHAPE = Recipe(
    name="demo",
    dataset="one_shape:1.0.0",
    augment={"flip": True},
    epochs=18,
    batch_size=32,
    learning_rate=3e-3,
    schedule="cosine",
    schedule_options={"warmup_epochs": 1},
    loss_options={"boxes": "giou"},
    expected=Expected("iou90", 0.95, "worst of 3 seeds: results/demo.csv"),
)
ONE_BOX = replace(
    ONE_SHAPE, name="folder", dataset="", preprocess={"letterbox": (64, 64)}, min_steps=3000, expected=None
)
TURNED_WEDGES = replace(
    ONE_SHAPE,
    dataset="turned_wedges:1.0.0",
    augment={},
    epochs=12,
    loss_options={},
    expected=Expected("pixel_error", 1.0, "worst of 3 seeds: results/demo.csv"),
)
