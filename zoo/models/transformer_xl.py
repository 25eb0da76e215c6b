"""Transformer-XL: a Transformer that remembers the segment before, and those before it.

Z. Dai et al., "Transformer-XL: Attentive Language Models Beyond a Fixed-Length Context", ACL 2019, arXiv:1901.02860,
section 3, Tables 2 and 7; sizes of the 41 million parameters of enwik8.

    tokens (batch, time) -> embedding -> blocks of attention by distance and an MLP, normalised after each sum
    -> logits of the next token, by the embedding's own matrix

A vanilla Transformer that is trained on windows of 512 tokens knows nothing beyond the window's start. Here each layer
of a segment also sees what went into the same layer in the segment before; that in turn had seen the one before, so
that a token can reach back by layers x memory. As there is no table of positions, a text may have any length, and a
trained network may be built again with a longer memory. `zoo.layers.relative_attention` has the attention, and says why
all segments of a text can be computed at once.

XLNet (Z. Yang et al., NeurIPS 2019, arXiv:1906.08237) takes this attention over: reading from left to right, which is
one of its orders, its content stream computes the same with ``activation="gelu"`` and an embedding that is not scaled.
Its training, on all orders with a second stream, is not here.
"""

from typing import Any

import keras
from keras import layers, ops

from zoo.checks import check_whole
from zoo.layers.attention import Cache
from zoo.layers.relative_attention import RelativeAttention
from zoo.models.transformer import Block
from zoo.recipes import gpt
from zoo.records import Card, Expected, Input, replace
from zoo.registry import register

SEGMENTS = {"segment_length": 64, "memory_length": 64}
DEMO = replace(  # as many characters a step as GPT's, in fewer and longer windows
    gpt.DEMO,
    preprocess={**gpt.DEMO.preprocess, "length": 256},
    model={"num_layers": 2, "dim": 96, "num_heads": 4, "mlp_dim": 384, "dropout": 0.05, **SEGMENTS},
    epochs=8,
    batch_size=8,
    expected=Expected("perplexity", 5.1, "worst of 3 seeds: results/demo.csv"),
)
TEXT_FOLDER = replace(
    gpt.TEXT_FOLDER, preprocess={**gpt.TEXT_FOLDER.preprocess, "length": 256}, model=DEMO.model, batch_size=8
)


@keras.saving.register_keras_serializable("zoo")
class Bias(layers.Layer):
    """Adds a number of its own to each channel. Shapes: (..., channels) -> the same."""

    def build(self, shape: tuple[Any, ...]) -> None:
        self.bias = self.add_weight(shape=(shape[-1],), initializer="zeros", name="bias")

    def call(self, x: Any) -> Any:
        return x + ops.cast(self.bias, x.dtype)

    def multiply_adds(self, before: tuple[int, ...], after: tuple[int, ...]) -> int:
        return 0

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape


