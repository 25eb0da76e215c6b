"""The losses: values and gradients by hand, saving, and names."""

import importlib.util
import os
import subprocess
import sys

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
    with pytest.raises(UsageError, match="there is no loss 'perceptrons'; did you mean perceptron"):
        losses.get("perceptrons")


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_perceptron_criterion_by_hand(shape, dtype):
    labels = np.array([1, 0, 1, 0], dtype).reshape(shape)
    predictions = np.array([[-2.0], [0.5], [3.0], [-4.0]], "float32")  # wrong by 2, wrong by 0.5, right, right
    assert float(losses.Perceptron()(labels, predictions)) == (2.0 + 0.5) / 4


def test_hinge_by_hand():
    scores = np.array([[2.0, -0.5, 3.0], [-1.0, 0.25, -2.0]], "float32")
    expected = [(0 + 0.5 + 4) / 3, (0 + 0.75 + 0) / 3]  # of class 0, and of class 1
    np.testing.assert_allclose(losses.Hinge()([0, 1], scores), np.mean(expected), rtol=1e-6)
    np.testing.assert_allclose(losses.Hinge()([[0], [1]], scores), np.mean(expected), rtol=1e-6)
    one = losses.Hinge(reduction="none")(np.array([[1], [0], [1]]), np.array([[2.0], [0.5], [-3.0]], "float32"))
    np.testing.assert_allclose(one, [0, 1.5, 4])


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


# Distances: each loss by hand, and against loops.

LINE = np.array([[0.0], [1.0], [3.0], [4.5]], "float32")  # squared distances 1, 9, 20.25; 4, 12.25; 2.25
TWO_AND_TWO = np.array([0, 0, 1, 1])


def brute_force(mining, labels, points, margin):
    """Every triplet in loops, chosen by the rule in words."""
    n = len(labels)
    d = np.array([[np.sum((a - b) ** 2) for b in points] for a in points])
    losses = []
    for a in range(n):
        positives = [p for p in range(n) if p != a and labels[p] == labels[a]]
        negatives = [q for q in range(n) if labels[q] != labels[a]]
        if not positives or not negatives:
            continue
        if mining == "hard":
            losses.append(max(0, max(d[a, p] for p in positives) - min(d[a, q] for q in negatives) + margin))
            continue
        for p in positives:
            if mining == "all":
                found = [d[a, p] - d[a, q] + margin for q in negatives]
                losses += [loss for loss in found if loss > 0]
            elif mining == "semi_hard":
                farther = [d[a, q] for q in negatives if d[a, q] > d[a, p]]
                chosen = min(farther) if farther else max(d[a, q] for q in negatives)
                losses.append(max(0, d[a, p] - chosen + margin))
            else:  # the next negative behind the positive, from the end on to the start
                chosen = next(q % n for q in range(p, p + n) if q % n in negatives)
                losses.append(max(0, d[a, p] - d[a, chosen] + margin))
    return float(np.mean(losses)) if losses else 0.0


@pytest.mark.parametrize(
    ("mining", "expected"),
    [
        # Anchors 0 and 1 have their positive at 1, anchors 3.0 and 4.5 theirs at 2.25; margin 5.
        ("all", np.mean([1 - 4 + 5, 2.25 - 4 + 5])),  # 1 - 9, 1 - 20.25, 1 - 12.25, 2.25 - 9, ... are over the margin
        ("hard", np.mean([0, 1 - 4 + 5, 2.25 - 4 + 5, 0])),
        ("semi_hard", np.mean([0, 1 - 4 + 5, 2.25 - 4 + 5, 0])),
        ("random", np.mean([0, 1 - 4 + 5, 0, 0])),  # behind row 1 comes 2, behind 0 too, behind 2 and 3 comes 0
    ],
)
def test_triplets_by_hand(mining, expected):
    assert float(losses.Triplet(margin=5.0, mining=mining)(TWO_AND_TWO, LINE)) == pytest.approx(expected)


