"""The Transformer: attention in place of recurrence.

A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017, arXiv:1706.03762: section 3, Figure 1 and Table 3.

    transformer             source and target tokens to the logits of the target's next token
    transformer_classifier  the encoder alone, to a class

    encoder block   self-attention, MLP                                            of the source
    decoder block   causal self-attention, attention to the encoder's end, MLP     of the target so far

Each of these parts is wrapped in a residual connection and a layer normalisation: around both (``norm="post"``, the
paper's, which needs a warm-up of the learning rate), or before the part alone with one more at the end
(``norm="pre"``: R. Xiong et al., ICML 2020, which is easier to train).

    base (Table 3), shared vocabulary of 37,000     numbers
    embedding, used three times     37,000 x 512    18,944,000
    6 encoder blocks                 3,152,384 each 18,914,304
    6 decoder blocks                 4,204,032 each 25,224,192
    together                                        63,082,496     (the paper says 65 million)

`block` builds the graph and walks through it again one token at a time: the layers are made the first time and found
by their names the second, so the two cannot differ in more than where the keys and values come from.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from zoo.checks import check_whole
from zoo.errors import UsageError
from zoo.layers.attention import Attention, Padding, Positions
from zoo.layers.sequence import PoolSequence
from zoo.records import Card, Expected, Input, Recipe, replace
from zoo.registry import register

PAPER = "Vaswani et al. 2017, NeurIPS, arXiv:1706.03762, section 3, Table 3"

# Normalised before each part, which learns this in fewer steps than the paper's way, after each sum.
SMALL = {"blocks": 2, "dim": 64, "heads": 4, "hidden": 128, "norm": "pre", "dropout": 0.0}
DATES = Recipe(
    name="demo",
    dataset="written_dates:1.0.0",
    preprocess={"tokens": "characters", "length": 40},
    model=SMALL,
    epochs=18,
    batch_size=64,
    optimizer_options={"beta_2": 0.98, "epsilon": 1e-9},
    learning_rate=3e-3,
    schedule="inverse_sqrt",
    schedule_options={"warmup_steps": 400},
    expected=Expected("exact_match", 0.98, "worst of 3 seeds: results/demo.csv"),
)
SENTENCES = Recipe(
    name="translate_folder",
    dataset="",
    preprocess={
        "tokens": "subwords",
        "vocabulary": 8000,
        "length": 64,
        "batch_tokens": 4096,
        "source": "",  # of more than two languages: --option source=de --option target=fr
        "target": "",
    },
    # After each sum, two of three trainings on Multi30k learned little from the source: 26 BLEU in place of 40.
    model={"blocks": 4, "dim": 256, "heads": 8, "hidden": 1024, "dropout": 0.3, "norm": "pre"},
    epochs=40,
    optimizer_options={"beta_2": 0.98, "epsilon": 1e-9, "use_ema": True, "ema_momentum": 0.998},
    learning_rate=1.5e-3,
    schedule="inverse_sqrt",
    schedule_options={"warmup_steps": 2000},
)


@dataclass(frozen=True)
class Style:
    """What the blocks of one network have in common."""

    dim: int
    heads: int
    hidden: int
    dropout: float
    norm: str = "post"
    activation: Any = "relu"
    epsilon: float = 1e-6
    initializer: Any = "glorot_uniform"
    output_initializer: Any = None  # of what is added to the residual stream, if another

    def __post_init__(self):
        if self.norm not in ("pre", "post"):
            raise UsageError(f"norm is {self.norm!r}; expected 'pre' (before each part) or 'post' (after each sum)")


Maker = Callable[..., Any]  # (name, kind, *arguments, **options) -> a layer


def make(name, kind, *arguments, **options):
    return kind(*arguments, name=name, **options)


def find_in(model) -> Maker:
    """The layers that `make` made for a model."""
    return lambda name, *_, **__: model.get_layer(name)


def norm(layer: Maker, name, style):
    return layer(name, layers.LayerNormalization, epsilon=style.epsilon)


def residual(x, name, style: Style, layer: Maker, part):
    """x and what a part makes of it, normalised before the part or after the sum. (batch, time, dim)"""
    normalise = norm(layer, f"{name}_norm", style)
    y = part(normalise(x) if style.norm == "pre" else x)
    y = layer(f"{name}_dropout", layers.Dropout, style.dropout)(y)
    x = layer(f"{name}_add", layers.Add)([x, y])
    return x if style.norm == "pre" else normalise(x)


def block(x, name, style: Style, layer: Maker, itself, *, causal=False, across=None):
    """One block of an encoder, or of a decoder where `across` is given. (batch, time, dim) -> the same

    Args:
        x: what the block below says.
        name: of the block; its layers' names begin with it.
        style: sizes and habits.
        layer: `make`, or `find_in` a model.
        itself: (attention layer, x) -> its answer within the sequence.
        causal: whether that one looks back only.
        across: (attention layer, x) -> its answer from the encoder.
    """
    weights = dict(kernel_initializer=style.initializer)
    last = dict(kernel_initializer=style.output_initializer or style.initializer)

    def attention(name, **options):
        options |= weights | {"output_initializer": style.output_initializer}
        return layer(name, Attention, style.heads, style.dim, **options)

    def mlp(x):
        x = layer(f"{name}_mlp_in", layers.Dense, style.hidden, activation=style.activation, **weights)(x)
        return layer(f"{name}_mlp_out", layers.Dense, style.dim, **last)(x)

    first = attention(f"{name}_attention", causal=causal)
    x = residual(x, f"{name}_attention", style, layer, lambda x: itself(first, x))
    if across:
        second = attention(f"{name}_cross")
        x = residual(x, f"{name}_cross", style, layer, lambda x: across(second, x))
    return residual(x, f"{name}_mlp", style, layer, mlp)


def encode(x, mask, blocks, style: Style, layer: Maker = make):
    """Blocks of an encoder over x (batch, S, dim), looking where the mask (batch, 1, S) is True."""
    for number in range(1, blocks + 1):
        x = block(x, f"encoder{number}", style, layer, lambda attention, x: attention(x, x, attention_mask=mask))
    return norm(layer, "encoder_norm", style)(x) if style.norm == "pre" else x


def check_blocks(blocks):
    check_whole("blocks", blocks)


TRANSFORMER = Card(
    task="translation",
    summary="the Transformer, encoder and decoder: from one sequence to another by attention",
    params=63_082_496,
    paper=PAPER,
    deviations=(
        "37,000 rows of one vocabulary for both languages; Table 3 says 65 million parameters",
        "what lies behind the end of a target is not masked: nothing real looks there",
    ),
    notes=("no dropout on the attention weights, so that fused attention can be taken",),
    inputs=(
        Input("source", (128,), "int32", "numbers of characters or subwords, 0 after the end"),
        Input("target", (128,), "int32", "the same of the target, one place later: the start token comes first"),
    ),
    preprocessing="none",
    loss="smoothed_crossentropy",
    recipes=(
        DATES,
        replace(
            SENTENCES,
            name="ted_hrlr_translate",
            dataset="ted_hrlr_translate/pt_to_en:1.0.0",
            expected=Expected("bleu", 25.0, "public models of the same data reach 29 on a part of it", measured=False),
        ),
        SENTENCES,
        replace(SENTENCES, name="translate_folder_back", preprocess={**SENTENCES.preprocess, "reverse": True}),
    ),
    tiny={
        "input_shape": (None,),
        "target_shape": (None,),
        "vocabulary_size": 12,
        "blocks": 1,
        "dim": 16,
        "heads": 2,
        "hidden": 32,
        "longest": 40,
        "dropout": 0.0,
    },
    tutorial="22_transformer.py",
)


@register(TRANSFORMER)
def transformer(
    *,
    input_shape=(128,),
    target_shape=(128,),
    vocabulary_size=37_000,
    blocks=6,
    dim=512,
    heads=8,
    hidden=2048,
    norm="post",
    positions="sinusoidal",
    longest=1024,
    tied=True,
    dropout=0.1,
    name="transformer",
):
    """The Transformer (Vaswani et al. 2017, Figure 1); the defaults are the paper's base model.

    Args:
        input_shape, target_shape: (tokens,) of source and target, or (None,) for any number of them.
        vocabulary_size: how many tokens there are, one vocabulary for both sides; 0 is padding.
        blocks: of the encoder, and as many of the decoder.
        dim: numbers that stand for a token.
        heads: of each attention; they divide `dim`.
        hidden: units between the two layers of an MLP.
        norm: ``"post"``, after each sum, or ``"pre"``, before each part.
        positions: ``"sinusoidal"`` or ``"learned"``.
        longest: how many places there are.
        tied: one matrix for both embeddings and the logits (section 3.4); else three.
        dropout: share of the numbers silenced in each sum (section 5.4).
        name: of the returned model.

    Returns:
        A `keras.Model`: ``{"source": (batch, S), "target": (batch, T)}`` whole numbers to (batch, T, vocabulary_size)
        logits of the target's next token.

    Raises:
        UsageError: for heads that do not divide `dim`, or words that are not among those above.

    >>> transformer(vocabulary_size=10, blocks=1, dim=8, heads=2, hidden=16).count_params()
    1584
    """
    check_blocks(blocks)
    style = Style(dim, heads, hidden, dropout, norm)
    source = keras.Input(input_shape, dtype="int32", name="source")
    target = keras.Input(target_shape, dtype="int32", name="target")
    mask = Padding(name="source_mask")(source)  # (batch, 1, S)

    def embedding(name):
        spread = keras.initializers.RandomNormal(stddev=dim**-0.5)  # times sqrt(dim), see below: of size 1
        return layers.ReversibleEmbedding(
            vocabulary_size, dim, embeddings_initializer=spread, reverse_dtype="float32", name=name
        )

    def place(x, side):
        x = Positions(longest, positions, scale=float(dim**0.5), name=f"{side}_positions")(x)
        return layers.Dropout(dropout, name=f"{side}_dropout")(x)

    table = embedding("embedding")
    target_table = table if tied else embedding("target_embedding")
    memory = encode(place(table(source), "source"), mask, blocks, style)  # (batch, S, dim)
    x = decode(
        place(target_table(target), "target"),
        blocks,
        style,
        make,
        itself=lambda attention, x: attention(x, x),
        across=lambda attention, x: attention(x, memory, attention_mask=mask),
    )
    if tied:
        logits = table(x, reverse=True)
    else:
        logits = layers.Dense(vocabulary_size, use_bias=False, dtype="float32", name="logits")(x)
    return keras.Model({"source": source, "target": target}, logits, name=name)


def decode(x, blocks, style: Style, layer: Maker, *, itself, across):
    """Blocks of a decoder over x (batch, T, dim)."""
    for number in range(1, blocks + 1):
        x = block(x, f"decoder{number}", style, layer, itself, causal=True, across=across)
    return norm(layer, "decoder_norm", style)(x) if style.norm == "pre" else x


class Decoder(keras.Model):
    """A trained `transformer`, one target token at a time. For `zoo.decoding.beam_search`."""

    def __init__(self, model):
        super().__init__(name=f"{model.name}_decoder")
        self.model = model
        names = {layer.name for layer in model.layers}
        self.blocks = sum(name.startswith("decoder") and name.endswith("_cross") for name in names)
        self.style = Style(0, 0, 0, 0.0, "pre" if "decoder_norm" in names else "post")
        self.table = model.get_layer("target_embedding" if "target_embedding" in names else "embedding")
        self.head = model.get_layer("logits") if "logits" in names else None  # None where tied
        first = model.get_layer("decoder1_cross").input  # x, what the encoder says, and where that is real
        self.encoder = keras.Model(model.input["source"], first[1:])
        self.longest = model.get_layer("target_positions").longest

    def build(self, shape):
        """Nothing: the layers are the model's."""

    def begin(self, source, longest):
        """The encoder's keys and values for each block, with their mask, and room for the decoder's own."""
        said, mask = self.encoder(source)
        memory, state = {"mask": mask}, {}
        for number in range(1, self.blocks + 1):
            cross = self.model.get_layer(f"decoder{number}_cross")
            memory[cross.name] = cross.keys_and_values(said)
            own = self.model.get_layer(f"decoder{number}_attention")
            state[own.name] = own.empty_cache(ops.shape(source)[0], longest)
        return memory, state

    def advance(self, tokens, position, memory, state):
        """Target tokens (batch,) at place `position` -> logits of those that follow (batch, vocabulary), the state."""
        state = dict(state)

        def itself(attention, x):
            answer, state[attention.name] = attention.step(x, state[attention.name], position)
            return answer

        def across(attention, x):
            return attention.ask(x, *memory[attention.name], memory["mask"])

        x = self.model.get_layer("target_positions")(self.table(tokens[:, None]), first=position)
        x = decode(x, self.blocks, self.style, find_in(self.model), itself=itself, across=across)
        logits = self.head(x) if self.head else self.table(x, reverse=True)
        return logits[:, 0], state


