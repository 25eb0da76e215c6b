"""Word vectors: five ways to learn what a word means from the words around it.

    window_lm          the last n words -> the next one: a softmax over all words        Bengio 2003
    skipgram_softmax   a word -> a word near it, by a softmax over all words             Mikolov 2013a
    word2vec           a word -> is this a word near it, or a drawn one? (skip-gram)     Mikolov 2013b
    cbow               the words around -> is this the word in the middle, or a drawn one?   Mikolov 2013a
    glove              two words -> the logarithm of how often they meet                 Pennington 2014

In all of them a word has a row e in one table of embeddings and, where it is predicted, a row theta in another; the
score of two words is theta . e. Id 0 is no word: padding, before a sentence and after it.

Sources: Y. Bengio, R. Ducharme, P. Vincent and C. Jauvin, "A Neural Probabilistic Language Model", JMLR 3, 2003;
T. Mikolov, K. Chen, G. Corrado and J. Dean, "Efficient Estimation of Word Representations in Vector Space", 2013 (a);
T. Mikolov, I. Sutskever, K. Chen, G. Corrado and J. Dean, "Distributed Representations of Words and Phrases and
their Compositionality", NeurIPS 2013 (b); J. Pennington, R. Socher and C. Manning, "GloVe: Global Vectors for Word
Representation", EMNLP 2014.

Training draws its own examples from a text (`zoo.data.text.word_vectors`). `word2vec` has a way of training of its own
as well, many times faster and equal in what it computes (`zoo.trainers.word2vec`).

A little longer than other files: the five are to be read beside each other.
"""

from typing import Any

import keras
from keras import layers

from zoo.checks import check_whole
from zoo.records import Card, Expected, Input, Recipe, replace
from zoo.registry import register

SGNS = "Mikolov, Sutskever, Chen, Corrado & Dean 2013, NeurIPS 26"

DEMO = Recipe(
    name="demo",
    dataset="tiny_english:1.0.0",
    preprocess={"window": 4, "negatives": 5, "min_count": 1, "sample": 1e-2, "block": 16, "shared": 16},
    epochs=15,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.05,
    schedule="linear",
    model={"dimension": 32},
    expected=Expected("analogies", 0.90, "worst of 3 seeds: results/demo.csv"),
)
PAIRS = replace(
    DEMO,
    preprocess={"window": 4, "negatives": 5, "min_count": 1, "sample": 1e-2},
    epochs=5,
    batch_size=512,
    optimizer="adam",
    learning_rate=3e-3,
    expected=None,
)
LARGE = replace(  # for a text of your own, millions of words: --data FILE.txt
    DEMO,
    name="text",
    dataset="",
    preprocess={
        "tokens": "words",
        "window": 5,
        "negatives": 5,
        "min_count": 5,
        "sample": 1e-3,
        "block": 32,
        "shared": 16,
    },
    epochs=5,
    batch_size=2048,
    learning_rate=0.025,
    model={"dimension": 100},
    expected=None,
)
CENTRE = Input("centre", (), "int32", "the token id of a word")
CANDIDATES = Input("contexts", (6,), "int32", "a word that was near it, and drawn ones")
TINY = {"vocabulary_size": 60, "dimension": 8}


def table(words: int, dimension: int, name: str, **options: Any) -> layers.Embedding:
    """A vector for each word, small at the start: token ids (batch, ...) -> (batch, ..., dim)."""
    start = keras.initializers.RandomUniform(-0.5 / dimension, 0.5 / dimension)
    return layers.Embedding(words, dimension, embeddings_initializer=start, name=name, **options)


def check(**counts: Any) -> None:
    """Raise unless each is a whole number of at least 1."""
    for name, value in counts.items():
        check_whole(name, value)


