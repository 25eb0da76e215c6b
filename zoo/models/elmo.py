"""ELMo: word vectors that depend on the sentence, from a language model that reads both ways.

    elmo    M. Peters, M. Neumann, M. Iyyer, M. Gardner, C. Clark, K. Lee and L. Zettlemoyer, "Deep contextualized word
            representations", NAACL 2018, arXiv:1802.05365, sections 3.1 to 3.4

    letters of each word (batch, time, letters)
      -> character network: embedding, convolutions of several widths, their maxima, highway layers, a projection
      -> forward LSTMs, left to right        -> logits of the next word       (batch, time, vocabulary)
      -> backward LSTMs, right to left       -> logits of the word before     (batch, time, vocabulary)

Both directions share the character network and the softmax and have LSTMs of their own (section 3.1). The character
network is that of Y. Kim, Y. Jernite, D. Sontag and A. Rush, "Character-Aware Neural Language Models", AAAI 2016,
arXiv:1508.06615, section 2. From the second layer on, an LSTM's input is added to its output (section 3.4).

What a task takes from it are the vectors of all layers, `representations`, and `zoo.layers.highway.ScalarMix`, their
weighted sum (equation 1).
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from zoo.checks import check_whole
from zoo.errors import UsageError
from zoo.layers.highway import Highway
from zoo.layers.sequence import ReverseSequence
from zoo.records import Card, Expected, Input, Recipe, replace
from zoo.registry import register

BYTES = 259  # 256 of a letter or a part of one, and nothing, begin and end: zoo/data/text/spelling.py
FILTERS = ((1, 16), (2, 32), (3, 64), (4, 64))

DEMO = Recipe(
    name="demo",
    dataset="two_senses:1.0.0",
    preprocess={"tokens": "spaces", "vocabulary": 1000, "length": 32},
    model={"embedding": 8, "filters": ((1, 8), (2, 16), (3, 32)), "highways": 1, "dim": 48, "dropout": 0.0},
    epochs=8,
    batch_size=32,
    learning_rate=1e-2,
    schedule="cosine",
    expected=Expected("perplexity", 7.0, "worst of 3 seeds: results/demo.csv"),
)
TEXT_FOLDER = replace(
    DEMO,
    name="text_folder",
    dataset="",
    min_steps=1000,
    patience=5,
    expected=None,
    preprocess={"tokens": "words", "vocabulary": 20_000, "length": 32},
    model={"dim": 256, "dropout": 0.2},
    epochs=10,
    learning_rate=2e-3,
)


def read_letters(letters: Any, embedding: int, filters: Sequence[tuple[int, int]], highways: int, dim: int) -> Any:
    """The character network: letters (batch, time, letters) -> a vector for each word (batch, time, dim)."""
    wide = keras.initializers.RandomUniform(-1.0, 1.0)  # from Keras's own, near 0, all words begin alike and learn late
    x = layers.Embedding(BYTES, embedding, embeddings_initializer=wide, name="letter_embedding")(letters)
    # x: (batch, time, letters, embedding)
    maxima = []
    for width, count in filters:
        found = layers.Conv2D(count, (1, width), activation="relu", name=f"letters{width}")(x)
        places = (1, letters.shape[2] - width + 1)
        maxima.append(layers.MaxPooling2D(places, name=f"letters{width}_max")(found))  # (batch, time, 1, count)
    x = layers.Concatenate(name="grams")(maxima) if len(maxima) > 1 else maxima[0]
    x = layers.Reshape((-1, x.shape[-1]), name="word")(x)  # (batch, time, all counts)
    for number in range(1, highways + 1):
        x = Highway(name=f"highway{number}")(x)
    return layers.Dense(dim, name="projection")(x)


def read_one_way(x: Any, direction: str, num_layers: int, dropout: float) -> Any:
    """The states of LSTMs that read x (batch, time, dim) from the left: the last layer's."""
    for number in range(1, num_layers + 1):
        below = layers.Dropout(dropout, name=f"{direction}{number}_dropout")(x)
        states = layers.LSTM(x.shape[-1], return_sequences=True, name=f"{direction}{number}")(below)
        x = states if number == 1 else layers.Add(name=f"{direction}{number}_add")([x, states])
    return x


