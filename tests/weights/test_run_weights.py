"""What a run has learned, as weights to start from."""

import json
import shutil

import keras
import numpy as np
import pytest

import zoo

RNG = np.random.default_rng(0)


def pixels(classes):
    y = np.arange(30) % classes
    return RNG.integers(0, 256, (30, 28, 28, 1), "uint8"), y


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A LeNet of few maps that has learned two classes."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    return zoo.train("lenet5", data=pixels(2), epochs=1, activation="tanh", run=folder, verbose=0)


def refused(action):
    with pytest.raises(zoo.UsageError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_network_with_the_options_and_weights_of_a_run(run):
    model = zoo.build("lenet5", weights=run.path)
    assert model.output_shape == (None, 2)
    for ours, theirs in zip(model.weights, run.model().weights, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (ours, theirs)))
    other = zoo.build("lenet5", weights=run.path, num_classes=3)
    assert other.output_shape == (None, 3)
    np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(each.get_layer("c1").kernel) for each in (other, model)))


def test_a_run_goes_on_from_another_on_other_classes(run, tmp_path):
    how = dict(weights=run.path, data=pixels(3), epochs=1, learning_rate=1e-9, run=tmp_path / "second", verbose=0)
    second = zoo.train("lenet5", "demo", **how)
    assert second.config["options"]["activation"] == "tanh" and second.config["options"]["num_classes"] == 3
    kernels = [keras.ops.convert_to_numpy(each.model().get_layer("c1").kernel) for each in (run, second)]
    np.testing.assert_allclose(*kernels, atol=1e-5)
    assert f"--weights {run.path}" in second.config["command"] and "--preprocessing" not in second.config["command"]


def test_another_network_and_other_options_are_one_line(run):
    assert "is a run of lenet5; expected one of alexnet" in refused(lambda: zoo.build("alexnet", weights=run.path))
    given = refused(lambda: zoo.build("lenet5", weights=run.path, activation="relu"))
    assert "is for activation='tanh' and activation is 'relu'; build with activation='tanh'" in given


def test_a_damaged_run_is_one_line(run, tmp_path):
    folder = shutil.copytree(run.path, tmp_path / "run")
    config = json.loads((folder / "config.json").read_text())
    for change, says in (
        ({"options": 3}, "was not written by this zoo"),
        ({"model": 3}, "was not written by this zoo"),
        ({"recipe": []}, "was not written by this zoo"),
        ({"options": {"weights": "https://example.org/x.h5"}}, "no option of lenet5 'weights'"),
        ({"model": "mlp", "options": {"hidden": [10**5, 10**5]}}, "fewer than the network that its config.json"),
    ):
        (folder / "config.json").write_text(json.dumps(config | change))
        name = change.get("model", "lenet5")
        assert says in refused(lambda name=name: zoo.build(name if name != 3 else "lenet5", weights=folder))
