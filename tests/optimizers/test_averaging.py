"""Averages of the weights: what short trainings keep of their start, and which weights are validated and saved."""

import csv

import keras
import numpy as np
import pytest

import zoo
from zoo.inference import api
from zoo.optimizers import averaging, schedules
from zoo.records import Recipe, replace
from zoo.training.run_folder import Run

STEPS = 40


def averaged_path(momentum, steps=STEPS):
    """What Keras's optimizer averages to, of a weight that is 0 at first and 1 after every step but the first."""
    recipe = Recipe("r", "digits", epochs=1, optimizer="sgd", learning_rate=1.0, ema_momentum=momentum)
    optimizer = schedules.optimizer(recipe, steps)
    weight = keras.Variable(np.zeros(1, "float32"))
    optimizer.build([weight])
    for step in range(steps):
        target = 0.0 if step == 0 else 1.0
        optimizer.apply([weight - target])
    optimizer.finalize_variable_values([weight])
    return float(weight[0])


def test_a_short_training_keeps_nothing_of_its_start():
    """Of the first weights .998^39 = .925 would stay."""
    kept = np.prod([min(0.998, (1 + step) / (10 + step)) for step in range(1, STEPS)])
    assert kept < 1e-5
    assert averaged_path(0.998) == pytest.approx(1 - kept, abs=1e-5)


def test_a_small_momentum_stays_what_it_is():
    assert averaged_path(0.05, steps=3) == pytest.approx(1 - 0.05**2, abs=1e-6)


def test_without_a_momentum_there_is_no_average():
    optimizer = schedules.optimizer(Recipe("r", "digits", epochs=1), 10)
    assert not averaging.averages(optimizer) and type(optimizer) is type(keras.optimizers.Adam())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short training that averages, and stops early."""
    folder = tmp_path_factory.mktemp("averaged")
    patch = pytest.MonkeyPatch()
    card = zoo.info("mlp")
    recipe = replace(
        card.recipe("demo"), patience=1, learning_rate=1.0, schedule="constant", optimizer="sgd", epochs=60
    )
    patch.setattr(type(card), "recipe", lambda self, name: recipe)
    yield zoo.train("mlp", run=folder / "run", ema_momentum=0.999, seed=3, verbose=0, hidden=(8,))
    patch.undo()


def test_the_curves_are_of_the_weights_that_are_saved(run):
    with (run.path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) < 60, "it should stop early: that is where Keras's own callback goes wrong"
    best = min(rows, key=lambda row: float(row["val_loss"]))
    trained = api.reopen(run, with_source=True)
    assert trained.network.judge(trained.data, "validation").metrics["loss"] == pytest.approx(
        float(best["val_loss"]), rel=1e-4
    )


def test_the_momentum_is_an_option_that_the_run_repeats(run):
    assert "--ema-momentum 0.999" in Run.open(run.path).config["command"]
    with pytest.raises(zoo.UsageError, match="ema_momentum is 1; expected a number from 0"):
        zoo.train("mlp", ema_momentum=1)
