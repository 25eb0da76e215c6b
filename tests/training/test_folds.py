"""k-fold cross-validation."""

import csv
import statistics

import numpy as np
import pytest

import zoo
from zoo.cli import main


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    y = np.arange(60) % 2
    return (random.uniform(0, 0.6, (60, 2, 2)) + 0.4 * y[:, None, None]).astype("float32"), y


@pytest.fixture(scope="module")
def found(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "folds"
    return zoo.train("softmax_regression", data=data, folds=2, epochs=3, learning_rate=0.1, run=folder, verbose=0)


def test_each_fold_is_a_run_measured_on_what_it_did_not_learn(found, data):
    assert [run.path.name for run in found.runs] == ["fold-1", "fold-2"]
    for number, run in enumerate(found.runs, 1):
        assert run.config["examples"] == {"train": 24, "validation": 24, "test": 24}  # a fifth of 60 is not touched
        assert run.results["measured_on"] == f"fold {number} of 2"
    assert found.mean == statistics.mean(found.scores) and found.spread == statistics.stdev(found.scores)
    with (found.path / "folds.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row[found.metric]) for row in rows] == list(found.scores)
    assert (found.path / "folds.png").stat().st_size > 5_000


def test_the_test_set_was_not_touched(found, data):
    """`zoo evaluate` on a fold measures on it, for the first time."""
    scores = zoo.evaluate(found.runs[0], data=data)
    assert scores["accuracy"] in [each / 12 for each in range(13)]


def test_a_fold_is_not_gone_on_with(found):
    with pytest.raises(zoo.UsageError, match="is measured on fold 1 of 2, as one of several runs"):
        zoo.train(resume=found.runs[0].path, epochs=9)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"folds": 1}, "folds is 1; expected a whole number of at least 2"),
        ({"folds": 2.5}, "folds is 2.5; expected a whole number"),
        ({"folds": 100}, "folds is 100; expected at most 48, as many as there are examples"),
        ({"folds": 30}, "folds is 30; no class has more than 24 examples"),
        ({"resume": True}, "resume is given with folds"),
        ({"name": "lagged_linear"}, "learns from series in the order of time"),
        ({"name": "style_transfer", "data": None}, "holds no examples out"),
    ],
)
def test_what_cannot_be_divided_is_one_line(change, says, data, tmp_path):
    settings = {
        "name": "softmax_regression",
        "data": data,
        "folds": 2,
        "epochs": 1,
        "run": tmp_path / "run",
        "verbose": 0,
    }
    with pytest.raises(zoo.UsageError, match=says):
        zoo.train(**settings | change)
    assert not (tmp_path / "run").exists()


def test_a_network_that_is_built_is_refused(data):
    with pytest.raises(zoo.UsageError, match="folds train a network anew for each"):
        zoo.train(zoo.build("softmax_regression", input_shape=(2, 2, 1), num_classes=2), data=data, folds=2)


def test_the_command_refuses_to_record(capsys):
    assert main(["train", "mlp", "--folds", "2", "--record", "x.csv"]) == 2
    assert "--record keeps figures of the test set" in capsys.readouterr().err
    assert main(["train", "mlp", "--folds", "1"]) == 2
    assert "folds is 1; expected a whole number of at least 2" in capsys.readouterr().err
