"""The loss of a grid, by hand: it looks at the rest only where something is there."""

import keras
import numpy as np
import pytest
from keras import ops

from zoo.boxes.anchors import grid_anchors
from zoo.errors import UsageError
from zoo.losses import GridDetection

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
