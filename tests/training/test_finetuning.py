"""Training from pretrained weights: the head first, what stays as it was, and what is refused."""

import csv
import dataclasses

import keras
import numpy as np
import pytest
from matplotlib.image import imsave

import zoo
from zoo.data.image.arrays import ArrayDataModule
from zoo.inference import api
from zoo.introspection.graph import list_stages
from zoo.optimizers import finetuning
from zoo.training import head_alone, phases, run_plan
from zoo.training.command import command_line
from zoo.training.stopping import Stopped
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


@pytest.mark.slow
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


@pytest.mark.slow
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
        (dict(head_epochs=3), "head_epochs is 3 without weights; expected both, or neither"),
        (dict(image_size="big"), "image_size is 'big'; expected pixels, 128, or height and width, 128x96"),
        (dict(image_size=0), "image_size is 0; expected pixels"),
        (dict(augment="strong"), "augment is 'strong'; expected options by the names of augmentations, or 'none'"),
        (dict(patience=-1), "patience is -1; expected a whole number of at least 0"),
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


def history(run):
    with (run.path / "history.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_the_head_alone_learns_from_features_that_are_computed_once(photos, weights, tmp_path, caplog, monkeypatch):
    seen = []
    original = head_alone.on_features
    monkeypatch.setattr(phases, "on_features", lambda *parts: seen.append((parts, original(*parts))) or seen[-1][1])
    settings = dict(weights=weights, preprocessing="torch", data=photos, image_size=32, batch_size=8, verbose=0)
    with caplog.at_level("INFO", "zoo"):
        run = zoo.train("resnet18", run=tmp_path / "run", epochs=2, head_epochs=2, **settings, **SMALL)
    ((_, network, data), (head, features)), *_ = seen
    assert features.views["train"].shape == (2, 18, 128), "each image and its mirror image"
    assert features.views["validation"].shape[0] == 1 and "passes over them" in caplog.text
    (x, y), (x_val, y_val) = data.arrays("train"), data.arrays("validation")
    whole = network.model.predict(x, verbose=0)
    for view, images in enumerate((x, x[:, :, ::-1])):
        from_features = head.model.predict(features.views["train"][view], verbose=0)
        np.testing.assert_allclose(from_features, network.model.predict(images, verbose=0), rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(features.targets("train"), y)
    loss = float(network.loss(y_val, network.model.predict(x_val, verbose=0)))
    assert min(float(row["val_loss"]) for row in history(run)) == pytest.approx(loss, rel=1e-3)
    assert whole.shape == (18, 2)


def test_an_epoch_of_features_shows_each_example_equally_often_and_otherwise_each_time(photos, weights):
    plan = run_plan.prepare("resnet18", weights=weights, preprocessing="torch", data=photos, image_size=32)
    plan.run.path.rmdir()
    data = ArrayDataModule.adapt(plan.card, plan.recipe, plan.source.load())
    count = data.examples["train"]
    views = np.stack([np.arange(count, dtype="float32"), np.arange(count) + 0.5])[..., None]
    features = head_alone.Features(data, {"train": views, "validation": views[:1]}, {"train": np.arange(count)})
    batches = features.batches("train", training=True)
    one, other = (np.concatenate([x[:, 0] for x, _ in batches]) for _ in range(2))
    assert features.passes > 1 and len(one) == features.passes * count
    np.testing.assert_array_equal(np.bincount(one.astype(int)), features.passes)
    assert 0.3 < np.mean(one % 1 == 0.5) < 0.7 and not np.array_equal(one, other)
    again = np.concatenate([x[:, 0] for x, _ in features.batches("train", training=True)])
    np.testing.assert_array_equal(one, again)


@pytest.mark.slow
def test_what_watches_the_training_sees_the_whole_network(photos, weights, tmp_path):
    class Watch(keras.callbacks.Callback):
        layers = ()

        def on_train_begin(self, logs=None):
            Watch.layers = (*Watch.layers, len(self.model.layers))

    settings = dict(weights=weights, preprocessing="torch", data=photos, image_size=32, batch_size=8, verbose=0)
    zoo.train("resnet18", run=tmp_path / "run", epochs=2, head_epochs=1, callbacks=[Watch()], **settings, **SMALL)
    assert len({*Watch.layers}) == 1 and Watch.layers[0] > 20


@pytest.mark.slow
def test_the_best_epoch_of_the_head_is_kept_where_fine_tuning_spoils_it(photos, weights, tmp_path, caplog):
    settings = dict(weights=weights, preprocessing="torch", data=photos, image_size=32, batch_size=8, verbose=0)
    with caplog.at_level("INFO", "zoo"):
        run = zoo.train(
            "resnet18", run=tmp_path / "run", epochs=4, head_epochs=2, learning_rate=2.0, **settings, **SMALL
        )
    losses = [float(row["val_loss"]) for row in history(run)]
    assert run.results["epoch"] == int(np.argmin(losses)) < 2, losses
    assert "in which the head alone learned" in caplog.text
    before = zoo.build("resnet18", num_classes=2, input_shape=(32, 32, 3), **SMALL)
    zoo.load_weights(before, weights)
    body = {v.path: np.asarray(v) for layer in before.layers[:-1] for v in layer.variables}
    for variable in run.model().variables:
        if variable.path in body:
            np.testing.assert_array_equal(np.asarray(variable), body[variable.path], err_msg=variable.path)


@pytest.mark.slow
def test_a_resumed_fine_tuning_keeps_what_the_head_alone_had_learned(photos, weights, tmp_path, stop_at):
    settings = dict(weights=weights, preprocessing="torch", data=photos, image_size=32, batch_size=8, verbose=0)
    settings |= dict(epochs=4, head_epochs=2, learning_rate=2.0, **SMALL)
    whole = zoo.train("resnet18", run=tmp_path / "whole", **settings)
    for number, place in enumerate([(1, None), (2, 1)]):
        stop_at(*place)
        with pytest.raises(Stopped):
            zoo.train("resnet18", run=tmp_path / str(number), **settings)
        stop_at(-1)
        resumed = zoo.train("resnet18", run=tmp_path / str(number), resume=True, **settings)
        for one, other in zip(whole.model().variables, resumed.model().variables):
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other), err_msg=one.path)


