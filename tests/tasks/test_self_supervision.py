"""Runs that learn from images without labels, from training to what the features are worth."""

import csv
import logging
import math
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from matplotlib.image import imsave

import zoo
from zoo import cli, losses
from zoo.metrics import features
from zoo.tasks import _self_supervision as shared
from zoo.tasks import contrastive_pretraining as contrastive

RNG = np.random.default_rng(0)
SMALL = {"tower": "lenet5", "epochs": 1, "verbose": 0}
RECIPE = zoo.Recipe("few", "", epochs=1, batch_size=16, augment={"crop": (0.3, 1.0)})


def stripes(count=60):
    """Images that a glance tells apart: stripes down, or across."""
    y = np.arange(count) % 2
    x = RNG.integers(0, 60, (count, 12, 12, 1)).astype("uint8")
    x[y == 0, ::2] += 180
    x[y == 1, :, ::2] += 180
    return x, y


@pytest.fixture(scope="module", params=[pytest.param("rotnet", marks=pytest.mark.slow), "simclr"])
def run(request, tmp_path_factory, drawn):
    folder = tmp_path_factory.mktemp("runs") / request.param
    return zoo.train(request.param, RECIPE, data=stripes(), run=folder, **SMALL)


def test_a_run_is_measured_by_its_features_beside_what_needs_no_training(run):
    own = {"alignment", "uniformity", "embedding_std"} if run.config["model"] == "simclr" else set()
    assert set(run.metrics) == {"loss", "accuracy", "knn_accuracy", "probe_accuracy"} | own
    assert set(run.results["baselines"]) == {"chance", "raw pixels", "untrained network"}
    with (run.path / "features.csv").open(newline="") as file:
        rows = {row["features"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["raw pixels", "untrained network", "trained"]
    assert float(rows["trained"]["knn_accuracy"]) == pytest.approx(run.metrics["knn_accuracy"], abs=1e-4)
    assert float(rows["untrained network"]["knn_accuracy"]) == pytest.approx(
        run.results["baselines"]["untrained network"], abs=1e-4
    )
    for file in ("curves.png", "map.png"):
        assert (run.path / file).stat().st_size > 10_000
    header = (run.path / "history.csv").read_text().splitlines()[0].split(",")
    assert "val_knn_accuracy" in header and "val_loss" in header


@pytest.mark.slow
def test_evaluating_again_finds_the_same(run):
    x, y = stripes()
    first, again = (zoo.evaluate(run, data={"x_train": x, "y_train": y, "x_test": x, "y_test": y}) for _ in range(2))
    assert first == pytest.approx(again, abs=1e-5) and set(first) == set(run.metrics)
    assert first["knn_accuracy"] == 1.0, "each image is among its own neighbours here"


def test_features_of_a_run_are_those_of_its_tower(run):
    x, _ = stripes(6)
    x = (x / 255).astype("float32")
    body = shared.body_of(run.model())
    tower = zoo.build("lenet5", weights=run.path, num_classes=0)
    np.testing.assert_allclose(shared.embed(body, x), keras.ops.convert_to_numpy(tower(x)), rtol=1e-5, atol=1e-6)


def test_maps_before_a_head_are_averaged():
    image = keras.Input((6, 6, 1))
    body = keras.Model(image, keras.layers.Conv2D(3, 3)(image))
    x = RNG.normal(size=(2, 6, 6, 1)).astype("float32")
    np.testing.assert_allclose(shared.embed(body, x), body.predict(x, verbose=0).mean((1, 2)), rtol=1e-5)


@pytest.mark.slow
def test_images_without_labels_are_enough(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number, image in enumerate(stripes(40)[0]):
        imsave(folder / f"{number}.png", np.repeat(image, 3, -1))
    recipe = zoo.Recipe("loose", "", epochs=1, batch_size=16, preprocess={"cover": (12, 12)}, augment={"shift": 1})
    run = zoo.train("rotnet", recipe, data=folder, run=tmp_path / "run", **SMALL)
    assert math.isnan(run.metrics["knn_accuracy"]) and 0 <= run.metrics["accuracy"] <= 1
    assert run.results["baselines"] == {"chance": 0.25} and not (run.path / "features.csv").exists()
    task = zoo.tasks.get("rotation_prediction")
    assert task.headline(run.metrics) == "accuracy"
    of_views = zoo.tasks.get("contrastive_pretraining").chance
    sizes = SimpleNamespace(recipe=recipe, examples={"test": 8}), SimpleNamespace(recipe=recipe, examples={"test": 99})
    assert [of_views(each) for each in sizes] == [1 / 15, 1 / 31]


@pytest.mark.slow
def test_what_comes_after_pretraining_is_told(tmp_path, capsys):
    (tmp_path / "images").mkdir()
    for number, image in enumerate(stripes(40)[0]):
        imsave(tmp_path / "images" / f"{number}.png", np.repeat(image, 3, -1))
    where = ["--data", str(tmp_path / "images"), "--run", str(tmp_path / "run"), "--image-size", "12"]
    assert cli.main(["train", "simclr", *where, "--option", "tower=lenet5", "--epochs", "1"]) == 0
    told = capsys.readouterr().out.rstrip()
    assert told.endswith(f"next: zoo train lenet5 --weights {tmp_path / 'run'} --data LABELLED/")
    assert "beside chance 0." in told


# Measures, by hand.


def test_views_that_find_their_image():
    angles = np.radians([0, 10, 90, 95, 200, 150, 148, 210])  # the last two pairs have each other's for the nearest
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert contrastive.pairs_found(embeddings) == 4 / 8
    assert contrastive.pairs_found(embeddings[:4]) == 1


def test_alignment_and_uniformity_by_hand():
    views = np.array([[1.0, 0], [0, 1], [0, -1], [-1, 0]])
    assert features.alignment(views) == pytest.approx(2.0)
    squared = np.array([2.0, 2, 4, 4, 2, 2])
    assert features.uniformity(views) == pytest.approx(np.log(np.mean(np.exp(-2 * squared))))


def test_neighbours_and_probe_are_scikit_learns():
    from sklearn.neighbors import KNeighborsClassifier

    x, y = RNG.normal(size=(60, 4)), np.arange(60) % 3
    x[np.arange(60), y] += 2
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)  # by the cosine: of unit vectors, the order of the distances
    nearest = KNeighborsClassifier(features.NEIGHBOURS).fit(unit[:40], y[:40])
    assert features.knn_accuracy(x[:40], y[:40], x[40:], y[40:]) == nearest.score(unit[40:], y[40:])
    assert features.probe_accuracy(x[:40], y[:40], x[40:], y[40:]) > 0.6


# Collapse.


def test_a_collapse_is_told_once(caplog):
    """All embeddings are one point: the loss is that of a guess among the others, and a line says so."""
    image = keras.Input((4, 4, 1))
    features = keras.layers.GlobalAveragePooling2D()(image) * 0 + 1
    network = SimpleNamespace(model=keras.Model(image, features))
    batch = SimpleNamespace(as_numpy_iterator=lambda: iter([(np.zeros((8, 4, 4, 1), "float32"), np.arange(8) // 2)]))
    watch = contrastive.CollapseWatch(network, SimpleNamespace(batches=lambda split: batch))
    logs = {}
    watch.on_epoch_end(0, logs)
    assert logs["val_embedding_std"] == 0 and not caplog.messages, "a network may begin so"
    watch.steps = contrastive.COLLAPSE_STEPS
    with caplog.at_level(logging.WARNING, "zoo"):
        for epoch in (1, 2):
            watch.on_epoch_end(epoch, logs)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("all images have become one point (standard deviation 0.0000): lower")
    one_point = np.ones((8, 3), "float32")
    assert float(losses.NTXent()(np.arange(8) // 2, one_point)) == pytest.approx(math.log(7))
