"""The recurrent cells as courses write them, one equation a line, on the concatenation [a, x] of state and input.

    plain       a = tanh(W_a [a, x] + b_a)

    GRU         c~ = tanh(W_c [G_r * c, x] + b_c)         simplified: without G_r
                G_u = sigmoid(W_u [c, x] + b_u)           how much of the state is replaced
                G_r = sigmoid(W_r [c, x] + b_r)           how much of it the candidate sees
                c  = G_u * c~ + (1 - G_u) * c

    LSTM        c~ = tanh(W_c [a, x] + b_c)
                G_u, G_f, G_o = sigmoid(W_u,f,o [a, x] + b_u,f,o)
                c  = G_u * c~ + G_f * c
                a  = G_o * tanh(c)

A. Ng's "Sequence Models" draws them so; the papers are J. Elman, "Finding Structure in Time", Cognitive Science
14(2), 1990; K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", EMNLP 2014, section 2.3;
S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997, with the forget gate of
F. Gers, J. Schmidhuber and F. Cummins, "Learning to Forget", Neural Computation 12(10), 2000.

They are for reading and for experiments: ``keras.layers.RNN(PlainCell(32))``. The networks of the zoo take Keras's own
layers, which are the same functions (a test says so, to 1e-6) with fused kernels. Two conventions differ. Keras's GRU
keeps the *old* state by its gate z where the equations above take the *new* one by G_u: z = 1 - G_u, the same as
negating the gate's weights. And its default, ``reset_after=True``, multiplies by the reset gate after the matrix and
not before: another function, which no choice of weights makes equal. `FullGRUCell` is ``GRU(reset_after=False)``.
"""

from typing import Any

import keras
from keras import layers, ops

from zoo.checks import check_whole


class TextbookCell(layers.Layer):
    """One step of a recurrent network. `layers.RNN` makes a loop of it.

    Shapes: x (batch, features), and states (batch, units) each -> output (batch, units), and the new states.

    Args:
        units: numbers in a state.

    Raises:
        UsageError: if `units` is not a whole number of at least 1.
    """

    parts: tuple[str, ...] = ()  # the names of the weight matrices, each (units + features, units)
    states = 1

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        check_whole("units", units)
        self.units = units
        self.state_size = [units] * self.states
        self.output_size = units

    def build(self, shape: tuple[Any, ...]) -> None:
        for part in self.parts:
            kernel = self.add_weight((self.units + shape[-1], self.units), "glorot_uniform", name=f"{part}_kernel")
            initializer = "ones" if part == "forget" else "zeros"  # to remember, until it learns what to forget
            bias = self.add_weight((self.units,), initializer, name=f"{part}_bias")
            setattr(self, part, (kernel, bias))

    def affine(self, part: str, state: Any, x: Any) -> Any:
        """W [state, x] + b: (batch, units) and (batch, features) -> (batch, units)."""
        kernel, bias = getattr(self, part)
        return ops.matmul(ops.concatenate([state, x], axis=-1), kernel) + bias

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """Zeros, (batch, units) each."""
        return [ops.zeros((batch_size, self.units), self.compute_dtype) for _ in range(self.states)]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("zoo")
class PlainCell(TextbookCell):
    """The plain recurrent network: the state is squashed anew at each step. Keras: `SimpleRNN`."""

    parts = ("state",)

    def call(self, x: Any, states: list[Any], training: bool = False) -> tuple[Any, list[Any]]:
        (a,) = states
        a = ops.tanh(self.affine("state", a, x))
        return a, [a]


@keras.saving.register_keras_serializable("zoo")
class SimplifiedGRUCell(TextbookCell):
    """A GRU with its update gate alone: the state moves from what it was to the candidate, by a learned fraction."""

    parts = ("candidate", "update")

    def call(self, x: Any, states: list[Any], training: bool = False) -> tuple[Any, list[Any]]:
        (c,) = states
        candidate = ops.tanh(self.affine("candidate", c, x))
        update = ops.sigmoid(self.affine("update", c, x))
        c = update * candidate + (1 - update) * c
        return c, [c]


@keras.saving.register_keras_serializable("zoo")
class FullGRUCell(TextbookCell):
    """The GRU of Cho et al. Keras: ``GRU(reset_after=False)`` with its update gate negated."""

    parts = ("candidate", "update", "reset")

    def call(self, x: Any, states: list[Any], training: bool = False) -> tuple[Any, list[Any]]:
        (c,) = states
        update = ops.sigmoid(self.affine("update", c, x))
        reset = ops.sigmoid(self.affine("reset", c, x))
        candidate = ops.tanh(self.affine("candidate", reset * c, x))
        c = update * candidate + (1 - update) * c
        return c, [c]


@keras.saving.register_keras_serializable("zoo")
class GatedLSTMCell(TextbookCell):
    """The LSTM with gates u, f and o: a memory c that is added to, a state a that shows part of it. Keras: `LSTM`."""

    parts = ("candidate", "update", "forget", "output_gate")
    states = 2

    def call(self, x: Any, states: list[Any], training: bool = False) -> tuple[Any, list[Any]]:
        a, c = states
        candidate = ops.tanh(self.affine("candidate", a, x))
        update, forget, output = (ops.sigmoid(self.affine(gate, a, x)) for gate in self.parts[1:])
        c = update * candidate + forget * c
        a = output * ops.tanh(c)
        return a, [a, c]
