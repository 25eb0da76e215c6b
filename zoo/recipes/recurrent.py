"""Recipes of the recurrent networks with one output, and notes on their speed (`zoo/models/recurrent.py`)."""

from zoo.recipes import AGREEMENT, DAILY_VIEWS, DIGITS, FASHION_MNIST, IMDB_REVIEWS, MNIST, SERIES, TEXTS
from zoo.records import Expected, Recipe, replace

DEMO = replace(AGREEMENT, model={"embedding": 16, "units": (64,), "dropout": 0.0}, learning_rate=5e-3)
IMDB = replace(
    IMDB_REVIEWS,
    model={"embedding": 64, "units": (64,), "pooling": "max", "dropout": 0.4},
    epochs=3,
    learning_rate=2e-3,
    schedule_options={},
)
TEXT_FOLDER = replace(
    IMDB,
    name="text_folder",
    dataset="",
    train="train",
    validation="validation",
    preprocess=TEXTS,
    min_steps=600,
    patience=5,
)
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "gru_classifier": (  # and the LSTMs
        replace(DEMO, expected=Expected("accuracy", 0.99, "worst of 3 seeds: results/demo.csv")),
        IMDB,
        TEXT_FOLDER,
    ),
    "rnn_classifier": (replace(DEMO, learning_rate=1e-3), IMDB, TEXT_FOLDER),
    "row_lstm": (
        replace(
            DIGITS,
            epochs=40,
            learning_rate=5e-3,
            expected=Expected("accuracy", 0.95, "worst of 3 seeds: results/demo.csv"),
        ),
        replace(MNIST, epochs=10, learning_rate=2e-3),
        replace(FASHION_MNIST, epochs=10, learning_rate=2e-3),
    ),
    "lstm_forecaster": (replace(DAILY_VIEWS, learning_rate=5e-3), SERIES),
}

FUSED_LSTM = (
    "on a GPU one cuDNN kernel on TensorFlow, JAX and PyTorch; recurrent_dropout gives it up",
    "on a CPU no backend has a fused kernel",
)
FUSED_GRU = (
    "on a GPU a cuDNN kernel on TensorFlow and PyTorch, a compiled loop on JAX; recurrent_dropout gives it up",
    "on a CPU no backend has a fused kernel",
)
NOT_FUSED = ("a loop of steps on every backend: no library has a fused kernel for it in Keras",)
