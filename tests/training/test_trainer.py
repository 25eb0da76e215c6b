"""Training: the run folder, what repeats, and what is refused before the first step."""

import csv
import hashlib
import json

import numpy as np
import pytest
import tensorflow_datasets as tfds

import zoo
from zoo.data import sources
from zoo.training import run_plan, throughput
from zoo.training.keeper import Keeper
from zoo.training.run_folder import Run

FILES = {
    "config.json",
    "history.csv",
    "metrics.json",
    "model.keras",
    "checkpoint",
    "curves.png",
    "confusion.png",
    "mistakes.png",
    "calibration.png",
    "classes.csv",
    "mistakes.csv",
}


@pytest.fixture(scope="module")
def short_run(tmp_path_factory, data_dir, drawn):
    """Two epochs of the main job."""
    folder = tmp_path_factory.mktemp("runs") / "short"
    return zoo.train("lenet5", run=folder, data_dir=data_dir, epochs=2, verbose=0)


def test_the_run_folder_is_complete(short_run):
    assert {file.name for file in short_run.path.iterdir()} == FILES
    results = json.loads((short_run.path / "metrics.json").read_text())
    assert results["model"] == "lenet5" and results["recipe"] == "demo" and results["seed"] == 0
    assert set(results["metrics"]) == {
        "loss", "accuracy", "balanced_accuracy", "macro_f1", "calibration_error"
    }  # fmt: skip
    assert results["baselines"]["chance"] == pytest.approx(37 / 360, abs=0.005)
    assert 0.95 < results["baselines"]["1-nearest-neighbour"] < 1
    assert results["samples_per_second"]["pipeline"] > 0 and results["seconds"] > results["fit_seconds"]
    with (short_run.path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 and float(rows[1]["loss"]) < float(rows[0]["loss"])


def test_config_has_what_is_needed_to_run_again(short_run):
    config = short_run.config
    assert config["recipe"]["dataset"] == "digits:1.0.0"
    assert config["recipe"]["epochs"] == 2
    assert config["examples"] == {"train": 1257, "validation": 180, "test": 360}
    assert config["command"] == "zoo train lenet5 --recipe demo --epochs 2 --seed 0"
    assert {"keras", "tensorflow", "numpy", "python"} <= set(config["versions"])
    assert config["options"] == {"input_shape": [28, 28, 1], "num_classes": 10, "dropout": 0.4}


def test_evaluate_finds_the_same_figures(short_run):
    assert zoo.evaluate(short_run.path) == pytest.approx(short_run.metrics, abs=1e-6)


def test_figures_are_not_blank(short_run):
    from matplotlib.image import imread

    for file in ("curves.png", "confusion.png", "mistakes.png", "calibration.png"):
        assert imread(short_run.path / file)[..., :3].std() > 0.02, file


def test_same_seed_same_run_other_seed_another(short_run, data_dir, tmp_path):
    def run(number, seed):
        return zoo.train("lenet5", run=tmp_path / str(number), data_dir=data_dir, epochs=2, seed=seed, verbose=0)

    again, other = run(1, 0), run(2, 1)
    for one, two in zip(short_run.model().get_weights(), again.model().get_weights()):
        np.testing.assert_array_equal(one, two)
    assert again.metrics == short_run.metrics
    assert other.metrics["loss"] != short_run.metrics["loss"]


def test_measuring_the_speed_leaves_the_model_as_it_was(data_dir):
    model = zoo.build("lenet5", input_shape=(12, 12, 1), dropout=0.5)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    data = zoo.load_data("digits", split="train[:64]", preprocess={"resize": (12, 12)}, data_dir=data_dir)
    variables = [*model.variables, *model.optimizer.variables]
    before = [np.asarray(variable) for variable in variables]
    assert throughput.model_rate(model, data) > 0
    for variable, value in zip(variables, before):
        np.testing.assert_array_equal(np.asarray(variable), value, err_msg=variable.path)


@pytest.mark.slow
def test_forecasting_and_binary_tasks(data_dir, tmp_path):
    quick = dict(data_dir=data_dir, verbose=0, epochs=15, learning_rate=0.05)
    views = zoo.train("lagged_linear", run=tmp_path / "views", **quick)
    assert views.metrics["mae"] < 0.75 * views.results["baselines"]["last value"]
    assert (views.path / "forecast.png").exists() and not (views.path / "confusion.png").exists()
    tumours = zoo.train("perceptron", run=tmp_path / "tumours", **quick)
    assert tumours.metrics["accuracy"] > 0.93 > tumours.results["baselines"]["chance"]
    assert zoo.evaluate(tumours) == pytest.approx(tumours.metrics, abs=1e-6)


def test_a_tfds_recipe_runs_on_mocked_data(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "reachable", lambda host: True)
    with tfds.testing.mock_data(num_examples=200):
        run = zoo.train("lenet5", "mnist", run=tmp_path / "run", data_dir=tmp_path, epochs=1, verbose=0)
        assert np.isfinite(run.metrics["loss"])


def test_mixed_precision_and_another_optimizer(data_dir, tmp_path):
    run = zoo.train(
        "mlp", run=tmp_path / "mixed", data_dir=data_dir, epochs=2, precision="mixed_bfloat16", hidden=(16,), verbose=0
    )
    assert run.model().layers[-1].compute_dtype == "float32"
    assert run.config["options"]["hidden"] == [16]
    import keras

    assert keras.config.dtype_policy().name == "float32", "the policy is put back"


# What a run folder keeps.


def test_a_folder_that_holds_something_is_left_alone(short_run, data_dir):
    before = {file: file.stat().st_mtime_ns for file in short_run.path.iterdir()}
    with pytest.raises(zoo.UsageError, match="already holds files and none was touched"):
        zoo.train("lenet5", run=short_run.path, data_dir=data_dir)
    assert {file: file.stat().st_mtime_ns for file in short_run.path.iterdir()} == before


def test_default_folders_are_numbered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [str(Run.create(None, "mlp-demo-0").path) for _ in range(3)] == [
        "runs/mlp-demo-0",
        "runs/mlp-demo-0-2",
        "runs/mlp-demo-0-3",
    ]


def test_stopping_keeps_the_finished_epochs(data_dir, tmp_path, monkeypatch):
    def stop(self, epoch, logs=None):
        end(self, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    end = Keeper.on_epoch_end
    monkeypatch.setattr("zoo.training.keeper.SHARE", 1e9)
    monkeypatch.setattr(Keeper, "on_epoch_end", stop)
    with pytest.raises(KeyboardInterrupt):
        zoo.train("mlp", run=tmp_path / "stopped", data_dir=data_dir, verbose=0)
    assert zoo.evaluate(tmp_path / "stopped")["accuracy"] > 0.5
    assert len((tmp_path / "stopped" / "history.csv").read_text().splitlines()) == 3


def test_a_crash_while_saving_keeps_the_last_network(short_run, monkeypatch):
    model = short_run.model()
    before = (short_run.path / "model.keras").read_bytes()

    def crash(self, path):
        path.write_bytes(b"half a file")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(type(model), "save", crash)
    with pytest.raises(zoo.UsageError, match=r"model\.keras cannot be written: .*No space left.* needs about 0\.2 MiB"):
        short_run.save_model(model)
    assert (short_run.path / "model.keras").read_bytes() == before
    assert not (short_run.path / ".model.tmp.keras").exists()


# What is refused, in one line, before the first step and without a folder left behind.


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (dict(epochs=0), "epochs is 0; expected a whole number"),
        (dict(epochs=2.5), "epochs is 2.5; expected a whole number"),
        (dict(batch_size=-1), "batch_size is -1; expected"),
        (dict(learning_rate=0.0), "learning_rate is 0.0; expected a number above 0"),
        (dict(learning_rate=float("nan")), "learning_rate is nan"),
        (dict(learning_rate=1e6), "learning_rate is 1000000.0"),
        (dict(seed=-3), "seed is -3"),
        (dict(seed=2**32), "seed is 4294967296; expected a whole number from 0 to 2^32 - 1"),
        (dict(data="pictures/"), "expected the path of a folder or of a file"),
        (dict(activation="nope"), "lenet5 cannot be built with"),
        (dict(dropout=2), "lenet5 cannot be built with"),
        (dict(precision="float8"), "precision is 'float8'; expected one of float32"),
        (dict(num_clases=3), "did you mean num_classes"),
        (dict(epoch=3), "there is no option of lenet5 'epoch'; did you mean epochs"),
        (dict(num_classes=3), "num_classes is 3; the data set digits:1.0.0 has 10"),
        (dict(input_shape=(9, 9, 1)), "input_shape is (9, 9, 1); the data set"),
        (dict(data="nowhere.npz"), "nowhere.npz; expected an .npz file with"),
        (dict(pooling="median"), "pooling is 'median'; expected"),
    ],
)
def test_wrong_settings(settings, says, data_dir, tmp_path):
    with pytest.raises(zoo.UsageError) as error:
        zoo.train("lenet5", run=tmp_path / "run", data_dir=data_dir, verbose=0, **settings)
    assert says in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def write(path, **changes):
    """An .npz file of 40 sound 28x28 images of 4 classes, but for the changes."""
    rng = np.random.default_rng(0)
    image_classification = dict(
        x_train=rng.integers(0, 256, (200, 28, 28), "uint8"),
        y_train=np.arange(200) % 4,
        x_test=rng.integers(0, 256, (40, 28, 28), "uint8"),
        y_test=np.arange(40) % 4,
    )
    image_classification |= {
        key: change(image_classification[key]) if callable(change) else change for key, change in changes.items()
    }
    np.savez(path, **{key: value for key, value in image_classification.items() if value is not None})
    return path