def decoder(model):
    """`model` one target token at a time."""
    return Decoder(model)


IMDB = Recipe(
    name="imdb_reviews",
    dataset="imdb_reviews/plain_text:1.0.0",
    train="train[:90%]",
    validation="train[90%:]",
    preprocess={"tokens": "words", "vocabulary": 20_000, "length": 400},
    epochs=4,
    batch_size=64,
    learning_rate=5e-4,
    schedule="cosine",
    schedule_options={"warmup_epochs": 1},
    expected=Expected("accuracy", 0.86, "keras-io's example reports .8745", measured=False),
)


@register(
    Card(
        task="text_classification",
        summary="the Transformer's encoder over words, to a class",
        params=2_692_994,
        paper=PAPER,
        deviations=(
            "the encoder alone; the mean of its places, and a linear layer on it, in place of a decoder",
            "normalisation before each part: it trains without a warm-up",
            "small: the paper has nothing to classify",
        ),
        inputs=(Input("tokens", (400,), "int32", "numbers of words, 0 after the end"),),
        preprocessing="none",
        recipes=(
            Recipe(
                name="demo",
                dataset="agreement:1.0.0",
                preprocess={"tokens": "words", "vocabulary": 200, "length": 40},
                model={"blocks": 2, "dim": 32, "heads": 4, "hidden": 64, "dropout": 0.0},
                epochs=10,
                batch_size=64,
                learning_rate=2e-3,
                schedule="cosine",
                schedule_options={"warmup_epochs": 2},
            ),
            IMDB,
            replace(IMDB, name="text_folder", dataset="", train="train", validation="validation", expected=None),
        ),
        tiny={
            "input_shape": (None,),
            "vocabulary_size": 12,
            "blocks": 1,
            "dim": 16,
            "heads": 2,
            "hidden": 32,
            "longest": 40,
            "dropout": 0.0,
        },
        tutorial="22_transformer.py",
    )
)
def transformer_classifier(
    *,
    input_shape=(400,),
    num_classes=2,
    vocabulary_size=20_000,
    blocks=1,
    dim=128,
    heads=4,
    hidden=256,
    norm="pre",
    positions="sinusoidal",
    longest=1024,
    dropout=0.2,
    name="transformer_classifier",
):
    """The encoder of the Transformer, and a class from the mean of what it says (Vaswani et al. 2017, section 3.1).

    Args:
        input_shape: (tokens,), or (None,) for any number of them.
        num_classes: length of the logit vector.
        vocabulary_size: how many tokens there are; 0 is padding.
        blocks: of the encoder.
        dim: numbers that stand for a token.
        heads: of each attention; they divide `dim`.
        hidden: units between the two layers of an MLP.
        norm: ``"pre"``, before each part, or ``"post"``, after each sum.
        positions: ``"sinusoidal"`` or ``"learned"``.
        longest: how many places there are.
        dropout: share of the numbers silenced in each sum.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, tokens) whole numbers to (batch, num_classes) logits.

    Raises:
        UsageError: for heads that do not divide `dim`, or words that are not among those above.

    >>> transformer_classifier(vocabulary_size=10, dim=8, heads=2, hidden=16).count_params()
    714
    """
    check_blocks(blocks)
    style = Style(dim, heads, hidden, dropout, norm)
    tokens = keras.Input(input_shape, dtype="int32", name="tokens")
    mask = Padding(name="mask")(tokens)  # (batch, 1, time)
    spread = keras.initializers.RandomNormal(stddev=dim**-0.5)
    x = layers.Embedding(vocabulary_size, dim, embeddings_initializer=spread, name="embedding")(tokens)
    x = Positions(longest, positions, scale=float(dim**0.5), name="positions")(x)  # (batch, time, dim)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = encode(x, mask, blocks, style)
    x = PoolSequence("mean", name="pool")(x, tokens)  # (batch, dim)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(tokens, logits, name=name)