@register(
    Card(
        task="bidirectional_language_modelling",
        summary="words by their letters, read both ways: word vectors that depend on the sentence",
        params=1_976_368,
        paper="Peters et al. 2018, NAACL, arXiv:1802.05365, sections 3.1 to 3.4",
        deviations=(
            "LSTMs of `dim` states, where the paper's have 4,096 and a projection to 512",
            "a softmax over the whole vocabulary, where the paper draws a sample of it",
            "fewer and narrower convolutions by default; the paper's: `--option` filters, highways, dim",
            "each window of text starts with an empty state",
        ),
        inputs=(Input("letters", (32, 16), "int32", "of each word 1, its bytes + 3, 2, then 0"),),
        preprocessing="none",
        recipes=(DEMO, TEXT_FOLDER),
        tiny={
            "input_shape": (None, 6), "vocabulary_size": 12, "embedding": 8, "filters": ((1, 8), (3, 8)),
            "highways": 1, "dim": 16, "dropout": 0.0,
        },
        head=("logits",),
        tutorial="20_contextual_vectors.py",
    )
)  # fmt: skip
def elmo(
    *,
    input_shape: tuple[int | None, ...] = (32, 16),
    vocabulary_size: int = 10_000,
    embedding: int = 16,
    filters: tuple[tuple[int, int], ...] = FILTERS,
    highways: int = 2,
    num_layers: int = 2,
    dim: int = 128,
    dropout: float = 0.1,
    name: str = "elmo",
) -> keras.Model:
    """A language model of both directions over words that are read letter by letter (Peters et al. 2018).

    Args:
        input_shape: (words, letters of a word), or (None, letters) for any number of words.
        vocabulary_size: how many words it tells apart in its answers, 0 (none) and 1 (unknown) among them
        embedding: width of the embedding of a letter.
        filters: of the convolutions over letters: (letters that one sees, how many of them) each.
        highways: layers between the convolutions and the projection.
        num_layers: LSTMs of each direction, one above the other.
        dim: width of a word's vector and of all states.
        dropout: fraction zeroed in training before each LSTM and before the logits.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, words, letters) to ``{"forward", "backward"}``, (batch, words, vocabulary_size) logits
        of the next word and of the one before.

    Raises:
        UsageError: for letters too few for a convolution, or numbers of layers that are none.

    >>> model = elmo(vocabulary_size=10, embedding=4, filters=((2, 3),), highways=0, num_layers=1, dim=5)
    >>> model.count_params()  # 1,036, 2 x 4 x 3 + 3, 3 x 5 + 5, twice 4 (5 + 5 + 1) 5, then 5 x 10 + 10
    1583
    """
    check_whole("num_layers", num_layers)
    check_whole("highways", highways, 0)
    length, widest = input_shape[1] or 0, max(width for width, _ in filters)
    if length < widest:
        raise UsageError(
            f"a convolution sees {widest} letters and words have {length}; expected input_shape=(words, letters) with "
            "as many at least"
        )
    letters = keras.Input(input_shape, dtype="int32", name="letters")
    words = read_letters(letters, embedding, filters, highways, dim)
    logits = layers.Dense(vocabulary_size, dtype="float32", name="logits")  # of both directions
    forward = read_one_way(words, "forward", num_layers, dropout)
    turned = ReverseSequence(name="turn")(words, letters)  # padding stays behind
    backward = ReverseSequence(name="turn_back")(read_one_way(turned, "backward", num_layers, dropout), letters)
    top = layers.Dropout(dropout, name="top_dropout")
    outputs = {"forward": logits(top(forward)), "backward": logits(top(backward))}
    return keras.Model(letters, outputs, name=name)


def representations(model: keras.Model) -> keras.Model:
    """The vectors of all layers of a built `elmo`, which shares its weights.

    Layer 0 is the word as its letters give it, twice; layer j holds the states of the j-th forward and backward LSTM,
    one after the other (section 3.2).

    Returns:
        A `keras.Model`: (batch, words, letters) to a list of (batch, words, 2 dim), num_layers + 1 of them.

    >>> model = elmo(vocabulary_size=10, dim=4)
    >>> [tuple(each.shape) for each in representations(model)(keras.ops.ones((1, 32, 16), "int32"))]
    [(1, 32, 8), (1, 32, 8), (1, 32, 8)]
    """
    letters, words = model.input, model.get_layer("projection").output
    found = [layers.Concatenate(name="layer0")([words, words])]
    turn_back, number = ReverseSequence(name="turn_states"), 1
    names = {layer.name for layer in model.layers}
    while f"forward{number}" in names:
        top = "" if number == 1 else "_add"
        forward, backward = (model.get_layer(f"{way}{number}{top}").output for way in ("forward", "backward"))
        found.append(layers.Concatenate(name=f"layer{number}")([forward, turn_back(backward, letters)]))
        number += 1
    return keras.Model(letters, found, name=f"{model.name}_representations")
