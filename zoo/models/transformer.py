"""The Transformer: attention in place of recurrence.

A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017, arXiv:1706.03762: section 3, Figure 1 and Table 3.

    transformer             source and target tokens to the logits of the target's next token
    transformer_classifier  the encoder alone, to a class

    encoder block   self-attention, MLP                                of the source
    decoder block   causal self-attention, cross-attention, MLP        of the target so far

Each of these sublayers is wrapped in a residual connection and a layer normalisation: around both (``norm="post"``, the
paper's, which needs a warm-up of the learning rate), or before the sublayer alone with one more at the end
(``norm="pre"``: R. Xiong et al., ICML 2020, which is easier to train).

    base (Table 3), shared vocabulary of 37,000     parameters
    embedding, used three times     37,000 x 512    18,944,000
    6 encoder blocks                 3,152,384 each 18,914,304
    6 decoder blocks                 4,204,032 each 25,224,192
    together                                        63,082,496     (the paper says 65 million)

`Block` is the block of this file's networks, of GPT (`zoo.models.gpt`) and of BERT (`zoo.models.bert`). In training it
sees all positions at once; in decoding (`Decoder`) one position, and those before it in a cache. The file is long so
that the block, the networks and the decoding of section 3 can be read in one place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import KerasTensor, layers

from zoo.checks import check_whole
from zoo.errors import UsageError
from zoo.layers.attention import Attention, Cache, Padding, Positions
from zoo.layers.initializers import fresh
from zoo.layers.residual import depth_rates, dropped
from zoo.layers.sequence import PoolSequence
from zoo.recipes.transformer import (
    CLASSIFIER_DEMO,
    DATES,
    IMDB,
    TED,
    TEXT_FOLDER,
    TRANSLATE_FOLDER,
    TRANSLATE_FOLDER_BACK,
)
from zoo.records import Card, Input
from zoo.registry import register

PAPER = "Vaswani et al. 2017, NeurIPS, arXiv:1706.03762, section 3, Table 3"
TINY = dict(vocabulary_size=12, num_layers=1, dim=16, num_heads=2, mlp_dim=32, max_length=40, dropout=0.0)


@dataclass
class Residual:
    """The residual connection around a sublayer, with dropout and layer normalisation (sections 3.1 and 5.4)."""

    norm: layers.LayerNormalization
    dropout: layers.Dropout
    add: layers.Add
    norm_first: bool
    drop_path: layers.Dropout | None = None  # stochastic depth

    def __call__(self, x: Any, sublayer: Callable[[Any], Any]) -> Any:
        branch = self.dropout(sublayer(self.norm(x) if self.norm_first else x))
        x = self.add([x, self.drop_path(branch) if self.drop_path else branch])
        return x if self.norm_first else self.norm(x)


class Block:
    """One block of an encoder, or of a decoder (Figure 1, left and right): with ``norm="pre"``

        x = x + attention(norm(x))
        x = x + cross_attention(norm(x), memory)        in a decoder with an encoder
        x = x + mlp(norm(x))

    and ``x = norm(x + attention(x))`` with ``norm="post"``. It is no Keras layer, so that the graph of a network stays
    flat: its layers are called `name`_attention, `name`_attention_norm, ..., `name`_mlp_out.

    Args:
        name: of the block.
        dim: width of the sequence.
        num_heads: of each attention; they divide `dim`.
        mlp_dim: units between the two layers of the MLP.
        dropout: fraction of each sublayer's output that is zeroed in training.
        norm: ``"pre"`` or ``"post"``.
        causal: each position attends to itself and those before it.
        cross: with attention to a memory, the encoder's output.
        activation: of the MLP.
        epsilon: of the normalisations.
        initializer: of all matrices.
        output_initializer: of the last matrix of each sublayer, where it is another.
        drop_path: fraction of the examples that skip a sublayer in training (`zoo.layers.residual`).
        attention: another layer in place of `Attention`, as `zoo.layers.relative_attention`'s.
    """

    def __init__(
        self,
        name: str,
        dim: int,
        num_heads: int,
        mlp_dim: int,
        dropout: float,
        norm: str,
        *,
        causal: bool = False,
        cross: bool = False,
        activation: Any = "relu",
        epsilon: float = 1e-6,
        initializer: Any = "glorot_uniform",
        output_initializer: Any = None,
        drop_path: float = 0.0,
        attention: Any = None,
    ):
        check_norm(norm)

        def attending(part: str, **options: Any) -> Attention:
            options |= {"kernel_initializer": initializer, "output_initializer": output_initializer}
            layer = Attention(num_heads, dim, **options, name=f"{name}_{part}")
            layer.build((None, None, dim), (None, None, dim))
            return layer

        def residual(part: str) -> Residual:
            normalization = layers.LayerNormalization(epsilon=epsilon, name=f"{name}_{part}_norm")
            silenced = layers.Dropout(dropout, name=f"{name}_{part}_dropout")
            path = dropped(drop_path, 3, f"{name}_{part}_drop_path") if drop_path else None
            return Residual(normalization, silenced, layers.Add(name=f"{name}_{part}_add"), norm == "pre", path)

        def dense(part: str, units: int, initializer: Any, activation: Any = None) -> layers.Dense:
            return layers.Dense(units, activation, kernel_initializer=fresh(initializer), name=f"{name}_{part}")

        self.attention = attention or attending("attention", causal=causal)
        self.attention_residual = residual("attention")
        self.cross = attending("cross") if cross else None
        self.cross_residual = residual("cross") if cross else None
        self.mlp_in = dense("mlp_in", mlp_dim, initializer, activation)
        self.mlp_out = dense("mlp_out", dim, output_initializer or initializer)
        self.mlp_residual = residual("mlp")

    @classmethod
    def of(cls, model: keras.Model, name: str) -> "Block":
        """The block of this name in a model, trained or loaded: the same layers."""
        found = {layer.name: layer for layer in model.layers}
        attention = found[f"{name}_attention"]
        norm_first = keras.tree.flatten(attention.input)[0] is found[f"{name}_attention_norm"].output

        def residual(part: str) -> Residual:
            norm, dropout, add = (found[f"{name}_{part}_{layer}"] for layer in ("norm", "dropout", "add"))
            return Residual(norm, dropout, add, norm_first, found.get(f"{name}_{part}_drop_path"))

        block = cls.__new__(cls)
        block.attention, block.attention_residual = attention, residual("attention")
        block.cross = found.get(f"{name}_cross")
        block.cross_residual = residual("cross") if block.cross else None
        block.mlp_in, block.mlp_out = found[f"{name}_mlp_in"], found[f"{name}_mlp_out"]
        block.mlp_residual = residual("mlp")
        return block

    def __call__(
        self, x: Any, mask: Any = None, memory: Any = None, memory_mask: Any = None, cache: Cache | None = None
    ) -> Any:
        """All positions of a sequence; or, with a cache, the next ones, whose keys and values join the cache.

        Shapes: x (batch, T, dim), mask (batch, 1, T), memory (batch, S, dim), memory_mask (batch, 1, S) -> as x. With a
        cache the memory is the cache's.
        """

        def self_attention(x: Any) -> Any:
            return self.attention.attend_next(x, cache) if cache else self.attention(x, x, attention_mask=mask)

        x = self.attention_residual(x, self_attention)  # (batch, T, dim)
        if (cross := self.cross) and self.cross_residual:

            def cross_attention(x: Any) -> Any:
                return cross.attend(x, *cache.memory) if cache else cross(x, memory, attention_mask=memory_mask)

            x = self.cross_residual(x, cross_attention)
        return self.mlp_residual(x, lambda x: self.mlp_out(self.mlp_in(x)))


def check_norm(norm: str) -> None:
    if norm not in ("pre", "post"):
        raise UsageError(f"norm is {norm!r}; expected 'pre' (before each sublayer) or 'post' (after each sum)")


def encode(
    x: KerasTensor, mask: KerasTensor | None, num_layers: int, drop_path: float = 0.0, **options: Any
) -> KerasTensor:
    """An encoder over x (batch, S, dim), where the mask (batch, 1, S) is True; `options` are those of its blocks.

    Stochastic depth grows from 0 in the first block to `drop_path` in the last.
    """
    check_whole("num_layers", num_layers)
    for number, rate in enumerate(depth_rates(drop_path, num_layers), start=1):
        x = Block(f"encoder{number}", **options, drop_path=rate)(x, mask)
    return layers.LayerNormalization(epsilon=1e-6, name="encoder_norm")(x) if options["norm"] == "pre" else x


@register(
    Card(
        task="translation",
        summary="the Transformer, encoder and decoder: from one sequence to another by attention",
        params=63_082_496,
        paper=PAPER,
        deviations=(
            "37,000 rows of one vocabulary for both languages; Table 3 says 65 million parameters",
            "the padding behind a target is not masked: no token before it attends there",
        ),
        notes=("no dropout on the attention weights, so that fused attention can be taken",),
        inputs=(
            Input("source", (128,), "int32", "token ids of characters or subwords, 0 after the end"),
            Input("target", (128,), "int32", "the same of the target, one position later: the start token comes first"),
        ),
        preprocessing="none",
        loss="smoothed_crossentropy",
        recipes=(DATES, TED, TRANSLATE_FOLDER, TRANSLATE_FOLDER_BACK),
        tiny={"input_shape": (None,), "target_shape": (None,), **TINY},
        tutorial="22_transformer.py",
    )
)
def transformer(
    *,
    input_shape: tuple[int | None, ...] = (128,),
    target_shape: tuple[int | None, ...] = (128,),
    vocabulary_size: int = 37_000,
    num_layers: int = 6,
    dim: int = 512,
    num_heads: int = 8,
    mlp_dim: int = 2048,
    norm: str = "post",
    positions: str = "sinusoidal",
    max_length: int = 1024,
    tied: bool = True,
    dropout: float = 0.1,
    name: str = "transformer",
) -> keras.Model:
    """The Transformer (Vaswani et al. 2017, Figure 1); the defaults are the paper's base model.

    Args:
        input_shape, target_shape: (tokens,) of source and target, or (None,) for any number of them.
        vocabulary_size: how many tokens there are, one vocabulary for both sides; 0 is padding.
        num_layers: blocks of the encoder, and as many of the decoder.
        dim: width of the embedding and of all blocks.
        num_heads: of each attention; they divide `dim`.
        mlp_dim: units between the two layers of an MLP.
        norm: ``"post"``, after each sum, or ``"pre"``, before each sublayer.
        positions: ``"sinusoidal"`` or ``"learned"``.
        max_length: how many positions there are.
        tied: one matrix for both embeddings and the logits (section 3.4); else three.
        dropout: fraction of each embedding and of each sublayer's output that is zeroed in training (section 5.4).
        name: of the returned model.

    Returns:
        A `keras.Model`: ``{"source": (batch, S), "target": (batch, T)}`` token ids to (batch, T, vocabulary_size)
        logits of the target's next token.

    Raises:
        UsageError: if `num_heads` does not divide `dim`, or a word is not among those above.

    >>> transformer(vocabulary_size=10, num_layers=1, dim=8, num_heads=2, mlp_dim=16).count_params()
    1584
    """
    sizes: dict[str, Any] = dict(dim=dim, num_heads=num_heads, mlp_dim=mlp_dim, dropout=dropout, norm=norm)
    source = keras.Input(input_shape, dtype="int32", name="source")
    target = keras.Input(target_shape, dtype="int32", name="target")
    mask = Padding(name="source_mask")(source)  # (batch, 1, S)

    def embedding(name: str) -> layers.ReversibleEmbedding:
        normal = keras.initializers.RandomNormal(stddev=dim**-0.5)  # times sqrt(dim), see below: of size 1
        return layers.ReversibleEmbedding(
            vocabulary_size, dim, embeddings_initializer=normal, reverse_dtype="float32", name=name
        )

    def embed(tokens: KerasTensor, table: layers.ReversibleEmbedding, side: str) -> KerasTensor:
        x = Positions(max_length, positions, scale=float(dim**0.5), name=f"{side}_positions")(table(tokens))
        return layers.Dropout(dropout, name=f"{side}_dropout")(x)

    source_table = embedding("embedding")
    target_table = source_table if tied else embedding("target_embedding")
    memory = encode(embed(source, source_table, "source"), mask, num_layers, **sizes)  # (batch, S, dim)
    x = embed(target, target_table, "target")  # (batch, T, dim)
    for number in range(1, num_layers + 1):
        x = Block(f"decoder{number}", **sizes, causal=True, cross=True)(x, memory=memory, memory_mask=mask)
    if norm == "pre":
        x = layers.LayerNormalization(epsilon=1e-6, name="decoder_norm")(x)
    if tied:
        logits = source_table(x, reverse=True)  # (batch, T, vocabulary)
    else:
        logits = layers.Dense(vocabulary_size, use_bias=False, dtype="float32", name="logits")(x)
    return keras.Model([source, target], logits, name=name)


class Decoder:
    """A trained `transformer`, one target position at a time (`zoo.decoding.base`).

    The memory of a source is, for each block, the keys and values of the encoder's output; the state, those of the
    target so far.
    """

    def __init__(self, model: keras.Model):
        self.model = model
        found = {layer.name: layer for layer in model.layers}
        attentions = [layer for layer in model.layers if isinstance(layer, Attention)]
        self.crosses = [layer for layer in attentions if layer.input[0] is not layer.input[1]]  # query and value
        self.blocks = [Block.of(model, layer.name.removesuffix("_cross")) for layer in self.crosses]
        _, memory, mask = self.crosses[0].input
        self.encoder = keras.Model(model.inputs[0], [memory, mask])
        self.table = found.get("target_embedding", found["embedding"])
        self.positions = found["target_positions"]
        self.max_length = self.positions.max_length
        self.norm = found.get("decoder_norm")
        self.logits = found.get("logits")  # None: tied

    def start(self, source: Any, batch: Any, max_length: int) -> tuple[Any, Any]:
        output, mask = self.encoder(source)  # (batch, S, dim), (batch, 1, S)
        memory = [(*cross.keys_and_values(output), mask) for cross in self.crosses]
        return memory, [block.attention.empty_cache(batch, max_length) for block in self.blocks]

    def step(self, tokens: Any, position: Any, memory: Any, state: Any) -> tuple[Any, Any]:
        caches = [Cache(keys, values, position, of) for (keys, values), of in zip(state, memory)]
        x = self.positions(self.table(tokens[:, None]), first=position)  # (batch, 1, dim)
        for block, cache in zip(self.blocks, caches):
            x = block(x, cache=cache)
        x = self.norm(x) if self.norm else x
        logits = self.logits(x) if self.logits else self.table(x, reverse=True)  # (batch, 1, vocabulary)
        return logits[:, 0], [(cache.keys, cache.values) for cache in caches]


def decoder(model: keras.Model) -> Decoder:
    """`model` one target position at a time."""
    return Decoder(model)


@register(
    Card(
        task="text_classification",
        summary="the Transformer's encoder over words, to a class",
        params=2_692_994,
        paper=PAPER,
        deviations=(
            "the encoder alone; the mean of its positions, and a linear layer on it, in place of a decoder",
            "normalisation before each sublayer: it trains without a warm-up",
            "small: the paper has nothing to classify",
        ),
        inputs=(Input("tokens", (400,), "int32", "token ids of words, 0 after the end"),),
        preprocessing="none",
        recipes=(CLASSIFIER_DEMO, IMDB, TEXT_FOLDER),
        tiny={"input_shape": (None,), **TINY},
        tutorial="22_transformer.py",
    )
)
def transformer_classifier(
    *,
    input_shape: tuple[int | None, ...] = (400,),
    num_classes: int = 2,
    vocabulary_size: int = 20_000,
    num_layers: int = 1,
    dim: int = 128,
    num_heads: int = 4,
    mlp_dim: int = 256,
    norm: str = "pre",
    positions: str = "sinusoidal",
    max_length: int = 1024,
    dropout: float = 0.2,
    name: str = "transformer_classifier",
) -> keras.Model:
    """The encoder of the Transformer, and a class from the mean of its output (Vaswani et al. 2017, section 3.1).

    Args:
        input_shape: (tokens,), or (None,) for any number of them.
        num_classes: length of the logit vector.
        vocabulary_size: how many tokens there are; 0 is padding.
        num_layers: blocks of the encoder.
        dim, num_heads, mlp_dim, norm, positions, max_length, dropout: as in `transformer`.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, tokens) token ids to (batch, num_classes) logits.

    Raises:
        UsageError: if `num_heads` does not divide `dim`, or a word is not among those above.

    >>> transformer_classifier(vocabulary_size=10, dim=8, num_heads=2, mlp_dim=16).count_params()
    714
    """
    tokens = keras.Input(input_shape, dtype="int32", name="tokens")
    mask = Padding(name="mask")(tokens)  # (batch, 1, time)
    normal = keras.initializers.RandomNormal(stddev=dim**-0.5)
    x = layers.Embedding(vocabulary_size, dim, embeddings_initializer=normal, name="embedding")(tokens)
    x = Positions(max_length, positions, scale=float(dim**0.5), name="positions")(x)  # (batch, time, dim)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = encode(x, mask, num_layers, dim=dim, num_heads=num_heads, mlp_dim=mlp_dim, dropout=dropout, norm=norm)
    x = PoolSequence("mean", name="pool")(x, tokens)  # (batch, dim)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(tokens, logits, name=name)
