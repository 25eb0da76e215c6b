"""The losses: values and gradients by hand, saving, and names."""

import keras
import numpy as np
import pytest

import zoo
from zoo import losses
from zoo.errors import UsageError


@pytest.mark.parametrize("name", losses.LOSSES)
def test_every_loss_is_named_saved_and_loaded(name):
    loss = losses.get(name)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is type(loss) and again.get_config() == loss.get_config()


def test_unknown_loss_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match=r"there is no loss 'perceptrons'; did you mean perceptron\?"):
        losses.get("perceptrons")


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_perceptron_criterion_by_hand(shape, dtype):
    labels = np.array([1, 0, 1, 0], dtype).reshape(shape)
    predictions = np.array([[-2.0], [0.5], [3.0], [-4.0]], "float32")  # wrong by 2, wrong by 0.5, right, right
    assert float(losses.Perceptron()(labels, predictions)) == (2.0 + 0.5) / 4


def rosenblatt(weights, bias, x, label):
    """Rosenblatt's rule for one example: a wrong answer adds the input, with the sign of the right answer."""
    sign = 1 if label else -1
    wrong = sign * (weights @ x + bias) < 0
    return (weights + sign * x, bias + sign) if wrong else (weights, bias)


@pytest.mark.parametrize(
    ("x", "label"),
    [([1.0, 2.0], 1), ([1.0, 2.0], 0), ([3.0, -1.0], 1), ([3.0, -1.0], 0), ([-0.5, 0.25], 1), ([2.0, 1.0], 1)],
)
def test_a_gradient_step_is_rosenblatts_rule(x, label):
    weights, bias = np.array([1.0, -2.0]), 0.5  # the sums are -2.5, 5.5, -0.5 and 0.5
    model = zoo.build("perceptron", input_shape=(2,))
    model.set_weights([weights[:, None], np.array([bias])])
    model.compile(keras.optimizers.SGD(1.0), losses.Perceptron(), jit_compile=False)
    model.train_on_batch(np.array([x]), np.array([label]))
    expected_weights, expected_bias = rosenblatt(weights, bias, np.array(x), label)
    found_weights, found_bias = model.get_weights()
    np.testing.assert_allclose(found_weights[:, 0], expected_weights, rtol=1e-6)
    np.testing.assert_allclose(found_bias, [expected_bias], rtol=1e-6)


def test_an_undecided_example_moves_nothing():
    """At z = 0 the criterion has a corner; every backend takes the slope of its flat side."""
    model = zoo.build("perceptron", input_shape=(2,))
    model.set_weights([np.array([[1.0], [-1.0]]), np.array([0.0])])
    model.compile(keras.optimizers.SGD(1.0), losses.Perceptron(), jit_compile=False)
    model.train_on_batch(np.array([[2.0, 2.0]]), np.array([1]))
    np.testing.assert_array_equal(model.get_weights()[0], [[1.0], [-1.0]])


def test_perceptron_learns_what_is_separable():
    """Novikoff 1962: on separable examples the number of mistakes is finite."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2)).astype("float32")
    side = x @ [1.0, 2.0] - 0.3
    x, y = x[np.abs(side) > 0.2], (side > 0)[np.abs(side) > 0.2].astype("int32")
    keras.utils.set_random_seed(0)
    model = zoo.build("perceptron", input_shape=(2,))
    model.compile(keras.optimizers.SGD(1.0), losses.Perceptron(), jit_compile=False)
    model.fit(np.tile(x, (50, 1)), np.tile(y, 50), batch_size=8, shuffle=False, verbose=0)  # 50 times over
    assert ((model.predict(x, verbose=0)[:, 0] > 0) == y).all()
