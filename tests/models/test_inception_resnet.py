"""Inception-ResNet v2 against keras.applications, and what its blocks add."""

import keras
import numpy as np
import pytest
from parity import from_keras

import zoo


@pytest.mark.slow
@pytest.mark.parametrize(
    ("numbers", "shape", "bound"),
    [(0, (299, 299, 3), 1e-5), (7, (75, 107, 3), 1e-4)],
    ids=["a new process", "other networks before it"],
)
def test_weights_of_keras_give_its_outputs(numbers, shape, bound, tmp_path):
    """Most of its layers have no names there but numbers: the order is all that is told. Small images end in maps of a
    pixel or two, whose statistics swell the rounding of 40 blocks."""

    def rename(layer):
        kind, _, number = layer.rpartition("_")
        unnamed = kind in ("conv2d", "batch_normalization")
        return f"{kind}_{int(number) + numbers}" if unnamed and number.isdigit() else layer

    theirs = keras.applications.InceptionResNetV2(
        weights=None, input_shape=shape, include_top=False, pooling="avg", classifier_activation=None
    )
    assert from_keras("inception_resnet_v2", theirs, tmp_path / "net.h5", shape, rename=rename, num_classes=0) < bound


def test_a_block_adds_a_part_of_what_its_towers_found():
    model = zoo.build("inception_resnet_v2", input_shape=(75, 75, 3), width=0.125, blocks=(1, 2, 2))
    ends = [layer.name for layer in model.layers if layer.name.startswith("block8_")]
    assert "block8_1_scale" in ends and "block8_2_scale" not in ends and "block8_2_ac" not in ends  # the last
    names = ("block17_1_conv", "mixed_6a", "block17_1_ac")
    parts = keras.Model(model.input, [model.get_layer(name).output for name in names])
    x = np.random.default_rng(0).normal(size=(2, 75, 75, 3)).astype("float32")
    change, before, after = (keras.ops.convert_to_numpy(each) for each in parts(x, training=False))
    assert np.abs(change).max() > 1e-3
    np.testing.assert_allclose(after, np.maximum(before + 0.1 * change, 0), atol=1e-6)
    assert np.abs(after - np.maximum(before + change, 0)).max() > 1e-3  # the broken twin: the factor left out


@pytest.mark.parametrize("blocks", [(1, 1), (1, 0, 1), (1, 1, 1, 1)])
def test_a_kind_of_block_that_is_left_out_is_told(blocks):
    with pytest.raises(zoo.UsageError, match=r"blocks of .* expected 3 whole numbers of at least 1"):
        zoo.build("inception_resnet_v2", input_shape=(75, 75, 3), width=0.125, blocks=blocks)