def poke(value, row):
    def change(array):
        array = array.astype("int64" if array.ndim == 1 else "float32")
        array[row] = value
        return array

    return change


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (dict(x_train=poke(np.nan, 3)), "x_train[3] of "),  # the user's own row, whatever is held out
        (dict(x_test=poke(np.inf, 7)), "x_test[7] of "),
        (dict(x_train=lambda x: x.astype("float32") * 257), "expected 0 to 255 (or 0 to 1): undo their scaling"),
        (dict(x_train=lambda x: x.astype("float32") - 128), "reach from -128"),
        (dict(y_train=lambda y: y.astype("int64") - 1), "y_train[0] of "),
        (dict(y_train=poke(-1, 5)), "is -1; expected 0 to 3, the classes of the training set"),
        (dict(y_train=poke(9, 5)), "reach 9 (y_train[5]) and leave out 4"),
        (dict(y_train=lambda y: y * 10**9), "reach 3000000000 (y_train[3]) and leave out 1"),
        (dict(y_train=lambda y: y + 1, y_test=lambda y: y + 1), "reach 4 (y_train[3]) and leave out 0"),
        (dict(y_train=lambda y: y.astype(str)), "y_train of "),
        (dict(x_train=lambda x: x > 100), "x_train of "),
        (dict(x_train=np.float32(3)), "expected an array of numbers"),
        (dict(x_train=lambda x: x.astype("float64") * 1e300), "more than float32 can"),
        (dict(x_train=lambda x: x / 255), "reach 1 in train, validation and 255 elsewhere"),
        (dict(y_test=lambda y: y.astype("int64") + 1), "y_test[3] of "),
        (dict(y_train=lambda y: y + 0.7), "are not classes; expected whole numbers"),
        (dict(y_train=lambda y: np.eye(4, dtype="int64")[y]), "have shape"),
        (dict(y_train=lambda y: y * 0, y_test=lambda y: y * 0), "one class only"),
        (dict(x_train=lambda x: x[:0], y_train=lambda y: y[:0]), "the split 'train' of"),
        (dict(x_test=lambda x: x[:0], y_test=lambda y: y[:0]), "'test' of"),
        (dict(x_train=lambda x: x[:150]), "has 150 inputs x_train and 200 targets"),
        (dict.fromkeys(("x_train", "x_test"), lambda x: x[:, 0, :]), "expected 3 axes for lenet5's image"),
        (dict(x_test=lambda x: x[:, :20]), "test examples of shape (20, 28)"),
        (
            dict(x_train=lambda x: x[:, :9, :9], x_test=lambda x: x[:, :9, :9]),
            "9x9 run out of pixels in lenet5; expected at least",
        ),
        (dict(x_train=None), "has no x_train; it holds y_train"),
    ],
)
def test_wrong_data(changes, says, tmp_path):
    file = write(tmp_path / "data.npz", **changes)
    with pytest.raises(zoo.UsageError) as error:
        zoo.train("lenet5", "mnist", data=file, run=tmp_path / "run", batch_size=64, verbose=0)
    assert says in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_numpy_numbers_are_numbers(tmp_path):
    numbers = dict(epochs=np.int64(1), batch_size=np.int32(64), seed=np.uint8(3), learning_rate=np.float32(0.001))
    run = zoo.train("lenet5", run=tmp_path / "run", num_classes=np.int64(10), verbose=0, **numbers)
    assert run.config["recipe"]["seed"] == 3 and run.config["options"]["num_classes"] == 10


