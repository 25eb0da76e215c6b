"""A run knows the data it was trained on: the same test set later, whatever has happened to the folder since."""

import csv
import logging
import shutil

import numpy as np
import pytest
from matplotlib.image import imsave

import zoo
from zoo.data.image.dividing import ImageFile, by_content
from zoo.data.split_record import Example, SplitRecord
from zoo.data.text.folder import TextFolder
from zoo.inference import api


def image(path, *seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    imsave(path, np.random.default_rng(seed).integers(0, 256, (20, 20, 3), "uint8"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run on 20 cats and 10 dogs: 4 and 2 of them test."""
    folder = tmp_path_factory.mktemp("trained")
    for label, count in {"cat": 20, "dog": 10}.items():
        for number in range(count):
            image(folder / "photos" / label / f"{number}.png", ord(label[0]), number)
    return zoo.train("lenet5", data=folder / "photos", run=folder / "run", epochs=1, batch_size=8, verbose=0)


@pytest.fixture
def photos(trained, tmp_path):
    """The photographs where the run knows them, to be changed; put back afterwards."""
    place = trained.path.parent / "photos"
    shutil.copytree(place, tmp_path / "kept")
    yield place
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(tmp_path / "kept", place)


def files_tested(run):
    """The files that the run was tested on."""
    with (run.path / "splits.csv").open() as file:
        return [row["file"] for row in csv.DictReader(file) if row["split"] == "test"]


def test_what_is_added_renamed_or_moved_changes_nothing(trained, photos, caplog):
    caplog.set_level(logging.INFO, "zoo")
    same = pytest.approx(trained.metrics, abs=1e-6)
    assert len(files_tested(trained)) == 6 and zoo.evaluate(trained) == same
    image(photos / "cat" / "new.png", 7)
    image(photos / "ant" / "0.png", 8)  # a class that sorts first
    (photos / "dog").rename(photos / "wolf")
    assert zoo.evaluate(trained) == same
    assert "the class dog of the run is called wolf" in caplog.text
    assert "classes that the run is not tested on: ant" in caplog.text
    assert "left out 1 images" in caplog.text and "new since the run was trained: cat/new.png" in caplog.text
    photos.rename(photos.parent / "elsewhere")
    with pytest.raises(zoo.UsageError, match=r"photos, which .* was trained on, is not there.*--data PATH"):
        zoo.evaluate(trained)
    data = api.reopen(trained, with_source=True, data=photos.parent / "elsewhere").data
    assert len(data.targets("test")) == 7  # the six, and the new cat
    assert "left out 24 images" in caplog.text and "trained or validated on" in caplog.text
    shutil.rmtree(photos.parent / "elsewhere")


def test_what_is_gone_is_said(trained, photos, caplog):
    first, *others = files_tested(trained)
    (photos / first).unlink()
    assert len(api.reopen(trained, with_source=True).data.targets("test")) == 5
    assert f"1 of the 6 test images of the run are gone: {first}" in caplog.text
    for file in others:
        (photos / file).unlink()
    with pytest.raises(zoo.UsageError, match="holds none of the images that the run was tested on; name the data"):
        zoo.evaluate(trained)


def test_a_corrected_label_is_said(trained, photos, caplog):
    file = next(file for file in files_tested(trained) if file.startswith("cat"))
    (photos / file).rename(photos / "dog" / "was a cat.png")
    assert zoo.evaluate(trained) == pytest.approx(trained.metrics, abs=1e-6)
    assert "1 images" in caplog.text and "other classes than then, which count: dog/was a cat.png" in caplog.text


def test_other_data_are_measured_whole_by_the_names_of_their_classes(trained, tmp_path, caplog):
    for label, count in {"ape": 2, "cat": 3, "dog": 5}.items():
        for number in range(count):
            image(tmp_path / "other" / label / f"{number}.png", 99, ord(label[0]), number)
    data = api.reopen(trained, with_source=True, data=tmp_path / "other").data
    assert np.bincount(data.targets("test")).tolist() == [3, 5]
    assert "classes that the run is not tested on: ape" in caplog.text and "gone" not in caplog.text
    assert set(zoo.evaluate(trained, data=tmp_path / "other")) == set(trained.metrics)


def test_other_data_that_the_network_cannot_take(trained, tmp_path):
    x, y = np.zeros((30, 20, 20, 3), "uint8"), np.arange(30) % 3
    np.savez(tmp_path / "three.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    with pytest.raises(zoo.UsageError, match="has the classes 0, 1, 2; the run tells cat, dog apart"):
        zoo.evaluate(trained, data=tmp_path / "three.npz")
    for data, told in (("", "data is ''"), (tmp_path / "none", "is not there")):
        with pytest.raises(zoo.UsageError, match=told):
            zoo.evaluate(trained, data=data)


def test_a_file_that_has_changed_is_refused_and_may_be_named(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "digits.npz"

    def write(high):
        x, y = rng.integers(0, high, (60, 8, 8), "uint8"), np.arange(60) % 2
        np.savez(path, x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])

    write(256)
    run = zoo.train("softmax_regression", data=path, run=tmp_path / "run", epochs=1, verbose=0)
    assert zoo.evaluate(run) == pytest.approx(run.metrics, abs=1e-6)
    write(256)
    with pytest.raises(zoo.UsageError, match=r"has changed since .* may hold what was learned from"):
        zoo.evaluate(run)
    assert set(zoo.evaluate(run, data=path)) == set(run.metrics)
    write(2)
    with pytest.raises(zoo.UsageError, match="reach 1; the run was trained on images up to 255"):
        zoo.evaluate(run, data=path)


def test_one_image_more_moves_one_other_at_most():
    def split_of(numbers):
        files = [ImageFile(None, label, f"{number:064x}") for number in numbers for label in ("a", "b")]
        splits = by_content(files, {"test": 0.2, "validation": 0.1})
        return {each.digest: split for split, images in splits.items() for each in images if each.label == "a"}

    numbers = np.random.default_rng(0).integers(0, 2**62, 101).tolist()
    before, after = split_of(numbers[:100]), split_of(numbers)
    assert sum(split != after[digest] for digest, split in before.items()) <= 2
    assert sorted(before.values()).count("test") == 20


def test_texts_keep_their_split(tmp_path, caplog):
    for label in ("bad", "good"):
        (tmp_path / label).mkdir()
        for number in range(20):
            (tmp_path / label / f"{number}.txt").write_text(f"a {label} text, number {number}")

    def texts(source):
        return {text.decode() for text, _ in source.split("test").as_numpy_iterator()}

    source = TextFolder(tmp_path).load()
    record = SplitRecord(source.examples, source.class_names)
    for number in range(20, 30):
        (tmp_path / "bad" / f"{number}.txt").write_text(f"new, number {number}")
    (tmp_path / "good").rename(tmp_path / "a good one")
    again = TextFolder(tmp_path).load_by(record)
    assert texts(again) == texts(source) and again.class_names == ("bad", "good")
    assert "left out 10 texts" in caplog.text


def test_a_record_that_is_none_is_refused(tmp_path):
    assert SplitRecord.read(tmp_path, ()) is None
    (tmp_path / "splits.csv").write_text("split,file\ntest,a.png\n")
    with pytest.raises(zoo.UsageError, match="was not written by `zoo train`; expected the columns split, label"):
        SplitRecord.read(tmp_path, ())


def test_an_owner_who_puts_into_test_what_was_learned_from_is_not_followed():
    record = SplitRecord((Example("train", "a", "1", "x"), Example("test", "a", "2", "y")), ("a",))
    placed = record.place([Example("test", "a", "1", "x"), Example("test", "a", "2", "y")], "DIR", "images")
    assert [each.split for each in placed] == ["train", "test"]
