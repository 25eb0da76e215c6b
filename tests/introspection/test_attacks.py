"""Adversarial examples against closed forms: of a linear model the worst place is known."""

import keras
import numpy as np
import pytest
import samples
from keras import layers

import zoo
from zoo.errors import UsageError
from zoo.introspection.attacks import fgsm, pgd, random_signs


def softmax_regression(features, classes):
    given = keras.Input((features,))
    model = keras.Model(given, layers.Dense(classes)(given), name="linear")
    model.set_weights([noise(features, classes, seed=3), noise(classes, seed=4)])
    return model


def noise(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def softmax(z):
    powers = np.exp(z - z.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def losses(model, x, y):
    z = keras.ops.convert_to_numpy(model(x)).astype("float64")
    return np.log(np.exp(z - z[range(len(y)), y, None]).sum(-1))


@pytest.fixture(scope="module")
def lenet5():
    return samples.fill(zoo.build("lenet5", input_shape=(12, 12, 2), num_classes=4))


X, Y = 0.5 + 0.2 * noise(9, 12, 12, 2), np.arange(9) % 4
ATTACKS = {"fgsm": fgsm, "pgd": pgd}


def test_fgsm_of_softmax_regression_is_the_closed_form():
    """d cross-entropy / d x = W (p - y)."""
    model, x, y = softmax_regression(6, 3), noise(20, 6), np.arange(20) % 3
    w, b = model.get_weights()
    slope = (softmax(x @ w + b) - np.eye(3)[y]) @ w.T
    np.testing.assert_allclose(fgsm(model, x, y, 0.3), x + 0.3 * np.sign(slope), atol=1e-6)


@pytest.mark.parametrize("attack", [fgsm, pgd])
def test_of_two_classes_the_loss_grows_by_epsilon_times_the_weights(attack):
    """The logit of a linear model falls by epsilon |w|_1: no other point of the ball is worse."""
    model, x = softmax_regression(6, 1), noise(20, 6)
    w, _ = model.get_weights()
    moved = attack(model, x, np.ones(20, int), 0.3)
    np.testing.assert_allclose(moved, x - 0.3 * np.sign(w[:, 0]), atol=1e-6)
    np.testing.assert_allclose((x - moved) @ w, np.full((20, 1), 0.3 * np.abs(w).sum()), rtol=1e-5)
    np.testing.assert_allclose(attack(model, x, np.zeros(20, int), 0.3), x + 0.3 * np.sign(w[:, 0]), atol=1e-6)


@pytest.mark.parametrize("steps", [1, 7])
def test_pgd_stays_in_the_ball_and_in_the_range(lenet5, steps):
    epsilon, low = np.float32([0.1, 0.02]), np.float32([0.3, 0.0])  # a number for each channel
    moved = pgd(lenet5, X.clip(low, 0.9), Y, epsilon, steps=steps, low=low, high=0.9)
    assert (np.abs(moved - X.clip(low, 0.9)) <= epsilon + 1e-6).all()
    assert (moved >= low).all() and (moved <= np.float32(0.9)).all()
    assert np.abs(moved - X.clip(low, 0.9))[..., 0].max() > 0.09, "and goes as far as it may"


def test_each_attack_is_worse_than_the_one_before(lenet5):
    """Nothing, coins, one step, ten steps: by the mean loss; and more steps are no other start."""
    found = [losses(lenet5, each, Y).mean() for each in (X, random_signs(X, 0.05), fgsm(lenet5, X, Y, 0.05))]
    found.append(losses(lenet5, pgd(lenet5, X, Y, 0.05, steps=20), Y).mean())
    assert found[0] < found[2] < found[3] and found[1] < found[2] and abs(found[1] - found[0]) < found[2] - found[0]


def test_a_network_that_is_sure_is_attacked_too(lenet5):
    """In float32 its cross-entropy is 0, and so is the gradient of that."""
    sure = keras.Model(lenet5.input, layers.Rescaling(1000.0)(lenet5.output))
    y = keras.ops.convert_to_numpy(lenet5(X)).argmax(-1)
    moved = fgsm(sure, X, y, 0.1)
    assert np.mean(np.abs(moved - X) > 0.09) > 0.9
    np.testing.assert_allclose(losses(sure, X, y), 0, atol=1e-12)


def test_random_signs_go_as_far_either_way():
    moved = random_signs(X, 0.1) - X
    np.testing.assert_allclose(np.abs(moved), 0.1, atol=1e-6)
    assert abs(np.mean(moved > 0) - 0.5) < 0.05
    np.testing.assert_array_equal(random_signs(X, 0.1), random_signs(X, 0.1))
    assert (random_signs(X, 0.1, seed=1) != random_signs(X, 0.1)).any()


@pytest.mark.parametrize("name", ATTACKS)
def test_no_room_is_no_attack(lenet5, name):
    np.testing.assert_allclose(ATTACKS[name](lenet5, X, Y, 0.0), X)
    assert ATTACKS[name](lenet5, X[:0], Y[:0], 0.1).shape == (0, 12, 12, 2)


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epsilon": -0.1}, "epsilon is -0.1; expected a number of at least 0"),
        ({"epsilon": np.ones(3)}, r"epsilon has the shape \(3,\); expected a number, or an array"),
        ({"y": [0, 4, *[0] * 7]}, "values 0 to 4; expected 9 whole numbers from 0 to 3"),
        ({"y": [0]}, r"the shape \(1,\)"),
        ({"y": []}, "there are no true classes; expected 9"),
        ({"head": "logits"}, "has one output only"),
    ],
)
def test_what_cannot_be_attacked_is_said_in_one_line(lenet5, name, change, message):
    with pytest.raises(UsageError, match=message) as caught:
        ATTACKS[name](lenet5, **{"x": X, "y": Y, "epsilon": 0.1, **change})
    assert "\n" not in str(caught.value)


def test_pgd_takes_a_step_at_least(lenet5):
    with pytest.raises(UsageError, match="steps is 0; expected a whole number of at least 1"):
        pgd(lenet5, X, Y, 0.1, steps=0)