@pytest.mark.slow
def test_sound_arrays_train(tmp_path):
    run = zoo.train(
        "lenet5", "mnist", data=write(tmp_path / "data.npz"), run=tmp_path / "run", epochs=1, batch_size=64, verbose=0
    )
    assert run.config["examples"] == {"train": 180, "validation": 20, "test": 40}
    assert "--data" in run.config["command"]
    assert run.config["data_sha256"] == hashlib.sha256((tmp_path / "data.npz").read_bytes()).hexdigest()


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\x03\x04 cut short"])
def test_a_file_that_is_no_npz(content, tmp_path):
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(zoo.UsageError, match=r"cannot be read; expected an \.npz file"):
        zoo.train("lenet5", data=tmp_path / "data.npz", run=tmp_path / "run")


def test_a_target_with_two_numbers(tmp_path):
    x = np.random.default_rng(0).random((60, 7)).astype("float32")
    np.savez(tmp_path / "data.npz", x_train=x, y_train=x[:, :2], x_test=x, y_test=x[:, :2])
    with pytest.raises(zoo.UsageError, match=r"have shape \(\d+, 2\); expected \(examples,\)"):
        zoo.train("lagged_linear", data=tmp_path / "data.npz", run=tmp_path / "run", batch_size=8)


def test_a_damaged_data_set(tmp_path):
    zoo.load_data("breast_cancer", data_dir=tmp_path)
    record = next((tmp_path / "breast_cancer").rglob("*train.tfrecord*"))
    record.write_bytes(record.read_bytes()[:500])
    with pytest.raises(zoo.UsageError, match=r"\(train\) cannot be read .*; prepare it anew") as error:
        zoo.load_data("breast_cancer", data_dir=tmp_path)
    assert "\n" not in str(error.value)


