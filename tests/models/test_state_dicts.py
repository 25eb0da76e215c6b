"""The logits of torchvision's and timm's networks from their state dicts, as `benchmarks/torchvision_parity.py` has
recorded them from networks of theirs; the program compares those of full size."""

import keras
import numpy as np
import pytest
import state_dicts
from weight_files import save_state_safetensors

import zoo

RECORDED = state_dicts.recorded()
LONG = (
    "torchvision/densenet121", "timm/efficientnet_b0", "torchvision/efficientnet_b0", "torchvision/mobilenet_v3_small",
)  # fmt: skip
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in RECORDED]


@pytest.mark.parametrize("theirs", NAMES)
def test_the_logits_are_theirs(theirs, tmp_path):
    record = RECORDED[theirs]
    state = state_dicts.numbers([(key, tuple(shape)) for key, shape in record["shapes"]], record["gain"])
    path = save_state_safetensors(state, tmp_path / "net.safetensors")
    shape = (record["side"], record["side"], 3)
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in record["options"].items()}
    model = zoo.build(record["ours"], input_shape=shape, weights=path, **options)
    found = keras.ops.convert_to_numpy(model(state_dicts.images(shape), training=False))
    expected = np.array(record["logits"])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_the_other_padding_is_refused(tmp_path):
    theirs = "torchvision/mobilenet_v2"
    record = RECORDED[theirs]
    state = state_dicts.numbers([(key, tuple(shape)) for key, shape in record["shapes"]], record["gain"])
    path = save_state_safetensors(state, tmp_path / "net.safetensors")
    with pytest.raises(zoo.UsageError, match="which pad where they halve on all sides; build with variant='torch'"):
        zoo.build(record["ours"], num_classes=10, weights=path)