@register(
    Card(
        task="language_modelling",
        summary="Transformer-XL, 12 blocks: the next character, with a memory of the segments before",
        params=41_066_700,
        paper="Dai et al. 2019, ACL, arXiv:1901.02860, section 3, Table 2 (12 layers)",
        deviations=(
            "each window of text starts with an empty memory; its segments hand theirs on",
            "no dropout inside the MLP, nor on the sines of the distances",
        ),
        notes=(
            "the paper trains with a memory as long as the segment, and measures with one several times as long",
            "the demo's text is too short for a memory to help: after four epochs 6.32 and 6.50 with it, 6.31 and 6.26 "
            "without (perplexity, seeds 0 and 1)",
        ),
        inputs=(Input("tokens", (1024,), "int32", "token ids of characters"),),
        preprocessing="none",
        recipes=(DEMO, TEXT_FOLDER),
        tiny=dict(
            input_shape=(None,),
            vocabulary_size=12,
            num_layers=2,
            dim=16,
            num_heads=2,
            mlp_dim=32,
            segment_length=4,
            memory_length=4,
            dropout=0.0,
        ),
        tutorial="23_bert_gpt_mini.py",
    )
)
def transformer_xl(
    *,
    input_shape: tuple[int | None, ...] = (1024,),
    vocabulary_size: int = 204,
    num_layers: int = 12,
    dim: int = 512,
    num_heads: int = 8,
    mlp_dim: int = 2048,
    segment_length: int = 512,
    memory_length: int = 512,
    activation: str = "relu",
    dropout: float = 0.1,
    name: str = "transformer_xl",
) -> keras.Model:
    """Transformer-XL (Dai et al. 2019); the defaults are the paper's 12 layers for enwik8.

    Args:
        input_shape: (tokens,), or (None,) for any number of them.
        vocabulary_size: how many tokens there are.
        num_layers: blocks, one after the other.
        dim: width of the embedding and of all blocks.
        num_heads: of each attention; they divide `dim`.
        mlp_dim: units between the two layers of an MLP.
        segment_length: tokens of a segment.
        memory_length: tokens before a segment that each of its layers sees; 0 for none. No weights depend on it.
        activation: of the MLP.
        dropout: fraction of the embedding and of each sublayer's output that is zeroed in training.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, tokens) token ids to (batch, tokens, vocabulary_size) logits of the next token.

    Raises:
        UsageError: if `num_heads` does not divide `dim`, or a size is no whole number.

    >>> transformer_xl(vocabulary_size=10, num_layers=1, dim=4, num_heads=2, mlp_dim=8, segment_length=4).count_params()
    230
    """
    check_whole("num_layers", num_layers)
    normal = keras.initializers.RandomNormal(stddev=0.02)
    tokens = keras.Input(input_shape, dtype="int32", name="tokens")
    table = layers.ReversibleEmbedding(
        vocabulary_size, dim, embeddings_initializer=normal, reverse_dtype="float32", name="embedding"
    )
    x = layers.Rescaling(dim**0.5, name="scale")(table(tokens))  # (batch, time, dim)
    x = layers.Dropout(dropout, name="dropout")(x)
    lengths = dict(segment_length=segment_length, memory_length=memory_length)
    for number in range(1, num_layers + 1):
        block = f"block{number}"
        attention = RelativeAttention(num_heads, dim, **lengths, kernel_initializer=normal, name=f"{block}_attention")
        options: dict[str, Any] = dict(activation=activation, epsilon=1e-5, initializer=normal, attention=attention)
        x = Block(block, dim, num_heads, mlp_dim, dropout, "post", causal=True, **options)(x)
    x = layers.Dropout(dropout, name="last_dropout")(x)
    return keras.Model(tokens, Bias(dtype="float32", name="logits")(table(x, reverse=True)), name=name)


class Decoder:
    """A trained Transformer-XL, one position at a time (`zoo.decoding.base`). The state: all keys and values so far."""

    max_length = None

    def __init__(self, model: keras.Model):
        self.model = model
        self.table, self.scale, self.bias = (model.get_layer(name) for name in ("embedding", "scale", "logits"))
        attentions = [layer for layer in model.layers if isinstance(layer, RelativeAttention)]
        self.blocks = [Block.of(model, layer.name.removesuffix("_attention")) for layer in attentions]

    def start(self, source: Any, batch: Any, max_length: int) -> tuple[Any, Any]:
        return {}, [block.attention.empty_cache(batch, max_length) for block in self.blocks]

    def step(self, tokens: Any, position: Any, memory: Any, state: Any) -> tuple[Any, Any]:
        caches = [Cache(keys, values, position) for keys, values in state]
        x = self.scale(self.table(tokens[:, None]))  # (batch, 1, dim)
        for block, cache in zip(self.blocks, caches):
            x = block(x, cache=cache)
        logits = self.bias(self.table(x, reverse=True))  # (batch, 1, vocabulary)
        return logits[:, 0], [(cache.keys, cache.values) for cache in caches]


def decoder(model: keras.Model) -> Decoder:
    """`model` one position at a time."""
    return Decoder(model)
