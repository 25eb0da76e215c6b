"""BERT: the Transformer's encoder, which attends to a whole text, both ways.

J. Devlin, M.-W. Chang, K. Lee and K. Toutanova, "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding", NAACL 2019, arXiv:1810.04805: section 3, Figure 2, Appendix A.

    name         layers    dim   heads    parameters, the pooler included
    bert_base        12    768      12    109,482,240
    bert_large       24  1,024      16    335,141,888

    tokens (batch, time) -> embedding + learned positions + segment -> normalisation -> encoder blocks, each with a
    normalisation after its sums -> the first position -> the pooler, a tanh layer -> logits

A head for classes comes on top (section 3.2): dim x classes + classes parameters more.
"""

from typing import Any

import keras
from keras import layers

from zoo.layers.attention import Padding, Positions
from zoo.layers.initializers import fresh
from zoo.layers.sequence import PoolSequence
from zoo.models.transformer import encode
from zoo.recipes import AGREEMENT, IMDB_REVIEWS, TEXTS
from zoo.records import Card, Input, Recipe, replace
from zoo.registry import register


@keras.saving.register_keras_serializable("zoo")
class Segment(layers.Layer):
    """Adds to each position the vector of its segment: 0 for the first text, 1 for a second.

    Shapes: x (batch, time, dim), segments (batch, time), 0 or 1, or None (all 0) -> (batch, time, dim).
    """

    def __init__(self, initializer: Any = "uniform", **kwargs: Any):
        super().__init__(**kwargs)
        self.initializer = keras.initializers.get(initializer)

    def build(self, x_shape: tuple[Any, ...], segments_shape: Any = None) -> None:
        self.table = self.add_weight(shape=(2, x_shape[-1]), initializer=self.initializer, name="embeddings")

    def call(self, x: Any, segments: Any = None) -> Any:
        table = keras.ops.cast(self.table, x.dtype)
        return x + (table[0] if segments is None else keras.ops.take(table, segments, axis=0))

    def multiply_adds(self, before: tuple[int, ...], after: tuple[int, ...]) -> int:
        return 0

    def compute_output_shape(
        self, x_shape: tuple[int | None, ...], segments_shape: Any = None
    ) -> tuple[int | None, ...]:
        return x_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "initializer": keras.initializers.serialize(self.initializer)}


def network(
    input_shape: tuple[int | None, ...], num_classes: int, vocabulary_size: int, num_layers: int, dim: int,
    num_heads: int, max_length: int, segments: bool, dropout: float, name: str,
) -> keras.Model:  # fmt: skip
    """The network behind both names."""
    normal = keras.initializers.TruncatedNormal(stddev=0.02)
    tokens = keras.Input(input_shape, dtype="int32", name="tokens")
    mask = Padding(name="mask")(tokens)  # (batch, 1, time)
    x = layers.Embedding(vocabulary_size, dim, embeddings_initializer=normal, name="embedding")(tokens)
    x = Positions(max_length, "learned", initializer=fresh(normal), name="positions")(x)  # (batch, time, dim)
    others = [keras.Input(input_shape, dtype="int32", name="segments")] if segments else []
    x = Segment(fresh(normal), name="segment")(x, *others)
    x = layers.LayerNormalization(epsilon=1e-12, name="embedding_norm")(x)
    x = layers.Dropout(dropout, name="embedding_dropout")(x)
    sizes: dict[str, Any] = dict(dim=dim, num_heads=num_heads, mlp_dim=4 * dim, dropout=dropout, norm="post")
    x = encode(x, mask, num_layers, **sizes, activation="gelu", epsilon=1e-12, initializer=normal)
    x = PoolSequence("first", name="first")(x, tokens)  # (batch, dim)
    x = layers.Dense(dim, activation="tanh", kernel_initializer=fresh(normal), name="pooler")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    logits = layers.Dense(num_classes, kernel_initializer=fresh(normal), dtype="float32", name="logits")(x)
    return keras.Model([tokens, *others] if others else tokens, logits, name=name)


