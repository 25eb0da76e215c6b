"""What a pretext task has taught a tower, as weights for the classifier itself."""

import json
import logging
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import zoo
from zoo.training import run_plan

RNG = np.random.default_rng(0)
LENET = {"tower": "lenet5", "tower_options": {"activation": "tanh"}}
BODY = ("c1", "c3", "c5", "f6")


def pixels(classes, shape=(28, 28, 1)):
    return RNG.integers(0, 256, (30, *shape), "uint8"), np.arange(30) % classes


def run_of(folder, name, **options):
    """A run folder as far as weights are asked for: a network as built, which is not the fresh one of another seed."""
    folder.mkdir()
    model = zoo.build(name, **options)
    model.save(folder / "model.keras")
    (folder / "config.json").write_text(json.dumps({"model": name, "options": options, "recipe": {}}))
    return SimpleNamespace(path=folder, name=name, model=model)


@pytest.fixture(scope="module", params=["rotnet", "simclr"])
def run(request, tmp_path_factory):
    """A LeNet-5 with the head of a pretext task."""
    folder = tmp_path_factory.mktemp("runs") / request.param
    return run_of(folder, request.param, input_shape=(28, 28, 1), **LENET)


def weights(model, name):
    return [keras.ops.convert_to_numpy(each) for each in model.get_layer(name).weights]


def same(one, other, names=BODY):
    return all(np.array_equal(a, b) for name in names for a, b in zip(weights(one, name), weights(other, name)))


def refused(action):
    with pytest.raises(zoo.UsageError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("classes", [3, 4])
def test_the_body_arrives_bit_for_bit_and_the_head_is_fresh(run, classes):
    """Four classes too, as many as there are turns: they are others."""
    keras.utils.set_random_seed(1)
    model = zoo.build("lenet5", weights=run.path, num_classes=classes)
    assert same(model, run.model) and model.output_shape == (None, classes)
    assert model.get_layer("c1").activation.__name__ == "tanh"
    keras.utils.set_random_seed(1)
    fresh = zoo.build("lenet5", num_classes=classes, activation="tanh")
    assert same(model, fresh, ["logits"]) and not same(model, fresh)


def test_features_are_those_of_the_run(run):
    x = RNG.normal(size=(2, 28, 28, 1)).astype("float32")
    features = zoo.build("lenet5", weights=run.path, num_classes=0)
    body = keras.Model(run.model.input, run.model.get_layer("f6").output)
    np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(each(x, training=False)) for each in (features, body)))


def test_what_became_of_each_array_is_said(run, caplog):
    with caplog.at_level(logging.INFO, "zoo"):
        zoo.build("lenet5", weights=run.path, num_classes=3)
    told = "\n".join(caplog.messages)
    assert "8 weights loaded from" in told and "(not of the body)" in told
    assert "newly initialised: logits/kernel, logits/bias (the head of another question in the file)" in told


def test_the_classifier_is_trained_from_it_with_its_body_frozen(tmp_path):
    """`head_epochs` as many as epochs: what the run has learned is unchanged to the last bit."""
    run = run_of(tmp_path / "first", "simclr", input_shape=(28, 28, 1), **LENET)
    recipe = zoo.Recipe("few", "", epochs=2, head_epochs=2)
    second = zoo.train("lenet5", recipe, weights=run.path, data=pixels(3), run=tmp_path / "second", verbose=0)
    assert same(second.model(), run.model) and not same(second.model(), zoo.build("lenet5", num_classes=3), ["logits"])
    assert second.config["options"]["activation"] == "tanh" and second.config["options"]["num_classes"] == 3
    assert f"--weights {run.path}" in second.config["command"] and "--preprocessing" not in second.config["command"]


def test_a_classifier_without_a_recipe_for_weights_takes_that_for_ones_own_data():
    chosen = [
        run_plan.default_recipe(zoo.info(name), "runs/simclr-demo-0", data)
        for name, data in (("lenet5", "photos"), ("lenet5", "few.npz"), ("resnet50", "photos"))
    ]
    assert chosen == ["folder", "demo", "finetune"]


def test_another_tower_other_sizes_and_another_network_are_one_line(run):
    says = refused(lambda: zoo.build("resnet20", weights=run.path))
    assert f"is a run of {run.name} with the tower lenet5; expected one of resnet20, or one with tower=resnet20" in says
    assert "is for activation='tanh'" in refused(lambda: zoo.build("lenet5", weights=run.path, activation="relu"))
    says = refused(lambda: zoo.build("lenet5", weights=run.path, input_shape=(20, 20, 1)))
    assert "c5/kernel is (400, 120) there and (144, 120) here; build with the options (input_shape" in says
    other = "simclr" if run.name == "rotnet" else "rotnet"
    assert f"is a run of {run.name} with the tower lenet5; expected one of {other}" in refused(
        lambda: zoo.build(other, weights=run.path)
    )


def test_a_tower_with_batch_normalisation_brings_its_statistics(tmp_path):
    small = {"blocks": (1, 1, 1), "width": 4}
    run = run_of(tmp_path / "r", "simclr", input_shape=(12, 12, 1), tower="resnet20", tower_options=small)
    norms = [layer for layer in run.model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in norms:
        layer.set_weights([RNG.random(each.shape) for each in layer.get_weights()])
    run.model.save(run.path / "model.keras")
    model = zoo.build("resnet20", weights=run.path, num_classes=2)
    names = [layer.name for layer in model.layers if layer.weights and layer.name != "logits"]
    assert same(model, run.model, names) and {layer.name for layer in norms} < set(names)


def test_the_tower_that_nobody_named_is_the_default_one(tmp_path):
    run = run_of(tmp_path / "r", "rotnet", input_shape=(12, 12, 1))
    assert "(12, 12, 1)" in str(zoo.build("resnet20", weights=run.path, num_classes=2).input_shape[1:])
    assert "with the tower resnet20; expected one of lenet5" in refused(lambda: zoo.build("lenet5", weights=run.path))


def test_a_siamese_networks_tower_is_taken_likewise(tmp_path):
    run = run_of(tmp_path / "r", "siamese_pairs", input_shape=(28, 28, 1), dimensions=16, **LENET)
    model = zoo.build("lenet5", weights=run.path, num_classes=16)
    assert same(model, run.model) and not same(model, run.model, ["logits"])
