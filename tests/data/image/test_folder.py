"""A folder of images of one's own: splits, copies, what is broken, and what is said of it."""

import logging

import numpy as np
import pytest
from matplotlib.image import imsave

import zoo
from zoo.data import open_source
from zoo.data.image import folder as image_folder
from zoo.data.image.folder import ImageFolder
from zoo.training import run_plan


def image(path, seed, size=(20, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    shade = np.random.default_rng(seed).integers(0, 256, (*size, 3), "uint8")
    imsave(path, shade)
    return path


@pytest.fixture
def photos(tmp_path):
    """20 cats, 10 dogs."""
    for label, count in {"cat": 20, "dog": 10}.items():
        for number in range(count):
            image(tmp_path / "photos" / label / f"{number}.png", [ord(label[0]), number])
    return tmp_path / "photos"


def opened(path):
    return open_source(path.absolute(), folder=ImageFolder)


def targets(source, split):
    return [int(label) for _, label in source.split(split).as_numpy_iterator()]


def test_every_class_is_split_alike(photos):
    source = opened(photos).load()
    assert source.class_names == ("cat", "dog")
    counts = {split: np.bincount(targets(source, split)).tolist() for split in ("train", "validation", "test")}
    assert counts == {"train": [14, 7], "validation": [2, 1], "test": [4, 2]}


def test_copies_stay_in_one_split_and_names_do_not_matter(photos):
    before = opened(photos)
    source = before.load()
    pixels = {split: {x.tobytes() for x, _ in source.split(split).as_numpy_iterator()} for split in ("train", "test")}
    for number in range(20):
        original = photos / "cat" / f"{number}.png"
        (photos / "cat" / f"copy{number}.PNG").write_bytes(original.read_bytes())
        original.rename(photos / "cat" / f"renamed {number}.png")
    again = opened(photos).load()
    for split, found in pixels.items():
        assert {x.tobytes() for x, _ in again.split(split).as_numpy_iterator()} == found
    assert len(targets(again, "train")) == 14 * 2 + 7


def test_broken_images_are_named_and_left_out(photos, caplog):
    whole = (photos / "cat" / "0.png").read_bytes()
    (photos / "cat" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (photos / "dog" / "empty.jpg").write_bytes(b"")
    (photos / "dog" / "page.jpg").write_text("<html>404</html>")
    (photos / "dog" / "notes.txt").write_text("not an image, and not called one")
    (photos / "dog" / "a cat.png").write_bytes(whole)
    with caplog.at_level(logging.INFO, "zoo"):
        source = opened(photos).load()
    said = [record.message for record in caplog.records]
    assert any(
        f"left out 3 images of {photos} that cannot be read: cat/cut.png, dog/empty.jpg" in line for line in said
    )
    assert any("left out 2 images" in line and "lie under two classes" in line for line in said)
    assert any("2 classes, 29 images (20 train, 3 validation, 6 test)" in line for line in said)
    assert sum(len(targets(source, split)) for split in ("train", "validation", "test")) == 29


def test_splits_of_ones_own_are_kept(tmp_path, caplog):
    for split, count in {"train": 12, "test": 3}.items():
        for label in ("cat", "dog"):
            for number in range(count):
                image(tmp_path / split / label / f"{number}.png", [ord(label[0]), ord(split[1]), number])
    (tmp_path / "test" / "cat" / "leak.png").write_bytes((tmp_path / "train" / "cat" / "0.png").read_bytes())
    source = opened(tmp_path).load()
    assert [len(targets(source, split)) for split in ("train", "validation", "test")] == [22, 2, 7]
    assert "1 images of" in caplog.text and "are in train as well" in caplog.text


def test_what_cannot_be_learned_from(photos, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(zoo.UsageError, match="has 0 sub-folders; expected one for each class, at least 2"):
        opened(tmp_path / "empty")
    image(photos / "bird" / "0.png", 7)
    with pytest.raises(zoo.UsageError, match=r"class bird of .* has 1 different images .* expected at least 3"):
        opened(photos).load()
    with pytest.raises(zoo.UsageError, match="is a folder; a network for binary_classification learns from none"):
        run_plan.open_data(str(photos.absolute()), zoo.info("perceptron"), None)


def test_few_images_are_said(photos, caplog):
    for number in range(4):
        image(photos / "bird" / f"{number}.png", 50 + number)
    opened(photos).load()
    assert "the class bird has 4 images only" in caplog.text


def test_a_folder_trains(photos, tmp_path):
    run = zoo.train("lenet5", data=photos, run=tmp_path / "run", epochs=1, batch_size=8, verbose=0)
    assert run.config["examples"] == {"train": 21, "validation": 3, "test": 6}
    assert run.config["data_sha256"] == opened(photos).sha256()
    assert zoo.evaluate(run) == pytest.approx(run.metrics, abs=1e-6)


def test_links_go_when_the_source_goes(photos, monkeypatch, tmp_path):
    monkeypatch.setattr(image_folder.tempfile, "tempdir", str(tmp_path))
    source = opened(photos).load()
    assert list(tmp_path.glob("zoo-images-*"))
    del source
    assert not list(tmp_path.glob("zoo-images-*")) and len(list((photos / "cat").iterdir())) == 20
