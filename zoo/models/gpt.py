"""GPT: the Transformer's decoder alone, which predicts the next token.

A. Radford et al., "Language Models are Unsupervised Multitask Learners" (GPT-2), OpenAI 2019, section 2.3 and Table 2;
the idea of the family is A. Radford et al., "Improving Language Understanding by Generative Pre-Training", 2018.

    name          layers   dim    heads     parameters
    gpt                6    384       6     a small one for characters
    gpt2              12    768      12    124,439,808
    gpt2_medium       24  1,024      16    354,823,168
    gpt2_large        36  1,280      20    774,030,080
    gpt2_xl           48  1,600      25  1,557,611,200

    tokens (batch, time) -> embedding and learned positions -> blocks of causal self-attention and an MLP, each with a
    normalisation before it -> one more normalisation -> logits of the next token, by the embedding's own matrix

The paper's Table 2 counts 117 M and 345 M for the first two; the published weights have the numbers above. GPT-3 (T.
Brown et al. 2020) is the same network with 96 blocks of 12,288: 175 billion.
"""

import math
from typing import Any

import keras
from keras import layers

from zoo.checks import check_whole
from zoo.layers.attention import Attention, Cache, Positions
from zoo.models.transformer import Block
from zoo.recipes.gpt import DEMO, DIGIT_TEXTS, FINETUNE, SHAKESPEARE, TEXT_FOLDER
from zoo.records import Card, Input, replace
from zoo.registry import register

PAPER = "Radford et al. 2019 (GPT-2), section 2.3, Table 2"


@keras.saving.register_keras_serializable("zoo")
def gelu_tanh(x: Any) -> Any:
    """GPT-2's approximation of x Phi(x) (D. Hendrycks and K. Gimpel 2016, section 2)."""
    return keras.activations.gelu(x, approximate=True)


def network(
    input_shape: tuple[int | None, ...], vocabulary_size: int, num_layers: int, dim: int, num_heads: int,
    max_length: int, dropout: float, name: str,
) -> keras.Model:  # fmt: skip
    """The network behind all names."""
    check_whole("num_layers", num_layers)
    normal = keras.initializers.RandomNormal(stddev=0.02)
    # Section 2.3: what is added to the residual stream starts smaller, by the root of how often something is added.
    added = keras.initializers.RandomNormal(stddev=0.02 / math.sqrt(2 * num_layers))
    tokens = keras.Input(input_shape, dtype="int32", name="tokens")
    table = layers.ReversibleEmbedding(
        vocabulary_size, dim, embeddings_initializer=normal, reverse_dtype="float32", name="embedding"
    )
    smaller = keras.initializers.RandomNormal(stddev=0.01)
    x = Positions(max_length, "learned", initializer=smaller, name="positions")(table(tokens))  # (batch, time, dim)
    x = layers.Dropout(dropout, name="dropout")(x)
    habits: dict[str, Any] = dict(activation=gelu_tanh, epsilon=1e-5, initializer=normal, output_initializer=added)
    for number in range(1, num_layers + 1):
        x = Block(f"block{number}", dim, num_heads, 4 * dim, dropout, "pre", causal=True, **habits)(x)
    x = layers.LayerNormalization(epsilon=1e-5, name="norm")(x)
    return keras.Model(tokens, table(x, reverse=True), name=name)


TINY = dict(input_shape=(None,), vocabulary_size=12, num_layers=2, dim=16, num_heads=2, max_length=40, dropout=0.0)
GPT2 = Card(
    task="language_modelling",
    summary="GPT-2, 12 blocks: the next token from those before",
    params=124_439_808,
    paper=PAPER,
    deviations=("no dropout on the attention weights, so that fused attention can be taken",),
    notes=(
        "the recipes but finetune train small ones, over characters",
        "weights and tokenizer of Hugging Face's GPT2LMHeadModel: --weights hf://openai-community/gpt2, or a folder",
    ),
    inputs=(Input("tokens", (1024,), "int32", "token ids of characters or subwords"),),
    preprocessing="none",
    recipes=(DEMO, SHAKESPEARE, TEXT_FOLDER, FINETUNE, DIGIT_TEXTS),
    tiny=TINY,
    tutorial="23_bert_gpt_mini.py",
)


@register(GPT2)
def gpt2(
    *,
    input_shape: tuple[int | None, ...] = (1024,),
    vocabulary_size: int = 50_257,
    num_layers: int = 12,
    dim: int = 768,
    num_heads: int = 12,
    max_length: int = 1024,
    dropout: float = 0.1,
    name: str = "gpt2",
) -> keras.Model:
    """GPT-2 (Radford et al. 2019), the smallest of the four.

    Args:
        input_shape: (tokens,), or (None,) for any number of them.
        vocabulary_size: how many tokens there are.
        num_layers: blocks, one after the other.
        dim: width of the embedding and of all blocks; the MLP is four times as wide.
        num_heads: of each attention; they divide `dim`.
        max_length: how many positions there are.
        dropout: fraction of the embedding and of each sublayer's output that is zeroed in training.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, tokens) token ids to (batch, tokens, vocabulary_size) logits of the next token.

    Raises:
        UsageError: if `num_heads` does not divide `dim`, or for more tokens than positions.

    >>> gpt2(input_shape=(8,), vocabulary_size=10, num_layers=1, dim=4, num_heads=2, max_length=8).count_params()
    324
    """
    return network(**locals())


