"""Searching for settings."""

import importlib.util
import math

import numpy as np
import pytest

import zoo
from zoo.cli import main
from zoo.cli.tune import described
from zoo.training import tuning
from zoo.training.search_space import Axis, parse
from zoo.training.tuning import tune

NEEDS_OPTUNA = pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason="Optuna is not installed")


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    y = np.arange(60) % 2
    return (random.uniform(0, 0.6, (60, 2, 2)) + 0.4 * y[:, None, None]).astype("float32"), y


@pytest.fixture
def counted(monkeypatch):
    """Trials that train nothing: what they reach is computed from their settings."""

    def trained(plan):
        metrics = {"accuracy": 1 / (1 + abs(math.log10(plan.recipe.learning_rate) + 2)), "loss": 1.0}
        (plan.run.path / "config.json").write_text('{"command": "zoo train it"}')
        return type("Run", (), {"metrics": metrics})()

    monkeypatch.setattr(tuning, "trained", trained)


@NEEDS_OPTUNA
def test_trials_are_runs_that_are_measured_on_the_validation_set(data, tmp_path):
    search = {"learning_rate": "1e-3:1"}
    found = tune("softmax_regression", trials=2, data=data, epochs=2, search=search, run=tmp_path / "search")
    run = zoo.Run.open(found.path / found.best.run)
    assert run.results["measured_on"] == "the validation set"
    assert run.config["examples"]["test"] == run.config["examples"]["validation"]
    assert found.best.score == run.metrics["accuracy"] == max(trial.score for trial in found.trials)
    settings = found.best.settings
    assert set(settings) == {"learning_rate", "weight_decay", "batch_size"}
    assert f"--learning-rate {settings['learning_rate']}" in found.command
    assert f"--weight-decay {settings['weight_decay']}" in found.command
    assert (found.path / "trials.png").stat().st_size > 5_000
    assert run.config["recipe"]["optimizer_options"]["weight_decay"] == settings["weight_decay"]
    assert described(found)[1].split()[0] == str(found.best.number)


@NEEDS_OPTUNA
@pytest.mark.parametrize("sampler", tuning.SAMPLERS)
def test_a_search_that_was_stopped_goes_on_as_if_it_had_not(sampler, counted, tmp_path):
    same = dict(sampler=sampler, seed=3, search={"hidden": "(32,),(64,32)", "ema_momentum": "0.9:0.999"})
    whole = tune("mlp", trials=13, run=tmp_path / "whole", **same)
    for trials in (4, 12, 13):
        parts = tune("mlp", trials=trials, run=tmp_path / "parts", **same)
    assert [trial.settings for trial in parts.trials] == [trial.settings for trial in whole.trials]
    assert tune("mlp", trials=2, run=tmp_path / "parts", **same).trials == parts.trials  # there are enough
    other = tune("mlp", trials=1, run=tmp_path / "other", **{**same, "seed": 4})
    assert other.trials[0].settings != whole.trials[0].settings
    for trial in whole.trials:
        assert 0.9 <= trial.settings["ema_momentum"] <= 0.999 and trial.settings["hidden"] in ((32,), (64, 32))
        assert 2e-4 <= trial.settings["learning_rate"] <= 2e-2 and isinstance(trial.settings["batch_size"], int)


@NEEDS_OPTUNA
def test_what_it_has_learned_guides_the_search(counted, tmp_path):
    """After ten trials at random it draws nearer to the best rate, .01."""
    found = tune("mlp", trials=40, run=tmp_path / "search", search={"learning_rate": "1e-5:1"})
    distance = [abs(math.log10(trial.settings["learning_rate"]) + 2) for trial in found.trials]
    assert np.mean(distance[20:]) < 0.7 * np.mean(distance[:10])


