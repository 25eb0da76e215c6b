"""One thing, or its points: a map shows a point between its places; p_c decides whether the rest is looked at."""

import keras
import numpy as np
import pytest
from keras import ops

import zoo
from zoo.errors import UsageError
from zoo.layers.spatial_softmax import SpatialSoftmax
from zoo.losses import GridDetection


def test_a_bright_place_is_the_point_and_two_are_the_one_between_them():
    maps = np.full((1, 3, 5, 2), -50, "float32")
    maps[0, 2, 1, 0] = 50
    maps[0, 0, 3, 1] = maps[0, 1, 3, 1] = 50
    points = ops.convert_to_numpy(SpatialSoftmax()(maps))
    np.testing.assert_allclose(points, [[[0.25, 1.0], [0.75, 0.25]]], atol=1e-6)


def test_maps_that_show_nothing_point_to_the_middle():
    points = ops.convert_to_numpy(SpatialSoftmax()(np.zeros((2, 4, 6, 3), "float32")))
    np.testing.assert_allclose(points, 0.5, atol=1e-6)


def test_the_row_holds_the_label_of_the_whole_image():
    """One cell, the image, and one anchor, half of it: any box can be told."""
    model = zoo.build("localizer", input_shape=(16, 16, 3), filters=(4, 4), points=2)
    row = ops.convert_to_numpy(model(np.zeros((1, 16, 16, 3), "float32")))[0, 0]
    np.testing.assert_allclose(row[4:8], 0.5)
    assert np.exp(row[8:]).sum() == pytest.approx(1.0, abs=1e-5)


def test_box_and_class_are_learned_only_where_something_is_there():
    model = zoo.build("localizer", input_shape=(16, 16, 3), filters=(4, 4), points=2)
    x = np.random.default_rng(0).random((2, 16, 16, 3)).astype("float32")
    head = model.get_layer("predictions")
    for label, learned in ((-1, False), (1, True)):
        things = np.float32([[[0.2, 0.2, 0.6, 0.6, label, 0]]] * 2)
        model.compile(keras.optimizers.SGD(0.1), loss=GridDetection())
        before = [ops.convert_to_numpy(each).copy() for each in head.weights]
        model.train_on_batch(x, things)
        moved = [abs(ops.convert_to_numpy(new) - old) for new, old in zip(head.weights, before)]
        p_c, rest = moved[1][4], moved[1][[0, 1, 2, 3, 5, 6, 7]]
        assert p_c > 1e-3 and ((rest > 1e-3) == learned).all(), "p_c is learned everywhere, the rest is not"


def test_each_landmark_has_a_map_of_its_own():
    model = zoo.build("landmarks", num_points=4)
    assert model.get_layer("point_maps").output.shape[1:] == (8, 8, 4) and model.output_shape == (None, 4, 2)


@pytest.mark.parametrize("name", ["localizer", "landmarks"])
def test_sides_that_the_pools_do_not_divide_are_refused(name):
    with pytest.raises(UsageError, match=r"input_shape of .* is \(30, 32, 3\); expected multiples of 4"):
        zoo.build(name, input_shape=(30, 32, 3))
    with pytest.raises(UsageError, match="expected a whole number"):
        zoo.build(name, **{"localizer": {"points": 0}, "landmarks": {"num_points": 0}}[name])


@pytest.mark.slow
def test_the_demo_finds_one_thing(tmp_path):
    assert zoo.train("localizer", run=tmp_path / "run", verbose=0).metrics["iou90"] >= 0.90


@pytest.mark.slow
def test_the_demo_finds_the_corners(tmp_path):
    assert zoo.train("landmarks", run=tmp_path / "run", verbose=0).metrics["pixel_error"] <= 1.0
