"""Trackers are told of every epoch and of what was measured, by their own callbacks."""

import argparse
import sys
import types

import keras
import pytest

import zoo
from zoo.cli import train as train_command
from zoo.training import tracking


class Epochs(keras.callbacks.Callback):
    """In the place of the callbacks of MLflow and W&B."""

    def __init__(self, told):
        super().__init__()
        self.told = told

    def on_epoch_end(self, epoch, logs=None):
        self.told.append((epoch, sorted(logs)))


def with_module(monkeypatch, name, **members):
    module = types.ModuleType(name)
    module.__spec__ = types.SimpleNamespace()  # of what is installed
    vars(module).update(members)
    monkeypatch.setitem(sys.modules, name, module)
    return module


@pytest.fixture
def wandb(monkeypatch):
    told = types.SimpleNamespace(epochs=[], begun=[], ended=[], summary={})
    with_module(monkeypatch, "wandb.integration")
    with_module(monkeypatch, "wandb.integration.keras", WandbMetricsLogger=lambda: Epochs(told.epochs))
    module = with_module(monkeypatch, "wandb", run=None)

    def init(**settings):
        told.begun.append(settings)
        module.run = types.SimpleNamespace(summary=told.summary)

    def finish(**settings):
        told.ended.append(settings)
        module.run = None

    module.init, module.finish, module.told = init, finish, told
    return module


@pytest.fixture
def mlflow(monkeypatch):
    told = types.SimpleNamespace(epochs=[], begun=[], ended=[], metrics={})
    with_module(monkeypatch, "mlflow.keras", MlflowCallback=lambda: Epochs(told.epochs))
    module = with_module(monkeypatch, "mlflow", log_metrics=told.metrics.update)
    module.active_run = lambda: True if len(told.begun) > len(told.ended) else None
    module.start_run = lambda **settings: told.begun.append(settings)
    module.end_run, module.told = told.ended.append, told
    return module


def train(tracker, tmp_path, data_dir, **settings):
    settings = {"epochs": 2, "data_dir": data_dir, "verbose": 0, **settings}
    return zoo.train("softmax_regression", run=tmp_path / "run", tracker=tracker, **settings)


def test_wandb_is_told(wandb, tmp_path, data_dir):
    run = train("wandb", tmp_path, data_dir)
    (settings,) = wandb.told.begun
    assert (settings["project"], settings["name"], settings["config"]["model"]) == ("zoo", "run", "softmax_regression")
    assert [epoch for epoch, _ in wandb.told.epochs] == [0, 1] and "val_accuracy" in wandb.told.epochs[0][1]
    assert wandb.told.summary["test/accuracy"] == run.metrics["accuracy"]
    assert wandb.told.ended == [{"exit_code": 0}]


@pytest.mark.slow
def test_a_run_that_is_open_stays_open(wandb, tmp_path, data_dir):
    wandb.init()
    train("wandb", tmp_path, data_dir, epochs=1)
    assert len(wandb.told.begun) == 1 and wandb.told.ended == [] and "test/accuracy" in wandb.told.summary


def test_mlflow_is_told(mlflow, tmp_path, data_dir):
    run = train("mlflow", tmp_path, data_dir)
    (settings,) = mlflow.told.begun
    assert settings["run_name"] == "run" and "train softmax_regression" in settings["tags"]["command"]
    assert len(mlflow.told.epochs) == 2 and mlflow.told.metrics["test_accuracy"] == run.metrics["accuracy"]
    assert mlflow.told.ended == ["FINISHED"]


def test_a_failure_is_told(mlflow, tmp_path, data_dir):
    class Broken(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("no such luck")

    with pytest.raises(RuntimeError, match="no such luck"):
        train("mlflow", tmp_path, data_dir, callbacks=[Broken()])
    assert mlflow.told.ended == ["FAILED"]


def test_what_fails_before_the_training_begins_no_run_of_mlflow(mlflow, monkeypatch):
    monkeypatch.setattr(mlflow, "log_metrics", lambda metrics: pytest.fail("it would begin a run by itself"))
    tracking.MLflow().finish({})


class StopsIn(keras.callbacks.Callback):
    """Ctrl-C at the beginning of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


def test_ctrl_c_before_an_epoch_is_finished_leaves_no_run_folder(wandb, tmp_path, data_dir, monkeypatch):
    def init(dir, **settings):
        (tmp_path / "run" / "wandb").mkdir()
        wandb.run = types.SimpleNamespace(summary={})

    monkeypatch.setattr(wandb, "init", init)
    with pytest.raises(KeyboardInterrupt):
        train("wandb", tmp_path, data_dir, callbacks=[StopsIn(0)])
    assert wandb.told.ended == [{"exit_code": 1}] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("first", "then"), [("wandb", ""), ("", "wandb")])
def test_a_run_goes_on_whoever_watched_it_before(first, then, wandb, tmp_path, data_dir):
    stop = StopsIn(1)
    with pytest.raises(KeyboardInterrupt):
        train(first, tmp_path, data_dir, callbacks=[stop])
    stop.epoch = None
    run = zoo.train(resume=tmp_path / "run", tracker=then, callbacks=[stop], data_dir=data_dir, verbose=0)
    assert run.metrics["accuracy"] > 0 and len(wandb.told.epochs) == 1


@pytest.mark.parametrize(
    ("tracker", "told"),
    [("wandbb", "there is no tracker 'wandbb'; did you mean wandb"), ("mlflow", "mlflow is not installed")],
)
def test_what_is_not_there_is_said_before_the_run_folder_exists(tracker, told, tmp_path, monkeypatch):
    monkeypatch.setattr(tracking.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(zoo.UsageError, match=told):
        zoo.train("softmax_regression", run=tmp_path / "run", tracker=tracker)
    assert not (tmp_path / "run").exists()


def test_tensorboard_writes_into_the_run_folder(tmp_path, data_dir):
    pytest.importorskip("tensorboard")
    run = train("tensorboard", tmp_path, data_dir, epochs=1)
    assert list((run.path / "tensorboard" / "train").iterdir())


def test_the_name_of_before_still_works(tmp_path, data_dir, monkeypatch):
    asked = []

    class Watched(tracking.Tracker):
        package = "sys"

        def callbacks(self, run):
            asked.append(run.path.name)
            return []

    monkeypatch.setitem(tracking.TRACKERS, "tensorboard", Watched)
    with pytest.warns(FutureWarning, match="tracker='tensorboard'"):
        train("", tmp_path, data_dir, epochs=1, tensorboard=True)
    assert asked == ["run"]


def test_the_option_of_before_is_still_read():
    parser = argparse.ArgumentParser()
    train_command.add_arguments(parser)
    assert parser.parse_args(["mlp", "--tensorboard"]).tracker == "tensorboard"
    assert parser.parse_args(["mlp", "--tracker", "wandb"]).tracker == "wandb" and not parser.parse_args([]).tracker
