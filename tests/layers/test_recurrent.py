"""The textbook's cells against Keras's layers, and backpropagation through time against finite differences."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from subjects import gradients

from zoo.errors import UsageError
from zoo.layers.recurrent import FullGRUCell, GatedLSTMCell, PlainCell, SimplifiedGRUCell

FEATURES, UNITS, TIME = 3, 5, 7


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(4, TIME, FEATURES)).astype("float32")


def textbook(cell, seed=1):
    """A layer around the cell, and its parts: name -> (weights of the state, weights of the input, bias)."""
    layer = layers.RNN(cell, return_sequences=True)
    layer.build((None, TIME, FEATURES))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
    arrays = {part: [ops.convert_to_numpy(each) for each in getattr(cell, part)] for part in cell.parts}
    return layer, {part: (kernel[:UNITS], kernel[UNITS:], bias) for part, (kernel, bias) in arrays.items()}


def from_parts(layer, parts):
    """Keras's layer with weights from (state, input, bias) triples, side by side in its order."""
    layer.build((None, TIME, FEATURES))
    recurrent, kernel, bias = (np.concatenate(group, axis=-1) for group in zip(*parts))
    layer.set_weights([kernel, recurrent, bias])
    return layer


def run(layer, x):
    return ops.convert_to_numpy(layer(x))


def minus(part):
    return [-weights for weights in part]


def test_plain_cell_is_simple_rnn(x):
    layer, parts = textbook(PlainCell(UNITS))
    twin = from_parts(layers.SimpleRNN(UNITS, return_sequences=True), [parts["state"]])
    np.testing.assert_allclose(run(layer, x), run(twin, x), atol=1e-6)


def test_full_gru_is_keras_gru_with_the_update_gate_negated(x):
    layer, parts = textbook(FullGRUCell(UNITS))
    order = [minus(parts["update"]), parts["reset"], parts["candidate"]]
    twin = from_parts(layers.GRU(UNITS, reset_after=False, return_sequences=True), order)
    np.testing.assert_allclose(run(layer, x), run(twin, x), atol=1e-6)


def test_no_other_reading_of_the_full_gru_is_keras_gru(x):
    layer, parts = textbook(FullGRUCell(UNITS))
    expected = run(layer, x)
    upright = [parts["update"], parts["reset"], parts["candidate"]]
    twin = from_parts(layers.GRU(UNITS, reset_after=False, return_sequences=True), upright)
    assert np.abs(run(twin, x) - expected).max() > 0.1
    after = layers.GRU(UNITS, reset_after=True, return_sequences=True)
    after.build((None, TIME, FEATURES))
    recurrent, kernel, bias = (
        np.concatenate(group, axis=-1) for group in zip(minus(parts["update"]), parts["reset"], parts["candidate"])
    )
    after.set_weights([kernel, recurrent, np.stack([bias, np.zeros_like(bias)])])
    assert np.abs(run(after, x) - expected).max() > 0.1


def test_simplified_gru_is_a_full_one_whose_reset_gate_stays_open(x):
    layer, parts = textbook(SimplifiedGRUCell(UNITS))
    open_gate = (np.zeros((UNITS, UNITS)), np.zeros((FEATURES, UNITS)), np.full(UNITS, 100.0))
    order = [minus(parts["update"]), open_gate, parts["candidate"]]
    twin = from_parts(layers.GRU(UNITS, reset_after=False, return_sequences=True), order)
    np.testing.assert_allclose(run(layer, x), run(twin, x), atol=1e-6)


def test_gated_lstm_is_keras_lstm(x):
    layer, parts = textbook(GatedLSTMCell(UNITS))
    order = [parts[part] for part in ("update", "forget", "candidate", "output_gate")]
    twin = from_parts(layers.LSTM(UNITS, return_sequences=True), order)
    np.testing.assert_allclose(run(layer, x), run(twin, x), atol=1e-6)


def test_lstm_hands_on_the_new_state(x):
    """The notes' figure labels the outputs a and c with the time of the inputs; they are those of the step itself."""
    cell = GatedLSTMCell(UNITS)
    a, c = cell.get_initial_state(4)
    output, (a_after, c_after) = cell(x[:, 0], [a, c])
    np.testing.assert_array_equal(ops.convert_to_numpy(output), ops.convert_to_numpy(a_after))
    assert np.abs(ops.convert_to_numpy(c_after)).max() > 0


def test_the_lstm_starts_by_remembering():
    cell = GatedLSTMCell(UNITS)
    cell.build((None, FEATURES))
    assert ops.convert_to_numpy(cell.forget[1]).tolist() == [1.0] * UNITS
    assert ops.convert_to_numpy(cell.update[1]).tolist() == [0.0] * UNITS


def test_backpropagation_through_time_against_finite_differences(x):
    """The gradient of the sum over all steps of y_t . a_t, by each of the weights, in float64 differences."""
    cell = PlainCell(UNITS)
    layer, _ = textbook(cell)
    inputs = keras.Input((TIME, FEATURES))
    model = keras.Model(inputs, layer(inputs))
    y = np.random.default_rng(2).normal(size=(4, TIME, UNITS))
    found = gradients(model, lambda model: ops.sum(ops.multiply(model(x), y.astype("float32"))))

    def loss(kernel, bias):
        a, total = np.zeros((4, UNITS)), 0.0
        for t in range(TIME):
            a = np.tanh(np.concatenate([a, x[:, t]], axis=1) @ kernel + bias)
            total += np.sum(a * y[:, t])
        return total

    weights = [weight.astype("float64") for weight in layer.get_weights()]
    for position, (weight, gradient) in enumerate(zip(weights, found.values())):
        for place in np.ndindex(weight.shape):
            up, down = ([each.copy() for each in weights] for _ in range(2))
            up[position][place] += 1e-5
            down[position][place] -= 1e-5
            assert gradient[place] == pytest.approx((loss(*up) - loss(*down)) / 2e-5, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("cell", [PlainCell, SimplifiedGRUCell, FullGRUCell, GatedLSTMCell])
def test_cells_survive_saving(cell, x, tmp_path):
    inputs = keras.Input((TIME, FEATURES))
    model = keras.Model(inputs, layers.RNN(cell(UNITS))(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(run(loaded, x), run(model, x))


def test_units_must_be_a_whole_number():
    with pytest.raises(UsageError, match=r"units is 2\.5; expected a whole number of at least 1"):
        PlainCell(2.5)
