"""The nearest training image as a baseline: of small images by every pixel, of large ones by the means of blocks."""

import numpy as np
import pytest

import zoo
from zoo import tasks
from zoo.tasks.image_classification import block_side, few_pixels


def test_small_images_and_vectors_are_compared_as_they_are():
    for shape in [(5, 80, 64, 3), (5, 28, 28, 1), (5, 30), (5, 8, 9, 9, 3)]:
        x = np.random.default_rng(0).random(shape)
        np.testing.assert_array_equal(few_pixels(x), x.reshape(5, -1))


@pytest.mark.parametrize("shape, blocks", [((224, 224), (74, 74)), ((81, 81), (40, 40)), ((300, 100), (75, 25))])
def test_large_images_are_means_of_blocks_by_hand(shape, blocks):
    x = np.random.default_rng(0).random((3, *shape, 2))
    side = block_side(x.shape[1:])
    found = few_pixels(x).reshape(3, *blocks, 2)
    for row, column in ((0, 0), (3, 7), (blocks[0] - 1, blocks[1] - 1)):
        block = x[:, row * side : (row + 1) * side, column * side : (column + 1) * side]
        np.testing.assert_allclose(found[:, row, column], block.mean((1, 2)))


def test_a_side_that_is_short_is_kept():
    assert block_side((400, 2, 3)) == 2 and few_pixels(np.ones((1, 400, 2, 3))).shape == (1, 600)


def test_the_nearest_of_large_images_has_their_class(tmp_path):
    """Two classes of noise around two scenes: the means of blocks tell them apart as well as all pixels do."""
    rng = np.random.default_rng(0)
    scenes = rng.integers(60, 200, (2, 96, 96, 3))
    y = np.arange(60) % 2
    x = np.clip(scenes[y] + rng.normal(0, 20, (60, 96, 96, 3)), 0, 255).astype("uint8")
    run = zoo.train("softmax_regression", data=(x, y), epochs=1, verbose=0, run=tmp_path / "run")
    assert run.results["baselines"]["1-nearest-neighbour"] == 1.0
    data = zoo.load(run).trained.data
    assert data.shape == (96, 96, 3) and tasks.get("image_classification").data_module is type(data)
