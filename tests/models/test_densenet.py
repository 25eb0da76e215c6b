"""DenseNet against keras.applications, and what is special in the paper."""

import keras
import pytest
from keras.src.applications import densenet  # the public names have one size each
from parity import from_keras

import zoo
from zoo.introspection.outline import outline

SIZES = ["DenseNet121", "DenseNet169", "DenseNet201"]
OLD = {"conv1_conv": "conv1/conv", "conv1_bn": "conv1/bn", "predictions": "fc1000"}  # in the published files


def test_weights_of_keras_give_its_outputs(tmp_path):
    theirs = densenet.DenseNet([1, 2, 1, 2], weights=None, input_shape=(64, 65, 3), classifier_activation=None)
    path, blocks = tmp_path / "net.h5", (1, 2, 1, 2)
    assert (
        from_keras("densenet121", theirs, path, (64, 65, 3), rename=lambda name: OLD.get(name, name), blocks=blocks)
        < 1e-5
    )


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_weights_of_keras_give_its_outputs_at_full_size(size, tmp_path):
    theirs = getattr(keras.applications, size)(weights=None, input_shape=(64, 65, 3), classifier_activation=None)
    assert from_keras(size.lower(), theirs, tmp_path / "net.h5", (64, 65, 3)) < 1e-5


def test_each_layer_adds_its_maps_to_those_before_it():
    """Table 1: 64 maps, 6 layers of 32, halved; 12 layers, halved; ..."""
    model = outline(lambda: zoo.build("densenet121", input_shape=(32, 32, 3), growth=4, width=8))
    channels = {name: model.get_layer(name).output.shape[-1] for name in ("conv2_block6_concat", "pool2_pool")}
    assert channels == {"conv2_block6_concat": 8 + 6 * 4, "pool2_pool": 16}
    assert model.get_layer("bn").output.shape[-1] == ((16 + 12 * 4) // 2 + 24 * 4) // 2 + 16 * 4


def test_the_name_says_how_many_layers_have_weights():
    model = outline(lambda: zoo.build("densenet121"))
    assert sum(isinstance(layer, keras.layers.Conv2D | keras.layers.Dense) for layer in model.layers) == 121
