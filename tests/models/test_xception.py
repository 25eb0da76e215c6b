"""Xception against keras.applications."""

import keras
import numpy as np
import pytest
from parity import from_keras

import zoo


@pytest.mark.slow
@pytest.mark.parametrize("numbers", [0, 7], ids=["a new process", "other networks before it"])
def test_weights_of_keras_give_its_outputs(numbers, tmp_path):
    """Its shortcuts have no names there but numbers that count upwards in a process: the order is all that is told."""

    def rename(layer):
        kind, _, number = layer.rpartition("_")
        unnamed = kind in ("conv2d", "batch_normalization")
        return f"{kind}_{int(number) + numbers}" if unnamed and number.isdigit() else layer

    shape = (71, 73, 3)
    theirs = keras.applications.Xception(weights=None, input_shape=shape, classifier_activation=None)
    assert from_keras("xception", theirs, tmp_path / "net.h5", shape, rename=rename) < 1e-5


def test_a_separable_convolution_is_a_depthwise_and_a_1x1():
    model = zoo.build("xception", input_shape=(71, 71, 3), width=0.02, blocks=1)
    layer = model.get_layer("block5_sepconv1")
    x = np.random.default_rng(0).normal(size=(1, 5, 5, layer.input.shape[-1])).astype("float32")
    depthwise = keras.ops.depthwise_conv(x, layer.depthwise_kernel, padding="same")
    expected = keras.ops.einsum("bhwc,cd->bhwd", depthwise, layer.pointwise_kernel[0, 0])
    found, expected = (keras.ops.convert_to_numpy(each) for each in (layer(x), expected))
    np.testing.assert_allclose(found, expected, atol=1e-5)
