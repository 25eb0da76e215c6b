"""Attention: every position of one sequence takes from every position of another what it needs.

    softmax(Q K^T / sqrt(d_k)) V        A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017, equation 1

`Attention` is Keras's multi-head layer, which takes the fused kernels that a backend has (flash attention on GPUs, with
JAX and PyTorch: ``keras.config.enable_flash_attention()``), with what decoding needs besides: a `Cache` of the keys and
values of earlier positions. Masks are True where attention is allowed. Token 0 is padding.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo.checks import is_whole
from zoo.errors import UsageError
from zoo.layers.initializers import fresh
from zoo.layers.sequence import is_real


@keras.saving.register_keras_serializable("zoo")
class Padding(layers.Layer):
    """The mask of padding: (batch, time) tokens -> (batch, 1, time), True up to the last token that is not 0.

    >>> ops.convert_to_numpy(Padding()(ops.array([[5, 0, 7, 0]]))).tolist()
    [[[True, True, True, False]]]
    """

    def call(self, tokens: Any) -> Any:
        return ops.expand_dims(is_real(tokens), 1)

    def compute_output_spec(self, tokens: Any) -> keras.KerasTensor:
        batch, time = tokens.shape
        return keras.KerasTensor((batch, 1, time), "bool")


@dataclass
class Cache:
    """The keys and values of a decoder's earlier positions, for one of its blocks, and the position to decode.

    `Attention.attend_next` adds the keys and values of that position. The heads come before the positions, as the
    products of matrices want them: a step that had to turn the cache round would copy it.
    """

    keys: Any  # (batch, heads, max_length, dim / heads)
    values: Any  # the same
    position: Any  # a whole number from 0
    memory: tuple[Any, ...] = ()  # for cross-attention: keys, values and mask, see `Attention.attend`


@keras.saving.register_keras_serializable("zoo")
class Attention(layers.MultiHeadAttention):
    """`keras.layers.MultiHeadAttention` with heads that share the width of the sequence: key_dim = dim / num_heads.

    Shapes: query (batch, T, dim), value (batch, S, dim), mask (batch, 1 or T, S) -> (batch, T, dim).

    Args:
        num_heads: attentions side by side, each with queries, keys and values of its own; divides `dim`.
        dim: width of the query and of the output.
        causal: each position attends to itself and those before it.
        output_initializer: of the last projection, where it is not that of the others.

    Raises:
        UsageError: if `num_heads` does not divide `dim`.

    >>> layer = Attention(8, 128)
    >>> layer.build((None, 10, 128), (None, 10, 128))
    >>> layer.count_params()  # 4 x (128 x 128 + 128); with key_dim=128 it would be 527,488
    66048
    """

    def __init__(
        self, num_heads: int, dim: int, *, causal: bool = False, output_initializer: Any = None, **kwargs: Any
    ):
        check_heads(num_heads, dim)
        kwargs = {key: value for key, value in kwargs.items() if key not in ("key_dim", "value_dim", "output_shape")}
        super().__init__(num_heads, dim // num_heads, **kwargs)
        self.dim, self.causal = dim, causal
        self.output_initializer = keras.initializers.get(output_initializer)

    def build(self, query_shape: tuple[int | None, ...], value_shape: tuple[int | None, ...]) -> None:
        super().build(query_shape, value_shape)

    def _make_output_dense(self, query_shape: Any, common_kwargs: dict[str, Any], name: str | None = None) -> Any:
        if self.output_initializer is not None:
            common_kwargs = {**common_kwargs, "kernel_initializer": fresh(self.output_initializer)}
        return super()._make_output_dense(query_shape, common_kwargs, name)

    def call(
        self, query: Any, value: Any, attention_mask: Any = None, return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Any:  # fmt: skip
        return super().call(
            query,
            value,
            attention_mask=attention_mask,
            return_attention_scores=return_attention_scores,
            training=training,
            use_causal_mask=self.causal,
        )

    def compute_output_spec(
        self, query: Any, value: Any, attention_mask: Any = None, return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Any:  # fmt: skip
        return super().compute_output_spec(query, value, return_attention_scores=return_attention_scores)

    # Decoding, position after position.

    def keys_and_values(self, x: Any) -> tuple[Any, Any]:
        """(batch, S, dim) -> keys and values (batch, heads, S, dim / heads) each, to be kept."""
        return heads_first(self.key_dense(x)), heads_first(self.value_dense(x))

    def empty_cache(self, batch: Any, max_length: int) -> tuple[Any, Any]:
        """Zeros in place of the keys and values of `max_length` positions, (batch, heads, max_length, dim / heads)."""
        shape = (batch, self.num_heads, max_length, self.key_dim)
        return ops.zeros(shape, self.compute_dtype), ops.zeros(shape, self.compute_dtype)

    def attend_next(self, x: Any, cache: Cache) -> Any:
        """Causal self-attention of the next positions, from the cache's on; their keys and values join its own.

        Shapes: x (batch, T, dim) -> (batch, T, dim).
        """
        keys, values = self.keys_and_values(x)  # (batch, heads, T, dim / heads)
        cache.keys = ops.slice_update(cache.keys, (0, 0, cache.position, 0), keys)
        cache.values = ops.slice_update(cache.values, (0, 0, cache.position, 0), values)
        positions = ops.arange(ops.shape(x)[1], dtype="int32") + ops.cast(cache.position, "int32")
        so_far = ops.arange(cache.keys.shape[2], dtype="int32") <= positions[:, None]  # (T, max_length)
        return self.attend(x, cache.keys, cache.values, so_far[None])

    def attend(self, x: Any, keys: Any, values: Any, mask: Any) -> Any:
        """Attention to keys and values that are computed already.

        Shapes: x (batch, T, dim), keys and values (batch, heads, S, dim / heads), mask (batch, 1 or T, S).
        """
        queries = heads_first(self.query_dense(x))  # (batch, heads, T, dim / heads)
        scores = ops.matmul(queries, ops.swapaxes(keys, 2, 3)) / float(np.sqrt(self.key_dim))
        scores = ops.where(mask[:, None], ops.cast(scores, "float32"), -1e9)
        weights = ops.cast(ops.softmax(scores, axis=-1), values.dtype)  # (batch, heads, T, S)
        return self.output_dense(heads_first(ops.matmul(weights, values)))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for word in ("key_dim", "value_dim", "output_shape"):  # they follow from `dim`
            config.pop(word)
        initializer = self.output_initializer and keras.initializers.serialize(self.output_initializer)
        return {**config, "dim": self.dim, "causal": self.causal, "output_initializer": initializer}


def heads_first(x: Any) -> Any:
    """(batch, time, heads, width) -> (batch, heads, time, width), and back."""
    return ops.swapaxes(x, 1, 2)


def check_heads(num_heads: int, dim: int) -> None:
    if not is_whole(num_heads) or dim % num_heads:
        raise UsageError(f"num_heads is {num_heads!r} and dim {dim}; expected a whole number of heads that divides it")


def sinusoids(length: int, dim: int) -> np.ndarray:
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
    """Adds the encoding of its position to each vector of a sequence.

    Shapes: (batch, time, dim) -> the same.

    Args:
        max_length: how many positions there are.
        kind: ``"sinusoidal"``, fixed, or ``"learned"``, a vector for each position.
        scale: what the sequence is multiplied with first.
        initializer: of the learned ones.

    Raises:
        UsageError: for another kind, or a sequence that is longer.
    """

    def __init__(
        self, max_length: int, kind: str = "sinusoidal", scale: float = 1.0, initializer: Any = "uniform", **kwargs: Any
    ):
        super().__init__(**kwargs)
        if kind not in ("sinusoidal", "learned"):
            raise UsageError(f"positions are {kind!r}; expected 'sinusoidal' or 'learned'")
        self.max_length, self.kind, self.scale = max_length, kind, scale
        self.initializer = keras.initializers.get(initializer)

    def build(self, shape: tuple[Any, ...]) -> None:
        self.check_length(shape[1])
        if self.kind == "learned":
            self.table = self.add_weight(
                shape=(self.max_length, shape[-1]), initializer=self.initializer, name="embeddings"
            )
        else:
            self.table = sinusoids(self.max_length, shape[-1])

    def call(self, x: Any, first: Any = 0) -> Any:
        """`first` is the position of the first vector: in decoding, of the only one."""
        self.check_length(x.shape[1])
        table = ops.cast(self.table, x.dtype)
        positions = ops.arange(ops.shape(x)[1], dtype="int32") + ops.cast(first, "int32")
        return x * self.scale + ops.take(table, positions, axis=0)

    def check_length(self, time: int | None) -> None:
        if time is not None and time > self.max_length:
            raise UsageError(
                f"a sequence has {time} tokens; expected at most {self.max_length}: cut it, or raise max_length"
            )

    def multiply_adds(self, before: tuple[int, ...], after: tuple[int, ...]) -> int:
        return 0

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Positions":
        renamed = {"longest": "max_length"}  # as files of version 0.1 have it
        return super().from_config({renamed.get(key, key): value for key, value in config.items()})

    def get_config(self) -> dict[str, Any]:
        initializer = keras.initializers.serialize(self.initializer)
        return {
            **super().get_config(),
            "max_length": self.max_length,
            "kind": self.kind,
            "scale": self.scale,
            "initializer": initializer,
        }


def attention_weights(model: keras.Model, inputs: Any) -> dict[str, np.ndarray]:
    """The weights of every attention layer for given inputs: the layer's name -> (batch, heads, T, S).

    Args:
        model: a flat Functional `keras.Model` with `Attention` or Keras's `Attention` layers in it.
        inputs: as the model takes them.
    """
    attentions = [each for each in model.layers if isinstance(each, (layers.MultiHeadAttention, layers.Attention))]
    if not attentions:
        return {}
    arguments = keras.Model(model.input, {layer.name: layer.input for layer in attentions})(inputs, training=False)
    weights: dict[str, np.ndarray] = {}
    for layer in attentions:
        given = arguments[layer.name]
        if isinstance(layer, layers.MultiHeadAttention):
            _, found = layer(*given, return_attention_scores=True)  # query, value and, where there is one, a mask
        else:
            *given, mask = given
            _, found = layer(given, mask=[None, mask], return_attention_scores=True)
            found = found[:, None]  # one head
        weights[layer.name] = ops.convert_to_numpy(found)
    return weights
