"""The loss of a grid, by hand: it looks at the rest only where something is there."""

import keras
import numpy as np
import pytest
from keras import ops

from zoo.boxes.anchors import grid_anchors
from zoo.errors import UsageError
from zoo.losses import GridDetection, MultiBox

ANCHORS = grid_anchors(2, 2, [(1.0, 1.0)]).reshape(-1, 4)  # four cells with an anchor of their size each
BACKGROUND = np.log([0.5, 0.25, 0.25])  # of the background and two classes


def rows(probabilities, boxes=ANCHORS):
    """What a detector of two classes says in four cells: (1, 4, 11)."""
    return np.concatenate([boxes, ANCHORS, np.log(probabilities)], axis=1)[None].astype("float32")


def thing(left, top, right, bottom, label=0.0, ignored=0.0):
    return [left, top, right, bottom, label, ignored]


NOTHING = thing(0, 0, 0, 0, -1.0)


def test_by_hand():
    """A thing of class 1 in the second cell, a quarter of a side off and of half the width."""
    said = rows([[0.9, 0.05, 0.05], [0.2, 0.3, 0.5], [0.9, 0.05, 0.05], [0.8, 0.1, 0.1]])
    truth = [[thing(0.5, 0, 0.75, 0.5, 1.0), NOTHING]]  # its centre (.625, .25), width .25; the anchor's .75 and .5
    place = (0.125 / 0.5) ** 2 + np.log(2) ** 2
    empty = -np.log(0.9) * 2 - np.log(0.8)
    expected = 5 * place - np.log(0.8) - np.log(0.5 / 0.8) + 0.5 * empty
    assert float(GridDetection()(truth, said)) == pytest.approx(expected, rel=1e-4)
    overlap = 0.125 / 0.25
    expected += 5 * (1 - overlap - place)
    assert float(GridDetection("giou")(truth, said)) == pytest.approx(expected, rel=1e-4)


def test_where_nothing_is_place_and_class_do_not_count():
    empty = [[NOTHING]]
    moved = np.clip(ANCHORS + 0.1, 0, 1)
    sure = [[0.5, 0.5 - 1e-6, 1e-6]] * 4
    first = float(GridDetection()(empty, rows([np.exp(BACKGROUND)] * 4)))
    assert first == pytest.approx(0.5 * 4 * np.log(2), rel=1e-5)
    assert float(GridDetection()(empty, rows(sure, moved))) == pytest.approx(first, rel=1e-5)


def test_what_overlaps_a_thing_of_another_cell_is_not_told_to_be_empty():
    truth = [[thing(0.1, 0, 0.5, 0.5, 0.0)]]  # in the first cell
    beside = ANCHORS.copy()
    beside[1] = [0.3, 0.25, 0.4, 0.5]  # the second says the very same box
    half = [[0.5, 0.25, 0.25]] * 4
    away, there = (float(GridDetection()(truth, rows(half, boxes))) for boxes in (ANCHORS, beside))
    assert away - there == pytest.approx(0.5 * np.log(2), rel=1e-4)


def test_what_is_ignored_is_neither_learned_nor_unlearned():
    half = [[0.5, 0.25, 0.25]] * 4
    boxes = ANCHORS.copy()
    boxes[0] = [0.3, 0.25, 0.4, 0.5]
    found = float(GridDetection()([[thing(0.1, 0, 0.5, 0.5, 0.0, 1.0)]], rows(half, boxes)))
    assert found == pytest.approx(0.5 * 3 * np.log(2), rel=1e-4), "three other cells are empty"


def test_no_gradient_is_lost_or_infinite_at_the_extremes():
    said = ops.convert_to_tensor(rows([[1 - 2e-7, 1e-7, 1e-7]] * 4))
    truth = [[thing(0.5, 0, 0.75, 0.5, 1.0)]]
    assert np.isfinite(float(GridDetection()(truth, said)))


def test_options_are_kept_and_checked():
    loss = GridDetection("giou", place=2.0)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert (again.boxes, again.place, again.nothing) == ("giou", 2.0, 0.5)
    with pytest.raises(UsageError, match="no loss of boxes 'iou'"):
        GridDetection("iou")


