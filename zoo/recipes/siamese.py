"""Recipes of the siamese networks (`zoo/models/siamese.py`)."""

from zoo.recipes import FASHION_MNIST, MNIST
from zoo.records import Expected, Recipe, replace

SMALL = {"tower": "resnet20", "tower_options": {"blocks": (1, 1, 1), "width": 12}}  # 8 layers
DEMO = Recipe(
    name="demo",
    dataset="glyphs:1.0.0",
    model=SMALL,
    data_options={"per_class": 4},
    epochs=12,
    batch_size=64,
    learning_rate=3e-3,
    schedule="cosine",
)
DIGITS = replace(
    MNIST,
    model=SMALL,
    data_options={"per_class": 12, "held_out": {"validation": (5, 6), "test": (7, 8, 9)}},
    batch_size=60,
    epochs=3,
    learning_rate=3e-3,
)
CLOTHES = replace(DIGITS, name=FASHION_MNIST.name, dataset=FASHION_MNIST.dataset)
OMNIGLOT = replace(
    DEMO,
    name="omniglot",
    dataset="omniglot:3.0.0",
    train="train",
    validation="train",
    test="test",
    data_options={"per_class": 4, "held_out": {"validation": 0.15}},
    preprocess={"resize": (28, 28)},
    epochs=30,
)
LFW = replace(
    DEMO,
    name="lfw",
    dataset="lfw:0.1.1",
    train="train",
    validation="train",
    test="train",
    data_options={"per_class": 4, "held_out": {"validation": 0.15, "test": 0.25}, "leave_out_small": True},
    preprocess={"resize": (56, 46)},
    augment={"shift": 3, "flip": True},
    epochs=30,
)
# Identities of one's own, of which there are fewer than in LFW: more epochs, of fewer batches each.
FOLDER = replace(LFW, name="folder", dataset="", train="train", validation="validation", test="test", epochs=100)
BESIDE_THE_DEMO = (DIGITS, CLOTHES, OMNIGLOT, LFW, FOLDER)

RECIPES: dict[str, tuple[Recipe, ...]] = {
    "siamese": (
        replace(DEMO, expected=Expected("recall@1", 0.90, "worst of 5 seeds: results/demo.csv")),
        *BESIDE_THE_DEMO,
        replace(DEMO, name="demo_n_pair", loss="n_pair"),
        replace(DEMO, name="demo_hard", loss="triplet_hard", epochs=4),  # collapses: to be seen once
    ),
    "siamese_pairs": (
        DEMO,
        *BESIDE_THE_DEMO,
        replace(DEMO, name="demo_chi_square", model={**SMALL, "head": "chi_square"}),
        replace(DEMO, name="demo_distance", model={**SMALL, "head": "distance"}, loss="contrastive"),
    ),
    "triplet_inputs": (DEMO, *BESIDE_THE_DEMO),
}
