"""EfficientNet against keras.applications, and the rule of the paper."""

import keras
import pytest
from keras.src.applications import efficientnet as keras_s  # the public names have one size each
from parity import from_keras, normalised

import zoo
from zoo.introspection.outline import outline


def test_weights_of_keras_give_its_outputs(tmp_path):
    """Their file has the statistics that pixels are scaled by, which our network gets scaled already."""
    shape = (64, 65, 3)
    theirs = keras_s.EfficientNet(0.35, 0.4, 64, weights=None, input_shape=shape, classifier_activation=None)
    sizes = {"width": 0.35, "depth": 0.4}
    assert from_keras("efficientnet_b0", theirs, tmp_path / "net.h5", shape, scale=normalised, **sizes) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("number", range(8))
def test_weights_of_keras_give_its_outputs_at_full_size(number, tmp_path):
    shape = (64, 65, 3)
    theirs = getattr(keras.applications, f"EfficientNetB{number}")
    theirs = theirs(weights=None, input_shape=shape, classifier_activation=None)
    assert from_keras(f"efficientnet_b{number}", theirs, tmp_path / "net.h5", shape, scale=normalised) < 1e-5


def test_the_rule_of_the_paper():
    """Section 3.3: width and depth multiply maps and blocks, rounded to eights and up."""
    b3 = outline(zoo.builder("efficientnet_b3"))
    blocks = [layer.name for layer in b3.layers if layer.name.endswith("_dwconv")]
    assert len(blocks) == sum(-(-count * 14 // 10) for count in (1, 2, 2, 3, 3, 4, 1))
    assert b3.get_layer("stem_conv").filters == 40 and b3.get_layer("top_conv").filters == 1536
    assert b3.get_layer("block2a_se_reduce").filters == 24 // 4, "a quarter of the block's input, not of its inside"


def test_options():
    with pytest.raises(zoo.UsageError, match=r"^variant is 'caffe'; expected 'tensorflow'"):
        zoo.build("efficientnet_b0", variant="caffe")
    with pytest.raises(zoo.UsageError, match=r"no block in this network"):
        zoo.build("efficientnet_b0", repeats=(0, 0, 0, 0, 0, 0, 0))
