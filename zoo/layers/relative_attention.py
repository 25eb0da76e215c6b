"""Attention by distance over segments of a text, each with a memory of what came before it.

Z. Dai et al., "Transformer-XL: Attentive Language Models Beyond a Fixed-Length Context", ACL 2019, arXiv:1901.02860.

    h~ = [SG(memory) ; h]                                       section 3.2, SG: no gradient goes back into the memory
    q = W_q h,  k = W_k h~,  v = W_v h~
    score(i, j) = (q_i + u) k_j + (q_i + w) W_r R_(i-j)         section 3.3, (a) to (d); R: sines of the distance i - j

The memory of a layer is what went into that same layer at the positions before the segment. So all segments of a text
can be computed side by side, layer after layer: what segment after segment would have kept in its memory is the
layer's own input, further left. The two are equal; nothing is kept from one call to the next.
"""

import math
from typing import Any

import keras
from keras import layers, ops

from zoo.checks import check_whole
from zoo.errors import UsageError
from zoo.layers.attention import Cache, check_heads, heads_first, sinusoids
from zoo.layers.initializers import fresh


@keras.saving.register_keras_serializable("zoo")
class RelativeAttention(layers.Layer):
    """Causal self-attention in segments, by distance in place of position.

    A position attends to itself, to the positions before it in its segment, and to the `memory_length` positions before
    the segment, through which no gradient goes back.

    Shapes: (batch, time, dim) -> the same; time may be any number.

    Args:
        num_heads: attentions side by side; divides `dim`.
        dim: width of the sequence.
        segment_length: positions of a segment.
        memory_length: positions before it that it sees; 0 for none.
        kernel_initializer: of all matrices and of u and w.

    Raises:
        UsageError: if `num_heads` does not divide `dim`, or a length is no whole number.

    >>> layer = RelativeAttention(2, 8, segment_length=4, memory_length=4)
    >>> tuple(layer(ops.zeros((1, 10, 8))).shape), layer.count_params()  # five matrices, and u and w
    ((1, 10, 8), 336)
    """

    def __init__(
        self, num_heads: int, dim: int, *, segment_length: int, memory_length: int,
        kernel_initializer: Any = "glorot_uniform", **kwargs: Any,
    ):  # fmt: skip
        super().__init__(**kwargs)
        check_heads(num_heads, dim)
        check_whole("segment_length", segment_length)
        if memory_length != 0:
            check_whole("memory_length", memory_length)
        if dim % 2:
            raise UsageError(f"dim is {dim}; expected an even number: a sine and a cosine of each frequency")
        self.num_heads, self.dim, self.key_dim = num_heads, dim, dim // num_heads
        self.segment_length, self.memory_length = segment_length, memory_length
        self.seen = memory_length + segment_length  # the largest distance is one less
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, x_shape: tuple[Any, ...], value_shape: Any = None) -> None:
        def projection(name: str) -> layers.EinsumDense:
            heads = (None, None, self.num_heads, self.key_dim)
            dense = layers.EinsumDense("btd,dhk->bthk", heads[1:], kernel_initializer=self.fresh(), name=name)
            dense.build((None, None, self.dim))
            return dense

        self.query_dense, self.key_dense, self.value_dense, self.distance_dense = map(
            projection, ("query", "key", "value", "distance")
        )
        self.output_dense = layers.EinsumDense(
            "bthk,hkd->btd", (None, self.dim), kernel_initializer=self.fresh(), name="output"
        )
        self.output_dense.build((None, None, self.num_heads, self.key_dim))
        heads = (self.num_heads, self.key_dim)
        self.content_bias = self.add_weight(shape=heads, initializer=self.fresh(), name="content_bias")  # u
        self.distance_bias = self.add_weight(shape=heads, initializer=self.fresh(), name="distance_bias")  # w
        self.sines = sinusoids(self.seen, self.dim)

    def fresh(self) -> Any:
        return fresh(self.kernel_initializer)

    def distances(self) -> Any:
        """W_r R of the distances 0, 1, ...: (seen, heads, dim / heads)."""
        return self.distance_dense(ops.cast(self.sines, self.compute_dtype)[None])[0]

    def call(self, x: Any, value: Any = None, attention_mask: Any = None) -> Any:
        """`value` and `attention_mask` are there for `zoo.models.transformer.Block`: it is the sequence itself."""
        time, segment, memory = ops.shape(x)[1], self.segment_length, self.memory_length
        segments = (time + segment - 1) // segment
        own = ops.pad(x, ((0, 0), (0, segments * segment - time), (0, 0)))
        first = ops.arange(segments) * segment  # of each segment
        rows = first[:, None] + ops.arange(segment)  # (segments, segment)
        before = first[:, None] - memory + ops.arange(memory)  # (segments, memory), negative before the text
        past = ops.take(ops.stop_gradient(own), ops.maximum(before, 0), axis=1)
        own = ops.take(own, rows, axis=1)  # (batch, segments, segment, dim)
        keys, values = self.in_segments(ops.concatenate([past, own], axis=2))
        (queries,) = self.in_segments(own, self.query_dense)  # (batch, segments, segment, heads, dim / heads)
        content = ops.einsum("bslhk,bsmhk->bshlm", queries + self.content_bias, keys)
        nearest_last = ops.flip(self.distances(), axis=0)  # the keys of a segment's last position, in their order
        distance = shifted(ops.einsum("bslhk,mhk->bshlm", queries + self.distance_bias, nearest_last))
        scores = (content + distance) / math.sqrt(self.key_dim)
        at, wanted = ops.arange(self.seen)[None, :], ops.arange(segment)[:, None]
        allowed = (at <= memory + wanted) & (at >= memory - first[:, None, None])  # (segments, segment, seen)
        weights = self.softmax(scores, allowed[None, :, None])
        heads = ops.einsum("bshlm,bsmhk->bslhk", weights, values)
        shape = (-1, segments * segment, self.num_heads, self.key_dim)
        return self.output_dense(ops.reshape(heads, shape)[:, :time])

    def in_segments(self, x: Any, *projections: layers.EinsumDense) -> list[Any]:
        """(batch, segments, n, dim) -> keys and values, or what the projections give, (batch, segments, n, heads, k)"""
        batch, segments, n = ops.shape(x)[0], ops.shape(x)[1], ops.shape(x)[2]
        flat = ops.reshape(x, (-1, segments * n, self.dim))
        found = [dense(flat) for dense in projections or (self.key_dense, self.value_dense)]
        return [ops.reshape(each, (batch, segments, n, self.num_heads, self.key_dim)) for each in found]

    def softmax(self, scores: Any, allowed: Any) -> Any:
        scores = ops.where(allowed, ops.cast(scores, "float32"), -1e9)
        return ops.cast(ops.softmax(scores, axis=-1), self.compute_dtype)

    # Decoding, one position at a time.

    def empty_cache(self, batch: Any, max_length: int) -> tuple[Any, Any]:
        """Zeros in place of the keys and values of `max_length` positions, (batch, heads, max_length, dim / heads)."""
        shape = (batch, self.num_heads, max_length, self.key_dim)
        return ops.zeros(shape, self.compute_dtype), ops.zeros(shape, self.compute_dtype)

    def attend_next(self, x: Any, cache: Cache) -> Any:
        """Attention of the cache's position alone, whose keys and values join those in the cache.

        Shapes: x (batch, 1, dim) -> (batch, 1, dim).
        """
        position = ops.cast(cache.position, "int32")
        cache.keys = ops.slice_update(cache.keys, (0, 0, position, 0), heads_first(self.key_dense(x)))
        cache.values = ops.slice_update(cache.values, (0, 0, position, 0), heads_first(self.value_dense(x)))
        at = ops.arange(cache.keys.shape[2], dtype="int32")  # (max_length,)
        query = self.query_dense(x)  # (batch, 1, heads, dim / heads)
        content = ops.matmul(heads_first(query + self.content_bias), ops.swapaxes(cache.keys, 2, 3))
        places = ops.take(self.distances(), ops.clip(position - at, 0, self.seen - 1), axis=0)
        distance = ops.einsum("bthk,shk->bhts", query + self.distance_bias, places)
        first = position // self.segment_length * self.segment_length - self.memory_length
        weights = self.softmax((content + distance) / math.sqrt(self.key_dim), (at >= first) & (at <= position))
        return self.output_dense(heads_first(ops.matmul(weights, cache.values)))

    def multiply_adds(self, before: Any, after: tuple[int, ...]) -> int:
        """The projections, those of the memory too; content, distance and weighted sum of every pair; no mask saves."""
        segments = -(-after[0] // self.segment_length)
        projections = 2 * self.segment_length + 2 * self.seen  # queries and outputs, keys and values
        pairs = 3 * self.segment_length * self.seen
        return segments * (projections * self.dim**2 + pairs * self.dim) + self.seen * self.dim**2

    def compute_output_spec(self, x: Any, value: Any = None, attention_mask: Any = None) -> keras.KerasTensor:
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "dim": self.dim,
            "segment_length": self.segment_length,
            "memory_length": self.memory_length,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def shifted(scores: Any) -> Any:
    """Row i of the last two axes (n, m) moved to the left by n - 1 - i (appendix B); what comes in has no meaning.

    A column of zeros before each row, and the rows read n to a line too late by one number each, do it without a loop.

    >>> ops.convert_to_numpy(shifted(ops.array([[1, 2, 3], [4, 5, 6]])))[0, :2].tolist(), "row 1 stays"
    ([2, 3], 'row 1 stays')
    """
    *outer, n, m = ops.shape(scores)
    padded = ops.pad(scores, [(0, 0)] * (len(outer) + 1) + [(1, 0)])
    return ops.reshape(ops.reshape(padded, (*outer, m + 1, n))[..., 1:, :], (*outer, n, m))
