"""A tag for each word of a sentence, from all the words around it.

    tagger    Z. Huang, W. Xu and K. Yu, "Bidirectional LSTM-CRF Models for Sequence Tagging", arXiv:1508.01991,
              sections 2.2 to 2.5; G. Lample et al., "Neural Architectures for Named Entity Recognition", NAACL 2016,
              section 2

    words (batch, time) -> embedding -> LSTMs from both ends, side by side -> scores of each tag (batch, time, tags)
      -> conditional random field -> scores of each pair of tags that follow one another (batch, time, tags, tags)

Without the conditional random field the network says for each word by itself which tag is likeliest; with it, which
tags of the whole sentence are (`zoo.layers.crf`): that an I-PER does not follow a B-LOC is then learned once, as a
number of a table, and not by every state.
"""

from collections.abc import Sequence
from functools import partial

import keras
from keras import layers

from zoo.layers.crf import ConditionalRandomField
from zoo.models.recurrent import check_units, read_both_ways, side_by_side
from zoo.records import Card, Expected, Input, Recipe, replace
from zoo.registry import register

DEMO = Recipe(
    name="demo",
    dataset="named_things:1.0.0",
    preprocess={"min_count": 1},
    model={"embedding": 32, "units": (48,), "dropout": 0.2},
    epochs=8,
    batch_size=64,
    learning_rate=1e-2,
    schedule="cosine",
    expected=Expected("span_f1", 0.97, "worst of 3 seeds: results/demo.csv"),
)
CONLL = replace(
    DEMO,
    name="conll",
    dataset="",
    preprocess={"vocabulary": 50_000, "min_count": 2, "length": 100, "word_column": 1, "tag_column": 0},
    model={"dropout": 0.5},
    epochs=20,
    min_steps=2000,
    patience=3,
    batch_size=32,
    learning_rate=2e-3,
    expected=None,
)


@register(
    Card(
        task="sequence_labelling",
        summary="a tag for each word, by LSTMs from both ends and a conditional random field",
        params=2_162_708,
        paper="Huang, Xu & Yu 2015, arXiv:1508.01991; Lample et al. 2016, NAACL, section 2",
        deviations=(
            "words alone: neither features of their spelling (Huang) nor their letters (Lample, section 4.1)",
            "the embedding starts at random and not from vectors of another corpus",
            "Adam, where both papers have plain gradient steps",
        ),
        notes=(
            "crf=False is faster, the more the more tags there are: the field has a number for each pair, at each word",
            "a word seen once in training is taken for unknown (--option min_count=)",
        ),
        inputs=(Input("tokens", (100,), "int32", "numbers of words, 0 after the end"),),
        preprocessing="none",
        recipes=(DEMO, replace(DEMO, name="demo_plain", model={**DEMO.model, "crf": False}, expected=None), CONLL),
        tiny={  # the sentences that the tests draw for these sizes have no padding, whose potentials dwarf all others
            "input_shape": (5,), "num_classes": 5, "vocabulary_size": 12, "embedding": 8, "units": (8,), "dropout": 0.0,
        },
        head=("logits", "crf"),
        tutorial="18_recurrent_nets.py",
    )
)  # fmt: skip
def tagger(
    *, input_shape: tuple[int | None, ...] = (100,), num_classes: int = 9, vocabulary_size: int = 20_000,
    embedding: int = 100, units: int | Sequence[int] = (100,), bidirectional: bool = True, crf: bool = True,
    dropout: float = 0.5, name: str = "tagger",
) -> keras.Model:  # fmt: skip
    """A bidirectional LSTM with a conditional random field over words (Huang et al. 2015, Lample et al. 2016).

    Args:
        input_shape: (words,), or (None,) for any number of them; padding, word 0, comes last.
        num_classes: how many tags there are; nine as in CoNLL-2003.
        vocabulary_size: how many words there are, 0 (padding) and 1 (unknown) among them.
        embedding: length of a word's vector.
        units: of each LSTM layer and direction, from the words up.
        bidirectional: read each sentence from both ends; without, a word knows only those before it.
        crf: score the tags of a sentence together; without, one by one.
        dropout: fraction of the features dropped before each LSTM layer and before the scores.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, words) word ids to (batch, words, tags, tags) potentials, or without `crf` to (batch,
        words, tags) logits.

    Raises:
        UsageError: for units that are no whole numbers.

    >>> model = tagger(vocabulary_size=10, embedding=4, units=3, num_classes=5)
    >>> model.count_params()  # 40, then twice 4 (4 + 3 + 1) 3, then 6 x 5 + 5, then 5 x 5 + 5 + 5
    302
    >>> tagger(crf=False).output_shape
    (None, 100, 9)
    """
    tokens = keras.Input(input_shape, dtype="int32", name="tokens")
    x = layers.Embedding(vocabulary_size, embedding, name="embedding")(tokens)  # (batch, time, embedding)
    for number, size in enumerate(check_units(units), start=1):
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)
        lstm = partial(layers.LSTM, size, return_sequences=True)
        if bidirectional:
            x = side_by_side(*read_both_ways(x, tokens, lstm, f"lstm{number}"), tokens, f"lstm{number}")
        else:
            x = lstm(name=f"lstm{number}")(x)
    x = layers.Dropout(dropout, name="dropout_top")(x)
    scores = layers.Dense(num_classes, dtype="float32", name="logits")(x)  # (batch, time, tags)
    outputs = ConditionalRandomField(dtype="float32", name="crf")(scores, tokens) if crf else scores
    return keras.Model(tokens, outputs, name=name)
