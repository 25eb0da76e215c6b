"""fastText: the mean of word and bigram vectors, and a linear classifier on it.

    fasttext_classifier    A. Joulin, E. Grave, P. Bojanowski and T. Mikolov, "Bag of Tricks for Efficient Text
                           Classification", arXiv:1607.01759, 2016

    tokens (batch, time) -> their vectors, plus those of each two neighbours -> the mean -> logits

The honest baseline of networks that read a text in its order: a bigram is all the order that it sees. Bigrams have no
dictionary: a hash gives each one of `bigrams` rows, and those that collide share it.
"""

import keras
from keras import layers, ops

from zoo.checks import check_whole
from zoo.layers.sequence import PoolSequence
from zoo.recipes import AGREEMENT, IMDB_REVIEWS, TEXTS
from zoo.records import Card, Input, replace
from zoo.registry import register

MULTIPLIER = 30_011  # a prime; times a vocabulary of up to 71,000 it stays within 31 bits


@keras.saving.register_keras_serializable("zoo")
class Bigrams(layers.Layer):
    """The row of each token with the next one: 1 to `rows` - 1, and 0 for the last, which has none.

    Shapes: tokens (batch, time) -> (batch, time), the last one 0.

    >>> ops.convert_to_numpy(Bigrams(100)(ops.array([[5, 7, 0]]))).tolist()  # (5 x 30,011 + 7) mod 99 + 1
    [[78, 0, 0]]
    """

    def __init__(self, rows: int, **kwargs: object):
        super().__init__(**kwargs)
        self.rows = rows

    def call(self, tokens: object) -> object:
        following = ops.pad(tokens[:, 1:], [(0, 0), (0, 1)])  # type: ignore[index]
        hashed = ops.mod(tokens * MULTIPLIER + following, self.rows - 1) + 1  # type: ignore[operator]
        return ops.where(following > 0, hashed, 0)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "rows": self.rows}


TEXT_FOLDER = replace(
    IMDB_REVIEWS,
    name="text_folder",
    dataset="",
    train="train",
    validation="validation",
    preprocess=TEXTS,
    epochs=10,
    min_steps=1000,
    patience=5,
    learning_rate=3e-3,
)


@register(
    Card(
        task="text_classification",
        summary="the mean of word and bigram vectors, to a class: no order but that of two neighbours",
        params=3_000_202,
        paper="Joulin, Grave, Bojanowski & Mikolov 2016, arXiv:1607.01759",
        deviations=(
            "the mean of words plus the mean of bigrams, not one mean of both",
            "a softmax over all classes, not a hierarchical one",
            "Adam in place of plain gradient descent",
        ),
        inputs=(Input("tokens", (400,), "int32", "token ids of words, 0 after the end"),),
        preprocessing="none",
        recipes=(
            replace(AGREEMENT, learning_rate=1e-2),
            replace(IMDB_REVIEWS, learning_rate=3e-3, schedule_options={}),
            TEXT_FOLDER,
        ),
        tiny={"input_shape": (None,), "vocabulary_size": 12, "embedding": 8, "bigrams": 20},
        tutorial="22_transformer.py",
    )
)
def fasttext_classifier(
    *,
    input_shape: tuple[int | None, ...] = (400,),
    num_classes: int = 2,
    vocabulary_size: int = 20_000,
    embedding: int = 100,
    bigrams: int = 10_000,
    dropout: float = 0.0,
    name: str = "fasttext_classifier",
) -> keras.Model:
    """A text classifier that averages (Joulin et al. 2016).

    Args:
        input_shape: (tokens,), or (None,) for any number of them; padding, token 0, comes last.
        num_classes: length of the logit vector.
        vocabulary_size: how many tokens there are, 0 (padding) and 1 (unknown) among them.
        embedding: length of a vector.
        bigrams: rows for pairs of neighbours; 0 for none.
        dropout: fraction of the mean that is zeroed in training.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, tokens) token ids to (batch, num_classes) logits.

    Raises:
        UsageError: for a number of bigrams that is none.

    >>> fasttext_classifier(vocabulary_size=10, embedding=4, bigrams=0).count_params()  # 40, then 4 x 2 + 2
    50
    """
    check_whole("bigrams", bigrams, 0)
    tokens = keras.Input(input_shape, dtype="int32", name="tokens")
    x = layers.Embedding(vocabulary_size, embedding, name="embedding")(tokens)  # (batch, time, embedding)
    if bigrams:
        pairs = Bigrams(max(bigrams, 2), name="bigrams")(tokens)  # (batch, time)
        both = layers.Embedding(max(bigrams, 2), embedding, name="bigram_embedding")(pairs)
        x = layers.Add(name="grams")([x, both])
    x = PoolSequence("mean", name="pool")(x, tokens)  # (batch, embedding)
    x = layers.Dropout(dropout, name="dropout")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(tokens, logits, name=name)
