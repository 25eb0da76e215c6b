"""The caller's own arrays, recipe, network, optimizer, callbacks, metrics and class weights in `zoo.train`."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import zoo

X, Y = load_digits(return_X_y=True)
X, Y = (X.reshape(-1, 8, 8) * 15).astype("uint8")[:600], Y[:600]
SHORT = {"epochs": 2, "verbose": 0}


def train(folder, name="mlp", recipe=None, **options):
    return zoo.train(name, recipe, run=folder / "run", **{**SHORT, "data": (X, Y), **options})


def test_arrays_train_and_are_divided_alike_again(tmp_path):
    logs = []
    run = train(
        tmp_path,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, found: logs.append(dict(found)))],
        metrics=[keras.metrics.SparseTopKCategoricalAccuracy(2, name="top2")],
        class_weight="balanced",
    )
    assert isinstance(run, zoo.Run)
    assert run.config["examples"] == {"train": 432, "validation": 48, "test": 120}
    assert len(logs) == 2 and {"top2", "val_top2"} <= logs[0].keys()
    assert "top2" in (run.path / "history.csv").read_text().splitlines()[0]
    assert set(run.config["extras"]) == {"callbacks", "metrics", "class_weight"}
    again = zoo.evaluate(run, data=(X, Y))
    assert again["accuracy"] == pytest.approx(run.metrics["accuracy"])
    with pytest.raises(zoo.UsageError, match="data is not what the run was trained on"):
        zoo.evaluate(run, data=(X[1:], Y[1:]))
    with pytest.raises(zoo.UsageError, match="trained on arrays, which it does not keep; give them again: data="):
        zoo.evaluate(run)


def test_a_network_that_is_built_is_trained_in_place(tmp_path):
    model = zoo.build("mlp", input_shape=(8, 8, 1))
    before = model.get_weights()
    parts = {"x_train": X[:400], "y_train": Y[:400], "x_test": X[400:], "y_test": Y[400:]}
    run = train(tmp_path, model, data=parts, optimizer=keras.optimizers.SGD(0.0))
    assert run.config["examples"]["test"] == 200 and run.config["extras"] == {"optimizer": "SGD", "model": "Functional"}
    for old, new, saved in zip(before, model.get_weights(), run.model().get_weights()):
        np.testing.assert_array_equal(old, new)  # a rate of 0: that optimizer, and those weights
        np.testing.assert_array_equal(new, saved)


def test_a_recipe_of_one_s_own(tmp_path):
    own = zoo.Recipe("mine", "digits:1.0.0", epochs=1, batch_size=64)
    run = train(tmp_path, recipe=own, data=None, epochs=None, optimizer="adamw")
    assert run.config["recipe"]["name"] == "mine" and run.config["recipe"]["batch_size"] == 64
    assert run.config["recipe"]["optimizer"] == "adamw"
    assert zoo.evaluate(run)["accuracy"] == pytest.approx(run.metrics["accuracy"])


@pytest.mark.slow
def test_class_weights_reach_the_loss(tmp_path):
    """Of two classes one alone counts: nothing is learned but it."""
    two = Y < 2
    weights = {"0": 0.0, 1: 1.0}
    run = train(tmp_path, data=(X[two], Y[two]), class_weight=weights, epochs=20)
    predicted = keras.ops.convert_to_numpy(run.model()(np.zeros((1, 8, 8, 1), "float32"))).argmax()
    assert predicted == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"data": (X, Y[:5])}, r"inputs of shape \(600, 8, 8\) and targets of shape \(5,\); expected as many"),
        ({"data": 3}, r"data is a int; expected \(x, y\), a dictionary of x_train"),
        ({"data": {"x": X}}, "there is no array in data 'x'"),
        ({"class_weight": {"a": 1.0}}, "there is no class in class_weight 'a'; there are 0, 1, 2"),
        ({"class_weight": 2}, "class_weight is 2; expected a dictionary from classes to numbers, or 'balanced'"),
        ({"callbacks": 2}, "callbacks is a int; expected a list of Keras's"),
        ({"name": keras.Sequential(name="mine")}, r"'mine' was not made by zoo\.build; expected a name"),
        ({"recipe": zoo.Recipe("mine", "digits:1.0.0", epochs=0)}, "recipe mine of mlp: epochs is 0; expected a whole"),
    ],
    ids=str,
)
def test_what_cannot_work_is_one_line(options, said, tmp_path):
    with pytest.raises(zoo.UsageError, match=said):
        train(tmp_path, **options)
    assert not (tmp_path / "run" / "model.keras").exists()
