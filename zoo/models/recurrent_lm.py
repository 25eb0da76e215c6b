"""Recurrent language models: the next token, at every position of a text.

    gru_lm     units of K. Cho et al., EMNLP 2014, section 2.3
    lstm_lm    W. Zaremba, I. Sutskever and O. Vinyals, "Recurrent Neural Network Regularization",
               arXiv:1409.2329: dropout between the layers, never between the steps

    tokens (batch, time) -> embedding -> recurrent layers -> logits of the next token (batch, time, vocabulary)

T. Mikolov et al., "Recurrent neural network based language model", Interspeech 2010, made the idea work; A. Karpathy's
"The Unreasonable Effectiveness of Recurrent Neural Networks" (2015) made it known, on characters. `decoder` is the same
network one token at a time, with its state outside: text is generated with it, at a cost that does not grow with the
length of the text. No mask and no padding: texts are cut into windows of one length.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from zoo.errors import UsageError
from zoo.models.recurrent import check_units
from zoo.records import Card, Expected, Input, Recipe, replace
from zoo.registry import register

KINDS = {"gru": layers.GRU, "lstm": layers.LSTM}

DEMO = Recipe(
    name="demo",
    dataset="pydoc_topics:1.0.0",
    preprocess={"tokens": "characters", "vocabulary": 200, "length": 100},
    model={"embedding": 32, "units": (256,), "dropout": 0.1},
    epochs=20,
    batch_size=32,
    learning_rate=5e-3,
    schedule="cosine",
    expected=Expected("perplexity", 5.0, "worst of 3 seeds: results/demo.csv"),
)
SHAKESPEARE = Recipe(
    name="tiny_shakespeare",
    dataset="tiny_shakespeare:1.0.0",
    preprocess={"tokens": "characters", "vocabulary": 200, "length": 200},
    model={"units": (512, 512), "dropout": 0.4},
    epochs=40,
    batch_size=64,
    learning_rate=2e-3,
    schedule="cosine",
    expected=Expected(
        "perplexity",
        5.5,
        "1.70 nats: between the published 1.81 and 1.47 of small Transformers, model cards of nanoGPT's users",
        measured=False,
    ),
)
TEXT_FOLDER = replace(
    DEMO,
    name="text_folder",
    dataset="",
    min_steps=1000,
    patience=5,
    preprocess={"tokens": "characters", "vocabulary": 20_000, "length": 100},
    expected=None,
)


def language_model(
    kind: str, input_shape: tuple[int | None, ...], vocabulary_size: int, embedding: int, units: int | Sequence[int],
    dropout: float, recurrent_dropout: float, tied: bool, name: str,
) -> keras.Model:  # fmt: skip
    """The network behind both names."""
    units = check_units(units)
    if tied and embedding != units[-1]:
        raise UsageError(
            f"embedding is {embedding} and the last layer has {units[-1]} units; expected the same number for tied ones"
        )
    tokens = keras.Input(input_shape, dtype="int32", name="tokens")
    if tied:
        table = layers.ReversibleEmbedding(vocabulary_size, embedding, reverse_dtype="float32", name="embedding")
    else:
        table = layers.Embedding(vocabulary_size, embedding, name="embedding")
    x = table(tokens)  # (batch, time, embedding)
    for number, size in enumerate(units, start=1):
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)
        x = KINDS[kind](size, return_sequences=True, recurrent_dropout=recurrent_dropout, name=f"{kind}{number}")(x)
    x = layers.Dropout(dropout, name="dropout_top")(x)  # (batch, time, units)
    logits = table(x, reverse=True) if tied else layers.Dense(vocabulary_size, dtype="float32", name="logits")(x)
    return keras.Model(tokens, logits, name=name)


ONE_LAYER_OF_CHARACTERS = (
    "over characters by default, one layer",
    "each window of text starts with an empty state",
)
LSTM_CARD = Card(
    task="language_modelling",
    summary="the next character (or word), from a long short-term memory of those before",
    params=359_520,
    paper="Zaremba, Sutskever & Vinyals 2014, arXiv:1409.2329",
    deviations=ONE_LAYER_OF_CHARACTERS,
    notes=(
        "on a GPU one cuDNN kernel on TensorFlow, JAX and PyTorch; recurrent_dropout gives it up",
        "on a CPU no backend has a fused kernel",
    ),
    inputs=(Input("tokens", (100,), "int32", "token ids of characters or words"),),
    preprocessing="none",
    recipes=(DEMO, SHAKESPEARE, TEXT_FOLDER),
    tiny={"input_shape": (None,), "vocabulary_size": 12, "embedding": 8, "units": (16,), "dropout": 0.0},
    tutorial="18_recurrent_nets.py",
)


@register(LSTM_CARD)
def lstm_lm(
    *,
    input_shape: tuple[int | None, ...] = (100,),
    vocabulary_size: int = 96,
    embedding: int = 64,
    units: tuple[int, ...] = (256,),
    dropout: float = 0.2,
    recurrent_dropout: float = 0.0,
    tied: bool = False,
    name: str = "lstm_lm",
) -> keras.Model:
    """A language model of LSTM layers (Zaremba et al. 2014).

    Args:
        input_shape: (tokens,), or (None,) for any number of them.
        vocabulary_size: how many tokens there are, 0 (none) and 1 (unknown) among them.
        embedding: width of the embedding.
        units: of each recurrent layer, from the tokens up.
        dropout: fraction zeroed in training before each recurrent layer and before the logits.
        recurrent_dropout: fraction of each state zeroed in training between steps; gives up fused kernels.
        tied: one matrix for the embedding and the logits (Press & Wolf 2017); needs embedding = units[-1].
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, tokens) token ids to (batch, tokens, vocabulary_size) logits of the next token.

    Raises:
        UsageError: for units that are no whole numbers, or sizes that cannot be tied.

    >>> lstm_lm(vocabulary_size=10, embedding=4, units=(3,)).count_params()  # 40, then 4 (4 + 3 + 1) 3, then 4 x 10
    176
    """
    return language_model("lstm", **locals())


@register(
    replace(
        LSTM_CARD,
        summary="the next character (or word), from a gated recurrent state of those before",
        params=278_112,
        paper="Cho et al. 2014, EMNLP, section 2.3",
        deviations=("the reset gate after the matrix, as fused kernels have it", *ONE_LAYER_OF_CHARACTERS),
        notes=(
            "on a GPU a cuDNN kernel on TensorFlow and PyTorch, a compiled loop on JAX; recurrent_dropout gives it up",
            "on a CPU no backend has a fused kernel",
        ),
    )
)
def gru_lm(
    *,
    input_shape: tuple[int | None, ...] = (100,),
    vocabulary_size: int = 96,
    embedding: int = 64,
    units: tuple[int, ...] = (256,),
    dropout: float = 0.2,
    recurrent_dropout: float = 0.0,
    tied: bool = False,
    name: str = "gru_lm",
) -> keras.Model:
    """A language model of gated recurrent units. Arguments and shapes as in `lstm_lm`.

    Args:
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, tokens) token ids to (batch, tokens, vocabulary_size) logits of the next token.

    >>> gru_lm(vocabulary_size=10, embedding=4, units=(4,), tied=True).count_params()  # 40, then 3 (4 + 4 + 2) 4
    160
    """
    return language_model("gru", **locals())


class Decoder:
    """A trained recurrent language model, one position at a time (`zoo.decoding.base`), by the cells of its layers.

    The state: for each layer its state or states, (batch, units) each.
    """

    max_length: int | None = None

    def __init__(self, model: keras.Model):
        self.model = model
        self.embedding = model.get_layer("embedding")
        self.recurrent = [layer for layer in model.layers if isinstance(layer, layers.RNN)]
        self.logits = next((layer for layer in model.layers if layer.name == "logits"), None)  # None: tied

    def start(self, source: Any, batch: Any, max_length: int) -> tuple[Any, Any]:
        return {}, [layer.get_initial_state(batch) for layer in self.recurrent]

    def step(self, tokens: Any, position: Any, memory: Any, state: Any) -> tuple[Any, Any]:
        x, states = self.embedding(tokens), []  # (batch, embedding)
        for layer, before in zip(self.recurrent, state):
            x, after = layer.cell(x, before)  # (batch, units)
            states.append(after)
        logits = self.logits(x) if self.logits else self.embedding(x, reverse=True)  # (batch, vocabulary)
        return logits, states


def decoder(model: keras.Model) -> Decoder:
    """`model` one position at a time."""
    return Decoder(model)
