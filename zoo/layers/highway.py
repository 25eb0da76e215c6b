"""Highway layers, and the weighted sum of a network's layers."""

import math
from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("zoo")
class Highway(layers.Layer):
    """y = t * relu(W x + b) + (1 - t) * x, with the gate t = sigmoid(W_t x + b_t) for each number.

    R. Srivastava, K. Greff and J. Schmidhuber, "Highway Networks", arXiv:1505.00387, 2015, equation 3. The gate starts
    nearly shut (b_t = -2, their section 2.2): an untrained layer passes on most of what it reads.

    Shapes: (..., dim) -> (..., dim).

    >>> import numpy as np
    >>> layer = Highway()
    >>> x = ops.ones((1, 2))
    >>> layer.build(x.shape)
    >>> layer.set_weights([3 * np.eye(2), np.zeros(2), np.zeros((2, 2)), np.zeros(2)])
    >>> ops.convert_to_numpy(layer(x)).tolist()  # half of 3, half of 1
    [[2.0, 2.0]]
    """

    def build(self, shape: tuple[int | None, ...]) -> None:
        dim = shape[-1]
        self.kernel = self.add_weight(shape=(dim, dim), name="kernel")
        self.bias = self.add_weight(shape=(dim,), initializer="zeros", name="bias")
        self.gate_kernel = self.add_weight(shape=(dim, dim), name="gate_kernel")
        shut = keras.initializers.Constant(-2.0)
        self.gate_bias = self.add_weight(shape=(dim,), initializer=shut, name="gate_bias")

    def call(self, x: Any) -> Any:
        gate = ops.sigmoid(ops.matmul(x, self.gate_kernel) + self.gate_bias)
        return gate * ops.relu(ops.matmul(x, self.kernel) + self.bias) + (1 - gate) * x

    def multiply_adds(self, before: tuple[int, ...], after: tuple[int, ...]) -> int:
        """Two matrices at each position."""
        return 2 * math.prod(before[:-1]) * before[-1] ** 2

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape


@keras.saving.register_keras_serializable("zoo")
class ScalarMix(layers.Layer):
    """gamma * sum_j s_j h_j, s = softmax(w): one vector of those that the layers of a network have for a token.

    M. Peters et al., "Deep contextualized word representations", NAACL 2018, equation 1. It starts as the mean of all
    layers, and learns with the task that it is part of.

    Shapes: a list of (..., dim), one for each layer -> (..., dim).

    >>> mix = ScalarMix()
    >>> ops.convert_to_numpy(mix([ops.ones((1, 2)), 3 * ops.ones((1, 2))])).tolist()
    [[2.0, 2.0]]
    """

    def build(self, shapes: Any) -> None:
        self.w = self.add_weight(shape=(len(shapes),), initializer="zeros", name="w")
        self.gamma = self.add_weight(shape=(), initializer="ones", name="gamma")

    def call(self, states: Any) -> Any:
        shares = ops.softmax(self.w)
        return self.gamma * sum(shares[layer] * state for layer, state in enumerate(states))

    def multiply_adds(self, before: Any, after: tuple[int, ...]) -> int:
        return 0

    def compute_output_shape(self, shapes: Any) -> Any:
        return shapes[0]