IMDB = replace(
    IMDB_REVIEWS,
    preprocess={"tokens": "words", "vocabulary": 20_000, "length": 256},
    model={"num_layers": 4, "dim": 256, "num_heads": 4},
    learning_rate=3e-4,
)
# Section 4.1 and Appendix A.3: 2 to 4 epochs of Adam at 2e-5 to 5e-5 with a warm-up and weight decay; a small data set
# wants more steps (M. Mosbach et al. 2021, arXiv:2006.04884, section 6).
FINETUNE = Recipe(
    name="finetune",
    dataset="",
    preprocess={**TEXTS, "tokens": "pretrained", "length": 256},
    epochs=4,
    min_steps=400,
    batch_size=16,
    optimizer="adamw",
    optimizer_options={"weight_decay": 0.01},
    decay_kernels_only=True,
    learning_rate=5e-5,
    schedule="cosine",
    schedule_options={"warmup_epochs": 0.4},
    patience=3,
)
BASE = Card(
    task="text_classification",
    summary="BERT, 12 blocks, with its pooler and a head for classes",
    params=109_483_778,  # 109,482,240 and the head
    paper="Devlin et al. 2019, NAACL, arXiv:1810.04805, section 3",
    deviations=(
        "no dropout on the attention weights, so that fused attention can be taken",
        "no heads for pre-training",
    ),
    notes=(
        "the demo trains a small one from fresh weights",
        "weights and tokenizer of Hugging Face's BertModel: --weights hf://google-bert/bert-base-uncased, or a folder",
    ),
    inputs=(Input("tokens", (128,), "int32", "token ids of words or subwords, 0 after the end"),),
    preprocessing="none",
    recipes=(
        replace(
            AGREEMENT,
            model={"num_layers": 2, "dim": 32, "num_heads": 4, "dropout": 0.0},
            learning_rate=2e-3,
            schedule_options={"warmup_epochs": 2},
        ),
        IMDB,
        replace(
            IMDB,
            name="text_folder",
            dataset="",
            train="train",
            validation="validation",
            preprocess={**TEXTS, "length": 256},
            min_steps=1000,
            patience=5,
        ),
        FINETUNE,
    ),
    tiny=dict(input_shape=(None,), vocabulary_size=12, num_layers=1, dim=16, num_heads=2, max_length=40, dropout=0.0),
    tutorial="23_bert_gpt_mini.py",
)


@register(BASE)
def bert_base(
    *,
    input_shape: tuple[int | None, ...] = (128,),
    num_classes: int = 2,
    vocabulary_size: int = 30_522,
    num_layers: int = 12,
    dim: int = 768,
    num_heads: int = 12,
    max_length: int = 512,
    segments: bool = False,
    dropout: float = 0.1,
    name: str = "bert_base",
) -> keras.Model:
    """BERT (Devlin et al. 2019), base size, with a head for classes.

    Args:
        input_shape: (tokens,), or (None,) for any number of them.
        num_classes: length of the logit vector.
        vocabulary_size: how many tokens there are; 0 is padding.
        num_layers: blocks, one after the other.
        dim: width of the embedding and of all blocks; the MLP is four times as wide.
        num_heads: of each attention; they divide `dim`.
        max_length: how many positions there are.
        segments: with a second input, which of two texts each token belongs to; else all belong to the first.
        dropout: fraction of the embedding, of each sublayer's output and of the pooler's that is zeroed in training.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, tokens) token ids, or ``{"tokens", "segments"}``, to (batch, num_classes) logits.

    Raises:
        UsageError: if `num_heads` does not divide `dim`, or for more tokens than positions.

    >>> bert_base(input_shape=(8,), vocabulary_size=10, num_layers=1, dim=4, num_heads=2, max_length=8).count_params()
    362
    """
    return network(**locals())


@register(replace(BASE, summary="BERT, 24 blocks, with its pooler and a head for classes", params=335_143_938))
def bert_large(
    *,
    input_shape: tuple[int | None, ...] = (128,),
    num_classes: int = 2,
    vocabulary_size: int = 30_522,
    num_layers: int = 24,
    dim: int = 1024,
    num_heads: int = 16,
    max_length: int = 512,
    segments: bool = False,
    dropout: float = 0.1,
    name: str = "bert_large",
) -> keras.Model:
    """BERT with 24 blocks. Arguments and shapes as in `bert_base`.

    Args:
        name: of the returned model.

    Returns:
        A `keras.Model`, as in `bert_base`.

    >>> bert_large(input_shape=(8,), vocabulary_size=10, num_layers=1, dim=4, num_heads=2, max_length=8).count_params()
    362
    """
    return network(**locals())
