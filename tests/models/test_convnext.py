"""ConvNeXt against keras.applications, and what is special in the paper."""

import keras
import pytest
from keras.src.applications import convnext  # the public names have one size each
from parity import from_keras

import zoo

SIZES = [("convnext_small", "ConvNeXtSmall"), ("convnext_base", "ConvNeXtBase"), ("convnext_tiny", "ConvNeXtTiny")]
SMALL = {"maps": (16, 24, 32, 48), "blocks": (1, 1, 2, 1)}


def test_weights_of_keras_give_its_outputs(tmp_path):
    """Layers of theirs are networks inside of the network, with four weights each."""
    theirs = convnext.ConvNeXt(
        SMALL["blocks"], SMALL["maps"], name="convnext_tiny", include_preprocessing=False, classifier_activation=None
    )
    assert from_keras("convnext_tiny", theirs, tmp_path / "net.h5", (224, 224, 3), **SMALL) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(("name", "theirs"), SIZES)
def test_weights_of_keras_give_its_outputs_at_full_size(name, theirs, tmp_path):
    options = {"input_shape": (64, 65, 3), "classifier_activation": None, "include_preprocessing": False}
    theirs = getattr(keras.applications, theirs)(weights=None, **options)
    assert from_keras(name, theirs, tmp_path / "net.h5", (64, 65, 3)) < 1e-5


def test_without_layer_scale_and_with_stochastic_depth():
    model = zoo.build("convnext_tiny", **{**zoo.info("convnext_tiny").tiny, "layer_scale": 0, "drop_path": 0.5})
    names = [layer.name for layer in model.layers]
    assert not [name for name in names if name.endswith("layer_scale")]
    rates = [layer.rate for layer in model.layers if layer.name.endswith("drop_path")]
    assert rates == [0.25, 0.5]  # the first of three blocks has none


def test_stages_of_different_numbers_are_refused():
    with pytest.raises(zoo.UsageError, match=r"^maps has 2 stages and blocks 3; expected as many$"):
        zoo.build("convnext_tiny", maps=(8, 16), blocks=(1, 1, 1))
