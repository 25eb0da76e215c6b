"""`zoo.layers.BatchNormalization` against Keras's own layer: the same numbers, name, file; another kernel."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from zoo.layers.normalization import BatchNormalization

Plain = keras.layers.BatchNormalization
SHAPE = (4, 5, 6, 7)

on_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the kernel is TensorFlow's")


def images(shape=SHAPE, dtype="float32", seed=0):
    return keras.ops.cast(np.random.default_rng(seed).normal(3.0, 2.0, shape), dtype)


def pair(shape=SHAPE, **options):
    """Both layers, built, with the same weights, none of them at its initial value."""
    ours, plain = BatchNormalization(**options), Plain(**options)
    ours.build(shape)
    plain.build(shape)
    chance = np.random.default_rng(1)
    weights = [chance.uniform(0.5, 2.0, weight.shape) for weight in plain.get_weights()]
    ours.set_weights(weights)
    plain.set_weights(weights)
    return ours, plain


def values(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def count_fused(monkeypatch):
    """A list that grows with each call of the fused kernel."""
    calls = []
    kernel = BatchNormalization.fused
    monkeypatch.setattr(BatchNormalization, "fused", lambda *a, **k: calls.append(1) or kernel(*a, **k))
    return calls


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.7},
        {"scale": False},
        {"center": False},
        {"scale": False, "center": False},
        {"epsilon": 1.001e-5},
    ],
    ids=str,
)
def test_outputs_and_running_statistics_are_keras_s(options, training):
    ours, plain = pair(**options)
    for seed in range(3):  # the running statistics move from batch to batch
        x = images(seed=seed)
        np.testing.assert_allclose(values(ours(x, training=training)), values(plain(x, training=training)), atol=2e-5)
    for a, b in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_running_variance_is_the_biased_one():
    """By hand: four values 0, 2, 4, 6 have mean 3 and, over n = 4, variance 5 (over n - 1 it would be 6.67)."""
    layer = BatchNormalization(momentum=0.5)
    layer(np.array([0.0, 2.0, 4.0, 6.0], "float32").reshape(1, 2, 2, 1), training=True)
    _, _, mean, variance = layer.get_weights()
    assert (mean.item(), variance.item()) == pytest.approx((1.5, 0.5 * 1.0 + 0.5 * 5.0))


@pytest.mark.parametrize("shape", [(1, 1, 1, 7), (1, 4, 4, 7), (3, 1, 1, 7)], ids=str)
def test_small_batches(shape):
    ours, plain = pair(shape)
    x = images(shape)
    np.testing.assert_allclose(values(ours(x, training=True)), values(plain(x, training=True)), atol=2e-5)
    for a, b in zip(ours.get_weights(), plain.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("policy, atol", [("mixed_float16", 1e-2), ("mixed_bfloat16", 8e-2)])
@pytest.mark.parametrize("training", [True, False])
def test_mixed_precision(policy, atol, training):
    ours, plain = pair(dtype=policy)
    x = images(dtype=policy.removeprefix("mixed_"))
    a, b = ours(x, training=training), plain(x, training=training)
    assert a.dtype == b.dtype
    np.testing.assert_allclose(values(a), values(b), atol=atol)  # some units in the last place of a value near 8
    for one, other in zip(ours.get_weights(), plain.get_weights()):
        assert one.dtype == "float32"
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@on_tensorflow
@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_keras_s(training):
    import tensorflow as tf

    x, pull = tf.Variable(images()), images(seed=2)
    gradients = []
    for layer in pair():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(pull * layer(x, training=training) ** 2)
        gradients.append(tape.gradient(loss, [x, layer.gamma.value, layer.beta.value]))
    for ours, plain in zip(*gradients):
        np.testing.assert_allclose(ours, plain, rtol=1e-4, atol=1e-4 * np.abs(plain).max())


def network(layer):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, name="conv"),
            layer(momentum=0.8, name="bn"),
            keras.layers.ReLU(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, name="logits"),
        ]
    )


@pytest.mark.parametrize(
    "compiling", [{}, pytest.param({"jit_compile": True}, marks=on_tensorflow), {"run_eagerly": True}], ids=str
)
def test_fit_takes_the_same_path(compiling):
    x, y = np.random.default_rng(0).normal(size=(33, 8, 8, 3)), np.arange(33) % 2  # the last batch has one image
    trained = []
    for layer in (BatchNormalization, Plain):
        model = network(layer)
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), **compiling)
        model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
        trained.append(model.get_weights())
    for ours, plain in zip(*trained, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-3, atol=1e-5)
    assert np.abs(trained[0][4]).max() > 0.01  # the running mean has moved


def test_frozen_it_is_inference():
    ours, _ = pair()
    ours.trainable = False
    before = ours.get_weights()
    np.testing.assert_array_equal(values(ours(images(), training=True)), values(ours(images(), training=False)))
    for a, b in zip(before, ours.get_weights()):
        np.testing.assert_array_equal(a, b)


@on_tensorflow
def test_images_take_the_kernel(monkeypatch):
    calls = count_fused(monkeypatch)
    for dtype in ("float32", "float16", "bfloat16"):
        BatchNormalization(dtype=f"mixed_{dtype}".replace("mixed_float32", "float32"))(images(dtype=dtype))
    BatchNormalization(axis=3)(images())
    assert len(calls) == 4


MASK = np.arange(4 * 5 * 6).reshape(4, 5, 6) % 3 > 0


@pytest.mark.parametrize(
    "options, shape, call",
    [
        ({}, SHAPE, {"mask": MASK}),
        ({"axis": 1}, SHAPE, {}),
        ({"epsilon": 1e-6}, SHAPE, {}),
        ({"renorm": True}, SHAPE, {}),
        pytest.param({"synchronized": True}, SHAPE, {}, marks=on_tensorflow),
        ({"dtype": "float64"}, SHAPE, {}),
        ({}, (4, 7), {}),
        ({}, (4, 5, 7), {}),
        ({}, (2, 3, 4, 5, 7), {}),
    ],
    ids=str,
)
def test_all_else_is_keras_s_own_code(options, shape, call, monkeypatch):
    calls = count_fused(monkeypatch)
    ours, plain = pair(shape, **options)
    x = images(shape, options.get("dtype", "float32"))
    a, b = ours(x, training=True, **call), plain(x, training=True, **call)
    np.testing.assert_array_equal(values(a), values(b))
    for one, other in zip(ours.get_weights(), plain.get_weights()):
        np.testing.assert_array_equal(one, other)
    assert not calls


def python(program, backend, folder):
    """The last line that `program` prints in a fresh interpreter, far from this project."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": "", "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[-2]


