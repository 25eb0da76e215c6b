"""A run folder may come from anybody: it builds nothing, fetches nothing and takes no memory of its own choice."""

import json
import os
import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.inference import api
from zoo.tasks import style_transfer  # noqa: F401  so that the losses that a run may name are there
from zoo.weights import fetching
from zoo.weights.saved_model import limited


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Softmax regression after an epoch of digits."""
    folder = tmp_path_factory.mktemp("sound")
    return zoo.train("lenet5", run=folder / "run", epochs=1, batch_size=512, verbose=0)


@pytest.fixture
def digit(tmp_path):
    Image.fromarray(np.eye(8, dtype="uint8") * 255).save(tmp_path / "digit.png")
    return tmp_path / "digit.png"


@pytest.fixture
def run(sound, tmp_path, monkeypatch):
    """A copy to be tampered with, in a process that must not touch the network."""

    def fetched(url, **options):
        raise AssertionError(f"{url} was asked for")

    monkeypatch.setattr(fetching, "fetch", fetched)
    return shutil.copytree(sound.path, tmp_path / "run")


def repack(run, *, config=None, weights=None, compression=zipfile.ZIP_STORED):
    """The archive of a run with another description of its layers, or other weights."""
    with zipfile.ZipFile(run / "model.keras") as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    if config:
        content["config.json"] = config(content["config.json"].decode()).encode()
    if weights:
        (run / "w.h5").write_bytes(content["model.weights.h5"])
        with h5py.File(run / "w.h5", "r+") as file:
            weights(file["layers/conv2d/vars"])
        content["model.weights.h5"] = (run / "w.h5").read_bytes()
    with zipfile.ZipFile(run / "model.keras", "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def declared(group):
    del group["0"]
    group.create_dataset("0", (20_000, 20_000), "float32", chunks=(1000, 1000))  # 1.5 GiB of nothing


def compressed(group):
    del group["0"]
    group.create_dataset("0", data=np.zeros((4000, 4000), "float32"), compression="gzip")


def elsewhere(group):
    del group["0"]
    group["0"] = h5py.ExternalLink("/etc/other.h5", "/x")


def not_finite(group):
    group["0"][0, 0, 0, 0] = np.nan


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (dict(weights=declared), "declares 1,600,000,000 bytes and stores 0"),
        (dict(weights=compressed), "expected plain arrays, uncompressed and whole"),
        (dict(weights=elsewhere), "is a link to elsewhere"),
        (dict(weights=not_finite), "has numbers that are not finite"),
        (dict(compression=zipfile.ZIP_DEFLATED), "is compressed inside, which Keras's files are not"),
    ],
)
def test_weights_that_harm_are_refused(change, says, run, digit):
    repack(run, **change)
    with pytest.raises(zoo.UsageError, match=says) as error:
        zoo.predict(run, digit)
    assert str(run / "model.keras") in str(error.value)


def test_the_description_of_the_layers_is_not_read(run, digit):
    before = zoo.predict(run, digit)
    repack(run, config=lambda text: text.replace("Conv2D", "Lambda").replace('"units": 84', '"units": 100000000'))
    assert zoo.predict(run, digit) == before


def change(run, **fields):
    config = json.loads((run / "config.json").read_text())
    for path, value in fields.items():
        *keys, last = path.split("__")
        place = config
        for key in keys:
            place = place[key]
        place[last] = value
    (run / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"options__input_shape": [10**5, 10**5, 1]}, "holds 61,706 numbers, fewer than the network that its config"),
        ({"options__input_shape": [28, 28, 3]}, "is not of the lenet5 that its config.json describes"),
        ({"options__input_shape": [40, 40, 1]}, "is of another network: c5/kernel is"),
        ({"options__num_classes": 10**9}, "its data have num_classes=10, its network 1000000000"),
        ({"options__weights": "https://example.invalid/x.h5"}, "was not written by `zoo train`"),
        ({"model": "mlp"}, "cannot be built|another network"),
        ({"recipe__precision": "float61"}, "precision is 'float61'; expected one of"),
    ],
)
def test_a_network_of_another_size_is_refused_before_it_is_built(fields, says, run, digit):
    change(run, **fields)
    with pytest.raises(zoo.UsageError, match=says):
        zoo.predict(run, digit)


def test_a_layer_is_stopped_before_it_takes_its_memory(tmp_path):
    with pytest.raises(zoo.UsageError, match="fewer than the network"), limited(2**20 + 100, tmp_path):
        keras.layers.Dense(10**6).build((None, 10**6))  # 4 TB
    keras.layers.Dense(3).build((None, 2))  # and no longer


def test_nothing_is_fetched_by_opening_a_run(run, digit):
    change(
        run,
        recipe__loss="perceptual",
        recipe__loss_options={"weights": "https://example.invalid/x.h5", "preprocessing": "torch"},
    )
    assert zoo.predict(run, digit)


def test_a_loss_in_a_file_fetches_nothing(run):
    config = zoo.losses.Perceptual(width=0.125).get_config()
    zoo.losses.Perceptual.from_config({**config, "weights": "https://example.invalid/x.h5", "preprocessing": "torch"})


@pytest.mark.parametrize("name", ["huggingface:x", "kaggle:x", "../digits", "digits; ls", "a:b:c"])
def test_data_sets_of_other_hosts_are_refused(name, run, digit):
    change(run, recipe__dataset=name)
    with pytest.raises(zoo.UsageError, match="is no name of a data set"):
        zoo.evaluate(run)


def test_a_run_makes_no_data_set_where_it_says(run, tmp_path):
    (tmp_path / "mine").mkdir()
    change(run, data_dir=str(tmp_path / "mine"))
    assert zoo.evaluate(run)
    assert not list((tmp_path / "mine").iterdir())


def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(run, digit, tmp_path):
    (run / "metrics.json").unlink()
    os.mkfifo(run / "metrics.json")
    with pytest.raises(zoo.UsageError, match="is no file"):
        api.Run.open(run).results  # noqa: B018
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(zoo.UsageError, match="is no file; expected the file of an image"):
        zoo.predict(run, tmp_path / "pipe.png")
    with pytest.raises(zoo.UsageError, match="is no file; expected the file of an image"):
        zoo.predict(run, "/dev/zero")


def test_an_export_follows_no_link(run, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(zoo.UsageError, match="is there already"):
        api.export(run, "word2vec", tmp_path / "link")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"model": ["lenet5"]}, "was not written by `zoo train`"),
        ({"model": "lenet6"}, "there is no model 'lenet6'; did you mean lenet5"),
        ({"options": "none"}, "was not written by `zoo train`"),
        ({"recipe": None}, "was not written by `zoo train`"),
        ({"recipe__batch_size": "many"}, "batch_size is 'many'; expected a whole number"),
        ({"recipe__epochs": float("nan")}, "epochs is nan; expected a whole number"),
        ({"recipe__preprocess": [3]}, "preprocess is .3.; expected a dictionary"),
        ({"recipe__unknown": 3}, "was not written by this zoo .*unknown"),
        ({"data": {}}, "its scaling is not a dictionary"),
        ({"data__scaling": {"mean": "text", "std": [1.0]}}, "was not written by this zoo .*could not convert"),
        ({"data__scaling": {"mean": [0.0], "std": [0.0]}}, "expected finite numbers, and no deviation of 0"),
        ({"data__scaling": {"mean": [float("nan")], "std": [1.0]}}, "expected finite numbers"),
        ({"data__high": "255"}, "its high is not a number"),
        ({"data__shape": "8x8"}, "its shape is not a tuple of int"),
        ({"data__classes": []}, "its data have num_classes=0, its network 10"),
        ({"data__classes": ["a", "b"]}, "its data have num_classes=2, its network 10"),
        ({"data__classes": list(range(10))}, "its classes is not a tuple of str"),
    ],
)
def test_a_damaged_config_is_one_line(fields, says, run, digit):
    change(run, **fields)
    with pytest.raises(zoo.UsageError, match=says) as error:
        zoo.predict(run, digit)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000, "\udcff", '{"metrics": {"accuracy": "high"}}'])
def test_damaged_metrics_are_one_line(content, run):
    (run / "metrics.json").write_text(content, errors="surrogateescape")
    with pytest.raises(zoo.UsageError, match=r"metrics\.json"):
        api.Run.open(run).metrics  # noqa: B018
