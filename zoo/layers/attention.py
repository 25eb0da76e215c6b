"""Attention: every place of one sequence asks every place of another what it holds.

    softmax(Q K^T / sqrt(d_k)) V        A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017, equation 1

`Attention` is Keras's multi-head layer, which takes the fused kernels that a backend has (flash attention on GPUs, with
JAX and PyTorch: ``keras.config.enable_flash_attention()``), with what a decoder needs besides: keys and values kept
from earlier steps. Masks are True where one may look. Token 0 is padding.
"""

import keras
import numpy as np
from keras import layers, ops

from zoo.checks import is_whole
from zoo.errors import UsageError
from zoo.layers.sequence import is_real


@keras.saving.register_keras_serializable("zoo")
class Padding(layers.Layer):
    """Where one may look: (batch, time) tokens -> (batch, 1, time), True up to the last token that is not 0.

    >>> ops.convert_to_numpy(Padding()(ops.array([[5, 0, 7, 0]]))).tolist()
    [[[True, True, True, False]]]
    """

    def call(self, tokens):
        return ops.expand_dims(is_real(tokens), 1)

    def compute_output_spec(self, tokens):
        batch, time = tokens.shape
        return keras.KerasTensor((batch, 1, time), "bool")


@keras.saving.register_keras_serializable("zoo")
class Attention(layers.MultiHeadAttention):
    """`keras.layers.MultiHeadAttention` of heads as wide as they are many: key_dim = dim / heads.

    Shapes: query (batch, T, dim), value (batch, S, dim), mask (batch, 1 or T, S) -> (batch, T, dim).

    Args:
        num_heads: how many questions are asked at once; divides the width of the query.
        causal: each place sees those before it and itself.
        output_initializer: of the last projection, where it is not that of the others.

    Raises:
        UsageError: if the heads do not divide the width.

    >>> layer = Attention(8, 128)
    >>> layer.build((None, 10, 128), (None, 10, 128))
    >>> layer.count_params()  # 4 x (128 x 128 + 128); with key_dim=128 it would be 527,488
    66048
    """

    def __init__(self, num_heads, dim, *, causal=False, output_initializer=None, **kwargs):
        check_heads(num_heads, dim)
        kwargs = {key: value for key, value in kwargs.items() if key not in ("key_dim", "value_dim", "output_shape")}
        super().__init__(num_heads, dim // num_heads, **kwargs)
        self.dim, self.causal = dim, causal
        self.output_initializer = keras.initializers.get(output_initializer)

    def build(self, query_shape, value_shape):
        super().build(query_shape, value_shape)

    def _make_output_dense(self, query_shape, common_kwargs, name=None):
        if self.output_initializer is not None:
            common_kwargs = {**common_kwargs, "kernel_initializer": self.output_initializer}
        return super()._make_output_dense(query_shape, common_kwargs, name)

    def call(self, query, value, attention_mask=None, return_attention_scores=False, training=None):
        return super().call(
            query,
            value,
            attention_mask=attention_mask,
            return_attention_scores=return_attention_scores,
            training=training,
            use_causal_mask=self.causal,
        )

    def compute_output_spec(self, query, value, attention_mask=None, return_attention_scores=False, training=None):
        return super().compute_output_spec(query, value, return_attention_scores=return_attention_scores)

    # One step at a time.

    def keys_and_values(self, x):
        """(batch, S, dim) -> keys and values (batch, S, heads, dim / heads) each, to be kept."""
        return self.key_dense(x), self.value_dense(x)

    def empty_cache(self, batch, longest):
        """Room for the keys and values of `longest` steps."""
        shape = (batch, longest, self.num_heads, self.key_dim)
        return ops.zeros(shape, self.compute_dtype), ops.zeros(shape, self.compute_dtype)

    def step(self, x, cache, position):
        """The answer for place number `position` alone, whose keys and values join those in the cache.

        Shapes: x (batch, 1, dim), cache as in `empty_cache` -> (batch, 1, dim), the new cache.
        """
        cache = tuple(
            ops.slice_update(kept, (0, position, 0, 0), new) for kept, new in zip(cache, self.keys_and_values(x))
        )
        so_far = ops.arange(cache[0].shape[1]) <= position
        return self.ask(x, *cache, so_far[None, None, :]), cache

    def ask(self, x, keys, values, mask):
        """Attention to keys and values that are there already.

        Shapes: x (batch, T, dim), keys and values (batch, S, heads, dim / heads), mask (batch, 1 or T, S).
        """
        scores = ops.einsum("bthd,bshd->bhts", self.query_dense(x), keys) / float(np.sqrt(self.key_dim))
        scores = ops.where(mask[:, None], ops.cast(scores, "float32"), -1e9)
        weights = ops.cast(ops.softmax(scores, axis=-1), values.dtype)
        return self.output_dense(ops.einsum("bhts,bshd->bthd", weights, values))

    def get_config(self):
        config = super().get_config()
        for word in ("key_dim", "value_dim", "output_shape"):  # they follow from `dim`
            config.pop(word)
        initializer = self.output_initializer and keras.initializers.serialize(self.output_initializer)
        return {**config, "dim": self.dim, "causal": self.causal, "output_initializer": initializer}


def check_heads(heads, dim):
    if not is_whole(heads) or dim % heads:
        raise UsageError(f"heads is {heads!r} and dim {dim}; expected a whole number of heads that divides it")


def sinusoids(length, dim):
    """Section 3.5 of the paper: sin and cos of position / 10000^(2i / dim), in turn, i = 0 .. dim / 2. (length, dim)

    >>> sinusoids(2, 4).round(2)
    array([[0.  , 1.  , 0.  , 1.  ],
           [0.84, 0.54, 0.01, 1.  ]], dtype=float32)
    """
    angles = np.arange(length)[:, None] / 10_000.0 ** (np.arange(0, dim, 2) / dim)
    table = np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, -1)
    return table[:, :dim].astype("float32")


