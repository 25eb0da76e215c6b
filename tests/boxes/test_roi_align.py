"""RoIAlign by hand, and as torchvision computes it, recorded by `benchmarks/torchvision_detection.py`."""

import json
from pathlib import Path

import numpy as np
import pytest
from box_scenes import regions
from keras import ops

from zoo.boxes.roi_align import pyramid_align, roi_align

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "torchvision_roi_align.json").read_text())


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: "-".join(map(str, case["options"].values())))
def test_it_is_torchvisions(case):
    maps, boxes = regions()
    options = {**case["options"], "size": tuple(case["options"]["size"])}
    found = ops.convert_to_numpy(roi_align(maps, boxes, **options))
    assert found.shape == (2, 8, *options["size"], 3)
    np.testing.assert_allclose(found.reshape(16, -1)[:, :: RECORDED["every"]], case["found"], rtol=0, atol=1e-5)
    assert np.abs(found).sum() == pytest.approx(case["sum"], rel=1e-5)


def test_by_hand():
    """A ramp is its own interpolation: a cell has the value of its middle."""
    y, x = np.meshgrid(np.arange(6.0), np.arange(8.0), indexing="ij")
    maps = np.stack([y, x], axis=-1)[None].astype("float32")
    found = ops.convert_to_numpy(roi_align(maps, [[[2.0, 4.0, 10.0, 8.0]]], size=(1, 2), scale=0.5))
    np.testing.assert_allclose(found[0, 0, 0], [[3.0, 2.0], [3.0, 4.0]], atol=1e-6)
    middle = ops.convert_to_numpy(roi_align(maps, [[[2.0, 4.0, 10.0, 8.0]]], size=(1, 2), scale=0.5, aligned=True))
    np.testing.assert_allclose(middle[0, 0, 0], [[2.5, 1.5], [2.5, 3.5]], atol=1e-6)


def test_outside_of_the_map_is_nothing_and_its_edge_is_continued():
    maps = np.full((1, 4, 4, 1), 5.0, "float32")
    boxes = [[[-9.0, 0.0, -7.0, 2.0], [-1.0, 0.0, 0.0, 1.0]]]
    found = ops.convert_to_numpy(roi_align(maps, boxes, size=(1, 1)))
    assert found[0, :, 0, 0, 0].tolist() == [0.0, 5.0]


def test_a_box_without_area_is_one_place():
    found = roi_align(np.arange(16.0, dtype="float32").reshape(1, 4, 4, 1), [[[1.0, 1.0, 1.0, 1.0]]], size=(1, 1))
    assert float(found[0, 0, 0, 0, 0]) == pytest.approx(5 + 0.5 + 2.0)  # from 1 to 2 on both axes


def test_each_box_from_a_map_of_its_own():
    """As if from that map alone; boxes are fractions of the image."""
    fine, boxes = regions()
    maps = [fine, fine[:, ::2, ::2], fine[:, ::4, ::4]]
    scales = [each.shape[1:3] for each in maps]
    level = np.arange(16, dtype="int32").reshape(2, 8) % 3
    found = ops.convert_to_numpy(pyramid_align(maps, boxes / 16, level, scales=scales, size=(3, 3)))
    for number, (here, (down, across)) in enumerate(zip(maps, scales)):
        places = boxes / 16 * np.float32([across, down, across, down])
        alone = ops.convert_to_numpy(roi_align(here, places, size=(3, 3)))
        np.testing.assert_allclose(found[level == number], alone[level == number], rtol=0, atol=1e-5)
