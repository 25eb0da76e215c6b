"""The head of a network that tells classes apart, held against the classes of the data."""

from types import SimpleNamespace

import keras
import pytest

import zoo
from zoo import registry, tasks
from zoo.tasks.base import Network

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