@register(
    Card(
        task="word_vectors",
        summary="word2vec: skip-gram with negative sampling",
        one_heap=True,
        params=4_000_000,
        paper=SGNS,
        deviations=(
            "the second table starts small and random, not at 0",
            "trained by blocks of words that share their negatives (recipes with `block`): zoo/trainers/word2vec.py",
        ),
        inputs=(CENTRE, CANDIDATES),
        preprocessing="none",
        loss="negative_sampling",
        recipes=(DEMO, LARGE),
        tiny=TINY,
        head=("theta",),
        tutorial="19_word_vectors.py",
    )
)
def word2vec(
    *, vocabulary_size: int = 20_000, dimension: int = 100, negatives: int = 5, name: str = "word2vec"
) -> keras.Model:
    """Skip-gram with negative sampling: a word against a word that was near it and some that were drawn.

    Args:
        vocabulary_size: words, id 0 for none among them.
        dimension: of the vectors.
        negatives: drawn words beside each true one: 5 to 20 for a small text, 2 to 5 for a large one.
        name: of the returned model.

    Returns:
        A `keras.Model`: centre (batch,) and contexts (batch, 1 + negatives) to scores (batch, 1 + negatives), as
        logits of "was near". Its layer ``words`` holds the vectors.

    Raises:
        UsageError: for a size below 1.

    >>> word2vec(vocabulary_size=50, dimension=8).output_shape
    (None, 6)
    """
    check(vocabulary_size=vocabulary_size, dimension=dimension, negatives=negatives)
    centre = keras.Input((), dtype="int32", name="centre")
    contexts = keras.Input((1 + negatives,), dtype="int32", name="contexts")
    e = table(vocabulary_size, dimension, "words")(centre)  # (batch, dim)
    theta = table(vocabulary_size, dimension, "theta")(contexts)  # (batch, 1 + negatives, dim)
    logits = layers.Dot(axes=(2, 1), dtype="float32", name="logits")([theta, e])
    return keras.Model([centre, contexts], logits, name=name)


@register(
    Card(
        task="word_vectors",
        summary="word2vec: continuous bag of words with negative sampling",
        params=4_000_000,
        paper="Mikolov, Chen, Corrado & Dean 2013, arXiv:1301.3781, section 3.1",
        deviations=(
            "negative sampling (NeurIPS 26, of the same year) in place of the hierarchical softmax",
            "the second table starts small and random, not at 0",
        ),
        inputs=(
            Input("around", (10,), "int32", "the words around, 0 where there is none"),
            Input("middles", (6,), "int32", "the word in the middle, and drawn ones"),
        ),
        preprocessing="none",
        loss="negative_sampling",
        recipes=(PAIRS,),
        tiny=TINY,
        head=("theta",),
        tutorial="19_word_vectors.py",
    )
)
def cbow(
    *, vocabulary_size: int = 20_000, dimension: int = 100, window: int = 5, negatives: int = 5, name: str = "cbow"
) -> keras.Model:
    """Continuous bag of words: the mean of the words around against the word in the middle and some drawn ones.

    Args:
        vocabulary_size, dimension, negatives: as in `word2vec`.
        window: words on each side, at most.
        name: of the returned model.

    Returns:
        A `keras.Model`: around (batch, 2 window) and middles (batch, 1 + negatives) to logits (batch, 1 + negatives).

    Raises:
        UsageError: for a size below 1.

    >>> cbow(vocabulary_size=50, dimension=8, window=2).input_shape
    [(None, 4), (None, 6)]
    """
    check(vocabulary_size=vocabulary_size, dimension=dimension, window=window, negatives=negatives)
    around = keras.Input((2 * window,), dtype="int32", name="around")
    middles = keras.Input((1 + negatives,), dtype="int32", name="middles")
    e = table(vocabulary_size, dimension, "words", mask_zero=True)(around)  # (batch, 2 window, dim); 0 is no word
    bag = layers.GlobalAveragePooling1D(name="bag")(e)  # (batch, dim)
    theta = table(vocabulary_size, dimension, "theta")(middles)  # (batch, 1 + negatives, dim)
    logits = layers.Dot(axes=(2, 1), dtype="float32", name="logits")([theta, bag])
    return keras.Model([around, middles], logits, name=name)


@register(
    Card(
        task="word_vectors",
        summary="skip-gram with a softmax over all words: exact, and for small vocabularies",
        params=4_000_000,
        paper="Mikolov, Chen, Corrado & Dean 2013, arXiv:1301.3781, section 3.2",
        deviations=("the softmax is whole, not hierarchical",),
        inputs=(CENTRE,),
        preprocessing="none",
        loss="next_word",
        recipes=(PAIRS,),
        tiny=TINY,
        tutorial="19_word_vectors.py",
    )
)
def skipgram_softmax(
    *, vocabulary_size: int = 20_000, dimension: int = 100, name: str = "skipgram_softmax"
) -> keras.Model:
    """Skip-gram as it is defined: P(context t | centre c) = exp(theta_t . e_c) / sum over all words.

    Args:
        vocabulary_size, dimension: as in `word2vec`.
        name: of the returned model.

    Returns:
        A `keras.Model`: centre (batch,) to logits (batch, vocabulary_size).

    Raises:
        UsageError: for a size below 1.

    >>> skipgram_softmax(vocabulary_size=50, dimension=8).output_shape
    (None, 50)
    """
    check(vocabulary_size=vocabulary_size, dimension=dimension)
    centre = keras.Input((), dtype="int32", name="centre")
    e = table(vocabulary_size, dimension, "words")(centre)  # (batch, dim)
    logits = layers.Dense(vocabulary_size, use_bias=False, dtype="float32", name="logits")(e)  # theta, (dim, words)
    return keras.Model(centre, logits, name=name)


