"""Recipes that several families share, each by itself a complete one. Families change fields with `replace`.

Free of Keras, as are the modules beside it with the recipes and weight records of one family each, so that cards may
import them.
"""

from typing import Any

from zoo.records import Recipe, replace

# Images, from small to large. The built-in digits need no download: 1,797 of them, 8x8 grey pixels.
DIGITS = Recipe(
    name="demo",
    dataset="digits:1.0.0",
    epochs=30,
    batch_size=64,
    learning_rate=2e-3,
    schedule="cosine",
)
MNIST = Recipe(
    name="mnist",
    dataset="mnist:3.0.1",
    train="train[:55000]",
    validation="train[55000:]",
    epochs=15,
    schedule="cosine",
)
FASHION_MNIST = replace(MNIST, name="fashion_mnist", dataset="fashion_mnist:3.0.1")

# For networks of batch-normalised convolutions. Papers' weight decay of 0.0005 inside a momentum of 0.9 adds up ten
# times; Keras decays outside of the momentum, hence 0.005, here and below.
NESTEROV: dict[str, Any] = {
    "optimizer": "sgd",
    "optimizer_options": {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-3},
    "learning_rate": 0.05,
    "schedule": "cosine",
    "schedule_options": {"warmup_epochs": 2},
}
CIFAR10 = Recipe(
    name="cifar10",
    dataset="cifar10:3.0.2",
    train="train[:45000]",
    validation="train[45000:]",
    augment={"shift": 8, "flip": True},
    epochs=100,
    **NESTEROV,
)
IMAGENET2012 = Recipe(
    name="imagenet2012",
    dataset="imagenet2012:5.1.0",
    train="train[:99%]",
    validation="train[99%:]",
    test="validation",  # the labels of the real test set were never published
    preprocess={"resize": (224, 224)},
    augment={"shift": 16, "flip": True},
    epochs=90,
    batch_size=256,
    optimizer="sgd",
    optimizer_options={"momentum": 0.9, "weight_decay": 5e-3},
    learning_rate=0.01,
    schedule="step",
    schedule_options={"at": (0.25, 0.5, 0.75), "factor": 0.1},
)
IMAGENETTE = replace(  # ten classes of ImageNet
    IMAGENET2012,
    name="imagenette",
    dataset="imagenette/320px-v2:1.0.0",
    train="train[:90%]",
    validation="train[90%:]",
    epochs=100,
    batch_size=64,
)

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
    decay_kernels_only=True,
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

# Which images are strange, and from where on it is said; and for a folder of one's own good ones.
NORMAL: dict[str, Any] = {"strange": "", "false_alarms": 0.05, "score": "mean"}
GOOD_IMAGES = Recipe(
    name="folder",
    dataset="",
    preprocess={"cover": (64, 64), **NORMAL, "score": "peak"},
    epochs=60,
    min_steps=2000,
    batch_size=32,
    schedule="cosine",
)

# Tables, series and texts. Scikit-learn's table of tumours and the series of page views a day are built in, and so are
# sentences whose verbs agree with their subjects, or do not.
BREAST_CANCER = Recipe(
    name="demo",
    dataset="breast_cancer:1.0.0",
    epochs=60,
    batch_size=32,
    learning_rate=1e-2,
    schedule="cosine",
)
DAILY_VIEWS = replace(BREAST_CANCER, dataset="daily_views:1.1.0")
SERIES = Recipe(  # a table of one's own, a row for each time
    name="series",
    dataset="",
    preprocess={
        "target": "",
        "time": "",
        "columns": "",
        "lags": 12,
        "horizon": 1,
        "season": 0,
        "gaps": "refuse",
        "difference": "auto",
    },
    epochs=60,
    min_steps=3000,
    batch_size=32,
    learning_rate=3e-3,
    schedule="cosine",
    schedule_options={"warmup_epochs": 1},
)
AGREEMENT = Recipe(
    name="demo",
    dataset="agreement:1.0.0",
    preprocess={"tokens": "words", "vocabulary": 200, "length": 40},
    epochs=10,
    batch_size=64,
    schedule="cosine",
)
TEXTS: dict[str, Any] = {  # what may be said of labelled texts of one's own
    "tokens": "words",
    "vocabulary": 20_000,
    "length": 0,
    "truncate": "head",
    "class_weights": "none",
    "text_column": "",
    "label_column": "",
}
IMDB_REVIEWS = Recipe(
    name="imdb_reviews",
    dataset="imdb_reviews/plain_text:1.0.0",
    train="train[:90%]",
    validation="train[90%:]",
    preprocess={"tokens": "words", "vocabulary": 20_000, "length": 400},
    epochs=4,
    batch_size=64,
    learning_rate=5e-4,
    schedule="cosine",
    schedule_options={"warmup_epochs": 1},
)
