"""Grad-CAM against arithmetic by hand, on any number of axes; `test_attribution.py` compares the backends."""

import keras
import numpy as np
import pytest
import samples
from keras import layers

import zoo
from zoo.errors import UsageError
from zoo.introspection.grad_cam import grad_cam, map_layer, stretch

MEAN = {1: layers.GlobalAveragePooling1D, 2: layers.GlobalAveragePooling2D, 3: layers.GlobalAveragePooling3D}
CONV = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}


def linear(axes, kernel, matrix):
    """A 1x1 convolution, the mean over all places, a matrix: (batch, *axes, 2 channels) to logits."""
    given = keras.Input((*axes, kernel.shape[0]), name="given")
    maps = CONV[len(axes)](kernel.shape[1], 1, use_bias=False, name="maps")(given)
    logits = layers.Dense(matrix.shape[1], use_bias=False, name="logits")(MEAN[len(axes)](name="mean")(maps))
    model = keras.Model(given, logits, name="linear")
    model.set_weights([kernel.reshape((1,) * len(axes) + kernel.shape), matrix])
    return model


@pytest.mark.parametrize("axes", [(6,), (2, 3), (2, 3, 4)])
def test_a_linear_network_by_hand(axes):
    """d logit_k / d map_c = M[c, k] / n at each of n places, and so is its mean: heat = max(0, maps . M[:, k]) / n."""
    chance = np.random.default_rng(0)
    kernel, matrix = chance.normal(size=(2, 3)).astype("float32"), chance.normal(size=(3, 4)).astype("float32")
    x = chance.normal(size=(5, *axes, 2)).astype("float32")
    classes = [0, 3, 1, 2, 2]
    heat = grad_cam(linear(axes, kernel, matrix), x, classes)
    expected = [np.maximum(0, one @ kernel @ matrix[:, k]) / np.prod(axes) for one, k in zip(x, classes)]
    assert heat.shape == (5, *axes) and heat.dtype == "float32"
    np.testing.assert_allclose(heat, expected, atol=1e-6)
    assert 0.2 < np.mean(heat > 0) < 0.8, "half of the places speak against a class"


def test_four_pixels_in_the_head():
    model = linear((2, 2), np.float32([[1, 0], [0, 1]]), np.float32([[4, 0], [-8, 4]]))
    x = np.float32([[[[1, 0], [0, 1]], [[3, 1], [2, 2]]]])  # channels (1, 0) (0, 1) (3, 1) (2, 2)
    assert grad_cam(model, x, 0).tolist() == [[[1, 0], [1, 0]]]  # max(0, 1 a - 2 b)
    assert grad_cam(model, x, 1).tolist() == [[[0, 1], [1, 2]]]  # max(0, b)


def test_a_single_logit_stands_for_class_1():
    model = linear((2, 2), np.float32([[1], [0]]), np.float32([[4]]))
    x = np.float32([[[[1, 0], [-2, 0]], [[0, 0], [3, 0]]]])
    assert grad_cam(model, x, 1).tolist() == [[[1, 0], [0, 3]]]
    assert grad_cam(model, x, 0).tolist() == [[[0, 2], [0, 0]]]


def test_the_meant_head_of_several():
    inner = linear((2, 2), np.float32([[1], [0]]), np.float32([[4]]))
    other = layers.Dense(3, name="auxiliary")(layers.Flatten()(inner.get_layer("maps").output))
    model = keras.Model(inner.input, {"auxiliary": other, "logits": inner.output})
    x = np.float32(np.random.default_rng(0).normal(size=(2, 2, 2, 2)))
    np.testing.assert_array_equal(grad_cam(model, x, 1), grad_cam(inner, x, 1))
    assert grad_cam(model, x, 2, layer="maps", head="auxiliary").shape == (2, 2, 2)
    with pytest.raises(UsageError, match=r"there is no head of .* 'logit'; did you mean logits"):
        grad_cam(model, x, 0, head="logit")


def test_maps_that_a_shortcut_jumps_over():
    """Only what passes through the layer counts: y = conv(x) + x, of which the maps are conv(x)."""
    given = keras.Input((2, 2, 1))
    maps = layers.Conv2D(1, 1, use_bias=False, name="maps")(given)
    logits = layers.Dense(2, use_bias=False)(layers.GlobalAveragePooling2D()(layers.Add()([maps, given])))
    model = keras.Model(given, logits)
    model.set_weights([np.full((1, 1, 1, 1), 2.0), np.ones((1, 2))])
    x = np.float32([[[[1], [2]], [[-3], [0]]]])
    np.testing.assert_allclose(grad_cam(model, x, 0, layer="maps"), [[[0.5, 1], [0, 0]]])


def test_frozen_and_half_precision_networks_are_explained_too():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = zoo.build("resnet20", **zoo.info("resnet20").tiny)
    finally:
        keras.config.set_dtype_policy("float32")
    model.trainable = False
    heat = grad_cam(samples.fill(model), samples.inputs(model, 3), [0, 1, 2])
    assert heat.shape == (3, 4, 4) and heat.dtype == "float32" and heat.max() > 0


@pytest.mark.parametrize(
    "name, layer",
    [("vgg16", "block5_conv3"), ("resnet50", "conv5_block3_out"), ("lenet5", "c3"), ("inception_v1", "inception_5b")],
)
def test_the_last_maps_that_have_places(name, layer):
    with keras.StatelessScope(initialize_variables=False):
        assert map_layer(zoo.build(name)) == layer
    keras.utils.clear_session(free_memory=False)


def test_stretch_keeps_places_and_constants():
    heat = np.zeros((1, 2, 4, 4), "float32")
    heat[0, 1, 0, 3] = 1
    large = stretch(heat, (8, 16, 20))
    assert large.shape == (1, 8, 16, 20) and large.max() == pytest.approx(1, abs=1e-6)
    time, row, column = np.unravel_index(large[0].argmax(), large.shape[1:])
    assert time >= 4 and row < 4 and column >= 15
    np.testing.assert_allclose(stretch(np.ones((2, 3)), (7,)), 1)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"class_index": 2}, "class_index is 2; expected whole numbers from 0 to 1"),
        ({"class_index": [0, -1]}, "expected whole numbers from 0 to 1"),
        ({"class_index": 0.5}, "expected whole numbers"),
        ({"class_index": 0, "layer": "map"}, "there is no layer of linear 'map'; did you mean maps"),
        ({"class_index": 0, "layer": "mean"}, "the layer mean of linear has no maps"),
        ({"class_index": 0, "head": "logits"}, "linear has one output only"),
    ],
)
def test_what_cannot_be_explained_is_said_in_one_line(arguments, message):
    model = linear((2, 2), np.ones((2, 3), "float32"), np.ones((3, 2), "float32"))
    with pytest.raises(UsageError, match=message) as caught:
        grad_cam(model, np.ones((2, 2, 2, 2), "float32"), **arguments)
    assert "\n" not in str(caught.value)


def test_a_network_without_maps():
    with pytest.raises(UsageError, match="mlp has no maps; expected a network over images"):
        grad_cam(zoo.build("mlp"), np.ones((1, 28, 28, 1), "float32"), 0)