@register(replace(GPT2, summary="GPT-2, 24 blocks", params=354_823_168))
def gpt2_medium(
    *,
    input_shape: tuple[int | None, ...] = (1024,),
    vocabulary_size: int = 50_257,
    num_layers: int = 24,
    dim: int = 1024,
    num_heads: int = 16,
    max_length: int = 1024,
    dropout: float = 0.1,
    name: str = "gpt2_medium",
) -> keras.Model:
    """GPT-2 with 24 blocks. Arguments and shapes as in `gpt2`.

    Args:
        name: of the returned model.

    Returns:
        A `keras.Model`, as in `gpt2`.

    >>> gpt2_medium(input_shape=(8,), vocabulary_size=10, num_layers=1, dim=4, num_heads=2, max_length=8).count_params()
    324
    """
    return network(**locals())


@register(replace(GPT2, summary="GPT-2, 36 blocks", params=774_030_080))
def gpt2_large(
    *,
    input_shape: tuple[int | None, ...] = (1024,),
    vocabulary_size: int = 50_257,
    num_layers: int = 36,
    dim: int = 1280,
    num_heads: int = 20,
    max_length: int = 1024,
    dropout: float = 0.1,
    name: str = "gpt2_large",
) -> keras.Model:
    """GPT-2 with 36 blocks. Arguments and shapes as in `gpt2`.

    Args:
        name: of the returned model.

    Returns:
        A `keras.Model`, as in `gpt2`.

    >>> gpt2_large(input_shape=(8,), vocabulary_size=10, num_layers=1, dim=4, num_heads=2, max_length=8).count_params()
    324
    """
    return network(**locals())


@register(replace(GPT2, summary="GPT-2, 48 blocks: the one that was held back at first", params=1_557_611_200))
def gpt2_xl(
    *,
    input_shape: tuple[int | None, ...] = (1024,),
    vocabulary_size: int = 50_257,
    num_layers: int = 48,
    dim: int = 1600,
    num_heads: int = 25,
    max_length: int = 1024,
    dropout: float = 0.1,
    name: str = "gpt2_xl",
) -> keras.Model:
    """GPT-2 with 48 blocks. Arguments and shapes as in `gpt2`.

    Args:
        name: of the returned model.

    Returns:
        A `keras.Model`, as in `gpt2`.

    >>> gpt2_xl(input_shape=(8,), vocabulary_size=10, num_layers=1, dim=4, num_heads=2, max_length=8).count_params()
    324
    """
    return network(**locals())


@register(
    replace(
        GPT2,
        summary="GPT-2's network at a size for characters: the next one from those before",
        params=10_782_720,
        notes=(),
        inputs=(Input("tokens", (256,), "int32", "token ids of characters"),),
    )
)
def gpt(
    *,
    input_shape: tuple[int | None, ...] = (256,),
    vocabulary_size: int = 96,
    num_layers: int = 6,
    dim: int = 384,
    num_heads: int = 6,
    max_length: int = 256,
    dropout: float = 0.2,
    name: str = "gpt",
) -> keras.Model:
    """GPT-2's network at a size for characters. Arguments and shapes as in `gpt2`.

    Args:
        name: of the returned model.

    Returns:
        A `keras.Model`, as in `gpt2`.

    >>> gpt(input_shape=(8,), vocabulary_size=10, num_layers=1, dim=4, num_heads=2, max_length=8).count_params()
    324
    """
    return network(**locals())


class Decoder:
    """A trained GPT, position after position (`zoo.decoding.base`). The state: keys and values of the text so far."""

    def __init__(self, model: keras.Model):
        self.model = model
        self.table, self.positions = model.get_layer("embedding"), model.get_layer("positions")
        attentions = [layer for layer in model.layers if isinstance(layer, Attention)]
        self.blocks = [Block.of(model, layer.name.removesuffix("_attention")) for layer in attentions]
        self.norm = model.get_layer("norm")
        self.max_length = self.positions.max_length

    def start(self, source: Any, batch: Any, max_length: int) -> tuple[Any, Any]:
        return {}, [block.attention.empty_cache(batch, max_length) for block in self.blocks]

    def advance(self, tokens: Any, position: Any, state: Any) -> tuple[Any, Any]:
        """Tokens (batch, T) from a position on -> what the blocks make of them (batch, T, dim), and the next state."""
        caches = [Cache(keys, values, position) for keys, values in state]
        x = self.positions(self.table(tokens), first=position)
        for block, cache in zip(self.blocks, caches):
            x = block(x, cache=cache)
        return x, [(cache.keys, cache.values) for cache in caches]

    def read(self, tokens: Any, memory: Any, state: Any) -> Any:
        return self.advance(tokens, 0, state)[1]

    def step(self, tokens: Any, position: Any, memory: Any, state: Any) -> tuple[Any, Any]:
        x, state = self.advance(tokens[:, None], position, state)
        return self.table(self.norm(x), reverse=True)[:, 0], state


def decoder(model: keras.Model) -> Decoder:
    """`model` one position at a time."""
    return Decoder(model)
