"""Loaders of other libraries and tables of paths as the data of `zoo.train`."""

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.data.arrays import Arrays
from zoo.data.image.folder import ImageFolder
from zoo.data.loaders import as_arrays
from zoo.training.run_plan import prepare

X = np.arange(60 * 16, dtype="float32").reshape(60, 4, 4, 1) / 1000
Y = np.arange(60) % 3


def of_tensorflow(batch):
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((X, Y))
    return data.batch(batch) if batch else data


def of_torch(batch):
    data = pytest.importorskip("torch.utils.data")
    torch = pytest.importorskip("torch")
    pairs = data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    return data.DataLoader(pairs, batch_size=batch) if batch else pairs


def of_keras(batch):
    from zoo.data.batching import Batches

    rows = np.split(np.arange(60), range(batch or 1, 60, batch or 1))
    return Batches(lambda chosen: (X[chosen], Y[chosen]), lambda: rows)


def of_a_generator(batch):
    return ((X[n : n + batch], Y[n : n + batch]) for n in range(0, 60, batch)) if batch else zip(X, Y)


@pytest.mark.parametrize("batch", [0, 7])
@pytest.mark.parametrize("make", [of_tensorflow, of_torch, of_keras, of_a_generator])
def test_a_loader_is_read_into_arrays(make, batch):
    x, y = as_arrays(make(batch))
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


def test_what_is_held_out_is_the_same_as_of_arrays():
    assert Arrays(of_tensorflow(7)).sha256() == Arrays((X, Y)).sha256()
    both = {"train": of_tensorflow(7), "test": of_torch(9)}
    arrays = {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y}
    assert Arrays(both).sha256() == Arrays(arrays).sha256()


def endless():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((X, Y)).repeat()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (iter([]), "data yields nothing; expected pairs"),
        (iter([X]), "data yields a ndarray; expected pairs"),
        (iter([(X, Y, Y)]), "data yields 3 parts; expected pairs"),
        (iter([({"a": X}, Y)]), "data yields a dictionary of inputs; expected pairs"),
        (iter([(X, Y[:5])]), r"inputs of shape \(60, 4, 4, 1\) with targets of \(5,\); expected as many"),
        (iter([(X[:, :3], Y), (X, Y)]), "the examples of data differ in shape"),
        ({"train": iter([(X, Y)]), "dev": iter([(X, Y)])}, "there is no split in data 'dev'"),
        (endless, "data never ends; expected each example once"),
    ],
)
def test_a_wrong_loader_is_said_in_a_line(data, told):
    with pytest.raises(zoo.UsageError, match=told) as error:
        as_arrays(data() if callable(data) else data)
    assert "\n" not in str(error.value)


class Table:
    """As much of a DataFrame as is asked for."""

    def __init__(self, rows):
        self.rows, self.columns = rows, list(rows[0]) if rows else []

    def to_dict(self, orient):
        assert orient == "records"
        return self.rows


@pytest.fixture
def files(tmp_path):
    rows = []
    for label in ("cat", "dog"):
        for number in range(6):
            pixels = np.random.default_rng([ord(label[0]), number]).integers(0, 256, (9, 9, 3), dtype="uint8")
            file = tmp_path / f"{label}{number}" / f"{number}.png"  # the folders say nothing
            file.parent.mkdir()
            Image.fromarray(pixels).save(file)
            rows.append({"path": str(file), "label": label})
    return rows


def test_a_table_names_files_and_their_classes(files, tmp_path, monkeypatch):
    source = ImageFolder.of_table(Table(files)).load()
    assert source.class_names == ("cat", "dog")
    found = {each.file: (each.split, each.label) for each in source.examples}
    assert len(found) == 12 and found["cat0/0.png"][1] == "cat"
    assert {split for split, _ in found.values()} == {"train", "validation", "test"}
    monkeypatch.chdir(tmp_path)
    relative = [{**row, "path": row["path"].removeprefix(f"{tmp_path}/")} for row in files]
    assert ImageFolder.of_table(Table(relative)).sha256() == ImageFolder.of_table(Table(files)).sha256()


def test_a_table_may_name_the_splits(files):
    for number, row in enumerate(files):
        row["split"] = ("train", "train", "train", "train", "val", "test")[number % 6]
    source = ImageFolder.of_table(Table(files)).load()
    assert [len(list(source.split(split))) for split in ("train", "validation", "test")] == [8, 2, 2]


def test_a_plan_takes_a_table_by_the_recipe_for_folders(files, tmp_path):
    plan = prepare("alexnet", data=Table(files), run=tmp_path / "run")
    assert (plan.recipe.name, plan.source.name) == ("folder", "<arrays>")
    plan.run.discard_if_untrained()


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("alexnet", lambda rows: [{"file": 1, "name": "a"}], "the table has the columns file, name; expected path and"),
        ("alexnet", lambda rows: [{"path": "nowhere.png", "label": "a"}], "the table names no file that is there"),
        ("gru_classifier", lambda rows: rows, "data is a table; a network for text_classification learns from none"),
    ],
)
def test_a_wrong_table_is_said_in_a_line(name, change, told, files, tmp_path):
    with pytest.raises(zoo.UsageError, match=told):
        prepare(name, data=Table(change(files)), run=tmp_path / "run")