@pytest.mark.parametrize("mining", losses.MINING)
@pytest.mark.parametrize("seed", range(4))
def test_triplets_against_loops(mining, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, 12)  # some classes with one member, so some anchors without a positive
    points = rng.normal(size=(12, 3)).astype("float32")
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    found = float(losses.Triplet(margin=0.3, mining=mining)(labels[:, None], points))
    assert found == pytest.approx(brute_force(mining, labels, points, 0.3), rel=1e-4)


@pytest.mark.parametrize("mining", losses.MINING)
def test_a_collapsed_network_costs_the_margin(mining):
    points = np.ones((8, 4), "float32") / 2
    assert float(losses.Triplet(margin=0.2, mining=mining)(np.arange(8) // 2, points)) == pytest.approx(0.2)


@pytest.mark.parametrize(
    "name", ["triplet_all", "triplet_semi_hard", "triplet_hard", "triplet_random", "n_pair", "nt_xent"]
)
@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 2, 3]], ids=["one class", "no two of a class"])
def test_a_batch_without_triplets_costs_and_moves_nothing(name, labels):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(1.0), losses.get(name), jit_compile=False)
    x = np.random.default_rng(0).normal(size=(4, 2)).astype("float32")
    assert model.train_on_batch(x, np.array(labels)) == 0
    for now, then in zip(model.get_weights(), before):
        np.testing.assert_array_equal(now, then)


def test_random_negatives_are_any_of_the_others():
    """In batches of random order each negative is as likely as any other."""
    rng, counts = np.random.default_rng(0), np.zeros(7)
    for _ in range(400):
        order = rng.permutation(8)  # images 0 and 1 are of one class, and image k lies k from every other
        same = np.outer(order == 0, order == 1)
        other = np.outer(order == 0, order > 1)
        distances = np.tile(order.astype("float32"), (8, 1))
        loss = losses.MINING["random"](*map(keras.ops.convert_to_tensor, (distances, same, other)), 100.0)
        counts[round(101 - float(loss)) - 1] += 1  # 1 - k + 100
    assert counts[0] == 0 and counts[1:].min() >= 40  # 67 expected of each


@pytest.mark.parametrize("margin", [0.0, -0.2])
@pytest.mark.parametrize("loss", [losses.Triplet, losses.ExplicitTriplet, losses.Contrastive])
def test_a_margin_that_rewards_collapse_is_refused(loss, margin):
    with pytest.raises(UsageError, match=f"margin is {margin}; expected above 0"):
        loss(margin=margin)


def test_unknown_mining_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="there is no mining 'semihard'; did you mean semi_hard"):
        losses.Triplet(mining="semihard")


def test_explicit_triplets_by_hand():
    points = np.array([[[0.0, 0], [1, 0], [2, 0]], [[0, 0], [0, 2], [0, 1]]], "float32")  # 1 - 4, 4 - 1
    assert float(losses.ExplicitTriplet(margin=0.5)(np.zeros(2), points)) == pytest.approx((0 + 3.5) / 2)


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_contrastive_by_hand(shape):
    d = np.array([0.5, 0.5, 2.0, 0.0])
    labels = np.array([1, 0, 0, 1]).reshape(shape)
    expected = np.mean([0.25, (1 - 0.5) ** 2, 0, 0])
    found = losses.Contrastive(margin=1.0)(labels, -(d[:, None] ** 2).astype("float32"))
    assert float(found) == pytest.approx(expected)


