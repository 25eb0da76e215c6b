"""EfficientNetV2 against keras.applications."""

import keras
import pytest
from parity import from_keras

import zoo
from zoo.introspection.outline import outline

SIZES = ("b0", "b1", "b2", "b3", "s", "m", "l")


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_weights_of_keras_give_its_outputs(size, tmp_path):
    options = {"weights": None, "classifier_activation": None, "include_preprocessing": False}
    theirs = getattr(keras.applications, f"EfficientNetV2{size.upper()}")(input_shape=(64, 65, 3), **options)
    assert from_keras(f"efficientnet_v2_{size}", theirs, tmp_path / "net.h5", (64, 65, 3)) < 1e-5


def test_the_first_three_stages_have_no_depthwise_convolution():
    model = outline(lambda: zoo.build("efficientnet_v2_b0"))
    depthwise = [layer.name for layer in model.layers if isinstance(layer, keras.layers.DepthwiseConv2D)]
    assert depthwise[0] == "block4a_dwconv2" and len(depthwise) == 3 + 5 + 8
    squeezed = [layer.name for layer in model.layers if layer.name.endswith("se_excite")]
    assert len(squeezed) == len(depthwise)


def test_stages_of_different_numbers_are_refused():
    with pytest.raises(zoo.UsageError, match=r"expected as many of both, up to 7$"):
        zoo.build("efficientnet_v2_s", repeats=(1, 1))
