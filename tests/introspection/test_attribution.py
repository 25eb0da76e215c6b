"""Saliency, integrated gradients and occlusion against arithmetic by hand; all explanations alike on every backend."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import samples
from keras import layers

import zoo
from zoo.errors import UsageError
from zoo.introspection import attacks
from zoo.introspection.attribution import METHODS, heatmaps, integrated_gradients, occlusion, saliency, scorer

HERE = Path(__file__).parent
AXES = [(6,), (2, 3), (2, 3, 4)]


def linear(shape, classes=3, seed=0):
    """Logits x . w + b, and the weights by class: (classes, *shape)."""
    given = keras.Input(shape)
    model = keras.Model(given, layers.Dense(classes, name="logits")(layers.Flatten()(given)), name="linear")
    chance = np.random.default_rng(seed)
    model.set_weights([chance.normal(size=each.shape).astype("float32") for each in model.get_weights()])
    return model, model.get_weights()[0].T.reshape(classes, *shape)


def noise(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def logits(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


@pytest.fixture(scope="module")
def lenet5():
    return samples.fill(zoo.build("lenet5", input_shape=(12, 12, 2), num_classes=4))


@pytest.mark.parametrize("axes", AXES)
def test_a_linear_network(axes):
    """The gradient is the weight; integrated, it is weight times way, and adds up exactly."""
    model, w = linear((*axes, 2))
    x, start, classes = noise(4, *axes, 2), noise(*axes, 2, seed=2), [0, 2, 1, 1]
    np.testing.assert_allclose(saliency(model, x, classes), w[classes], rtol=1e-6)
    found = integrated_gradients(model, x, classes, reference=start, steps=3)
    np.testing.assert_allclose(found, w[classes] * (x - start), rtol=1e-5, atol=1e-6)
    way = (logits(model, x) - logits(model, start[None]))[range(4), classes]
    np.testing.assert_allclose(found.reshape(4, -1).sum(1), way, rtol=1e-4)


def test_the_gradient_of_a_hidden_layer_by_hand():
    """logit = w2 . tanh(W1 x): d / dx = W1 (w2 (1 - tanh^2))."""
    given = keras.Input((3, 2))
    hidden = layers.Dense(5, activation="tanh", use_bias=False)(layers.Flatten()(given))
    model = keras.Model(given, layers.Dense(4, use_bias=False)(hidden))
    x, (w1, w2) = noise(7, 3, 2), model.get_weights()
    slope = 1 - np.tanh(x.reshape(7, 6) @ w1) ** 2
    expected = (slope * w2[:, 3]) @ w1.T
    np.testing.assert_allclose(saliency(model, x, 3), expected.reshape(7, 3, 2), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("options", "steps"), [({"activation": "tanh", "pooling": "average"}, 64), ({}, 4096)])
def test_integrated_gradients_are_complete(options, steps):
    model = samples.fill(zoo.build("lenet5", input_shape=(12, 12, 2), num_classes=4, **options))
    x, classes = noise(3, 12, 12, 2), [3, 0, 2]
    found = integrated_gradients(model, x, classes, reference=-1.0, steps=steps).reshape(3, -1).sum(1, dtype="float64")
    way = (logits(model, x) - logits(model, np.full_like(x[:1], -1)))[range(3), classes]
    np.testing.assert_allclose(found, way, atol=1e-3 * abs(way).max())
    few = integrated_gradients(model, x, classes, reference=-1.0, steps=1).reshape(3, -1).sum(1)
    assert (abs(few - way) > 0.02 * abs(way).max()).any(), "one step is not enough: the network is curved"


def test_what_the_input_does_not_change_is_not_blamed(lenet5):
    """Sensitivity: two inputs that differ in one number alone get all of the difference there."""
    start = noise(1, 12, 12, 2)
    x = start.copy()
    x[0, 6, 5, 1] += 3
    found = integrated_gradients(lenet5, x, 1, reference=start, steps=4096)
    assert np.flatnonzero(found).tolist() == [np.ravel_multi_index((0, 6, 5, 1), x.shape)]
    np.testing.assert_allclose(found.sum(), (logits(lenet5, x) - logits(lenet5, start))[0, 1], rtol=1e-3)


def test_occlusion_of_a_linear_network_by_hand():
    """What a cover hides is lost; a place gets the mean of the covers over it. The last one is moved back to fit."""
    model, w = linear((5, 3, 2))
    x = noise(2, 5, 3, 2)
    lost = ((x - 0.5) * w[2]).sum(-1)  # (batch, 5, 3)
    tops = {0: slice(0, 2), 2: slice(2, 4), 3: slice(3, 5)}  # covers of 2 by 3 at 0, 2, and 3 instead of 4
    by_cover = {top: lost[:, rows].sum((1, 2)) for top, rows in tops.items()}
    rows = [by_cover[0], by_cover[0], by_cover[2], (by_cover[2] + by_cover[3]) / 2, by_cover[3]]
    expected = np.stack(rows, axis=1)[:, :, None].repeat(3, axis=2)
    found = occlusion(model, x, 2, window=(2, 7), stride=2, fill=0.5)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_one_logit_stands_for_two_classes():
    given = keras.Input((4, 1))
    model = keras.Model(given, layers.Dense(1)(layers.Flatten()(given)))
    x = noise(2, 4, 1)
    np.testing.assert_array_equal(saliency(model, x, 0), -saliency(model, x, 1))
    np.testing.assert_allclose(occlusion(model, x, [0, 0]), -occlusion(model, x, 1), rtol=1e-6)


def test_the_meant_head_of_several(lenet5):
    other = layers.Dense(3, name="auxiliary")(lenet5.get_layer("f6").output)
    model = keras.Model(lenet5.input, {"auxiliary": other, "logits": lenet5.output})
    x = noise(2, 12, 12, 2)
    np.testing.assert_allclose(saliency(model, x, 1), saliency(lenet5, x, 1), rtol=1e-5, atol=1e-7)
    assert saliency(model, x, 2, head="auxiliary").shape == x.shape
    with pytest.raises(UsageError, match=r"there is no head of .* 'logit'; did you mean logits"):
        occlusion(model, x, 0, head="logit")


@pytest.mark.parametrize("method", METHODS)
def test_heat_is_as_large_as_the_input(lenet5, method):
    heat = heatmaps(lenet5, noise(2, 12, 12, 2), [0, 3], method)
    assert heat.shape == (2, 12, 12) and heat.min() >= 0 and heat.max() > 0 and heat.dtype == "float32"


def test_no_examples(lenet5):
    none = np.zeros((0, 12, 12, 2), "float32")
    for method in (saliency, integrated_gradients):
        assert method(lenet5, none, 0).shape == none.shape
    assert occlusion(lenet5, none, 0).shape == (0, 12, 12)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda model, x: heatmaps(model, x, 0, "grad-cam"),
            "there is no explanation 'grad-cam'; did you mean gradcam",
        ),
        (lambda model, x: saliency(model, x, 4), "class_index is 4; expected whole numbers from 0 to 3"),
        (lambda model, x: integrated_gradients(model, x, 0, steps=0), "steps is 0; expected a whole number"),
        (lambda model, x: integrated_gradients(model, x, 0, reference=np.zeros(5)), r"reference has the shape \(5,\)"),
        (lambda model, x: occlusion(model, x, 0, window=0), "window is 0; expected a whole number"),
        (lambda model, x: occlusion(model, x, 0, stride=(1, 2, 3)), r"stride is \(1, 2, 3\); expected a whole number"),
    ],
)
def test_what_cannot_be_explained_is_said_in_one_line(lenet5, ask, message):
    with pytest.raises(UsageError, match=message) as caught:
        ask(lenet5, noise(1, 12, 12, 2))
    assert "\n" not in str(caught.value)


def test_tokens_cannot_be_moved_by_a_little():
    model = zoo.build("gru_classifier", **zoo.info("gru_classifier").tiny)
    with pytest.raises(UsageError, match=r"gru_classifier takes .* \(int.*\); expected one input of float numbers"):
        scorer(model, None)


def computed():
    """All explanations and attacks of one network, for the program below."""
    model = samples.fill(zoo.build("lenet5"))
    x, classes = samples.inputs(model, 2), [1, 2]
    found = {method: heatmaps(model, x, classes, method) for method in METHODS}
    return found | {method: getattr(attacks, method)(model, x, classes, 0.1) for method in attacks.METHODS}


PROGRAM = """
import json, test_attribution
print(json.dumps({key: value.tolist() for key, value in test_attribution.computed().items()}))
"""


@pytest.fixture(scope="module")
def here():
    return computed()


@pytest.mark.parametrize(
    "backend",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name == "jax"))  # compiles each operation by itself
        for name in ("tensorflow", "jax", "torch")
        if name != keras.config.backend()
    ],
)
def test_explanations_and_attacks_are_the_same_on_every_backend(backend, here):
    pytest.importorskip(backend)
    path = os.pathsep.join([*map(str, (HERE.parents[1], HERE.parent, HERE)), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    there = {key: np.array(value) for key, value in json.loads(done.stdout).items()}
    for method in METHODS:
        np.testing.assert_allclose(there[method], here[method], rtol=1e-3, atol=1e-4 * here[method].max())
    for method in attacks.METHODS:  # a gradient next to 0 may have either sign
        assert np.mean(abs(there[method] - here[method]) > 1e-5) < 0.02
