"""A training that is stopped and gone on with ends as the undisturbed one, bit for bit; what has changed is said."""

import csv
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from zoo.tasks.base import Task
from zoo.tasks.metric_learning import MetricLearning
from zoo.training import checkpoint
from zoo.training.run_folder import Run
from zoo.training.stopping import Stopped

ROOT = Path(zoo.__file__).parents[1]


def benchmark():
    path = ROOT / "benchmarks" / "kill_and_resume.py"
    spec = importlib.util.spec_from_file_location("kill_and_resume", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


differences = benchmark().differences


FAMILIES = {  # name -> (settings, where to stop: inside an epoch or after one)
    "lenet5": (dict(epochs=3, dropout=0.3, batch_size=256), (1, 2)),
    "word2vec": (dict(epochs=3), (1, 0)),
    "siamese": (dict(epochs=2, batch_size=256), (0, None)),
    "seq2seq_gru": (dict(epochs=2, batch_size=512), (1, 1)),
}


LONG = ("siamese", "seq2seq_gru", "word2vec")  # half a minute each


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in FAMILIES])
def test_stopped_and_resumed_is_the_undisturbed_training(name, data_dir, tmp_path, stop_at, monkeypatch):
    settings, (epoch, batch) = FAMILIES[name]
    monkeypatch.setattr("zoo.training.trainer.report", lambda *arguments, **settings: None)
    monkeypatch.setattr(MetricLearning, "baselines", Task.baselines)
    settings = dict(settings, data_dir=data_dir, verbose=0)
    undisturbed = zoo.train(name, run=tmp_path / "undisturbed", **settings)
    stop_at(epoch, batch)
    with pytest.raises(Stopped) as stopped:
        zoo.train(name, run=tmp_path / "run", **settings)
    assert stopped.value.code == 143 and f"zoo train --resume {tmp_path / 'run'}" in str(stopped.value)
    kept, _ = checkpoint.newest(tmp_path / "run")
    assert (kept.epoch, kept.batch) == ((epoch, batch + 1) if batch is not None else (epoch + 1, 0))
    stop_at(-1)
    resumed = zoo.train(resume=tmp_path / "run", data_dir=data_dir, verbose=0)
    assert differences(undisturbed.path, resumed.path) == []


@pytest.fixture(scope="module")
def everything(tmp_path_factory, data_dir):
    """A network with what has a state: dropout, averaged weights, batch normalisation, two phases, early stopping, an
    augmentation of ours and one of Keras's, and a watching callback with numbers, arrays and a generator."""
    file = tmp_path_factory.mktemp("own") / "stateful.py"
    file.write_text(
        textwrap.dedent("""
        import keras
        import numpy as np

        import zoo
        from zoo.tasks.image_classification import ImageClassification


        class Watch(keras.callbacks.Callback):
            def on_train_begin(self, logs=None):
                self.rng, self.drawn, self.sums = np.random.default_rng(5), [], np.zeros(3)

            def on_train_batch_end(self, batch, logs=None):
                self.drawn.append((batch, float(self.rng.random())))
                self.sums += np.random.random(3)

            def on_epoch_end(self, epoch, logs=None):
                logs["drawn"] = self.drawn[-1][1] + self.sums.sum()


        class Watched(ImageClassification):
            name = "watched"

            def callbacks(self, network, data):
                rate = keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1, min_delta=9.0)
                return [Watch(), rate]


        RECIPE = zoo.Recipe(
            name="demo", dataset="digits:1.0.0", train="train[:50%]", validation="train[50%:60%]", test="test",
            epochs=5, head_epochs=2, patience=2, batch_size=128, preprocess={"resize": (8, 8)},
            augment={"shift": 1, "RandomBrightness": {"factor": 0.1}}, learning_rate=0.01, optimizer="adam",
            optimizer_options={"use_ema": True, "ema_momentum": 0.9},
        )


        ONE_PHASE = zoo.records.replace(RECIPE, name="one_phase", head_epochs=0, patience=0)


        @zoo.register(zoo.Card(
            task="watched", summary="all that has a state", params=1, paper="none", preprocessing="standardise",
            inputs=(zoo.Input("image", (8, 8, 1)),), recipes=(RECIPE, ONE_PHASE), tiny={},
        ))
        def stateful(*, input_shape=(8, 8, 1), num_classes=10, name="stateful"):
            image = keras.Input(input_shape, name="image")
            x = keras.layers.Conv2D(4, 3, name="conv")(image)
            x = keras.layers.BatchNormalization(name="norm")(x)
            x = keras.layers.GaussianNoise(0.1, name="noise")(keras.layers.Flatten(name="flat")(x))
            x = keras.layers.Dropout(0.2, name="dropout")(x)
            return keras.Model(image, keras.layers.Dense(num_classes, name="logits")(x), name=name)
        """)
    )
    module = zoo.registry.import_file(str(file))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.training.trainer.report", lambda *arguments, **settings: None)
        run = zoo.train("stateful", run=file.parent / "run", data_dir=data_dir, verbose=0)
    yield run
    for table, name in (
        (zoo.registry._cards, "stateful"),
        (zoo.registry._builders, "stateful"),
        (zoo.tasks.classes, "watched"),
        (sys.modules, module.__name__),
    ):
        table.pop(name, None)