# SSD's

EIGHT = np.concatenate([ANCHORS, ANCHORS * [1, 1, 0.5, 0.5]])  # and a smaller one in each cell


def multibox_rows(probabilities, boxes=EIGHT):
    return np.concatenate([boxes, EIGHT, np.log(probabilities)], axis=1)[None].astype("float32")


def test_hard_negatives_by_hand():
    """One thing, told by the first anchor: of seven empty ones the three with the least P(nothing) count."""
    nothing = [0.5, 0.9, 0.6, 0.95, 0.7, 0.99, 0.8, 0.97]
    said = multibox_rows([[each, 0.7 * (1 - each), 0.3 * (1 - each)] for each in nothing])
    truth = [[thing(0, 0, 0.5, 0.5), NOTHING]]
    expected = -np.log(0.7 * 0.5) - np.log([0.6, 0.7, 0.8]).sum()
    assert float(MultiBox()(truth, said)) == pytest.approx(expected, rel=1e-5)
    assert float(MultiBox(negatives=1)(truth, said)) == pytest.approx(-np.log(0.35) - np.log(0.6), rel=1e-5)


def test_smooth_l1_of_offsets_by_hand():
    """A box .01 to the right and .1 too low of a cell of .5, twice as wide: .2, 2 and log(2) / .2 units off."""
    boxes = EIGHT.copy()
    boxes[0] += [0.01, 0.1, 0.5, 0]
    half = [[0.5, 0.25, 0.25]] * 8
    truth = [[thing(0, 0, 0.5, 0.5)]]
    wrong, right = (float(MultiBox()(truth, multibox_rows(half, each))) for each in (boxes, EIGHT))
    assert wrong - right == pytest.approx(0.5 * 0.2**2 + (2 - 0.5) + (np.log(2) / 0.2 - 0.5), rel=1e-4)
    assert float(MultiBox(place=0.0)(truth, multibox_rows(half, boxes))) == pytest.approx(right, rel=1e-5)


def test_images_count_by_their_anchors():
    """The sum over both, by all anchors that tell of a thing: three of two images; an image without things adds
    nothing."""
    half = multibox_rows([[0.5, 0.25, 0.25]] * 8)
    two = [thing(0, 0, 0.5, 0.5), thing(0.5, 0.5, 1, 1, 1.0)]
    one = [thing(0.5, 0, 1, 0.5), NOTHING]
    each = -np.log(0.25) - 3 * np.log(0.5)
    both = MultiBox(reduction=None)([two, one], np.repeat(half, 2, 0))
    kinds = 2 * -np.log(0.25) - 6 * np.log(0.5)
    np.testing.assert_allclose(ops.convert_to_numpy(both), [kinds * 2 / 3, each * 2 / 3], rtol=1e-5)
    none = MultiBox(reduction=None)([[NOTHING, NOTHING], one], np.repeat(half, 2, 0))
    np.testing.assert_allclose(ops.convert_to_numpy(none), [0, 2 * each], rtol=1e-5)


def test_what_is_ignored_is_no_hard_negative():
    nothing = [0.5, 0.1, 0.6, 0.95, 0.7, 0.99, 0.8, 0.97]
    said = multibox_rows([[each, 0.7 * (1 - each), 0.3 * (1 - each)] for each in nothing])
    truth = [[thing(0, 0, 0.5, 0.5), thing(0.5, 0, 1, 0.5, 0.0, 1.0)]]
    expected = -np.log(0.7 * 0.5) - np.log([0.6, 0.7, 0.8]).sum()
    assert float(MultiBox()(truth, said)) == pytest.approx(expected, rel=1e-5)


def test_options_of_multibox_are_kept():
    again = keras.losses.deserialize(keras.losses.serialize(MultiBox(negatives=2.0, overlap=0.4)))
    assert (again.negatives, again.overlap, again.variances) == (2.0, 0.4, (0.1, 0.1, 0.2, 0.2))
