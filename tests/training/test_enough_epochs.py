"""Few data are seen more often, and a training that ends too early says so."""

import logging
from types import SimpleNamespace

import pytest

import zoo
from zoo.training import run_plan
from zoo.training.trainer import say_if_still_learning, with_enough_epochs

TEXTS = zoo.info("gru_classifier").recipe("text_folder")


@pytest.mark.parametrize(("steps", "epochs"), [(25, 24), (7, 86), (300, 3)])
def test_a_small_set_is_trained_on_for_as_many_steps(steps, epochs):
    assert TEXTS.epochs == 3 and TEXTS.min_steps == 600
    assert with_enough_epochs(TEXTS, SimpleNamespace(steps=steps)).epochs == epochs


def test_epochs_that_a_user_asks_for_are_those():
    asked = run_plan.override(TEXTS, {"epochs": 2})
    assert with_enough_epochs(asked, SimpleNamespace(steps=1)).epochs == 2


@pytest.mark.parametrize(
    ("losses", "said"), [([2.0, 1.5, 1.2], True), ([2.0, 1.2, 1.195], False), ([2.0, 1.0, 1.5], False), ([], False)]
)
def test_a_loss_that_still_falls_is_said(losses, said, caplog):
    with caplog.at_level(logging.INFO, logger="zoo"):
        say_if_still_learning(losses)
    assert ("still fell in the last epoch: more epochs (--epochs)" in caplog.text) == said
