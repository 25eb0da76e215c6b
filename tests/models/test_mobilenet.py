"""MobileNets against keras.applications and torchvision, and what is special in the papers."""

import keras
import pytest
from parity import from_keras

import zoo
from zoo.introspection.outline import outline

RAW = {"include_preprocessing": False}
SHAPE = (64, 65, 3)  # an odd side: there the two ways to pad agree


def tf_slim(layer):
    """The names of MobileNetV3's layers in the files that Keras publishes."""
    for word in ("expanded_conv", "squeeze_excite", "project", "expand", "depthwise"):
        layer = layer.replace(f"_{word}", f"/{word}")
    return layer.replace("conv_bn", "Conv/BatchNorm").replace("_bn", "/BatchNorm").replace("logits", "Logits")


@pytest.mark.parametrize(
    ("name", "theirs", "options"),
    [
        ("mobilenet_v2", "MobileNetV2", {}),
        ("mobilenet_v3_small", "MobileNetV3Small", {"include_preprocessing": False}),
        pytest.param(
            "mobilenet_v3_large", "MobileNetV3Large", {"include_preprocessing": False}, marks=pytest.mark.slow
        ),
    ],
)
def test_weights_of_keras_give_its_outputs(name, theirs, options, tmp_path):
    theirs = getattr(keras.applications, theirs)(weights=None, input_shape=SHAPE, classifier_activation=None, **options)
    rename = tf_slim if "v3" in name else str
    assert from_keras(name, theirs, tmp_path / "net.h5", SHAPE, rename=rename) < 2e-5  # 1.2e-5 on one of two processors


def test_the_narrow_end_has_no_activation_and_carries_the_shortcut():
    model = outline(zoo.builder("mobilenet_v2"))
    adds = [layer for layer in model.layers if isinstance(layer, keras.layers.Add)]
    assert len(adds) == 10  # of 17 blocks
    for layer in adds:
        assert all("relu" not in each._keras_history.operation.name for each in layer.input)


def test_a_gate_of_a_quarter_of_the_expanded_maps():
    model = outline(zoo.builder("mobilenet_v3_large"))
    gated = {layer.name: layer.filters for layer in model.layers if layer.name.endswith("squeeze_excite_conv")}
    assert list(gated.values()) == [24, 32, 32, 120, 168, 168, 240, 240]  # Table 1, rows with SE, in eights


def test_the_smallest_image():
    assert zoo.build("mobilenet_v2", input_shape=(32, 32, 3), width=0.35, top=False).output_shape == (None, 1, 1, 1280)
    with pytest.raises(zoo.UsageError, match="run out of pixels in mobilenet_v2; expected at least 32x32"):
        zoo.build("mobilenet_v2", input_shape=(31, 64, 3))
