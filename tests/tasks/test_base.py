"""What every task has from `Task` and `Network`, and what a user's own task is told where it does not hold together."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

import zoo
from zoo import registry, tasks
from zoo.data.base import DataModule
from zoo.data.batching import Batches
from zoo.tasks.base import Evaluation, Network, Task

CARD = zoo.Card(
    name="own", task="own", summary="own", params=0, paper="none", preprocessing="none", tiny={},
    inputs=(zoo.Input("x", (3,)),), recipes=(zoo.Recipe(name="demo", dataset="digits:1.0.0", epochs=1),),
)  # fmt: skip


class Difference(keras.Loss):
    """A user's own, which does not look at ranks."""

    def call(self, y_true, y_pred):
        return keras.ops.square(y_true - y_pred)


class Numbers(Task):
    """Not entered: it has no name of its own."""

    metric = "mae"

    def loss(self):
        return Difference()


@pytest.fixture(autouse=True)
def forgotten():
    yield
    tasks.classes.pop("own", None)


def network(heads=("",), units=1):
    x = keras.Input((3,), name="x")
    outputs = {head: keras.layers.Dense(units, name=head or "only")(x) for head in heads}
    return keras.Model(x, outputs[""] if heads == ("",) else outputs)


def batches(y):
    return Batches(lambda rows: (np.ones((len(rows), 3), "float32"), y[rows]), lambda: [np.arange(len(y))])


# Targets.


def test_numbers_meet_an_output_of_one_unit_as_a_column():
    y = np.arange(4, dtype="float32")
    ((_, column),) = Network.of(network(), CARD, Numbers()).with_targets(batches(y))
    assert column.shape == (4, 1)
    ((_, by_head),) = Network.of(network(("a", "b")), CARD, Numbers()).with_targets(batches(y))
    assert by_head["a"].shape == by_head["b"].shape == (4, 1)


def test_other_targets_stay_as_they_are():
    of_three = Network.of(network(units=3), CARD, Numbers())
    given = batches(np.zeros((4, 3)))
    assert of_three.with_targets(given) is given
    ((_, column),) = Network.of(network(), CARD, Numbers()).with_targets(batches(np.zeros((4, 1))))
    assert column.shape == (4, 1)


def test_columns_of_a_tensorflow_pipeline():
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices((np.ones((4, 3)), np.arange(4.0))).batch(2)
    first = next(iter(Network.of(network(), CARD, Numbers()).with_targets(dataset)))
    assert tuple(first[1].shape) == (2, 1)


# Heads and their losses.


def test_where_all_heads_are_weighted_the_first_is_measured():
    weighted = zoo.records.replace(CARD, loss_weights={"a": 1.0, "b": 0.5})
    assert Network.of(network(("a", "b")), weighted, Numbers()).main == "a"
    helped = zoo.records.replace(CARD, loss_weights={"a": 0.5})
    assert Network.of(network(("a", "b")), helped, Numbers()).main == "b"


@pytest.mark.parametrize(
    ("losses", "told"),
    [
        ({"a": Difference()}, r"the losses of Numbers are for \['a'\]; the outputs of own have a, b: return one"),
        ({"a": Difference(), "b": "mse"}, r"the loss of Numbers for b is 'mse'; expected a keras.losses.Loss"),
        ({"a": Difference(), "b": Difference}, r"the loss of Numbers for b is <class .*; expected a keras"),
        (None, r"the losses of Numbers are for NoneType"),
    ],
)
def test_each_head_needs_a_loss_of_its_name(losses, told, monkeypatch):
    monkeypatch.setattr(Numbers, "losses", lambda self, heads, chosen: losses)
    with pytest.raises(zoo.UsageError, match=told):
        Network.of(network(("a", "b")), CARD, Numbers())


