"""Recurrent networks that read a sequence and give one output: texts, images row by row, a week of values.

    rnn_classifier      J. Elman, "Finding Structure in Time", Cognitive Science 14(2), 1990
    gru_classifier      K. Cho et al., EMNLP 2014, section 2.3
    lstm_classifier     S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997
    bilstm_classifier   the same from both ends: A. Graves and J. Schmidhuber, Neural Networks 18(5-6), 2005
    row_lstm            an image as the sequence of its rows
    lstm_forecaster     a window of a series to its next value

    tokens (batch, time) -> embedding -> recurrent layers, one on the other -> one vector -> logits (batch, classes)

The equations stand in `zoo.layers.recurrent`; here they run in Keras's layers. Texts of different lengths share a
batch: token 0 fills them up on the right, and `zoo.layers.sequence` leaves the padding out without a Keras mask,
because a mask costs the fused kernel on JAX and on PyTorch. Everything else that cuDNN asks for is kept too (tanh and
sigmoid, biases, no `unroll`, the GRU with ``reset_after=True``); only `recurrent_dropout`, if asked for, goes back to a
loop of steps. On a CPU no backend has a fused kernel, and the loop over time sets the pace.

A little longer than other files: four names share twelve options, which each signature shows.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, layers

from zoo.checks import is_whole
from zoo.errors import UsageError
from zoo.layers.sequence import PoolSequence, ReverseSequence
from zoo.recipes.recurrent import FUSED_GRU, FUSED_LSTM, NOT_FUSED, RECIPES
from zoo.records import Card, Input, replace
from zoo.registry import register

KINDS = {"rnn": layers.SimpleRNN, "gru": layers.GRU, "lstm": layers.LSTM}


def check_units(units: int | Sequence[int]) -> tuple[int, ...]:
    """Units of each layer as a tuple.

    >>> check_units(8), check_units([32, 16])
    ((8,), (32, 16))
    """
    sizes = (units,) if isinstance(units, int) else units
    if not isinstance(sizes, tuple | list) or not sizes or not all(map(is_whole, sizes)):
        raise UsageError(f"units is {units!r}; expected the units of each recurrent layer, as in (64,) or (128, 64)")
    return tuple(sizes)


def read_both_ways(
    x: KerasTensor, tokens: KerasTensor, recurrent: Callable[..., layers.Layer], name: str
) -> tuple[KerasTensor, KerasTensor]:
    """The states of two layers, one from each end, (batch, time, units) each: the second in the order it has read."""
    forward = recurrent(name=f"{name}_forward")(x)
    backward = recurrent(name=f"{name}_backward")(ReverseSequence(name=f"{name}_reverse")(x, tokens))
    return forward, backward


def side_by_side(forward: KerasTensor, backward: KerasTensor, tokens: KerasTensor, name: str) -> KerasTensor:
    """The states of both ends at each step, (batch, time, 2 units)."""
    aligned = ReverseSequence(name=f"{name}_align")(backward, tokens)
    return layers.Concatenate(name=f"{name}_both")([forward, aligned])


def encode(
    tokens: KerasTensor, kind: str, *, vocabulary_size: int, embedding: int, units: Sequence[int], bidirectional: bool,
    pooling: str, dropout: float, recurrent_dropout: float,
) -> KerasTensor:  # fmt: skip
    """(batch, time) token ids -> (batch, features): embedded, through all layers, pooled over the real steps."""

    x = layers.Embedding(vocabulary_size, embedding, name="embedding")(tokens)  # (batch, time, embedding)
    for number, size in enumerate(units, start=1):
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)
        name = f"{kind}{number}"
        recurrent = partial(KINDS[kind], size, return_sequences=True, recurrent_dropout=recurrent_dropout)
        if not bidirectional:
            x = recurrent(name=name)(x)  # (batch, time, units)
            continue
        forward, backward = read_both_ways(x, tokens, recurrent, name)
        if number < len(units):
            x = side_by_side(forward, backward, tokens, name)
    if not bidirectional:
        return PoolSequence(pooling, name="pool")(x, tokens)
    pooled = [  # each direction in its own order: its last step has read all
        PoolSequence(pooling, name="pool_forward")(forward, tokens),
        PoolSequence(pooling, name="pool_backward")(backward, tokens),
    ]
    return layers.Concatenate(name="pool")(pooled)


def classifier(
    kind: str, input_shape: tuple[int | None, ...], num_classes: int, vocabulary_size: int, dropout: float,
    vectors: np.ndarray | None, name: str, **options: Any,
) -> keras.Model:  # fmt: skip
    """The network behind the four names."""
    tokens = keras.Input(input_shape, dtype="int32", name="tokens")
    options["units"] = check_units(options["units"])
    x = encode(tokens, kind, vocabulary_size=vocabulary_size, dropout=dropout, **options)
    x = layers.Dropout(dropout, name="dropout_top")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    model = keras.Model(tokens, logits, name=name)
    if vectors is not None:
        expected = (vocabulary_size, options["embedding"])
        if tuple(vectors.shape) != expected:
            raise UsageError(
                f"vectors have shape {tuple(vectors.shape)}; expected {expected}: (vocabulary_size, embedding)"
            )
        model.get_layer("embedding").set_weights([vectors])
    return model


GRU_CARD = Card(
    task="text_classification",
    summary="a gated recurrent network over words, to a class",
    params=2_659_330,
    paper="Cho et al. 2014, EMNLP, section 2.3",
    deviations=("the reset gate after the matrix and not before it, as fused kernels have it",),
    notes=FUSED_GRU,
    inputs=(Input("tokens", (400,), "int32", "numbers of words, 0 after the end"),),
    preprocessing="none",
    recipes=RECIPES["gru_classifier"],
    tiny={"input_shape": (None,), "vocabulary_size": 12, "embedding": 8, "units": (8,)},
    tutorial="18_recurrent_nets.py",
)


@register(GRU_CARD)
def gru_classifier(
    *, input_shape: tuple[int | None, ...] = (400,), num_classes: int = 2, vocabulary_size: int = 20_000,
    embedding: int = 128, units: int | Sequence[int] = (128,), bidirectional: bool = False, pooling: str = "last",
    dropout: float = 0.3, recurrent_dropout: float = 0.0, vectors: np.ndarray | None = None,
    name: str = "gru_classifier",
) -> keras.Model:  # fmt: skip
    """A text classifier of gated recurrent units (Cho et al. 2014).

    Args:
        input_shape: (tokens,), or (None,) for any number of them; padding, token 0, comes last.
        num_classes: length of the logit vector.
        vocabulary_size: how many tokens there are, 0 (padding) and 1 (unknown) among them.
        embedding: length of a token's vector.
        units: of each recurrent layer, from the tokens up; ``(64, 64)`` is a deep one.
        bidirectional: read each text from both ends.
        pooling: what represents a text: its ``"last"`` step, or the ``"mean"`` or ``"max"`` of all its steps.
        dropout: fraction of the features dropped before each recurrent layer and before the logits.
        recurrent_dropout: fraction of each state dropped between steps; gives up fused kernels.
        vectors: (vocabulary_size, embedding) array to start the embedding from, or None.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, tokens) token ids to (batch, num_classes) logits.

    Raises:
        UsageError: for units that are no whole numbers, or an unknown `pooling`.

    >>> model = gru_classifier(vocabulary_size=100, units=(16, 16), bidirectional=True, input_shape=(None,))
    >>> sorted(layer.name for layer in model.layers if "gru" in layer.name and layer.weights)
    ['gru1_backward', 'gru1_forward', 'gru2_backward', 'gru2_forward']
    """
    return classifier("gru", **locals())


@register(
    replace(
        GRU_CARD,
        summary="a plain recurrent network over words, to a class",
        params=2_593_154,
        paper="Elman 1990, Cognitive Science 14(2)",
        deviations=("backpropagation through all steps, where Elman's stopped after one",),
        notes=NOT_FUSED,
        recipes=RECIPES["rnn_classifier"],
    )
)
def rnn_classifier(
    *, input_shape: tuple[int | None, ...] = (400,), num_classes: int = 2, vocabulary_size: int = 20_000,
    embedding: int = 128, units: int | Sequence[int] = (128,), bidirectional: bool = False, pooling: str = "last",
    dropout: float = 0.3, recurrent_dropout: float = 0.0, vectors: np.ndarray | None = None,
    name: str = "rnn_classifier",
) -> keras.Model:  # fmt: skip
    """A text classifier of plain recurrent layers (Elman 1990). Arguments, result and errors as in `gru_classifier`.

    >>> rnn_classifier(vocabulary_size=10, embedding=4, units=3).count_params()  # 40, then (4 + 3 + 1) 3, then 4 x 2
    72
    """
    return classifier("rnn", **locals())


@register(
    replace(
        GRU_CARD,
        summary="a long short-term memory over words, to a class",
        params=2_691_842,
        paper="Hochreiter & Schmidhuber 1997, Neural Computation 9(8)",
        deviations=("with the forget gate of Gers et al. 2000, which starts open", "no peepholes"),
        notes=FUSED_LSTM,
    )
)
def lstm_classifier(
    *, input_shape: tuple[int | None, ...] = (400,), num_classes: int = 2, vocabulary_size: int = 20_000,
    embedding: int = 128, units: int | Sequence[int] = (128,), bidirectional: bool = False, pooling: str = "last",
    dropout: float = 0.3, recurrent_dropout: float = 0.0, vectors: np.ndarray | None = None,
    name: str = "lstm_classifier",
) -> keras.Model:  # fmt: skip
    """A text classifier of LSTM layers (Hochreiter & Schmidhuber 1997); the rest as in `gru_classifier`.

    >>> lstm_classifier(vocabulary_size=10, embedding=4, units=3).count_params()  # 40, then 4 (4 + 3 + 1) 3, then 8
    144
    """
    return classifier("lstm", **locals())


@register(
    replace(
        GRU_CARD,
        summary="two long short-term memories over words, one from each end, to a class",
        params=2_659_074,
        paper="Graves & Schmidhuber 2005, Neural Networks 18(5-6)",
        deviations=("one answer for the whole sequence, where theirs gave one at each step",),
        notes=FUSED_LSTM,
    )
)
def bilstm_classifier(
    *, input_shape: tuple[int | None, ...] = (400,), num_classes: int = 2, vocabulary_size: int = 20_000,
    embedding: int = 128, units: int | Sequence[int] = (64,), bidirectional: bool = True, pooling: str = "last",
    dropout: float = 0.3, recurrent_dropout: float = 0.0, vectors: np.ndarray | None = None,
    name: str = "bilstm_classifier",
) -> keras.Model:  # fmt: skip
    """A text classifier that reads from both ends (Graves & Schmidhuber 2005); the rest as in `gru_classifier`.

    `units` counts those of each recurrent layer *and direction*.

    >>> bilstm_classifier(vocabulary_size=10, embedding=4, units=3).count_params()  # 40, then 2 x 96, then 7 x 2
    246
    """
    return classifier("lstm", **locals())


def stack_of_lstms(x: KerasTensor, units: int | Sequence[int], dropout: float) -> KerasTensor:
    """(batch, time, features) -> (batch, units): layer on layer, the last of them at its last step."""
    units = check_units(units)
    for number, size in enumerate(units, start=1):
        x = layers.LSTM(size, return_sequences=number < len(units), name=f"lstm{number}")(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)
    return x


@register(
    Card(
        task="image_classification",
        summary="a long short-term memory that reads an image row by row",
        params=81_674,
        paper="Le, Jaitly & Hinton 2015, arXiv:1504.00941, section 4.2, read MNIST pixel by pixel",
        deviations=("a row at a time, not a pixel", "an LSTM, not their plain network of ReLUs"),
        notes=FUSED_LSTM,
        inputs=(Input("image", (28, 28, 1), holds="grey pixels, standardised by the training set"),),
        preprocessing="standardise",
        recipes=RECIPES["row_lstm"],
        tiny={"input_shape": (6, 5, 1), "units": (8,)},
        tutorial="18_recurrent_nets.py",
    )
)
def row_lstm(
    *, input_shape: tuple[int, int, int] = (28, 28, 1), num_classes: int = 10, units: int | Sequence[int] = (128,),
    dropout: float = 0.0, name: str = "row_lstm",
) -> keras.Model:  # fmt: skip
    """An LSTM over the rows of an image, from the top; the output of its last step is classified.

    Args:
        input_shape: (height, width, channels).
        num_classes: length of the logit vector.
        units: of each recurrent layer, from the rows up.
        dropout: fraction of each layer's output dropped in training.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) to (batch, num_classes) logits.

    >>> row_lstm(input_shape=(8, 8, 1), units=3).get_layer("rows").output.shape
    (None, 8, 8)
    """
    image = keras.Input(input_shape, name="image")
    height, width, channels = input_shape
    rows = layers.Reshape((height, width * channels), name="rows")(image)  # (batch, time, features)
    x = stack_of_lstms(rows, units, dropout)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name=name)


@register(
    Card(
        task="forecasting",
        summary="the next day from a long short-term memory over the last 7",
        params=4_385,
        paper="Hochreiter & Schmidhuber 1997, Neural Computation 9(8)",
        deviations=("with the forget gate of Gers et al. 2000",),
        notes=FUSED_LSTM,
        inputs=(Input("week", (7,), holds="one value a day, the latest last, standardised by the training set"),),
        preprocessing="standardise",
        recipes=RECIPES["lstm_forecaster"],
        tiny={"units": (8,)},
        tutorial="18_recurrent_nets.py",
    )
)
def lstm_forecaster(
    *, input_shape: tuple[int, ...] = (7,), units: int | Sequence[int] = (32,), dropout: float = 0.0,
    horizon: int = 1, columns: int = 1, name: str = "lstm_forecaster",
) -> keras.Model:  # fmt: skip
    """An LSTM over the last days of a series to the next one; beside it stand `lagged_linear` and `sigmoid_sum`.

    Args:
        input_shape: (days,).
        units: of each recurrent layer, from the days up.
        dropout: fraction of each layer's output dropped in training.
        horizon: days ahead.
        columns: values of each day, side by side in the input.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, days x columns) to (batch, horizon), as the targets are scaled.

    >>> lstm_forecaster(units=3).count_params()  # 4 (1 + 3 + 1) 3, then 3 + 1
    64
    """
    week = keras.Input(input_shape, name="week")
    days = layers.Reshape((input_shape[0] // columns, columns), name="days")(week)  # (batch, time, columns)
    x = stack_of_lstms(days, units, dropout)
    prediction = layers.Dense(horizon, dtype="float32", name="prediction")(x)
    return keras.Model(week, prediction, name=name)
