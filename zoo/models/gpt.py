"""GPT: the Transformer's decoder alone, which says what comes next.

A. Radford et al., "Language Models are Unsupervised Multitask Learners" (GPT-2), OpenAI 2019, section 2.3 and Table 2;
the idea of the family is A. Radford et al., "Improving Language Understanding by Generative Pre-Training", 2018.

    name          blocks   dim    heads     parameters
    gpt                6    384       6     a small one for characters
    gpt2              12    768      12    124,439,808
    gpt2_medium       24  1,024      16    354,823,168
    gpt2_large        36  1,280      20    774,030,080
    gpt2_xl           48  1,600      25  1,557,611,200

    tokens (batch, time) -> embedding and learned places -> blocks of causal self-attention and an MLP, each normalised
    before it -> one more normalisation -> logits of the next token, by the embedding's own matrix

The paper's Table 2 counts 117 M and 345 M for the first two; the published weights have the numbers above. GPT-3 (T.
Brown et al. 2020) is the same network with 96 blocks of 12,288: 175 billion.
"""

import math

import keras
import numpy as np
from keras import layers

from zoo.layers.attention import Positions
from zoo.models.transformer import Style, block, check_blocks, find_in, make, norm
from zoo.records import Card, Input, Recipe, replace
from zoo.registry import register

PAPER = "Radford et al. 2019 (GPT-2), section 2.3, Table 2"


@keras.saving.register_keras_serializable("zoo")
def gelu_tanh(x):
    """GPT-2's approximation of x Phi(x) (D. Hendrycks and K. Gimpel 2016, section 2)."""
    return keras.activations.gelu(x, approximate=True)


def network(input_shape, vocabulary_size, blocks, dim, heads, longest, dropout, name):
    """The network behind all names."""
    check_blocks(blocks)
    spread = keras.initializers.RandomNormal(stddev=0.02)
    # Section 2.3: what is added to the residual stream starts smaller, by the root of how often something is added.
    added = keras.initializers.RandomNormal(stddev=0.02 / math.sqrt(2 * blocks))
    style = Style(dim, heads, 4 * dim, dropout, "pre", gelu_tanh, 1e-5, spread, added)
    tokens = keras.Input(input_shape, dtype="int32", name="tokens")
    table = layers.ReversibleEmbedding(
        vocabulary_size, dim, embeddings_initializer=spread, reverse_dtype="float32", name="embedding"
    )
    places = keras.initializers.RandomNormal(stddev=0.01)
    x = Positions(longest, "learned", initializer=places, name="positions")(table(tokens))  # (batch, time, dim)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = stack(x, blocks, style, make, lambda attention, x: attention(x, x))
    return keras.Model(tokens, table(x, reverse=True), name=name)


def stack(x, blocks, style, layer, itself):
    """The blocks and the last normalisation. (batch, time, dim) -> the same"""
    for number in range(1, blocks + 1):
        x = block(x, f"block{number}", style, layer, itself, causal=True)
    return norm(layer, "norm", style)(x)


DEMO = Recipe(
    name="demo",
    dataset="pydoc_topics:1.0.0",
    preprocess={"tokens": "characters", "vocabulary": 200, "length": 64},
    model={"blocks": 4, "dim": 96, "heads": 4, "longest": 64, "dropout": 0.05},
    epochs=10,
    batch_size=32,
    optimizer="adamw",
    optimizer_options={"weight_decay": 0.1, "beta_2": 0.99},
    learning_rate=2e-3,
    schedule="cosine",
    schedule_options={"warmup_epochs": 1},
)
SHAKESPEARE = replace(
    DEMO,
    name="tiny_shakespeare",
    dataset="tiny_shakespeare:1.0.0",
    preprocess={"tokens": "characters", "vocabulary": 200, "length": 256},
    model={"blocks": 6, "dim": 384, "heads": 6, "longest": 256, "dropout": 0.2},
    epochs=80,
    batch_size=64,
    learning_rate=1e-3,
    schedule_options={"warmup_epochs": 2},
)
TEXT_FOLDER = replace(DEMO, name="text_folder", dataset="")
TINY = {
    "input_shape": (None,),
    "vocabulary_size": 12,
    "blocks": 2,
    "dim": 16,
    "heads": 2,
    "longest": 40,
    "dropout": 0.0,
}
GPT2 = Card(
    task="language_modelling",
    summary="GPT-2, 12 blocks: the next token from those before",
    params=124_439_808,
    paper=PAPER,
    deviations=("no dropout on the attention weights, so that fused attention can be taken",),
    notes=("the recipes train small ones, over characters; of these sizes only the shapes are built here",),
    inputs=(Input("tokens", (1024,), "int32", "numbers of characters or parts of words"),),
    preprocessing="none",
    recipes=(DEMO, SHAKESPEARE, TEXT_FOLDER),
    tiny=TINY,
    tutorial="23_bert_gpt_mini.py",
)


@register(GPT2)
def gpt2(
    *,
    input_shape=(1024,),
    vocabulary_size=50_257,
    blocks=12,
    dim=768,
    heads=12,
    longest=1024,
    dropout=0.1,
    name="gpt2",
):
    """GPT-2 (Radford et al. 2019), the smallest of the four.

    Args:
        input_shape: (tokens,), or (None,) for any number of them.
        vocabulary_size: how many tokens there are.
        blocks: one on the other.
        dim: numbers that stand for a token; the MLP is four times as wide.
        heads: of each attention; they divide `dim`.
        longest: how many places there are.
        dropout: share of the numbers silenced in each sum.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, tokens) whole numbers to (batch, tokens, vocabulary_size) logits of the token after.

    Raises:
        UsageError: for heads that do not divide `dim`, or more tokens than places.

    >>> gpt2(input_shape=(8,), vocabulary_size=10, blocks=1, dim=4, heads=2, longest=8).count_params()
    324
    """
    return network(**locals())