@register(
    Card(
        task="word_vectors",
        summary="GloVe: weighted least squares on the logarithms of how often words meet",
        params=4_040_000,
        paper="Pennington, Socher & Manning 2014, EMNLP",
        inputs=(
            Input("word", (), "int32", "the token id of a word"),
            Input("context", (), "int32", "the token id of a word that it meets"),
        ),
        preprocessing="none",
        loss="glove",
        recipes=(
            replace(
                PAIRS,
                # The paper's AdaGrad at .05, with each cell's own gradient, learns nothing from means over batches.
                preprocess={"window": 4, "min_count": 1},
                epochs=20,
                batch_size=1024,
                learning_rate=0.02,
                schedule="cosine",
                expected=Expected("analogies", 0.90, "worst of 3 seeds: results/demo.csv"),
            ),
        ),
        tiny=TINY,
        head=("theta", "context_bias"),
        tutorial="19_word_vectors.py",
    )
)
def glove(*, vocabulary_size: int = 20_000, dimension: int = 100, name: str = "glove") -> keras.Model:
    """GloVe: e_i . theta_j + b_i + c_j is to be the logarithm of how often words i and j meet.

    The vector of a word is (e + theta) / 2, as `zoo.metrics.word_vectors` takes it: both tables learn the same thing.

    Args:
        vocabulary_size, dimension: as in `word2vec`.
        name: of the returned model.

    Returns:
        A `keras.Model`: word (batch,) and context (batch,) to (batch, 1), the logarithm of a count.

    Raises:
        UsageError: for a size below 1.

    >>> glove(vocabulary_size=50, dimension=8).output_shape
    (None, 1)
    """
    check(vocabulary_size=vocabulary_size, dimension=dimension)
    word = keras.Input((), dtype="int32", name="word")
    context = keras.Input((), dtype="int32", name="context")
    e, theta = (
        table(vocabulary_size, dimension, layer)(token_id) for layer, token_id in (("words", word), ("theta", context))
    )
    b, c = (
        layers.Embedding(vocabulary_size, 1, embeddings_initializer="zeros", dtype="float32", name=layer)(token_id)
        for layer, token_id in (("word_bias", word), ("context_bias", context))
    )
    product = layers.Dot(axes=1, dtype="float32", name="product")([e, theta])  # (batch, 1)
    return keras.Model([word, context], layers.Add(dtype="float32", name="log_count")([product, b, c]), name=name)


@register(
    Card(
        task="word_vectors",
        summary="the fixed-window language model: the last words, side by side, through a layer to the next one",
        params=4_060_100,
        paper="Bengio, Ducharme, Vincent & Jauvin 2003, JMLR 3",
        deviations=("no direct connections from the words to the softmax",),
        inputs=(Input("before", (4,), "int32", "the last words, 0 where the sentence had not begun"),),
        preprocessing="none",
        loss="next_word",
        recipes=(replace(PAIRS, preprocess={"context": 4, "min_count": 1}, learning_rate=2e-3),),
        tiny={"vocabulary_size": 60, "dimension": 8, "hidden": 16},
        tutorial="19_word_vectors.py",
    )
)
def window_lm(
    *, vocabulary_size: int = 20_000, dimension: int = 100, context: int = 4, hidden: int = 100, name: str = "window_lm"
) -> keras.Model:
    """A language model that sees the last `context` words: their vectors in a row, a tanh layer, a softmax.

    Args:
        vocabulary_size, dimension: as in `word2vec`.
        context: how many words it sees.
        hidden: units between.
        name: of the returned model.

    Returns:
        A `keras.Model`: before (batch, context) to logits (batch, vocabulary_size).

    Raises:
        UsageError: for a size below 1.

    >>> window_lm(vocabulary_size=50, dimension=8, context=3).input_shape
    (None, 3)
    """
    check(vocabulary_size=vocabulary_size, dimension=dimension, context=context, hidden=hidden)
    before = keras.Input((context,), dtype="int32", name="before")
    x = table(vocabulary_size, dimension, "words")(before)  # (batch, context, dim)
    x = layers.Flatten(name="row")(x)  # (batch, context x dim)
    x = layers.Dense(hidden, activation="tanh", name="hidden")(x)
    logits = layers.Dense(vocabulary_size, dtype="float32", name="logits")(x)
    return keras.Model(before, logits, name=name)