def test_options_of_the_images_and_of_fine_tuning_are_kept_in_the_command(photos, weights, tmp_path):
    plan = run_plan.prepare(
        "resnet18", weights=weights, preprocessing="torch", data=photos, run=tmp_path / "run", image_size="48x32",
        augment={"crop": (0.8, 1.0), "flip": None}, optimizer="sgd", class_weight={"red": 2.0}, patience=7,
        layer_decay=0.5, freeze="stride8", **SMALL,
    )  # fmt: skip
    recipe = plan.recipe
    assert recipe.preprocess["cover"] == (48, 32) and dict(recipe.augment) == {"crop": (0.8, 1.0)}
    assert (recipe.patience, recipe.layer_decay, recipe.optimizer) == (7, 0.5, "sgd")
    line = command_line(plan, plan.options)
    for words in ("--optimizer sgd", "--class-weight red=2.0", "--patience 7", "--augment flip=None",
                  "--layer-decay 0.5", "--freeze stride8", "--option 'cover=(48, 32)'"):  # fmt: skip
        assert words in line


@pytest.mark.slow
def test_what_is_frozen_keeps_its_weights(photos, weights, tmp_path):
    run = zoo.train(
        "resnet18", weights=weights, preprocessing="torch", data=photos, run=tmp_path / "run", image_size=32,
        batch_size=8, epochs=2, head_epochs=1, patience=0, freeze="stride8", verbose=0, **SMALL,
    )  # fmt: skip
    before = zoo.build("resnet18", num_classes=2, input_shape=(32, 32, 3), **SMALL)
    zoo.load_weights(before, weights)
    after = run.model()
    moved = {
        layer.name: not np.array_equal(np.asarray(layer.kernel), np.asarray(after.get_layer(layer.name).kernel))
        for layer in before.layers
        if isinstance(layer, keras.layers.Conv2D)
    }
    last = next(stage.layer for stage in list_stages(before) if stage.name == "stride8").split("_")[0]
    frozen = {name: each for name, each in moved.items() if name.split("_")[0] <= last}
    assert frozen and not any(frozen.values()) and any(moved.values()), moved