def test_contrastive_has_a_finite_slope_where_two_images_meet():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.1), losses.Contrastive(), jit_compile=False)
    model.train_on_batch(np.ones((2, 1)), np.array([[0.0], [1.0]]))
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.parametrize("seed", range(3))
def test_n_pair_against_loops(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, 10)
    points = rng.normal(size=(10, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    terms = []
    for a in range(10):
        negatives = [np.exp(points[a] @ points[q] / 0.5) for q in range(10) if labels[q] != labels[a]]
        for p in (p for p in range(10) if p != a and labels[p] == labels[a]):
            mine = np.exp(points[a] @ points[p] / 0.5)
            terms.append(-np.log(mine / (mine + sum(negatives))))
    found = losses.NPair(temperature=0.5)(labels, points.astype("float32"))
    assert float(found) == pytest.approx(np.mean(terms), rel=1e-4)


# SimCLR's: equation 1 of Chen 2020.


def nt_xent_in_loops(numbers, embeddings, temperature):
    """The equation, view by view and in words: the cosine with the other view, against those with all but itself."""
    terms = []
    for i in range(len(numbers)):
        scores = {}
        for k in range(len(numbers)):
            if k != i:
                cosine = embeddings[i] @ embeddings[k] / np.linalg.norm(embeddings[i]) / np.linalg.norm(embeddings[k])
                scores[k] = np.exp(cosine / temperature)
        (j,) = [k for k in scores if numbers[k] == numbers[i]]
        terms.append(-np.log(scores[j] / sum(scores.values())))
    return np.mean(terms)


@pytest.mark.parametrize("temperature", [0.05, 0.5, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_nt_xent_against_loops(seed, temperature):
    """Of embeddings of any length, in any order."""
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(np.arange(14) // 2)
    embeddings = rng.normal(size=(14, 5)) * rng.uniform(0.1, 10, (14, 1))
    found = float(losses.NTXent(temperature=temperature)(numbers, embeddings.astype("float32")))
    assert found == pytest.approx(nt_xent_in_loops(numbers, embeddings, temperature), rel=1e-4)


def test_nt_xent_of_two_pairs_by_hand():
    """Cosines: of the first pair 0, of the second 1; of the first view with the second pair 0, of its other view 1."""
    views = np.array([[3.0, 0], [0, 1], [0, 2], [0, 5]], "float32")
    e = np.exp(1 / 0.5)
    terms = [1 / 3, 1 / (1 + 2 * e), e / (1 + 2 * e), e / (1 + 2 * e)]
    assert float(losses.NTXent(temperature=0.5)([0, 0, 1, 1], views)) == pytest.approx(-np.mean(np.log(terms)))


def test_no_view_is_its_own_negative():
    """With itself in the sum, two perfect pairs would cost log(2 e + 2) - 1 in place of log(e + 2) - 1."""
    views = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]], "float32")
    assert float(losses.NTXent(temperature=1.0)([0, 0, 1, 1], views)) == pytest.approx(np.log(np.e + 2) - 1)
    one_pair = np.array([[1.0, 0], [0, 1]], "float32")  # nothing to be mistaken for
    assert float(losses.NTXent()([0, 0], one_pair)) == 0


def test_a_lone_view_is_a_negative_and_no_anchor():
    rng = np.random.default_rng(0)
    views = rng.normal(size=(5, 3)).astype("float32")
    unit = views / np.linalg.norm(views, axis=1, keepdims=True)
    scores = np.exp(unit @ unit.T / 0.5)
    terms = [scores[i, i ^ 1] / (scores[i].sum() - scores[i, i]) for i in range(4)]
    assert float(losses.NTXent()([0, 0, 1, 1, 2], views)) == pytest.approx(-np.mean(np.log(terms)), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_nt_xent_is_the_same_on_every_backend(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    chosen = "nt_xent and (loops or hand) or own_negative or lone_view"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", chosen]
    done = subprocess.run(command, env={**os.environ, "KERAS_BACKEND": backend}, capture_output=True, text=True)
    assert done.returncode == 0 and "12 passed" in done.stdout, done.stdout[-2000:]


@pytest.mark.parametrize("loss", [losses.NPair, losses.NTXent])
def test_temperature_is_positive(loss):
    with pytest.raises(UsageError, match="temperature is 0; expected above 0"):
        loss(temperature=0)
