"""What cannot be trained on, built or asked is one line, before the first step and before anything is written.

The rows are the mistakes that Keras 3.15 passes over in silence, or answers in many lines.
"""

import logging

import numpy as np
import pytest

import zoo
from zoo.data.text.vocabulary import check_tokens

rng = np.random.default_rng(0)
IMAGES = {
    "x_train": rng.integers(0, 256, (80, 28, 28), "uint8"),
    "y_train": np.arange(80) % 4,
    "x_test": rng.integers(0, 256, (40, 28, 28), "uint8"),
    "y_test": np.arange(40) % 4,
}


def at(key, row, value):
    """The arrays with one row of `key` replaced."""
    changed = IMAGES[key].astype("float32" if key.startswith("x") else "int64")
    changed[row] = value
    return {key: changed}


def every(change):
    """The arrays with a change to both sets of inputs."""
    return {key: change(IMAGES[key]) for key in ("x_train", "x_test")}


DATA = [  # arrays, and what is said of them
    (at("y_train", 5, 5), "reach 5 (y_train[5]) and leave out 4"),
    (at("y_train", 5, -1), "y_train[5] of "),
    (at("y_test", 7, 4), "y_test[7] of data.npz is 4; expected 0 to 3"),
    (at("y_test", 7, -1), "y_test[7] of data.npz is -1; expected 0 to 3"),
    ({"y_train": IMAGES["y_train"] + 0.7}, "are not classes; expected whole numbers"),
    ({"y_train": np.eye(4, dtype="int64")[IMAGES["y_train"]]}, "have shape (72, 4); expected (examples,)"),
    ({"y_train": IMAGES["y_train"].astype(str)}, "y_train of data.npz is <U21"),
    ({"y_train": np.arange(80), "y_test": np.arange(40)}, "each of the 80 training labels of data.npz occurs once"),
    ({"y_train": IMAGES["y_train"] * 0, "y_test": IMAGES["y_test"] * 0}, "holds one class only"),
    ({"y_train": IMAGES["y_train"][:60]}, "has 80 inputs x_train and 60 targets y_train"),
    (at("x_train", 3, np.nan), "x_train[3] of data.npz holds NaN, infinity or more"),
    (at("x_train", 3, -np.inf), "x_train[3] of data.npz holds NaN, infinity or more"),
    (at("x_test", 39, np.nan), "x_test[39] of data.npz holds NaN, infinity or more"),
    (every(lambda x: x.astype("float64") * 1e300), "x_train[0] of data.npz holds NaN, infinity or more"),
    (every(lambda x: x.astype("uint16") * 257), "reach from 0 to 65535; expected 0 to 255"),
    (every(lambda x: x / 127.5 - 1), "reach from -1 to 1; expected 0 to 255"),
    ({"x_train": IMAGES["x_train"] / 255}, "reach 1 in train, validation and 255 elsewhere"),
    (every(lambda x: np.full_like(x, 7)), "all numbers of data.npz (train) are one and the same"),
    (every(lambda x: x[:, None]), "have shape (1, 28, 28), their channels first; expected them last"),
    (every(lambda x: np.stack([x] * 3, axis=1)), "have shape (3, 28, 28), their channels first"),
    (every(lambda x: x.reshape(len(x), -1)), "expected 3 axes for lenet5's image"),
    ({"x_test": IMAGES["x_test"][:, :20]}, "has test examples of shape"),
    ({"x_test": np.stack([IMAGES["x_test"]] * 3, axis=-1)}, "has test examples of shape"),
    (every(lambda x: x[:, :9, :9]), "9x9 run out of pixels in lenet5; expected at least"),
    ({"x_train": IMAGES["x_train"][:0], "y_train": IMAGES["y_train"][:0]}, "the split 'train' of data.npz is empty"),
    ({"x_test": IMAGES["x_test"][:0], "y_test": IMAGES["y_test"][:0]}, "the split 'test' of data.npz is empty"),
    ({"x_val": IMAGES["x_test"][:0], "y_val": IMAGES["y_test"][:0]}, "the split 'validation' of data.npz is empty"),
]
SETTINGS = [
    ({"epochs": 0}, "epochs is 0; expected a whole number of at least 1"),
    ({"epochs": -1}, "epochs is -1; expected a whole number of at least 1"),
    ({"epochs": 2.5}, "epochs is 2.5; expected a whole number of at least 1"),
    ({"epochs": 10**30}, "at most 10,000,000"),
    ({"batch_size": 0}, "batch_size is 0; expected a whole number of at least 1"),
    ({"batch_size": True}, "batch_size is True; expected a whole number"),
    ({"batch_size": 10**30}, "at most 10,000,000"),
    ({"learning_rate": -0.1}, "learning_rate is -0.1; expected a number above 0"),
    ({"learning_rate": 10.0}, "learning_rate is 10.0; expected a number above 0, from 1e-10 to 5"),
    ({"learning_rate": 1e6}, "expected a number above 0, from 1e-10 to 5"),
    ({"learning_rate": 1e-300}, "learning_rate is 1e-300; expected a number above 0, from 1e-10 to 5"),
    ({"learning_rate": float("nan")}, "learning_rate is nan; expected a number"),
    ({"seed": -1}, "seed is -1; expected a whole number from 0"),
    ({"seed": 2**32}, "seed is 4294967296; expected a whole number from 0 to 2^32 - 1"),
    ({"precision": "float61"}, "precision is 'float61'; expected one of float32"),
    ({"num_classes": 7}, "num_classes is 7; the data set digits:1.0.0 has 10: leave it out"),
]


