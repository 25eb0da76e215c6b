"""Training from pretrained weights: the head first, what stays as it was, and what is refused."""

import csv
import dataclasses

import keras
import numpy as np
import pytest
from matplotlib.image import imsave

import zoo
from zoo.inference import api
from zoo.optimizers import finetuning
from zoo.training import run_plan
from zoo.training.trainer import fit

SMALL = {"width": 16, "blocks": (1, 1, 1, 1)}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two classes that a mean colour tells apart, 12 images each."""
    root = tmp_path_factory.mktemp("photos")
    for label, colour in {"blue": (40, 60, 200), "red": (200, 60, 40)}.items():
        (root / label).mkdir()
        for number in range(12):
            noise = np.random.default_rng([number, colour[0]]).integers(-40, 40, (30, 40, 3))
            imsave(root / label / f"{number}.png", np.clip(noise + colour, 0, 255).astype("uint8"))
    return root


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights of a small network for seven classes, in a file."""
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("weights") / "resnet18.weights.h5"
    model = zoo.build("resnet18", num_classes=7, input_shape=(64, 64, 3), **SMALL)
    for variable in model.non_trainable_variables:
        variable.assign(np.random.default_rng(0).uniform(0.5, 1.5, variable.shape))
    model.save_weights(path)
    return path


@pytest.fixture(scope="module")
def run(photos, weights, tmp_path_factory):
    return zoo.train(
        "resnet18",
        weights=weights,
        preprocessing="torch",
        data=photos,
        run=tmp_path_factory.mktemp("runs") / "run",
        epochs=4,
        batch_size=8,
        verbose=0,
        **SMALL,
    )


def test_the_run_goes_through_both_phases(run):
    assert run.results["recipe"] == "finetune"
    with (run.path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2, 3]
    assert "--weights" in run.config["command"] and "--preprocessing torch" in run.config["command"]
    assert run.config["data"]["scaling"]["mean"] == pytest.approx([123.675, 116.28, 103.53])


def test_batch_statistics_stay_those_of_the_weights(run, weights):
    before = zoo.build("resnet18", num_classes=7, input_shape=(64, 64, 3), **SMALL)
    zoo.load_weights(before, weights)
    after = run.model()
    moved = 0
    for layer in before.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for one, two in zip(layer.variables, after.get_layer(layer.name).variables):
                np.testing.assert_array_equal(np.asarray(one), np.asarray(two), err_msg=two.path)
        elif layer.name.endswith("conv"):
            moved += not np.array_equal(np.asarray(layer.kernel), np.asarray(after.get_layer(layer.name).kernel))
    assert moved > 5, "the second phase trains the convolutions"


def test_the_head_alone_leaves_the_body_as_it_was(photos, weights, tmp_path):
    prepared = run_plan.prepare(
        "resnet18", weights=weights, preprocessing="torch", data=photos, run=tmp_path / "run", verbose=0, **SMALL
    )
    recipe = dataclasses.replace(prepared.recipe, epochs=2, head_epochs=2, batch_size=8)
    run = fit(dataclasses.replace(prepared, recipe=recipe))
    before = zoo.build("resnet18", num_classes=2, input_shape=(64, 64, 3), **SMALL)
    zoo.load_weights(before, weights)
    body = [v for block in finetuning.trainable_blocks(before)[:-1] for layer in block for v in layer.variables]
    after = {v.path: v for v in run.model().variables}
    for variable in body:
        np.testing.assert_array_equal(np.asarray(variable), np.asarray(after[variable.path]), err_msg=variable.path)


def test_the_file_holds_the_network_alone(run):
    """Neither the optimizer's slots nor its class, which another process may not know."""
    model = run.model()
    assert getattr(model, "optimizer", None) is None
    weights = sum(4 * np.prod(variable.shape) for variable in model.variables)  # bytes
    assert (run.path / "model.keras").stat().st_size < 1.1 * weights + 200_000


def test_predicting_scales_as_the_weights_ask(run, photos):
    finished = api.reopen(run)
    encoded = finished.data.encode([str(photos / "red" / "0.png")])
    assert encoded.shape == (1, 224, 224, 3)
    assert encoded[..., 0].mean() == pytest.approx((200 - 123.675) / 58.395, abs=0.1)
    (line,) = zoo.predict(run, [photos / "red" / "0.png"])
    assert "red" in line and "blue" in line


def test_early_stopping_takes_the_best_epoch(photos, weights, tmp_path, monkeypatch):
    settings = dict(weights=weights, preprocessing="torch", data=photos, run=tmp_path / "run", verbose=0)
    prepared = run_plan.prepare("resnet18", **settings, **SMALL)
    recipe = dataclasses.replace(
        prepared.recipe, epochs=8, head_epochs=0, patience=1, batch_size=8, preprocess={"cover": (32, 32)}, augment={}
    )
    run = fit(dataclasses.replace(prepared, recipe=dataclasses.replace(recipe, learning_rate=1e-10)))
    with (run.path / "history.csv").open() as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
    assert len(losses) < 8 and losses[-1] >= min(losses)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            dict(weights="imagenett", preprocessing="torch"),
            "there is no tag of weights for resnet18",
        ),
        (dict(weights="nowhere.h5", preprocessing="torch"), "there is no file nowhere.h5"),
        (dict(weights="some.h5"), "does not say what its weights were trained on; say it: --preprocessing caffe"),
        (dict(weights="nowhere.h5", preprocessing="cafe"), "there is no preprocessing 'cafe'; did you mean caffe"),
        (dict(weights="imagenet", preprocessing="caffe"), "weights 'imagenet' were trained on 'torch': leave it out"),
        (dict(preprocessing="caffe"), "without weights"),
        (dict(recipe="finetune", preprocessing="caffe", weights="some.h5", data=None), "for data of your own; name it"),
    ],
)
def test_what_is_refused(settings, says, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.h5").touch()
    with pytest.raises(zoo.UsageError) as error:
        zoo.train("resnet18", **{"data": photos, "run": tmp_path / "run", **settings})
    assert says in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()
