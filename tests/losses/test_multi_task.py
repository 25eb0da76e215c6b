"""The sum of binary cross-entropies: by hand, equal to scikit-learn's, blind to what is missing."""

import keras
import numpy as np
import pytest
from keras import ops
from sklearn.metrics import log_loss

from zoo import losses


def value(answers, logits):
    return float(losses.get("masked_binary_crossentropy")(np.array(answers), np.array(logits, "float32")))


def test_by_hand():
    """The notes' example: no and a probability of .9 costs ln 10."""
    nine_tenths = np.log(9.0)  # the logit of a probability of .9
    assert value([[0]], [[nine_tenths]]) == pytest.approx(np.log(10), abs=1e-6)
    assert value([[1]], [[nine_tenths]]) == pytest.approx(-np.log(0.9), abs=1e-6)
    assert value([[0, 1]], [[nine_tenths] * 2]) == pytest.approx(np.log(10) - np.log(0.9), abs=1e-6)
    assert value([[0, 1], [1, 1]], [[0, 0], [0, 0]]) == pytest.approx(2 * np.log(2), abs=1e-6), "the mean over examples"


def test_it_is_the_sum_of_scikit_learns():
    rng = np.random.default_rng(0)
    answers, logits = rng.integers(0, 2, (50, 4)), rng.normal(scale=3, size=(50, 4))
    yes = 1 / (1 + np.exp(-logits))
    assert value(answers, logits) == pytest.approx(sum(map(log_loss, answers.T, yes.T)), rel=1e-5)


def test_what_is_missing_costs_nothing_and_moves_nothing():
    """Not even where its logit is enormous; and an example of which nothing is known is an example still."""
    assert value([[1, -1], [-1, -1]], [[0.0, 1e30], [-1e30, 5.0]]) == pytest.approx(np.log(2) / 2, abs=1e-6)
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(3, use_bias=False)(inputs))
    model.compile(keras.optimizers.SGD(1.0), losses.get("masked_binary_crossentropy"), run_eagerly=True)
    before = model.get_weights()[0]
    model.train_on_batch(np.ones((4, 3), "float32"), np.array([[1, -1, 0]] * 4))
    moved = model.get_weights()[0] - before
    assert (moved[:, 0] > 0).all() and (moved[:, 1] == 0).all() and (moved[:, 2] < 0).all()


def test_large_logits_are_no_infinity():
    assert value([[1, 0]], [[300.0, -300.0]]) == 0
    assert value([[0, 1]], [[300.0, -300.0]]) == pytest.approx(600)


def test_half_precision_is_computed_in_full():
    loss = losses.get("masked_binary_crossentropy")
    logits = ops.cast(ops.convert_to_tensor([[20.0, 20.0]]), "float16")
    assert float(loss(np.array([[0, 0]]), logits)) == pytest.approx(40, abs=0.1)
