"""Masks of a user's own: COCO's polygons and run lengths, found beside their boxes."""

import json

import numpy as np
import pytest
from PIL import Image

from zoo.data.image import coco_masks
from zoo.data.image.coco_masks import drawn, numbered
from zoo.data.image.instance_folder import InstanceFolder
from zoo.errors import UsageError


def test_runs_as_a_text_are_those_of_pycocotools():
    mask = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(0)
    for size in [(7, 5), (40, 60), (200, 333)]:
        shown = rng.random(size) < rng.random()
        written = mask.encode(np.asfortranarray(shown.astype("uint8")))
        text = {"counts": written["counts"].decode(), "size": [*size]}
        np.testing.assert_array_equal(drawn(text, size[::-1], "x.png"), shown)
    block = np.zeros((300, 400), "uint8")
    block[50:250, 60:350] = 1  # long runs, which differ little
    text = mask.encode(np.asfortranarray(block))["counts"].decode()
    np.testing.assert_array_equal(drawn({"counts": text, "size": [300, 400]}, (400, 300), "x.png"), block)


def test_polygons_are_those_of_pycocotools_but_for_their_edges():
    mask = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(0)
    for _ in range(10):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 8))
        corners = 50 + rng.uniform(20, 45, (8, 1)) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        polygon = [corners.ravel().tolist()]
        theirs = mask.decode(mask.merge(mask.frPyObjects(polygon, 100, 100)))
        assert (drawn(polygon, (100, 100), "x.png") != theirs).mean() < 0.02


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        ([[1, 2, 3]], "cannot be read; expected polygons"),
        ({"counts": [3]}, "cannot be read"),
        ({"counts": [3, 2], "size": [2, 3]}, "cannot be read"),
        ({"counts": [4], "size": [2, 2]}, "is of 2x2 pixels; expected 3x2, as the image"),
    ],
)
def test_what_is_no_mask_is_refused(mask, told):
    with pytest.raises(UsageError, match=f"a mask of odd.png {told}"):
        drawn(mask, (3, 2), "odd.png")


def test_of_two_masks_the_smaller_is_in_front():
    large, small = np.ones((2, 3), bool), np.array([[True, False, False], [False, False, False]])
    assert numbered([small, large]).tolist() == [[1, 2, 2], [2, 2, 2]]


def write_folder(root, count=9, **changed):
    """A square and a triangle in images of 30 x 20."""
    rng = np.random.default_rng(0)
    images, rows = [], []
    for number in range(count):
        Image.fromarray(rng.integers(0, 255, (20, 30, 3), "uint8")).save(root / f"{number}.png")
        images.append(dict(id=number, file_name=f"{number}.png"))
        square, triangle = [[2, 2, 12, 2, 12, 12, 2, 12]], [[15, 18, 25, 18, 20, 4]]
        for kind, (polygon, box) in enumerate([(square, [2, 2, 10, 10]), (triangle, [15, 4, 10, 14])]):
            row = dict(id=len(rows), image_id=number, category_id=kind, bbox=box, segmentation=polygon)
            rows.append({**row, **changed})
    categories = [dict(id=number, name=name) for number, name in enumerate(["square", "triangle"])]
    (root / "masks.json").write_text(json.dumps(dict(images=images, annotations=rows, categories=categories)))
    return root


def test_a_folder_says_of_each_pixel_which_thing_it_shows(tmp_path):
    source = InstanceFolder(write_folder(tmp_path)).load()
    each = next(iter(source.features("train").as_numpy_iterator()))
    assert each["image"].shape == (20, 30, 3) and each["objects"]["label"].tolist() == [0, 1]
    shown = each["instances"]
    assert shown.shape == (20, 30) and (shown == 1).sum() == 100 and (shown[2:12, 2:12] == 1).all()
    assert 65 <= (shown == 2).sum() <= 75 and shown[:4].max() == 1


def test_things_without_a_mask_and_other_formats_are_refused(tmp_path):
    write_folder(tmp_path, segmentation=[])
    with pytest.raises(UsageError, match=r"18 things have no segmentation \(0.png, 1.png"):
        InstanceFolder(tmp_path).load()
    assert write_folder(tmp_path, segmentation=[], iscrowd=1)
    source = InstanceFolder(tmp_path).load()
    assert next(iter(source.features("train").as_numpy_iterator()))["instances"].max() == 0
    other = tmp_path / "voc"
    other.mkdir()
    (other / "1.xml").write_text("<annotation/>")
    with pytest.raises(UsageError, match=r"\(Pascal VOC\) has boxes and no masks; expected COCO's JSON"):
        InstanceFolder(other)


def test_masks_are_part_of_what_a_folder_is(tmp_path):
    before = InstanceFolder(write_folder(tmp_path)).sha256()
    assert InstanceFolder(tmp_path).sha256() == before
    write_folder(tmp_path, segmentation=[[2, 2, 12, 2, 12, 12, 2, 12.5]])
    assert InstanceFolder(tmp_path).sha256() != before


def test_letters_of_negative_differences():
    assert coco_masks.counts_of("52203") == [5, 2, 2, 2, 5]
