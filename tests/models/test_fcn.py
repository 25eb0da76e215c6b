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


def test_coarser_nets_are_the_finer_ones_before_they_learn():
    """FCN-32s and 16s have fewer scores; with the same weights, and finer scores of nothing, all give the same maps."""
    keras.utils.set_random_seed(0)
    image = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype("float32")
    nets = {finest: fcn8_vgg16(**SMALL, finest=finest) for finest in (8, 16, 32)}
    scores = {finest: [each.name for each in net.layers if "score" in each.name] for finest, net in nets.items()}
    assert scores == {8: ["score32", "score16", "score8"], 16: ["score32", "score16"], 32: ["score32"]}
    for finest in (16, 32):
        for layer in nets[finest].layers:
            if layer.name != "logits":
                layer.set_weights(nets[8].get_layer(layer.name).get_weights())
    found = {finest: ops.convert_to_numpy(net(image)) for finest, net in nets.items()}
    assert {each.shape for each in found.values()} == {(1, 64, 64, 4)}
    middle = np.s_[:, 24:-24, 24:-24]  # away from the borders, from which less comes in where it goes up by steps
    scale = np.abs(found[8]).max()
    for finest in (16, 32):  # twice and eight times is not sixteen times at once, but close
        assert np.abs(found[finest] - found[8])[middle].max() < 0.15 * scale
    with pytest.raises(zoo.UsageError, match="finest is 4; expected a stride: 8, 16, 32"):
        fcn8_vgg16(**SMALL, finest=4)


def test_each_class_goes_up_by_itself():
    kernel = Bilinear()((16, 16, 3, 3))
    kernel = ops.convert_to_numpy(kernel)
    assert (kernel[..., 0, 1] == 0).all() and kernel[..., 0, 0].sum() == pytest.approx(64)  # 8 x 8 pixels of each


def test_sizes_that_are_no_multiple():
    with pytest.raises(zoo.errors.UsageError, match="images of 60x64; expected multiples of 32"):
        fcn8_vgg16(**{**SMALL, "input_shape": (60, 64, 3)})
