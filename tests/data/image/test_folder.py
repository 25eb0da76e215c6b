"""A folder of images of one's own: splits, copies, what is broken, and what is said of it."""

import logging
import os
import sys

import numpy as np
import pytest
from matplotlib.image import imsave
from PIL import Image

import zoo
from zoo.data import open_source
from zoo.data.base import SPLITS
from zoo.data.image import files
from zoo.data.image.files import ENDINGS
from zoo.data.image.folder import ImageFolder
from zoo.data.video import files as video_files
from zoo.training import own_data


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
        own_data.open_data(str(photos.absolute()), zoo.info("perceptron"), None)


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


# Photographs as people have them


def drawn(path, mode="RGB", size=(40, 30), **options):
    """An image that is dark at the top and bright below, so that one sees which way it is turned."""
    shade = np.linspace(0, 255, size[0]).astype("uint8")[:, None].repeat(size[1], 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(shade).convert(mode).save(path, **options)
    return path


@pytest.mark.parametrize("ending", [each for each in ENDINGS if each not in (".heic", ".heif")])
def test_every_kind_of_file_trains_as_it_is_predicted(tmp_path, ending):
    for label in ("cat", "dog"):
        for number in range(3):
            drawn(tmp_path / label / f"{number}{ending}", size=(40 + number, 30 + ord(label[0])))
    source = opened(tmp_path).load()
    trained_on = {x.tobytes() for x, _ in source.split("train").as_numpy_iterator()}
    assert len(trained_on) == 2 and trained_on <= {
        files.pixels(path, 3).tobytes() for path in tmp_path.rglob("*" + ending)
    }


@pytest.mark.parametrize("orientation, brightest", [(1, "bottom"), (3, "top"), (6, "left"), (8, "right")])
def test_a_turned_photograph_is_seen_upright(tmp_path, orientation, brightest):
    """By the EXIF tag, which says how the camera was held, when training as when predicting."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    x = files.pixels(drawn(tmp_path / "turned.jpg", exif=exif), 1)[..., 0].astype(int)
    means = {"top": x[0].mean(), "bottom": x[-1].mean(), "left": x[:, 0].mean(), "right": x[:, -1].mean()}
    assert max(means, key=means.get) == brightest
    assert x.shape == ((40, 30) if orientation in (1, 3) else (30, 40))


def test_what_is_taken_for_granted_is_said_once(photos, caplog):
    for number in range(2):
        clear = np.zeros((20, 30, 4), "uint8")  # black where nothing is seen
        clear[:5, :, :3], clear[:5, :, 3] = number, 255
        Image.fromarray(clear).save(photos / "dog" / f"clear{number}.png")
    Image.fromarray(np.full((20, 30), 40_000, "uint16")).save(photos / "dog" / "deep.png")
    drawn(photos / "dog" / "print.jpg", "CMYK")
    with caplog.at_level(logging.INFO, "zoo"):
        opened(photos).load()
    assert caplog.text.count("is transparent in places; they are taken as white (dog/clear0.png, dog/clear1.png)") == 1
    assert "has more than eight bits a pixel; 0 is taken as black, 65535 as white (dog/deep.png)" in caplog.text
    assert files.pixels(photos / "dog" / "clear0.png", 3)[10].tolist() == [[255, 255, 255]] * 30
    assert files.pixels(photos / "dog" / "deep.png", 3).max() == 40_000 * 255 // 65535
    assert abs(files.pixels(photos / "dog" / "print.jpg", 3)[-1].mean() - 255) < 8


def test_a_misnamed_file_is_read_by_what_it_is(photos):
    (photos / "dog" / "0.png").rename(photos / "dog" / "0.jpg")
    drawn(photos / "dog" / "page.webp").rename(photos / "dog" / "page.jpg")
    assert sum(len(targets(opened(photos).load(), split)) for split in SPLITS) == 31


def test_folders_within_a_class_and_hidden_files(photos, caplog):
    image(photos / "cat" / "2024-01" / "holiday" / "a.png", 99)
    image(photos / "cat" / ".thumbnails" / "b.png", 98)
    image(photos / "cat" / "._c.png", 97)
    (photos / "bird").mkdir()
    (photos / "bird" / "notes.txt").write_text("none yet")
    source = opened(photos).load()
    assert sum(len(targets(source, split)) for split in SPLITS) == 31 and source.class_names == ("cat", "dog")
    assert "left out bird" in caplog.text and "no images in there" in caplog.text


@pytest.mark.parametrize(
    "names, counts",
    [
        ({"Train": 20, "val": 5, "Test": 5}, [40, 10, 10]),
        ({"training": 20, "valid": 5}, [32, 10, 8]),
        ({"train": 20, "dev": 5, "testing": 5}, [40, 10, 10]),
        ({"train": 20, "test": 5}, [36, 4, 10]),
    ],
)
def test_splits_under_the_names_that_people_use(tmp_path, names, counts):
    for name, count in names.items():
        for label in ("cat", "dog"):
            for number in range(count):
                image(tmp_path / name / label / f"{number}.png", [ord(label[0]), ord(name[-1]), number])
    source = opened(tmp_path).load()
    assert [len(targets(source, split)) for split in SPLITS] == counts


def test_a_class_without_training_images_is_told(tmp_path, caplog):
    for split, labels in {"train": ("cat", "dog"), "test": ("cat", "dog", "wolf")}.items():
        for label in labels:
            for number in range(10):
                image(tmp_path / split / label / f"{number}.png", [ord(label[0]), ord(split[1]), number])
    assert opened(tmp_path).load().class_names == ("cat", "dog")
    assert "left out wolf" in caplog.text and "no images to train on, only elsewhere" in caplog.text


def test_a_table_of_labels(tmp_path, caplog):
    for number in range(12):
        image(tmp_path / "all" / f"{number}.png", number)
    rows = [f"all/{number}.png,{'night, clear' if number % 2 else 'day'}" for number in range(12)]
    (tmp_path / "labels.csv").write_text(
        "Path,Label\n"
        + "\n".join(row.replace("night, clear", '"night, clear"') for row in [*rows, "all/99.png,day", "all/3.png,"])
    )
    source = opened(tmp_path).load()
    assert source.class_names == ("day", "night, clear")
    assert sum(len(targets(source, split)) for split in SPLITS) == 12
    assert "left out 2 rows" in caplog.text and "99.png" in caplog.text

    (tmp_path / "labels.csv").write_text(
        "file,class,split\n"
        + "\n".join(
            f"{row.replace(', clear', '')},{('train', 'dev', 'test')[n % 5 // 2]}" for n, row in enumerate(rows)
        )
    )
    assert [len(targets(opened(tmp_path).load(), split)) for split in SPLITS] == [6, 4, 2]

    for text, message in {
        "a,b\n1,2\n": "has the columns a, b; expected path and label",
        "": r"has the columns \(none\)",
        "path,label,split\nall/1.png,day,holdout\n": "has the split 'holdout'; expected train",
        "path,label,split\nall/1.png,day,\nall/2.png,night,test\n": "names a split in some rows only",
        "path,label\nall/1.png,day\n": "has images of 1 classes; expected at least 2",
    }.items():
        (tmp_path / "labels.csv").write_text(text)
        with pytest.raises(zoo.UsageError, match=message):
            opened(tmp_path).load()


def test_an_iphones_photograph_without_its_package(photos, monkeypatch):
    (photos / "cat" / "new.HEIC").write_bytes(b"any")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(zoo.UsageError, match=r"new\.HEIC needs a package to be read: pip install pillow-heif"):
        opened(photos).load()


def one_colour(path, width, height):
    """A file of a few kB that decodes to any number of pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("1", (width, height)).save(path)
    return path


def test_images_that_fill_the_memory_are_not_decoded(photos, tmp_path, monkeypatch):
    """On every road that images come by."""
    monkeypatch.setattr(files, "MAX_PIXELS", 10_000)
    monkeypatch.setattr(video_files, "MAX_FRAME_PIXELS", 10_000)
    large = one_colour(photos / "cat" / "large.png", 200, 100)
    one_colour(tmp_path / "large.gif", 200, 100)
    for read in (
        opened(photos).load,
        lambda: files.read(large),
        lambda: files.pixels(large, 3),
        lambda: video_files.probe(tmp_path / "large.gif"),
        lambda: video_files.read_clip(tmp_path / "large.gif"),
    ):
        with pytest.raises(
            zoo.UsageError, match=r"large\.(png|gif) (is 200x100|has frames of 100x200).* shrink it first"
        ):
            read()


def test_what_is_no_file_is_not_read(photos):
    os.mkfifo(photos / "cat" / "pipe.png")
    (photos / "dog" / "zero.png").symlink_to("/dev/zero")
    assert len(opened(photos).images) == 30


@pytest.mark.parametrize("name", ["lenet5", "autoencoder", "simclr"])
def test_a_file_is_no_folder_of_images(name, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("path,label\na.jpg,cat\n")
    with pytest.raises(zoo.UsageError, match=r"labels.csv is no folder; expected one of files: give .*, where it lies"):
        zoo.train(name, data=table, verbose=0)