def test_a_full_disk_is_said_before_the_first_step(data_dir, tmp_path, monkeypatch):
    import shutil
    from types import SimpleNamespace

    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=5 * 2**20))
    with pytest.raises(zoo.UsageError, match=r"5 MiB left; the run needs about 67 MiB"):
        zoo.train("lenet5", run=tmp_path / "run", data_dir=data_dir)


def test_a_disk_that_fills_up_leaves_no_temporary_file(short_run, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    before = sorted(short_run.path.iterdir())
    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(zoo.UsageError, match=r"metrics\.json cannot be written: No space left on device"):
        short_run.write_json("metrics.json", {})
    assert sorted(short_run.path.iterdir()) == before


def test_an_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(zoo.UsageError, match="cannot be written"):
        Run.create(tmp_path / "file" / "run", "")
    with pytest.raises(zoo.UsageError, match="is a file; expected a folder"):
        Run.create(tmp_path / "file", "")


def test_a_loss_that_is_no_number(tmp_path, monkeypatch):
    monkeypatch.setitem(run_plan.OVERRIDES, "learning_rate", (lambda value: True, ""))
    run = dict(run=tmp_path / "run", data=write(tmp_path / "data.npz"), verbose=0, epochs=30, learning_rate=1e30)
    with pytest.raises(
        zoo.UsageError, match=r"the loss became \w+ in batch \d+ of epoch 1; .* lower learning_rate, now 1e"
    ):
        zoo.train("lenet5", "mnist", **run, batch_size=64)


@pytest.mark.parametrize(
    "content",
    ["", "{}", "<html>", '{"model": "mlp", "recipe": {"x": 1}, "feed": {}, "data_dir": null}'],
)
def test_evaluating_what_is_no_run(content, tmp_path):
    with pytest.raises(zoo.UsageError, match="no finished run"):
        zoo.evaluate(tmp_path)
    (tmp_path / "config.json").write_text(content)
    (tmp_path / "model.keras").write_text("no network")
    with pytest.raises(zoo.UsageError) as error:
        zoo.evaluate(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_the_main_job_reaches_its_figure(data_dir, tmp_path):
    """The recipe's expected accuracy, on the worst of five seeds."""
    expected = zoo.info("lenet5").recipe("demo").expected
    runs = [zoo.train("lenet5", run=tmp_path / str(seed), data_dir=data_dir, seed=seed, verbose=0) for seed in range(5)]
    assert min(run.metrics["accuracy"] for run in runs) >= expected.bound


def test_large_sets_are_counted_whole_and_trained_without_baselines(data_dir, tmp_path, monkeypatch):
    from zoo.data import checks as data_checks
    from zoo.tasks import image_classification

    monkeypatch.setattr(data_checks, "MAX_EXAMPLES", 200)
    monkeypatch.setattr(image_classification, "BASELINE_NUMBERS", 1000)
    run = zoo.train("softmax_regression", run=tmp_path / "run", data_dir=data_dir, epochs=1, verbose=0)
    assert run.config["examples"]["train"] == 1257
    assert run.results["baselines"] == {}
    assert (run.path / "mistakes.png").exists() and (run.path / "curves.png").exists()


def test_inputs_at_given_rows(tmp_path):
    from zoo.data import ArrayFile
    from zoo.data.image.arrays import NumberDataModule

    x = np.arange(100.0)[:, None] + np.zeros(7)
    np.savez(tmp_path / "data.npz", x_train=x, y_train=x[:, 0], x_test=x, y_test=x[:, 0])
    card = zoo.info("lagged_linear")
    recipe = run_plan.override(card.recipe("demo"), {"batch_size": 32})
    data = NumberDataModule.adapt(card, recipe, ArrayFile(tmp_path / "data.npz").load())
    np.testing.assert_allclose(data.inputs_at("test", np.array([99, 0, 33]))[:, 0], [99, 0, 33], atol=1e-3)
    assert data.inputs_at("test", np.array([], int)).shape == (0, 7)
