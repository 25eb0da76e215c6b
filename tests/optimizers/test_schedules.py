"""Schedules at hand-computed steps, and optimizers from a recipe's words."""

import math

import pytest

import zoo
from zoo.optimizers import schedules
from zoo.records import Recipe


def rates(schedule, *steps):
    return [float(schedule(step)) for step in steps]


def test_cosine_is_half_a_cosine():
    schedule = schedules.cosine(0.2, 100, epochs=10)
    assert rates(schedule, 0, 25, 50, 100) == pytest.approx(
        [0.2, 0.1 * (1 + math.cos(math.pi / 4)), 0.1, 0.0], abs=1e-7
    )


def test_cosine_warms_up_in_a_straight_line():
    schedule = schedules.cosine(0.2, 100, epochs=10, warmup_epochs=2)
    assert rates(schedule, 0, 10, 20, 60, 100) == pytest.approx([0.0, 0.1, 0.2, 0.1, 0.0], abs=1e-7)


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_a_warm_up_longer_than_the_training_is_cut_to_its_half(steps):
    schedule = schedules.cosine(0.2, steps, epochs=1, warmup_epochs=5)
    assert max(rates(schedule, *range(steps + 1))) == pytest.approx(0.2)


def test_step_falls_at_its_shares():
    schedule = schedules.step(0.1, 64_000, epochs=182)
    assert rates(schedule, 0, 32_000, 32_001, 48_000, 48_001) == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001])


def test_an_optimizer_has_the_options_of_its_recipe():
    recipe = Recipe("r", "digits", epochs=1, optimizer="sgd", optimizer_options={"momentum": 0.9}, learning_rate=0.5)
    made = schedules.optimizer(recipe, steps=10)
    assert type(made).__name__ == "SGD" and made.momentum == 0.9 and float(made.learning_rate) == 0.5


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (dict(optimizer="adma"), "Keras has no optimizer 'adma'"),
        (dict(optimizer_options={"momentun": 0.9}, optimizer="sgd"), "momentun"),
        (dict(schedule="cosin"), "did you mean cosine?"),
    ],
)
def test_what_keras_does_not_have(changes, says):
    recipe = Recipe("r", "digits", epochs=1, **changes)
    with pytest.raises(zoo.UsageError, match=says) as error:
        schedules.optimizer(recipe, steps=10)
    assert "\n" not in str(error.value)
