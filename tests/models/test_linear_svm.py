"""The linear support vector machine beside scikit-learn's, which solves the same problem by other means."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.svm import LinearSVC

import zoo
from zoo import losses

L2 = 1e-2


def problem():
    """300 of scikit-learn's digits: images (300, 8, 8, 1), standardised as a whole, and classes."""
    x, y = load_digits(return_X_y=True)
    x = (x[:300].reshape(-1, 8, 8, 1) - x.mean()) / x.std()
    return x.astype("float32"), y[:300]


def objective(w, b, x, y):
    """Mean hinge over examples and classes, and the squared weights: in NumPy."""
    signs = 2 * np.eye(10)[y] - 1
    return np.maximum(0, 1 - signs * (x.reshape(len(x), -1) @ w + b)).mean() + L2 * (w**2).sum()


def test_it_finds_the_minimum_that_scikit_learn_finds():
    x, y = problem()
    keras.utils.set_random_seed(0)
    model = zoo.build("linear_svm", input_shape=(8, 8, 1), l2=L2)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 600)), loss=losses.get("hinge"))
    for _ in range(600):
        model.train_on_batch(x, y)
    theirs = LinearSVC(
        loss="hinge", C=1 / (2 * L2 * len(x) * 10), intercept_scaling=10, max_iter=50_000, random_state=0
    )
    theirs.fit(x.reshape(len(x), -1), y)
    ours, best = objective(*model.get_weights(), x, y), objective(theirs.coef_.T, theirs.intercept_, x, y)
    assert ours == pytest.approx(best, rel=0.01)
    agree = np.mean(model.predict(x, verbose=0).argmax(1) == theirs.predict(x.reshape(len(x), -1)))
    assert agree >= 0.99
    shuffled = objective(*model.get_weights(), x, np.roll(y, 1))
    assert shuffled > 2 * ours, "the objective tells labels from others"


def test_the_loss_is_what_is_minimised():
    """Keras's own total of loss and squared weights is the objective above."""
    x, y = problem()
    model = zoo.build("linear_svm", input_shape=(8, 8, 1), l2=L2)
    model.compile("sgd", loss=losses.get("hinge"))
    w, b = model.get_weights()
    np.testing.assert_allclose(model.evaluate(x, y, batch_size=300, verbose=0), objective(w, b, x, y), rtol=1e-5)