@pytest.mark.parametrize(("changes", "says"), DATA)
def test_arrays(changes, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("data.npz", **(IMAGES | changes))
    with pytest.raises(zoo.UsageError) as error:
        zoo.train("lenet5", "mnist", data="data.npz", run="run", batch_size=32, verbose=0)
    line = str(error.value).replace(f"{tmp_path}/", "")
    assert says in line and "\n" not in line
    assert [path.name for path in tmp_path.iterdir()] == ["data.npz"]


def test_a_recipe_that_resizes_hides_no_other_shape(tmp_path):
    arrays = IMAGES | {"x_test": IMAGES["x_test"][:, :14, :14]}
    with pytest.raises(zoo.UsageError, match=r"has test examples of shape \(14, 14\) and training examples of shape"):
        zoo.train("lenet5", data=arrays, run=tmp_path / "run", verbose=0)  # its demo has images of 32 x 32


@pytest.mark.parametrize(("settings", "says"), SETTINGS)
def test_settings(settings, says, tmp_path):
    with pytest.raises(zoo.UsageError) as error:
        zoo.train("lenet5", run=tmp_path / "run", verbose=0, **settings)
    assert says in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *(("vgg16", {"num_classes": value}) for value in (True, -3, "10", 10.5, 10**30)),
        ("vgg16", {"input_shape": (31, 31, 3)}),
        ("vgg16", {"weights": "imagenette"}),
        *(("lenet5", {"dropout": value}) for value in (2, -0.1, float("nan"), "half")),
        ("lenet5", {"input_shape": (28, 28)}),
        ("gru_lm", {"vocabulary_size": 0}),
    ],
)
def test_options_of_builders(name, options):
    with pytest.raises(zoo.UsageError) as error:
        zoo.build(name, **options)
    assert name in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 300


@pytest.mark.parametrize("tokens", [[20], [-1], [3, 1000]])
def test_tokens_outside_the_vocabulary(tokens):
    with pytest.raises(zoo.UsageError, match="outside the vocabulary; expected 0 to 19"):
        check_tokens(tokens, 20)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({key: IMAGES[key.replace("test", "train")] for key in ("x_test", "y_test")}, "80 of the 80 test examples of"),
        (every(lambda x: np.stack([x, x], axis=-1)), "have 2 channels and are taken as they are"),
    ],
)
def test_what_may_be_meant_is_said(changes, says, tmp_path, caplog):
    np.savez(tmp_path / "data.npz", **(IMAGES | changes))
    with caplog.at_level(logging.INFO, "zoo"):
        zoo.train("softmax_regression", data=tmp_path / "data.npz", run=tmp_path / "run", epochs=1, verbose=0)
    assert says in caplog.text