@pytest.mark.slow
def test_saved_models_are_plain_keras(tmp_path):
    model = network(BatchNormalization)
    model.get_layer("bn").set_weights([np.full(4, value, "float32") for value in (1.5, 0.5, 0.1, 2.0)])
    model.save(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    np.save(tmp_path / "x.npy", x)
    program = (
        "import sys, keras, numpy as np; model = keras.models.load_model('model.keras'); "
        "assert type(model.get_layer('bn')) is keras.layers.BatchNormalization; "
        "assert not [name for name in sys.modules if name.split('.')[0] == 'zoo']; "
        "print(model.predict(np.load('x.npy'), verbose=0).tolist())"
    )
    there = json.loads(python(program, keras.backend.backend(), tmp_path))
    np.testing.assert_allclose(there, model.predict(x, verbose=0), rtol=1e-4, atol=1e-6)


def test_saved_config_differs_from_keras_s_in_nothing_that_is_read(tmp_path):
    configs = []
    for layer in (BatchNormalization, Plain):
        network(layer).save(tmp_path / "model.keras")
        config = json.loads(zipfile.ZipFile(tmp_path / "model.keras").read("config.json"))
        configs.append(next(row for row in config["config"]["layers"] if row["config"]["name"] == "bn"))
    ours, plain = configs
    assert ours.pop("registered_name") == "BatchNormalization"
    assert plain.pop("registered_name") is None
    assert ours == plain


def test_loaded_beside_the_zoo_the_layer_comes_back(tmp_path):
    model = network(BatchNormalization)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    assert type(keras.models.load_model(tmp_path / "model.keras").get_layer("bn")) is BatchNormalization
    assert type(keras.models.clone_model(model).get_layer("bn")) is BatchNormalization
    plain = network(Plain)
    plain.set_weights([np.zeros_like(weight) for weight in plain.get_weights()])
    plain.load_weights(tmp_path / "model.weights.h5")
    for a, b in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_never_load_tensorflow_for_it(backend, tmp_path):
    pytest.importorskip(backend)
    here = str(Path(__file__).parents[2])
    program = (
        f"import sys; sys.path.insert(0, {here!r}); import keras, numpy as np; "
        "from zoo.layers.normalization import BatchNormalization; "
        "before = 'tensorflow' in sys.modules; "
        "ours, plain = BatchNormalization(), keras.layers.BatchNormalization(); "
        f"x = np.random.default_rng(0).normal(size={SHAPE}).astype('float32'); "
        "a, b = (keras.ops.convert_to_numpy(layer(x, training=True)) for layer in (ours, plain)); "
        "assert np.array_equal(a, b); "
        "assert all(map(np.array_equal, ours.get_weights(), plain.get_weights())); "
        "print(keras.backend.backend(), before or 'tensorflow' not in sys.modules)"
    )
    assert python(program, backend, tmp_path) == f"{backend} True"
