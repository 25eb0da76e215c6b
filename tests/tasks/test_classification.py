"""The head of a network that tells classes apart, held against the classes of the data."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

import zoo
from zoo import registry, tasks
from zoo.metrics import classification
from zoo.tasks import _classification
from zoo.tasks.base import Evaluation, Network

DATA = SimpleNamespace(class_names=("a", "b", "c", "d"), source=SimpleNamespace(name="letters"))
PAIR = SimpleNamespace(class_names=("a", "b"), source=SimpleNamespace(name="pairs"))


def network(units, task="image_classification", loss=""):
    x = keras.Input((3,))
    card = zoo.records.replace(zoo.info("mlp"), loss=loss)
    return Network.of(keras.Model(x, keras.layers.Dense(units)(x)), card, tasks.get(task))


@pytest.mark.parametrize(
    ("units", "task", "data", "told"),
    [
        (10, "image_classification", DATA, "mlp has 10 outputs; expected 4 for the 4 classes of letters"),
        (3, "image_classification", DATA, "mlp has 3 outputs; expected 4 for"),
        (1, "image_classification", PAIR, "mlp has 1 output; expected 2 for"),
        (3, "text_classification", DATA, "mlp has 3 outputs; expected 4 for"),
        (2, "video_classification", DATA, "mlp has 2 outputs; expected 4 for"),
        (2, "binary_classification", PAIR, "mlp has 2 outputs; expected 1 for the 2 classes of pairs"),
    ],
)
def test_another_number_of_outputs_than_of_classes_is_refused(units, task, data, told):
    built = network(units, task)
    with pytest.raises(zoo.UsageError, match=told):
        built.task.check_network(built, data)


@pytest.mark.parametrize(
    ("units", "task", "data", "loss"),
    [
        (4, "image_classification", DATA, ""),
        (4, "text_classification", DATA, ""),
        (1, "binary_classification", PAIR, ""),
        (1, "image_classification", PAIR, "binary_crossentropy"),
        (9, "image_classification", SimpleNamespace(class_names=()), ""),
    ],
)
def test_as_many_outputs_as_classes_are_right(units, task, data, loss):
    built = network(units, task, loss)
    built.task.check_network(built, data)


def test_the_main_head_counts():
    x = keras.Input((3,))
    heads = {"help": keras.layers.Dense(7)(x), "main": keras.layers.Dense(4)(x)}
    card = zoo.records.replace(zoo.info("mlp"), loss_weights={"help": 0.3})
    task = tasks.get("image_classification")
    task.check_network(Network.of(keras.Model(x, heads), card, task), DATA)


def test_a_builder_that_ignores_the_number_of_classes_is_told_before_training(tmp_path, monkeypatch):
    def stubborn(*, input_shape=(8, 8, 1), num_classes=10, hidden=(), name="mlp"):
        x = keras.Input(input_shape)
        return keras.Model(x, keras.layers.Dense(12)(keras.layers.Flatten()(x)), name=name)

    monkeypatch.setitem(registry._builders, "mlp", stubborn)
    with pytest.raises(zoo.UsageError, match=r"mlp has 12 outputs; expected 10 for the 10 classes of digits:1\.0\.0"):
        zoo.train("mlp", run=tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


def judged(outputs, targets, files=()):
    """Data and an evaluation as the plots and tables of a task take them."""
    source = SimpleNamespace(examples=[SimpleNamespace(split=split, file=file) for split, file in files])
    data = SimpleNamespace(class_names=DATA.class_names, source=source, recipe=SimpleNamespace(test="test"))
    return data, Evaluation({}, np.array(targets), np.log(np.array(outputs)))


PREDICTIONS = [[0.7, 0.1, 0.1, 0.1], [0.2, 0.6, 0.1, 0.1], [0.9, 0.05, 0.03, 0.02], [0.1, 0.1, 0.7, 0.1]]


def test_mistakes_are_named_the_most_confident_first():
    files = [("train", "z.png"), *(("test", name) for name in ("a.png", "b.png", "c.png", "d.png"))]
    data, evaluation = judged(PREDICTIONS, [0, 2, 3, 2], files)
    assert _classification.mistakes(data, evaluation) == [
        {"file": "c.png", "class": "d", "predicted": "a", "confidence": "0.9000"},
        {"file": "b.png", "class": "c", "predicted": "b", "confidence": "0.6000"},
    ]
    rows = _classification.mistakes(*judged(PREDICTIONS, [0, 1, 0, 3]))
    assert rows == [{"example": 3, "class": "d", "predicted": "c", "confidence": "0.7000"}]


def test_a_class_that_is_never_recognised_is_said(caplog):
    tasks.get("text_classification").tables(*judged(PREDICTIONS, [0, 1, 3, 2]))
    assert "not one test example of d was recognised (recall 0)" in caplog.text
    caplog.clear()
    tasks.get("text_classification").tables(*judged(PREDICTIONS, [0, 1, 0, 2]))  # none of class d to recognise
    assert not caplog.text


def test_metrics_by_class_against_hand_computed():
    """Recalls 1 and 1/2; precisions 2/3 and 1, hence F1 4/5 and 2/3."""
    logits = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    found = classification.scores(np.array([0, 0, 1, 1]), logits)
    assert found["balanced_accuracy"] == pytest.approx(0.75)
    assert found["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)


@pytest.mark.parametrize(
    "right, examples, ends", [(0, 10, (0.0, 0.278)), (10, 10, (0.722, 1.0)), (50, 100, (0.404, 0.596))]
)
def test_the_interval_of_an_accuracy(right, examples, ends):
    """By the formula of Wilson 1927, with z = 1.96; 0 and 1 do not have an interval of no width."""
    assert classification.interval(right / examples, examples) == pytest.approx(ends, abs=5e-4)