def test_a_weight_for_a_head_that_is_not_there():
    misspelt = zoo.records.replace(CARD, loss_weights={"boxs": 2.0})
    with pytest.raises(zoo.UsageError, match=r"no output of own 'boxs'; did you mean boxes\? \(loss_weights"):
        Network.of(network(("a", "boxes")), misspelt, Numbers())


# Names.


def test_two_tasks_of_one_name_are_refused_and_the_same_may_be_made_again():
    def made(qualname, module=__name__):
        return type("Own", (Task,), {"name": "own", "__qualname__": qualname, "__module__": module})

    made("Own")
    again = made("Own")
    with pytest.raises(zoo.UsageError, match=r"two tasks are called 'own': .*Own in .*test_base.py, and .*Other"):
        made("Other")
    with pytest.raises(zoo.UsageError, match=r"and json\.Own"):
        made("Own", "json")
    assert tasks.classes["own"] is again


# What a task must have.


@pytest.mark.parametrize(
    ("left_out", "told"),
    [
        ("metric", "has no metric; every task needs"),
        ("data_module", "has no data_module; every"),
        ("loss", r"has no loss \(or losses\); every"),
        ("scores", r"has no scores \(or evaluate\); every"),
    ],
)
def test_a_task_that_lacks_something_says_what(left_out, told):
    whole = {
        "metric": "mae",
        "data_module": DataModule,
        "loss": lambda self: Difference(),
        "scores": lambda self, targets, outputs: {"mae": 0.0},
    }
    type("Whole", (Task,), whole)().check()
    part = type("Part", (Task,), {key: value for key, value in whole.items() if key != left_out})()
    with pytest.raises(zoo.UsageError, match=rf"the task .*Part in .*test_base.py {told}"):
        part.check()
    if left_out == "loss":
        part.check("perceptual")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (None, r"Numbers.evaluate returned NoneType; expected a zoo.tasks.base.Evaluation"),
        ({"mae": 1.0}, r"Numbers.evaluate returned dict; expected a zoo.tasks.base.Evaluation"),
        (Evaluation({"loss": 1.0}), r"Numbers measured loss; expected its metric 'mae' among them"),
    ],
)
def test_an_evaluation_must_hold_the_metric(found, told, monkeypatch):
    monkeypatch.setattr(Numbers, "evaluate", lambda self, network, data, split: found)
    with pytest.raises(zoo.UsageError, match=told):
        Network.of(network(), CARD, Numbers()).judge(None, "test")


def test_scores_must_be_a_dictionary(monkeypatch):
    monkeypatch.setattr(Numbers, "scores", lambda self, targets, outputs: None)
    data = SimpleNamespace(targets=lambda split: np.zeros(4), batches=lambda split: np.ones((4, 3)))
    with pytest.raises(zoo.UsageError, match=r"Numbers.scores returned NoneType; expected a dictionary of metrics"):
        Network.of(network(), CARD, Numbers()).judge(data, "test")


def test_commands_are_what_a_trained_network_is_asked():
    class Asked(Task):
        factor = 2

        def count(self, trained, things):
            return len(things)

        def helper(self, values):
            return values

        @staticmethod
        def square(trained):
            return trained

        def _private(self, trained):
            return trained

    assert Asked().commands == ["count"]
    assert tasks.get("translation").commands == ["predict", "translate"]
    assert tasks.get("word_vectors").commands == ["predict"]


def test_a_builder_that_returns_nothing(monkeypatch):
    monkeypatch.setitem(registry._builders, "mlp", lambda **options: None)
    with pytest.raises(zoo.UsageError, match=r"the builder of mlp returned None; expected a keras\.Model"):
        zoo.build("mlp")


def test_a_task_that_lacks_something_is_told_before_training(tmp_path, monkeypatch):
    monkeypatch.delattr(type(tasks.get("forecasting")), "evaluate")
    with pytest.raises(zoo.UsageError, match=r"Forecasting in .*forecasting\.py has no scores"):
        zoo.train("lagged_linear", run=tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()
