"""Folders of images with boxes: three formats with one meaning, their splits, and what is wrong with them."""

import json
import logging
import shutil

import numpy as np
import pytest
from PIL import Image

from zoo.data.image.box_folder import BoxFolder
from zoo.data.image.yolo_annotations import names_of_yaml
from zoo.data.split_record import SplitRecord
from zoo.errors import UsageError

SIZE = (40, 20)  # width, height
BOXES = {  # in pixels: left, top, right, bottom
    "a": [("cat", (4, 2, 20, 12))],
    "b": [("dog", (0, 0, 40, 20)), ("cat", (10, 5, 14, 15))],
    "c": [("dog", (8, 4, 24, 18))],
    "d": [("cat", (2, 2, 8, 8)), ("dog", (20, 4, 36, 16))],
}
SPLITS = {"a": "train", "b": "train", "c": "val", "d": "test"}


def image(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (SIZE[1], SIZE[0], 3)).astype("uint8")
    Image.fromarray(pixels).save(path)


def xml(objects):
    rows = "".join(
        f"<object><name>{label}</name><difficult>{int(label == 'cat')}</difficult><bndbox><xmin>{left}</xmin>"
        f"<ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for label, (left, top, right, bottom) in objects
    )
    return f"<annotation><filename>{{}}.png</filename>{rows}</annotation>"


def as_voc(root, boxes=BOXES):
    for number, (name, objects) in enumerate(boxes.items()):
        image(root / "JPEGImages" / f"{name}.png", number)
        (root / "Annotations").mkdir(exist_ok=True)
        (root / "Annotations" / f"{name}.xml").write_text(xml(objects).format(name))
    lists = root / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    for split in ("train", "val", "test"):
        (lists / f"{split}.txt").write_text("\n".join(name for name in boxes if SPLITS.get(name) == split))


def as_coco(root, boxes=BOXES):
    (root / "annotations").mkdir(parents=True)
    for split in ("train", "val", "test"):
        names = [name for name in boxes if SPLITS[name] == split]
        for name in names:
            image(root / f"{split}2017" / f"{name}.png", [*boxes].index(name))
        rows = [
            dict(id=1, image_id=name, category_id={"cat": 3, "dog": 7}[label],
                 bbox=[left, top, right - left, bottom - top], iscrowd=int(label == "cat"))
            for name in names for label, (left, top, right, bottom) in boxes[name]
        ]  # fmt: skip
        content = dict(
            images=[dict(id=name, file_name=f"{name}.png") for name in names],
            annotations=rows,
            categories=[dict(id=7, name="dog"), dict(id=3, name="cat")],
        )
        (root / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(content))


def as_yolo(root, boxes=BOXES):
    width, height = SIZE
    for number, (name, objects) in enumerate(boxes.items()):
        image(root / "images" / SPLITS[name] / f"{name}.png", number)
        lines = [
            f"{['cat', 'dog'].index(label)} {(left + right) / 2 / width} {(top + bottom) / 2 / height} "
            f"{(right - left) / width} {(bottom - top) / height}"
            for label, (left, top, right, bottom) in objects
        ]
        file = root / "labels" / SPLITS[name] / f"{name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines))
    (root / "data.yaml").write_text("train: images/train\nnc: 2\nnames:\n  0: cat\n  1: dog\n")


WRITERS = {"voc": as_voc, "coco": as_coco, "yolo": as_yolo}


@pytest.mark.parametrize("kind", WRITERS)
def test_three_formats_say_the_same(kind, tmp_path):
    WRITERS[kind](tmp_path)
    source = BoxFolder(tmp_path).load()
    assert source.class_names == ("cat", "dog")
    for split, names in {"train": ["a", "b"], "validation": ["c"], "test": ["d"]}.items():
        found = list(source.split(split).as_numpy_iterator())
        assert len(found) == len(names)
        for name, (pixels, things) in zip(names, found):
            assert pixels.shape == (20, 40, 3)
            expected = [(label, (t / 20, l / 40, b / 20, r / 40)) for label, (l, t, r, b) in BOXES[name]]  # noqa: E741
            np.testing.assert_allclose(things["bbox"], [box for _, box in expected], atol=1e-6)
            assert [source.class_names[each] for each in things["label"]] == [label for label, _ in expected]
            assert things["is_difficult"].any() == (kind == "voc" and "cat" in dict(expected))
            assert things["is_crowd"].any() == (kind == "coco" and "cat" in dict(expected))


def test_without_splits_a_part_is_held_out_by_content(tmp_path):
    boxes = {f"i{number}": [("cat", (1, 1, 9, 9))] for number in range(20)}
    as_voc(tmp_path, boxes)
    for file in (tmp_path / "ImageSets" / "Main").iterdir():
        file.unlink()
    folder = BoxFolder(tmp_path)
    counts = {split: len(list(folder.load().split(split))) for split in ("train", "validation", "test")}
    assert counts == {"train": 14, "validation": 2, "test": 4}
    assert folder.sha256() == BoxFolder(tmp_path).sha256()