@NEEDS_OPTUNA
def test_a_trial_that_fails_is_told_and_not_the_end(monkeypatch, tmp_path):
    reasons = iter(["the loss became NaN in epoch 1", "the loss became NaN in epoch 2", "no classes", "no classes"])

    def trained(plan):
        raise zoo.UsageError(next(reasons))

    monkeypatch.setattr(tuning, "trained", trained)
    found = tune("mlp", trials=2, run=tmp_path / "search")
    assert tune("mlp", trials=2, run=tmp_path / "search").trials[1].failed == found.trials[1].failed
    with pytest.raises(zoo.UsageError, match="all 2 trials failed, the last one: the loss became NaN in epoch 2"):
        _ = found.best
    with pytest.raises(zoo.UsageError, match="two trials failed alike: no classes"):  # so will all others
        tune("mlp", trials=9, run=tmp_path / "search")


@NEEDS_OPTUNA
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"trials": 0}, "trials is 0; expected a whole number of at least 1"),
        ({"sampler": "tpa"}, "there is no sampler 'tpa'; did you mean tpe"),
        ({"search": {"learning_rate": "1"}}, "leaves nothing to choose"),
        ({"search": {"epochs": "1:5"}, "epochs": 2}, "epochs is both given and searched"),
        ({"search": {"colour": "1:5"}}, "'colour'"),
        ({"resume": True}, "resume is given to a search"),
        ({"recipe": "none"}, "'none'"),
        ({"name": "mpl"}, "did you mean mlp"),
    ],
)
def test_what_cannot_be_searched_is_one_line(change, says, counted, tmp_path):
    settings = {"name": "mlp", "trials": 1, "run": tmp_path / "search"} | change
    with pytest.raises(zoo.UsageError, match=says):
        tune(**settings)


@NEEDS_OPTUNA
def test_another_search_has_another_folder(counted, tmp_path):
    tune("mlp", trials=1, run=tmp_path / "search")
    with pytest.raises(zoo.UsageError, match=r"holds another search \(sampler differ\); choose another folder"):
        tune("mlp", trials=1, run=tmp_path / "search", sampler="random")
    (tmp_path / "search" / "trials.csv").write_text("trial\n1\n")
    with pytest.raises(zoo.UsageError, match="was not written by `zoo tune`"):
        tune("mlp", trials=2, run=tmp_path / "search")


def test_without_optuna_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["tune", "mlp", "--trials", "1"]) == 2
    assert (
        capsys.readouterr().err
        == "zoo: Optuna, which draws the settings, is not installed; to search: pip install optuna\n"
    )


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("learning_rate=1e-4:1", Axis(1e-4, 1, log=True)),
        ("dropout=0:0.5", Axis(0, 0.5)),
        ("epochs=2:6", Axis(2, 6, whole=True)),
        ("batch_size=8:64", Axis(8, 64, log=True, whole=True)),
        ("batch_size=linear:8:64", Axis(8, 64, whole=True)),
        ("width=log:8:64", Axis(8, 64, log=True, whole=True)),
        ("ema_momentum=0.9:0.999", Axis(0.9, 0.999, log=True, momentum=True)),
        ("hidden=(32,),(64,32)", Axis(choices=((32,), (64, 32)))),
        ("activation=relu,tanh", Axis(choices=("relu", "tanh"))),
    ],
)
def test_ranges_as_they_are_written(text, axis):
    name, found = parse(text)
    assert (name, found) == (text.partition("=")[0], axis)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("learning_rate", "is no range; expected NAME=LOW:HIGH"),
        ("learning_rate=1:2:3", "is no range"),
        ("learning_rate=0.1:0.01", "expected two numbers, the lower one first"),
        ("learning_rate=0:1", "begins at 0, which has no logarithm; expected more, or linear:0:1"),
        ("ema_momentum=0.9:1", "ends at 1, which has no logarithm of 1 less it"),
        ("activation=relu", "leaves nothing to choose; expected several values, or --option activation=relu"),
        ("dropout=low:high", "expected two numbers"),
    ],
)
def test_what_is_no_range_is_one_line(text, says):
    with pytest.raises(zoo.UsageError, match=says):
        parse(text)