@keras.saving.register_keras_serializable("zoo")
class Positions(layers.Layer):
    """Adds to each place of a sequence what says where it is.

    Shapes: (batch, time, dim) -> the same.

    Args:
        longest: how many places there are.
        kind: ``"sinusoidal"``, fixed, or ``"learned"``, a vector for each place.
        scale: what the sequence is multiplied with first.
        initializer: of the learned ones.

    Raises:
        UsageError: for another kind, or a sequence that is longer.
    """

    def __init__(self, longest, kind="sinusoidal", scale=1.0, initializer="uniform", **kwargs):
        super().__init__(**kwargs)
        if kind not in ("sinusoidal", "learned"):
            raise UsageError(f"positions are {kind!r}; expected 'sinusoidal' or 'learned'")
        self.longest, self.kind, self.scale = longest, kind, scale
        self.initializer = keras.initializers.get(initializer)

    def build(self, shape):
        self.check_length(shape[1])
        if self.kind == "learned":
            self.table = self.add_weight(
                shape=(self.longest, shape[-1]), initializer=self.initializer, name="embeddings"
            )
        else:
            self.table = sinusoids(self.longest, shape[-1])

    def call(self, x, first=0):
        """`first` is the number of the first place: where a text goes on."""
        self.check_length(x.shape[1])
        table = ops.cast(self.table, x.dtype)
        here = ops.arange(ops.shape(x)[1], dtype="int32") + ops.cast(first, "int32")
        return x * self.scale + ops.take(table, here, axis=0)

    def check_length(self, time):
        if time is not None and time > self.longest:
            raise UsageError(f"a sequence has {time} places; expected at most {self.longest}: cut it, or build longer")

    def multiply_adds(self, before, after):
        return 0

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        initializer = keras.initializers.serialize(self.initializer)
        return {
            **super().get_config(),
            "longest": self.longest,
            "kind": self.kind,
            "scale": self.scale,
            "initializer": initializer,
        }


def attention_weights(model, inputs):
    """Who looks where: the name of each attention layer -> weights, (batch, heads, T, S) each.

    Args:
        model: a flat Functional `keras.Model` with `Attention` or Keras's `Attention` layers in it.
        inputs: as the model takes them.
    """
    asked = [layer for layer in model.layers if isinstance(layer, (layers.MultiHeadAttention, layers.Attention))]
    if not asked:
        return {}
    before = keras.Model(model.input, {layer.name: layer.input for layer in asked})(inputs, training=False)
    maps = {}
    for layer in asked:
        given = before[layer.name]
        if isinstance(layer, layers.MultiHeadAttention):
            _, weights = layer(*given, return_attention_scores=True)  # query, value and, where there is one, a mask
        else:
            (*given, mask) = given
            _, weights = layer(given, mask=[None, mask], return_attention_scores=True)
            weights = weights[:, None]  # one head
        maps[layer.name] = ops.convert_to_numpy(weights)
    return maps