SLOW_PLACES = [pytest.param(place, marks=pytest.mark.slow) for place in ((1, None), (2, 1), (3, None))]


@pytest.mark.parametrize("place", [(0, 3), *SLOW_PLACES])
def test_all_state_is_kept(place, everything, data_dir, tmp_path, stop_at, monkeypatch):
    monkeypatch.setattr("zoo.training.trainer.report", lambda *arguments, **settings: None)
    settings = dict(data_dir=data_dir, verbose=0)
    rows = list(csv.DictReader((everything.path / "history.csv").open()))
    assert len({row["drawn"] for row in rows}) == len(rows) >= 4
    stop_at(*place)
    with pytest.raises(Stopped):
        zoo.train("stateful", run=tmp_path / "run", **settings)
    stop_at(-1)
    resumed = zoo.train("stateful", run=tmp_path / "run", resume=True, **settings)
    assert differences(everything.path, resumed.path) == []


@pytest.mark.slow
def test_the_comparison_sees_a_difference(data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.training.trainer.report", lambda *arguments, **settings: None)
    one, other = (
        zoo.train("mlp", run=tmp_path / str(seed), seed=seed, epochs=1, data_dir=data_dir, verbose=0) for seed in (0, 1)
    )
    assert {"network", "optimizer", "history", "metrics", "model.keras"} <= set(differences(one.path, other.path))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, data_dir):
    return zoo.train("mlp", run=tmp_path_factory.mktemp("runs") / "mlp", epochs=2, data_dir=data_dir, verbose=0)


@pytest.mark.slow
def test_more_epochs_for_a_finished_run(everything, data_dir, tmp_path, monkeypatch):
    """With a constant rate it is the longer training, bit for bit; else the schedule is another, which is said."""
    monkeypatch.setattr("zoo.training.trainer.report", lambda *arguments, **settings: None)
    settings = dict(data_dir=data_dir, verbose=0)
    longer = zoo.train("stateful", "one_phase", run=tmp_path / "longer", epochs=4, **settings)
    zoo.train("stateful", "one_phase", run=tmp_path / "run", epochs=2, **settings)
    more = zoo.train(resume=tmp_path / "run", epochs=4, **settings)
    assert differences(longer.path, more.path) == []
    assert more.config["recipe"]["epochs"] == 4 and more.config["resumed"][0]["after"] == "2 epochs"


def test_what_cannot_be_resumed(finished, data_dir, tmp_path):
    def refused(*arguments, **settings):
        with pytest.raises(zoo.UsageError) as error:
            zoo.train(*arguments, data_dir=data_dir, verbose=0, **settings)
        assert "\n" not in str(error.value)
        return str(error.value)

    assert "is finished, with 2 epochs; expected more of them" in refused(resume=finished.path)
    assert "is finished" in refused(resume=finished.path, epochs=1)
    assert "there is no folder" in refused(resume=tmp_path / "nowhere")
    assert "name is 'lenet5'" in refused("lenet5", resume=finished.path, epochs=3)
    assert "hidden is (7,)" in refused("mlp", resume=finished.path, epochs=3, hidden=(7,))
    assert "no network is named" in refused(resume=True)
    assert "epochs is 0" in refused(resume=finished.path, epochs=0)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "config.json").write_text((finished.path / "config.json").read_text())
    (tmp_path / "old" / "model.keras").write_bytes((finished.path / "model.keras").read_bytes())
    assert "no checkpoint that is whole" in refused(resume=tmp_path / "old", epochs=3)
    assert not list(finished.path.glob(".*")) and Run.open(finished.path).metrics == finished.metrics


