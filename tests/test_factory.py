"""What `zoo.build` makes of any network: features in place of logits, and a head for other classes."""

import keras
import numpy as np
import pytest

import zoo
from zoo import registry
from zoo.optimizers import finetuning

HEADLESS = {"resnet20": 32, "vgg16": 512, "lenet5": 84, "bert_base": 16, "c3d": 512, "inception_v1": 128, "mlp": 12}


def tiny(name, **options):
    return {**{key: value for key, value in zoo.info(name).tiny.items() if key != "num_classes"}, **options}


@pytest.mark.parametrize("name", HEADLESS)
def test_no_classes_leave_what_the_head_reads(name, tmp_path):
    whole = zoo.build(name, **tiny(name, num_classes=7))
    whole.save_weights(tmp_path / "seven.weights.h5")
    features = zoo.build(name, **tiny(name), num_classes=0, weights=tmp_path / "seven.weights.h5")
    assert features.output_shape == (None, HEADLESS[name])
    x = [np.ones((2, *(size or 8 for size in tensor.shape[1:])), tensor.dtype) for tensor in whole.inputs]
    logits = whole(x if len(x) > 1 else x[0], training=False)
    logits = next(iter(logits.values())) if isinstance(logits, dict) else logits
    (head,) = finetuning.head(whole)
    found = head(features(x if len(x) > 1 else x[0], training=False))
    np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (found, logits)), rtol=1e-5, atol=1e-5)
    assert finetuning.head(features) == []
    assert not zoo.freeze(features).trainable_weights


def test_maps_are_pooled(tmp_path):
    maps = zoo.build("vgg16_small", width=0.125, top=False, input_shape=(64, 64, 3))
    maps.save_weights(tmp_path / "body.weights.h5")
    x = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype("float32")
    expected = keras.ops.convert_to_numpy(maps(x))  # (2, 2, 2, 64)
    by_hand = {
        "avg": expected.mean((1, 2)),
        "max": expected.max((1, 2)),
        "gem": (np.maximum(expected, 1e-6) ** 3).mean((1, 2)) ** (1 / 3),
    }
    for pool, vectors in by_hand.items():
        options = {"width": 0.125, "input_shape": (64, 64, 3), "pool": pool}
        model = zoo.build("vgg16_small", **options, weights=tmp_path / "body.weights.h5")
        np.testing.assert_allclose(keras.ops.convert_to_numpy(model(x)), vectors, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("vgg16_small", {"pool": "gme"}, "there is no pool 'gme'; did you mean gem"),
        ("vgg16_small", {"pool": "avg", "num_classes": 3}, "pool is for features; expected num_classes=0 or none"),
        ("lenet5", {"pool": "avg"}, "lenet5 has no maps to pool; expected num_classes=0"),
        ("lenet5_1998", {"num_classes": 0}, "has no head that reads one vector"),
        ("lenet5", {"num_classes": 0, "droput": 1}, "did you mean dropout"),
    ],
)
def test_what_has_no_features(name, options, said):
    with pytest.raises(zoo.UsageError, match=said):
        zoo.build(name, **options)


def test_another_head_keeps_the_body():
    model = zoo.build("resnet20", width=4)
    other = zoo.reset_head(model, 3)
    assert other.output_shape == (None, 3) and model.output_shape == (None, 10)
    for old, new in zip(model.layers[:-1], other.layers[:-1]):
        for one, two in zip(old.get_weights(), new.get_weights()):
            np.testing.assert_array_equal(one, two)
    assert zoo.reset_head(other, 0).output_shape == (None, 16)
    with pytest.raises(zoo.UsageError, match=r"was not made by zoo\.build"):
        zoo.reset_head(keras.models.clone_model(model), 3)


def test_features_by_the_names_of_layers():
    model = zoo.build("resnet20", width=4)
    both = zoo.features(model, ["stride2", "conv2_block1_out"])
    assert {name: maps.shape[1:] for name, maps in both.output.items()} == {
        "stride2": (16, 16, 8),
        "conv2_block1_out": (32, 32, 4),
    }
    with pytest.raises(zoo.UsageError, match="no stage or layer of resnet20 'conv2_block1_ou'; did you mean conv2_bl"):
        zoo.features(model, ["conv2_block1_ou"])


def test_a_sequential_of_ones_own_is_a_network_like_another(monkeypatch):
    layers = [keras.layers.Flatten(), keras.layers.Dense(10, name="logits")]
    monkeypatch.setattr(registry, "builder", lambda name: lambda: keras.Sequential([keras.Input((8, 8, 1)), *layers]))
    model = zoo.build("mlp")
    assert (model.input.shape, model.output.shape) == ((None, 8, 8, 1), (None, 10))
    assert registry.origin(model) == ("mlp", {})
    monkeypatch.setattr(registry, "builder", lambda name: lambda: keras.Sequential([keras.layers.Dense(10)]))
    with pytest.raises(
        zoo.UsageError, match=r"mlp returned a Sequential without an input: give it a keras.Input first"
    ):
        zoo.build("mlp")
