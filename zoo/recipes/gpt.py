"""Recipes of GPT (`zoo/models/gpt.py`)."""

from zoo.records import Expected, Recipe, replace

DEMO = Recipe(
    name="demo",
    dataset="pydoc_topics:1.0.0",
    preprocess={"tokens": "characters", "vocabulary": 200, "length": 64},
    model={"num_layers": 4, "dim": 96, "num_heads": 4, "dropout": 0.05},
    epochs=10,
    batch_size=32,
    optimizer="adamw",
    optimizer_options={"weight_decay": 0.1, "beta_2": 0.99},
    decay_kernels_only=True,
    learning_rate=2e-3,
    schedule="cosine",
    schedule_options={"warmup_epochs": 1},
)
SHAKESPEARE = replace(
    DEMO,
    name="tiny_shakespeare",
    dataset="tiny_shakespeare:1.0.0",
    preprocess={"tokens": "characters", "vocabulary": 200, "length": 256},
    model={"num_layers": 6, "dim": 384, "num_heads": 6, "dropout": 0.2},
    epochs=80,
    batch_size=64,
    learning_rate=1e-3,
    schedule_options={"warmup_epochs": 2},
)
TEXT_FOLDER = replace(
    DEMO,
    name="text_folder",
    dataset="",
    min_steps=1000,
    patience=5,
    preprocess={"tokens": "characters", "vocabulary": 20_000, "length": 64},
)
# From the weights of GPT-2 in whole, which a text of one's own changes little by little.
FINETUNE = replace(
    TEXT_FOLDER,
    name="finetune",
    preprocess={"tokens": "pretrained", "vocabulary": 20_000, "length": 128},
    model={"dropout": 0.1},
    epochs=3,
    min_steps=200,
    batch_size=8,
    optimizer_options={"weight_decay": 0.01},
    learning_rate=5e-5,
)
# Image-GPT (M. Chen et al., "Generative Pretraining from Pixels", ICML 2020): the pixels of an image, row by row.
DIGIT_TEXTS = replace(
    DEMO,
    name="digit_texts",
    dataset="digit_texts:1.0.0",
    preprocess={"tokens": "characters", "vocabulary": 10, "length": 73, "stride": 73},  # 8 lines, and an empty one
    model={"num_layers": 3, "dim": 64, "num_heads": 4, "dropout": 0.1},
    epochs=30,
    expected=Expected("perplexity", 1.75, "worst of 3 seeds: results/demo.csv"),
)
