"""Recipes of networks that answer several yes/no questions about an image (`zoo/models/multi_task.py`)."""

from zoo.recipes import DIGITS, FOLDER
from zoo.records import Expected, Recipe, replace

ALL = {"attributes": ""}  # that there are; "smiling,hat" are two of them
DEMO = replace(
    DIGITS,
    dataset="digit_attributes:1.0.0",
    preprocess={"resize": (28, 28), **ALL},
    augment={"shift": 2},
    epochs=25,
    expected=Expected("mean_auc", 0.99, "worst of 3 seeds: results/demo.csv"),
)
CELEB_A = Recipe(  # not run here
    name="celeb_a",
    dataset="celeb_a:2.1.0",
    preprocess={"resize": (109, 89), **ALL},
    augment={"shift": 4, "flip": True},
    model={"tower": "resnet20"},
    epochs=20,
    schedule="cosine",
    schedule_options={"warmup_epochs": 1},
)
ATTRIBUTE_FOLDER = replace(
    FOLDER,
    preprocess={"cover": (64, 64), **ALL},
    model={"tower": "resnet20"},
    min_steps=1000,
    learning_rate=1e-3,
)