@register(replace(GPT2, summary="GPT-2, 24 blocks", params=354_823_168))
def gpt2_medium(
    *,
    input_shape=(1024,),
    vocabulary_size=50_257,
    blocks=24,
    dim=1024,
    heads=16,
    longest=1024,
    dropout=0.1,
    name="gpt2_medium",
):
    """GPT-2 with 24 blocks. Arguments and shapes as in `gpt2`.

    Args:
        name: of the returned model.

    Returns:
        A `keras.Model`, as in `gpt2`.

    >>> gpt2_medium(input_shape=(8,), vocabulary_size=10, blocks=1, dim=4, heads=2, longest=8).count_params()
    324
    """
    return network(**locals())


@register(replace(GPT2, summary="GPT-2, 36 blocks", params=774_030_080))
def gpt2_large(
    *,
    input_shape=(1024,),
    vocabulary_size=50_257,
    blocks=36,
    dim=1280,
    heads=20,
    longest=1024,
    dropout=0.1,
    name="gpt2_large",
):
    """GPT-2 with 36 blocks. Arguments and shapes as in `gpt2`.

    Args:
        name: of the returned model.

    Returns:
        A `keras.Model`, as in `gpt2`.

    >>> gpt2_large(input_shape=(8,), vocabulary_size=10, blocks=1, dim=4, heads=2, longest=8).count_params()
    324
    """
    return network(**locals())


@register(replace(GPT2, summary="GPT-2, 48 blocks: the one that was held back at first", params=1_557_611_200))
def gpt2_xl(
    *,
    input_shape=(1024,),
    vocabulary_size=50_257,
    blocks=48,
    dim=1600,
    heads=25,
    longest=1024,
    dropout=0.1,
    name="gpt2_xl",
):
    """GPT-2 with 48 blocks. Arguments and shapes as in `gpt2`.

    Args:
        name: of the returned model.

    Returns:
        A `keras.Model`, as in `gpt2`.

    >>> gpt2_xl(input_shape=(8,), vocabulary_size=10, blocks=1, dim=4, heads=2, longest=8).count_params()
    324
    """
    return network(**locals())


@register(
    replace(
        GPT2,
        summary="GPT-2's network at a size for characters: the next one from those before",
        params=10_782_720,
        notes=(),
        inputs=(Input("tokens", (256,), "int32", "numbers of characters"),),
    )
)
def gpt(
    *,
    input_shape=(256,),
    vocabulary_size=96,
    blocks=6,
    dim=384,
    heads=6,
    longest=256,
    dropout=0.2,
    name="gpt",
):
    """GPT-2's network at a size for characters. Arguments and shapes as in `gpt2`.

    Args:
        name: of the returned model.

    Returns:
        A `keras.Model`, as in `gpt2`.

    >>> gpt(input_shape=(8,), vocabulary_size=10, blocks=1, dim=4, heads=2, longest=8).count_params()
    324
    """
    return network(**locals())


class Stepper(keras.Model):
    """A trained network one token at a time, with the keys and values of those before in a cache. For `zoo.decoding.sampling`.

    Where the places are used up, it starts again with the later half of the text.
    """

    def __init__(self, model):
        super().__init__(name=f"{model.name}_step")
        self.model = model
        names = [layer.name for layer in model.layers]
        self.blocks = sum(name.endswith("_attention") for name in names)
        self.longest = model.get_layer("positions").longest

    def build(self, shape):
        """Nothing: the layers are the model's."""

    def call(self, inputs):
        tokens, place, cache = inputs  # (batch,), (batch,) all the same, a pair of (batch, longest, heads, dim / heads)
        cache, layer = dict(cache), self.model.get_layer

        def itself(attention, x):
            answer, cache[attention.name] = attention.step(x, tuple(cache[attention.name]), place[0])
            return answer

        x = layer("positions")(layer("embedding")(tokens[:, None]), first=place[0])  # (batch, 1, dim)
        x = stack(x, self.blocks, Style(0, 0, 0, 0.0, "pre"), find_in(self.model), itself)
        return layer("embedding")(x, reverse=True)[:, 0], cache

    def start(self, batch=1):
        """The state before any text: an empty cache, and the text."""
        attentions = [layer for layer in self.model.layers if layer.name.endswith("_attention")]
        caches = {layer.name: layer.empty_cache(batch, self.longest) for layer in attentions}
        return keras.tree.map_structure(keras.ops.convert_to_numpy, caches), np.zeros((batch, 0), "int32")

    def step(self, tokens, state):
        """(batch,) tokens and the state so far -> (batch, vocabulary) logits of what comes next, and the state."""
        cache, text = state
        tokens = np.asarray(tokens, "int32")
        if text.shape[1] == self.longest:
            kept = text[:, self.longest - self.longest // 2 :]
            cache, text = self.start(len(text))
            for each in kept.T:
                _, (cache, text) = self.step(each, (cache, text))
        place = np.full(len(tokens), text.shape[1], "int32")
        logits, cache = self.predict_on_batch((tokens, place, cache))
        return logits, (cache, np.concatenate([text, tokens[:, None]], axis=1))


def stepper(model):
    """`model` one token at a time."""
    return Stepper(model)
