"""FCN-8s: its parameters by hand, and what it is before it has learned anything."""

import keras
import numpy as np
import pytest
from keras import ops

import zoo
from zoo.models.fcn import Bilinear, fcn8_vgg16

SMALL = dict(input_shape=(64, 64, 3), num_classes=4, width=0.0625)


def test_parameters_by_hand():
    body, fc1, fc2 = 14_714_688, 7 * 7 * 512 * 4096 + 4096, 4096 * 4096 + 4096
    scores = (4096 + 512 + 256) * 21 + 3 * 21
    assert zoo.info("fcn8_vgg16").params == body + fc1 + fc2 + scores + 2 * 4 * 4 * 21 * 21
    assert zoo.info("fcn8_vgg16").non_trainable_params == 16 * 16 * 21 * 21


def test_it_starts_as_the_coarse_net_enlarged():
    """Scores of finer maps start at nothing (section 4.2), and what goes up is bilinear interpolation."""
    model = fcn8_vgg16(**SMALL)
    image = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype("float32")
    coarse = keras.Model(model.input, model.get_layer("score32").output)(image)  # (1, 2, 2, 4)
    twice = ops.image.resize(ops.pad(coarse, ((0, 0), (1, 1), (1, 1), (0, 0))), (8, 8), "bilinear")[:, 2:-2, 2:-2]
    found = keras.Model(model.input, model.get_layer("up16").output)(image)
    np.testing.assert_allclose(ops.convert_to_numpy(found), ops.convert_to_numpy(twice), atol=1e-6)
    assert np.ptp(ops.convert_to_numpy(model(image))) > 0


def test_each_class_goes_up_by_itself():
    kernel = Bilinear()((16, 16, 3, 3))
    kernel = ops.convert_to_numpy(kernel)
    assert (kernel[..., 0, 1] == 0).all() and kernel[..., 0, 0].sum() == pytest.approx(64)  # 8 x 8 pixels of each


def test_sizes_that_are_no_multiple():
    with pytest.raises(zoo.errors.UsageError, match="images of 60x64; expected multiples of 32"):
        fcn8_vgg16(**{**SMALL, "input_shape": (60, 64, 3)})