def test_resume_begins_where_there_is_nothing(data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.training.trainer.report", lambda *arguments, **settings: None)
    run = zoo.train("mlp", run=tmp_path / "run", resume=True, epochs=1, data_dir=data_dir, verbose=0)
    assert run.metrics["accuracy"] > 0.1 and "resumed" not in run.config


def test_what_has_changed_is_said(data_dir, tmp_path, stop_at, monkeypatch, caplog):
    monkeypatch.setattr("zoo.training.trainer.report", lambda *arguments, **settings: None)
    monkeypatch.setattr("zoo.system.os.sched_getaffinity", lambda process: {0, 1, 2, 3}, raising=False)
    stop_at(0)
    with pytest.raises(Stopped):
        zoo.train("mlp", run=tmp_path / "run", epochs=2, data_dir=data_dir, verbose=0)
    stop_at(-1)
    monkeypatch.setattr("zoo.system.os.sched_getaffinity", lambda process: {0}, raising=False)
    monkeypatch.setattr("zoo.training.resume.code", lambda: "another")
    monkeypatch.setattr("zoo.data.sources.DataSet.sha256", lambda self: "other data", raising=False)
    monkeypatch.setattr("zoo.training.trainer.versions", lambda: {"keras": "99"})
    with caplog.at_level("INFO", logger="zoo"):
        run = zoo.train(resume=tmp_path / "run", learning_rate=1e-4, data_dir=data_dir, verbose=0)
    for words in ("cores 4, now 1", "the program has changed", "keras 3", "now 99", "learning_rate"):
        assert words in caplog.text, words
    assert "not what the undisturbed training would have given" in caplog.text
    assert any("cores 4, now 1" in each for each in run.config["resumed"][0]["changed"])


def test_an_unfinished_run_is_what_its_checkpoint_says(data_dir, tmp_path, stop_at):
    stop_at(1, 2)
    with pytest.raises(Stopped):
        zoo.train("lenet5", run=tmp_path / "run", epochs=3, data_dir=data_dir, verbose=0)
    run = Run.open(tmp_path / "run")
    kept = run.unfinished
    assert kept.where == "1 epoch and 3 batches" and len((run.path / "history.csv").read_text().splitlines()) == 2
    (run.path / "model.keras").unlink()  # as after kill -9
    for number, weight in enumerate(run.model().weights[:4]):
        assert np.isin(np.asarray(weight), kept.arrays[f"network.{number}"]).all()
    assert 0 < zoo.evaluate(run.path)["accuracy"] < 1


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no SIGKILL")
def test_killed_inside_a_write(data_dir, tmp_path, monkeypatch):
    """kill -9, when half of the second checkpoint is written."""
    program = textwrap.dedent("""
        import os, signal, sys
        import numpy as np
        import zoo
        from zoo.training import keeper, trainer

        keeper.SHARE, usual, writes = 1e9, np.savez, []

        def savez(file, **arrays):
            writes.append(1)
            if len(writes) == 2:
                file.write(b"PK" * 5000)
                file.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            usual(file, **arrays)

        np.savez = savez
        zoo.train("mlp", epochs=3, run=sys.argv[1], data_dir=sys.argv[2], verbose=0)
    """)
    monkeypatch.setattr("zoo.training.trainer.report", lambda *arguments, **settings: None)
    undisturbed = zoo.train("mlp", run=tmp_path / "undisturbed", epochs=3, data_dir=data_dir, verbose=0)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, tmp_path / "run", data_dir]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (tmp_path / "run" / "checkpoint" / ".new.tmp").exists()
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 2
    resumed = zoo.train("mlp", epochs=3, run=tmp_path / "run", resume=True, data_dir=data_dir, verbose=0)
    assert differences(undisturbed.path, resumed.path) == []
    assert not list(resumed.path.rglob("*.tmp"))


def test_a_trainer_with_two_optimizers(tmp_path):
    """As of a GAN: what a trainer holds besides its own optimizer is state as well."""
    from zoo.training import state

    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.other = keras.layers.Dense(2), keras.layers.Dense(1)
            self.one.build((None, 3))
            self.other.build((None, 2))
            self.optimizers = {"one": keras.optimizers.Adam(), "other": keras.optimizers.SGD(momentum=0.9)}

        def call(self, x):
            return self.other(self.one(x))

    def trained(model):
        for name in ("one", "other"):
            layer, optimizer = getattr(model, name), model.optimizers[name]
            optimizer.build(layer.trainable_variables)
            optimizer.apply([keras.ops.ones_like(each) for each in layer.trainable_variables])
        return model

    model, fresh = trained(Two()), Two()
    variables = state.variables_of(model, model)
    assert len(variables["optimizer"]) == 2 * 2 + 2 + 2 + 2
    taken = checkpoint.Checkpoint({}, state.take_variables(variables))
    trained(fresh)
    trained(fresh)
    state.put_variables(state.variables_of(fresh, fresh), taken, of="run")
    for one, other in zip(variables["optimizer"], state.variables_of(fresh, fresh)["optimizer"]):
        np.testing.assert_array_equal(one, other)


def test_configs_are_whole_or_absent(tmp_path, data_dir):
    """No empty config.json and no temporary network stay behind."""
    run = Run.create(tmp_path / "run", "")
    assert not list(run.path.iterdir())
    with pytest.raises(zoo.UsageError):
        zoo.train("lenet5", run=tmp_path / "run", data_dir=data_dir, num_classes=3)
    assert not (tmp_path / "run").exists()


def test_history_and_checkpoint_agree(finished):
    kept, _ = checkpoint.newest(finished.path)
    with (finished.path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == [row["loss"] for row in kept.state["history"]]
    assert json.loads(json.dumps(kept.state["facts"]["machine"])) == finished.config["machine"]
    assert set(finished.config["machine"]) >= {"cores", "threads"}


def test_killed_between_the_last_checkpoint_and_its_row(finished, data_dir, tmp_path):
    """`benchmarks/kill_and_resume.py` met it once in fifty kills: the history ended an epoch early."""
    run = shutil.copytree(finished.path, tmp_path / "run")
    whole = (run / "history.csv").read_bytes()
    (run / "history.csv").write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    (run / "metrics.json").unlink()
    zoo.train(resume=run, data_dir=data_dir, verbose=0)
    assert (run / "history.csv").read_bytes() == whole
