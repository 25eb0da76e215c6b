"""How strange an example is to a classifier: values by hand, scikit-learn's distances, what must not matter."""

import math

import numpy as np
import pytest
from sklearn.covariance import EmpiricalCovariance

import zoo
from zoo.metrics import novelty
from zoo.metrics.classification import probabilities
from zoo.metrics.novelty import Gaussians


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_softmax_by_hand():
    found = novelty.softmax_score(np.log([[8.0, 1.0, 1.0], [1.0, 1.0, 2.0]]))
    np.testing.assert_allclose(found, [0.2, 0.5])


def test_energy_by_hand():
    """E = -log(e^1 + e^2 + e^3), and that of logits that are logarithms of counts: minus the logarithm of their sum."""
    by_hand = -math.log(math.e + math.e**2 + math.e**3)
    np.testing.assert_allclose(novelty.energy(np.array([[1.0, 2.0, 3.0]])), [by_hand], rtol=1e-12)
    np.testing.assert_allclose(novelty.energy(np.log([[8.0, 1.0, 1.0]])), [-math.log(10)], rtol=1e-12)


def test_a_shift_of_all_logits_is_nothing_to_softmax_and_all_to_energy(rng):
    logits = rng.normal(size=(50, 7))
    np.testing.assert_allclose(novelty.softmax_score(logits + 3), novelty.softmax_score(logits), rtol=1e-9)
    np.testing.assert_allclose(novelty.energy(logits + 3), novelty.energy(logits) - 3, rtol=1e-9)


def test_surer_is_less_strange(rng):
    """A larger largest logit lowers both; a larger other one lowers the energy and raises softmax's."""
    logits = np.sort(rng.normal(size=(50, 7)), -1)
    surer, torn = logits.copy(), logits.copy()
    surer[:, -1] += 0.5
    torn[:, 0] += 0.1
    assert (novelty.softmax_score(surer) < novelty.softmax_score(logits)).all()
    assert (novelty.energy(surer) < novelty.energy(logits)).all()
    assert (novelty.softmax_score(torn) > novelty.softmax_score(logits)).all()
    assert (novelty.energy(torn) < novelty.energy(logits)).all()


def test_the_surest_are_still_told_apart():
    """In float32, 1 - .99999999 and 1 - .9999999999 are both 0: half of a good network's examples would be ties."""
    logits = np.array([[20.0, 0.0], [25.0, 0.0], [200.0, 0.0], [1e4, 0.0]], "float32")
    assert (1 - probabilities(logits).max(-1) == 0).all()
    found = novelty.softmax_score(logits)
    np.testing.assert_allclose(found[:2], np.exp([-20.0, -25.0]), rtol=1e-6)
    assert found[0] > found[1] > found[2] >= found[3] >= 0 and np.isfinite(novelty.energy(logits)).all()


def test_one_logit_stands_for_two_classes():
    z = np.array([[-3.0], [0.0], [2.0]])
    pair = np.concatenate([np.zeros_like(z), z], -1)
    np.testing.assert_allclose(novelty.softmax_score(z), novelty.softmax_score(pair))
    with pytest.raises(zoo.UsageError, match="energy takes a logit for each class; there is one for two"):
        novelty.energy(z)


def clouds(rng, *, classes=3, features=5, count=200):
    """Labelled features of classes that share a covariance."""
    labels = rng.integers(0, classes, count)
    mixing = rng.normal(size=(features, features))
    return rng.normal(size=(classes, features))[labels] * 4 + rng.normal(size=(count, features)) @ mixing, labels


def test_distances_are_those_of_scikit_learn(rng):
    """Class means, and one covariance of what is left without them (Lee et al. 2018, section 2.1)."""
    features, labels = clouds(rng)
    new = rng.normal(size=(40, 5)) * 6
    means = np.stack([features[labels == each].mean(0) for each in range(3)])
    tied = EmpiricalCovariance(assume_centered=True).fit(features - means[labels])
    by_class = np.stack([tied.mahalanobis(new - mean) for mean in means], -1)
    found = Gaussians.fit(features, labels)
    np.testing.assert_allclose(found.means, means)
    np.testing.assert_allclose(found.distances(new), by_class, rtol=1e-6)
    np.testing.assert_allclose(found.mahalanobis(new), by_class.min(-1), rtol=1e-6)


def test_distances_by_hand():
    """Two classes around 0 and 10 with variances 4 and 1: (2, 0) is one standard deviation away, (10, 3) is three."""
    corners = np.array([[2.0, 1.0], [2.0, -1.0], [-2.0, 1.0], [-2.0, -1.0]])
    found = Gaussians.fit(np.concatenate([corners, corners + [10, 0]]), np.repeat([0, 1], 4))
    np.testing.assert_allclose(found.mahalanobis(np.array([[2.0, 0.0], [10.0, 3.0], [0.0, 0.0]])), [1, 9, 0], atol=1e-9)


def test_the_units_of_the_features_do_not_matter(rng):
    """Nor does any other invertible linear map: 1,000 times larger in one direction, sheared, shifted."""
    features, labels = clouds(rng)
    new, mixing = rng.normal(size=(40, 5)), rng.normal(size=(5, 5)) + np.diag([1000.0, 1, 1, 1, 1])
    plain = Gaussians.fit(features, labels).mahalanobis(new)
    mixed = Gaussians.fit(features @ mixing + 7, labels).mahalanobis(new @ mixing + 7)
    np.testing.assert_allclose(mixed, plain, rtol=1e-5)


def test_a_feature_that_never_moves_does_not_count(rng):
    """As a ReLU's that is 0 for all known examples: its variance of 0 has no inverse."""
    features, labels = clouds(rng)
    dead = np.concatenate([features, np.zeros((200, 1))], -1)
    new = rng.normal(size=(40, 5))
    found = Gaussians.fit(dead, labels).mahalanobis(np.concatenate([new, rng.normal(size=(40, 1))], -1))
    np.testing.assert_allclose(found, Gaussians.fit(features, labels).mahalanobis(new), rtol=1e-6)


def test_a_class_without_examples_is_none(rng):
    """Class numbers may have gaps: a class that is not there has no mean, and nothing is near it."""
    features, labels = clouds(rng)
    found = Gaussians.fit(features, np.where(labels == 1, 7, labels))
    assert found.means.shape == (3, 5) and np.isfinite(found.mahalanobis(features)).all()


@pytest.mark.parametrize(
    ("rate", "says"),
    [
        (0, "reject is 0; expected a fraction above 0 and below 1, as 0.05"),
        (1.0, "reject is 1.0; expected"),
        (5, "reject is 5; expected"),
        ("5%", "reject is '5%'; expected"),
        (float("nan"), "reject is nan; expected"),
        (True, "reject is True; expected"),
    ],
)
def test_a_rate_is_between_0_and_1(rate, says):
    with pytest.raises(zoo.UsageError, match=says):
        novelty.check_rate(rate)


def test_an_unknown_score_is_named():
    with pytest.raises(zoo.UsageError, match="there is no score to reject by 'entropy'; did you mean energy"):
        novelty.check_score("entropy")
