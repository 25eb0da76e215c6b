"""What is special in SimCLR: a projection of two layers on what the tower's head reads, and unit length behind it."""

import keras
import numpy as np
import pytest

import zoo
from zoo.errors import UsageError

X = np.random.default_rng(0).normal(size=(3, 28, 28, 1)).astype("float32")


def run(model, x=X):
    return keras.ops.convert_to_numpy(model(x, training=False))


def test_the_projection_by_hand():
    """z = W2 max(W1 h + b1, 0) + b2, over its length; h as wide as W1's output."""
    model = zoo.build("simclr", tower="lenet5", dimensions=8)
    hidden, projection = model.get_layer("projection_hidden"), model.get_layer("projection")
    rng = np.random.default_rng(1)
    for layer in (hidden, projection):
        layer.set_weights([rng.normal(size=each.shape) for each in layer.get_weights()])
    (w1, b1), (w2, b2) = hidden.get_weights(), projection.get_weights()
    assert w1.shape == (84, 84) and w2.shape == (84, 8)
    z = np.maximum(run(keras.Model(model.input, hidden.input)) @ w1 + b1, 0) @ w2 + b2
    np.testing.assert_allclose(run(model), z / np.linalg.norm(z, axis=1, keepdims=True), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["lenet5", "mlp", "resnet20", "vgg16_small"])
def test_the_tower_gives_what_its_head_reads(name):
    shape = (32, 32, 1)
    model = zoo.build("simclr", tower=name, input_shape=shape)
    tower = zoo.build(name, input_shape=shape, num_classes=0)
    names = {layer.name for layer in model.layers if layer.weights}
    assert names == {layer.name for layer in tower.layers if layer.weights} | {"projection_hidden", "projection"}
    for layer in tower.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    x = np.random.default_rng(0).normal(size=(3, *shape)).astype("float32")
    features = keras.Model(model.input, model.get_layer("projection_hidden").input)
    np.testing.assert_allclose(run(features, x), run(tower, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (dict(tower="lenet"), "there is no tower 'lenet'; did you mean"),
        (dict(tower="simclr"), "there is no tower 'simclr'"),
        (dict(tower_options={"num_classes": 5}), "tower_options has num_classes"),
    ],
)
def test_wrong_requests(options, says):
    with pytest.raises(UsageError, match=says):
        zoo.build("simclr", **options)
