"""Folders of images with masks, as people have them."""

import logging

import numpy as np
import pytest
from PIL import Image

from zoo.data.image.mask_folder import MaskFolder
from zoo.errors import UsageError


def images_and_masks(folder, count=10, values=(0, 1, 2), mode="L", suffix="", folders=("images", "masks")):
    """`count` images of noise, 12 x 8, and masks whose left half is of the first number."""
    rng = np.random.default_rng(len(str(folder)))
    for name in folders:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        noise = Image.fromarray(rng.integers(0, 255, (8, 12, 3), "uint8"))
        noise.save(folder / folders[0] / f"{number}.png")
        mask = np.full((8, 12), values[0], "uint8")
        mask[:, 6:] = values[1 + number % (len(values) - 1)]
        image = Image.fromarray(mask)
        if mode == "P":
            image = image.convert("P")
            image.putdata(mask.ravel().tolist())
        elif mode == "RGB":
            image = image.convert("RGB")
        image.save(folder / folders[1] / f"{number}{suffix}.png")
    return folder


def classes_of(source):
    return sorted({int(each) for _, mask in source.split("train").as_numpy_iterator() for each in np.unique(mask)})


@pytest.mark.parametrize(
    ("options", "names", "classes"),
    [
        ({}, ("0", "1", "2"), [0, 1, 2]),
        ({"mode": "P", "suffix": "_mask", "folders": ("Images", "Annotations")}, ("0", "1", "2"), [0, 1, 2]),
        ({"values": (0, 255)}, ("background", "object"), [0, 1]),
        ({"values": (0, 255), "mode": "RGB"}, ("background", "object"), [0, 1]),
        ({"values": (1, 2, 255)}, ("1", "2"), [0, 1, 255]),  # 255 does not count
        ({"values": (0, 64, 128)}, ("0", "64", "128"), [0, 1, 2]),
    ],
)
def test_masks_as_people_have_them(tmp_path, options, names, classes):
    source = MaskFolder(images_and_masks(tmp_path, **options)).load()
    assert source.class_names == names
    assert classes_of(source) == classes


def test_splits_of_their_owner_and_those_by_content(tmp_path):
    by_content = MaskFolder(images_and_masks(tmp_path / "a")).load()
    assert [sum(each.split == split for each in by_content.examples) for split in ("train", "validation", "test")] == [
        7, 1, 2,
    ]  # fmt: skip
    images_and_masks(tmp_path / "b" / "train", 4)
    images_and_masks(tmp_path / "b" / "val", 3)
    images_and_masks(tmp_path / "b" / "test", 2)
    theirs = MaskFolder(tmp_path / "b").load()
    assert [sum(each.split == split for each in theirs.examples) for split in ("train", "validation", "test")] == [
        4, 3, 2,
    ]  # fmt: skip
    for split, count in (("train", 5), ("val", 3)):  # Cityscapes has them this way round
        images_and_masks(tmp_path / "c", count, folders=(f"images/{split}", f"masks/{split}"))
    other = MaskFolder(tmp_path / "c").load()
    assert {each.split for each in other.examples} == {"train", "validation", "test"}


def test_names_of_the_classes(tmp_path):
    folder = images_and_masks(tmp_path)
    (folder / "classes.txt").write_text("sky\nwall\nroof\n")
    assert MaskFolder(folder).load().class_names == ("sky", "wall", "roof")
    (folder / "classes.txt").write_text("sky\nwall\n")
    with pytest.raises(UsageError, match="names 2 classes; a mask holds 2"):
        MaskFolder(folder).load()


def test_what_does_not_fit_is_named_and_left_out(tmp_path, caplog):
    folder = images_and_masks(tmp_path)
    (folder / "masks" / "0.png").unlink()
    Image.new("L", (5, 5)).save(folder / "masks" / "1.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 9, (8, 12, 3), "uint8")).save(folder / "masks" / "2.png")
    (folder / "images" / "3.png").write_bytes(b"no image")
    with caplog.at_level(logging.WARNING, logger="zoo"):
        source = MaskFolder(folder).load()
    assert len(source.examples) == 6
    said = caplog.text
    assert "left out 1 images" in said and "without a mask: 0.png" in said
    assert "1.png (5x5 for 12x8)" in said and "2.png (holds colours)" in said and "3.png (cannot be read)" in said


def test_folders_that_hold_no_masks(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(UsageError, match="has no folders of images and masks; expected images/ and masks/"):
        MaskFolder(tmp_path)
    (tmp_path / "masks").mkdir()
    with pytest.raises(UsageError, match="has 0 images with a mask; expected at least 3"):
        MaskFolder(tmp_path).load()