def test_the_splits_of_a_run_stay_whatever_is_added(tmp_path, caplog):
    boxes = {f"i{number}": [("cat", (1, 1, 9, 9))] for number in range(20)}
    then, now = tmp_path / "then", tmp_path / "now"
    for folder, held in (
        (then, boxes),
        (now, {**boxes, **{f"j{number}": [("dog", (2, 2, 9, 9))] for number in range(9)}}),
    ):
        as_voc(folder, held)
        shutil.rmtree(folder / "ImageSets")
    examples = BoxFolder(then).load().examples
    with caplog.at_level(logging.WARNING):
        again = BoxFolder(now).load_by(SplitRecord(examples, ("cat",)))
    assert {*again.examples} == {*examples} and again.class_names == ("cat",)
    assert "left out 9 images" in caplog.text
    with caplog.at_level(logging.WARNING):
        others = BoxFolder(now).load_by(SplitRecord((), ("cat",), unseen=True))
    assert "9 boxes are of dog, which the run does not know; left out" in caplog.text
    assert sum(len(things["bbox"]) for _, things in others.split("test").as_numpy_iterator()) == 20


def test_what_is_wrong_is_named_counted_and_left_out(tmp_path, caplog):
    broken = {**BOXES, "e": [("cat", (50, 0, 60, 9))], "f": [("cat", (5, 5, 5, 9)), ("dog", (30, 10, 50, 19))]}
    as_voc(tmp_path, broken)
    lists = tmp_path / "ImageSets" / "Main" / "train.txt"
    lists.write_text("a b e f g")
    (tmp_path / "Annotations" / "g.xml").write_text(xml([("cat", (0, 0, 9, 9))]).format("g"))
    (tmp_path / "JPEGImages" / "b.png").write_bytes(b"no image")
    with caplog.at_level(logging.WARNING):
        folder = BoxFolder(tmp_path)
        images, _ = folder.found
    told = caplog.text
    for line in (
        "1 boxes outside of their images are left out: e.png",
        "1 boxes without an area are left out: f.png",
        "1 boxes reach beyond their images and are cut off at the edge: f.png",
        "1 annotations have no image and are left out: Annotations/g.xml",
        "1 images cannot be read and are left out: b.png",
    ):
        assert line in told
    things = {each.path.stem: each.things for each in images}
    assert not things["e"] and things["f"][0].box == (30, 10, 40, 19)


def test_orphans_and_unknown_classes_of_coco(tmp_path, caplog):
    as_coco(tmp_path)
    file = tmp_path / "annotations" / "instances_train2017.json"
    content = json.loads(file.read_text())
    content["annotations"] += [dict(id=9, image_id="zz", category_id=3, bbox=[0, 0, 1, 1])]
    content["annotations"] += [dict(id=9, image_id="a", category_id=99, bbox=[0, 0, 9, 9])]
    content["images"] += [dict(id="gone", file_name="gone.png")]
    file.write_text(json.dumps(content))
    with caplog.at_level(logging.WARNING):
        BoxFolder(tmp_path).load()
    assert "annotations are of images that are not listed" in caplog.text
    assert "boxes have no known class and are left out: class 99" in caplog.text
    assert "1 images are not there and are left out: gone.png" in caplog.text


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("2 .5 .5 .1 .1", "has the class 2; .* names 2 classes, from 0 on"),
        ("0 .5 .5 .1", "expected the number of a class and x, y, width and height"),
        ("cat .5 .5 .1 .1", "expected the number of a class"),
        ("0 200 100 50 50", "expected fractions of the image, from 0 to 1"),
    ],
)
def test_a_wrong_line_of_yolo_is_refused(line, told, tmp_path):
    as_yolo(tmp_path)
    (tmp_path / "labels" / "train" / "a.txt").write_text(line)
    with pytest.raises(UsageError, match=told):
        BoxFolder(tmp_path).load()


def test_an_image_without_a_text_file_has_nothing_in_it(tmp_path):
    as_yolo(tmp_path)
    (tmp_path / "labels" / "train" / "a.txt").unlink()
    things = [y["label"].tolist() for _, y in BoxFolder(tmp_path).load().split("train").as_numpy_iterator()]
    assert things == [[], [1, 0]]


def test_other_folders_are_refused_in_one_line(tmp_path):
    with pytest.raises(UsageError, match="holds no boxes; expected Pascal VOC's XML files, COCO's JSON, or YOLO's"):
        BoxFolder(tmp_path)
    as_voc(tmp_path)
    (tmp_path / "Annotations" / "a.xml").write_text("<annotation><object><name>x</name></object></annotation>")
    with pytest.raises(UsageError, match="has an object without xmin"):
        BoxFolder(tmp_path).load()
    (tmp_path / "Annotations" / "a.xml").write_text('<!DOCTYPE x [<!ENTITY a "b">]><annotation/>')
    with pytest.raises(UsageError, match="declares a document type"):
        BoxFolder(tmp_path).load()


def test_names_of_classes():
    assert names_of_yaml("names: [a, 'b c']\nnc: 2") == ["a", "b c"]
    assert names_of_yaml("path: x\nnames:\n- a\n- b\nval: y") == ["a", "b"]
    assert names_of_yaml("nc: 3") == []
