"""What is special in the chains of weighted sums: each against NumPy, or against what algebra says of it."""

import keras
import numpy as np
import pytest

import zoo


def random_weights(model, seed=0):
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(size=weight.shape).astype("float32") for weight in model.weights])
    return [weight.astype("float64") for weight in model.get_weights()]


def run(model, x):
    return keras.ops.convert_to_numpy(model(x.astype("float32"), training=False))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


@pytest.fixture
def weeks():
    return np.random.default_rng(7).normal(size=(5, 7))


def test_lagged_linear_is_a_weighted_sum(weeks):
    model = zoo.build("lagged_linear")
    w, b = random_weights(model)
    np.testing.assert_allclose(run(model, weeks), weeks @ w + b, rtol=1e-5)


@pytest.mark.parametrize(("name", "bend"), [("sigmoid_sum", sigmoid), ("relu_sum", relu)])
def test_sums_of_steps_and_hinges_against_numpy(name, bend, weeks):
    model = zoo.build(name, units=9)
    w, b, c, offset = random_weights(model)
    np.testing.assert_allclose(run(model, weeks), offset + bend(b + weeks @ w) @ c, rtol=1e-4, atol=1e-5)


def test_gradient_descent_rests_at_least_squares():
    """The closed form of least squares is where gradient descent stands still."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 7)), rng.normal(size=(50, 1))
    solution = np.linalg.lstsq(np.column_stack([x, np.ones(50)]), y, rcond=None)[0]
    model = zoo.build("lagged_linear")
    model.set_weights([solution[:7], solution[7]])
    model.compile(keras.optimizers.SGD(0.5), "mse", jit_compile=False)
    model.train_on_batch(x, y)
    np.testing.assert_allclose(
        np.concatenate([model.get_weights()[0][:, 0], model.get_weights()[1]]), solution[:, 0], atol=1e-6
    )


def test_two_hinges_make_one_step():
    model = zoo.build("relu_sum", input_shape=(1,), units=2)
    model.set_weights([np.array([[1.0, 1.0]]), np.array([0.0, -1.0]), np.array([[1.0], [-1.0]]), np.array([0.0])])
    x = np.array([[-3.0], [0.0], [0.25], [1.0], [9.0]])
    np.testing.assert_allclose(run(model, x)[:, 0], [0.0, 0.0, 0.25, 1.0, 1.0])


def test_a_hidden_layer_solves_xor_and_one_neuron_cannot():
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    xor = np.array([0, 1, 1, 0])
    hidden = zoo.build("relu_sum", input_shape=(2,), units=2)  # max(0, a + b) - 2 max(0, a + b - 1)
    hidden.set_weights([np.ones((2, 2)), np.array([0.0, -1.0]), np.array([[1.0], [-2.0]]), np.array([0.0])])
    np.testing.assert_allclose(run(hidden, corners)[:, 0], xor)
    neuron = zoo.build("perceptron", input_shape=(2,))
    for seed in range(20):  # f(00) + f(11) = f(01) + f(10) for every weighted sum, so one of the four is wrong
        random_weights(neuron, seed)
        z = run(neuron, corners)[:, 0]
        np.testing.assert_allclose(z[0] + z[3], z[1] + z[2], atol=1e-5)
        assert ((z > 0) != xor).any()


def test_logistic_regression_step_by_hand():
    """The gradient of the cross-entropy by the weights is (p - y) x, averaged over the batch."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(6, 30)), np.array([0, 1, 1, 0, 1, 0])
    model = zoo.build("logistic_regression")
    w, b = random_weights(model)
    error = sigmoid(x @ w + b) - y[:, None]
    model.compile(keras.optimizers.SGD(0.1), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    model.train_on_batch(x, y[:, None])
    np.testing.assert_allclose(model.get_weights()[0], w - 0.1 * x.T @ error / 6, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.get_weights()[1], b - 0.1 * error.mean(0), rtol=1e-4, atol=1e-6)


def test_softmax_regression_reads_pixels_row_by_row():
    model = zoo.build("softmax_regression", input_shape=(3, 4, 2), num_classes=5)
    w, b = random_weights(model)
    x = np.random.default_rng(1).normal(size=(2, 3, 4, 2))
    np.testing.assert_allclose(run(model, x), x.reshape(2, -1) @ w + b, rtol=1e-4, atol=1e-5)


def test_mlp_against_numpy():
    model = zoo.build("mlp", input_shape=(4, 4, 1), num_classes=3, hidden=(6, 5), activation="tanh")
    w1, b1, w2, b2, w3, b3 = random_weights(model)
    x = np.random.default_rng(1).normal(size=(2, 4, 4, 1))
    expected = np.tanh(np.tanh(x.reshape(2, -1) @ w1 + b1) @ w2 + b2) @ w3 + b3
    np.testing.assert_allclose(run(model, x), expected, rtol=1e-4, atol=1e-5)


def test_linear_mlp_collapses_to_one_matrix():
    model = zoo.build("mlp", hidden=(64, 32, 16), activation="linear")  # as initialised, so that values stay near 1
    w, b = np.eye(784), np.zeros(784)
    for kernel, bias in zip(model.get_weights()[::2], model.get_weights()[1::2]):
        w, b = w @ kernel, b @ kernel + bias
    x = np.random.default_rng(1).normal(size=(4, 28, 28, 1))
    np.testing.assert_allclose(run(model, x), x.reshape(4, -1) @ w + b, rtol=1e-5, atol=1e-5)
    bent = zoo.build("mlp", hidden=(64, 32, 16))
    bent.set_weights(model.get_weights())
    assert np.abs(run(bent, x) - run(model, x)).max() > 0.1


def test_mlp_without_hidden_layers_is_softmax_regression():
    bare, softmax = zoo.build("mlp", hidden=()), zoo.build("softmax_regression")
    bare.set_weights(softmax.get_weights())
    x = np.random.default_rng(1).normal(size=(2, 28, 28, 1))
    np.testing.assert_array_equal(run(bare, x), run(softmax, x))


def test_mlp_drops_each_hidden_layer():
    model = zoo.build("mlp", hidden=(6, 5), dropout=0.3)
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.3, 0.3]
