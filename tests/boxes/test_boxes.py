"""Boxes, how they overlap and which stay: by hand, against TensorFlow and, recorded, against torchvision."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from box_scenes import scenes
from keras import ops
from keras.utils import bounding_boxes

from zoo.boxes import anchors, matching, offsets, overlap, rows, suppression
from zoo.errors import UsageError

RECORDED = Path(__file__).parents[1] / "recorded" / "torchvision_nms.json"
FORMATS = ("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw", "rel_xyxy", "rel_yxyx", "rel_xywh", "rel_center_xywh")


def test_keras_conversion_there_and_back():
    boxes = scenes(1, 50)[0][0]
    for source in FORMATS:
        there = bounding_boxes.convert_format(boxes, "rel_xyxy", source, height=1, width=1)
        back = bounding_boxes.convert_format(there, source, "rel_xyxy", height=1, width=1)
        np.testing.assert_allclose(ops.convert_to_numpy(back), boxes, atol=1e-6)


def test_keras_offsets_there_and_back():
    boxes, priors = scenes(2, 50)[0]
    how = dict(anchor_format="xyxy", box_format="xyxy")
    offsets = bounding_boxes.encode_box_to_deltas(priors, boxes, encoding_format="center_xywh", **how)
    back = bounding_boxes.decode_deltas_to_boxes(priors, offsets, encoded_format="center_xywh", **how)
    np.testing.assert_allclose(ops.convert_to_numpy(back), boxes, atol=1e-6)


def test_keras_iou_is_still_wrong():
    """Where this fails, Keras has mended it and `zoo.boxes` can do with less."""
    small, inside_out = np.float32([[0, 0, 1e-3, 1e-3]]), np.float32([[5, 5, 3, 3]])
    assert float(bounding_boxes.compute_iou(small, small, "xyxy")[0, 0]) < 0.92
    assert float(overlap.pairwise_iou(small, small)[0, 0]) == pytest.approx(1)
    assert float(overlap.area(inside_out)[0]) == 0


@pytest.mark.parametrize(
    ("a", "b", "iou", "giou"),
    [
        ([0, 0, 2, 2], [0, 0, 2, 2], 1, 1),
        ([0, 0, 2, 2], [1, 1, 3, 3], 1 / 7, 1 / 7 - 2 / 9),
        ([0, 0, 1, 1], [2, 0, 3, 1], 0, -1 / 3),
        ([0, 0, 4, 4], [1, 1, 2, 2], 1 / 16, 1 / 16),
        ([0, 0, 1, 1], [1, 0, 2, 1], 0, 0),  # edge to edge
        ([0, 0, 0, 0], [0, 0, 2, 2], 0, 0),  # a point in the corner
        ([1, 1, 1, 1], [1, 1, 1, 1], 0, 0),  # no area at all, and no NaN
    ],
)
def test_overlap_by_hand(a, b, iou, giou):
    a, b = np.float32(a), np.float32(b)
    for x, y in ((a, b), (b, a)):
        assert float(overlap.iou(x, y)) == pytest.approx(iou, abs=1e-6)
        assert float(overlap.generalised_iou(x, y)) == pytest.approx(giou, abs=1e-6)


def test_generalised_iou_falls_where_boxes_are_apart():
    near, far = ([1.5, 0.0, 2.5, 1.0], [4.0, 0.0, 5.0, 1.0])
    box = [0.0, 0.0, 1.0, 1.0]
    assert float(overlap.iou(box, near)) == float(overlap.iou(box, far)) == 0
    assert float(overlap.generalised_iou(box, near)) > float(overlap.generalised_iou(box, far)) > -1


# Suppression


def kept_of(boxes, scores, **how):
    kept, there = (ops.convert_to_numpy(each) for each in suppression.nms(boxes, scores, **how))
    assert (np.cumsum(~there, axis=1)[there] == 0).all(), "those that are there come first"
    return [row[known].tolist() for row, known in zip(kept, there)]


def test_suppression_equals_tensorflow_on_a_thousand_scenes():
    tf = pytest.importorskip("tensorflow")
    boxes, scores = scenes(1000, 20)
    how = dict(iou_threshold=0.5, score_threshold=0.2)
    found = kept_of(boxes, scores, max_boxes=12, **how)
    for number, (each, score) in enumerate(zip(boxes[..., [1, 0, 3, 2]], scores)):
        assert tf.image.non_max_suppression(each, score, 12, **how).numpy().tolist() == found[number]


def test_suppression_equals_torchvision_on_a_thousand_scenes():
    """Recorded by `benchmarks/torchvision_detection.py`: a bit for each box that stays."""
    recorded = json.loads(RECORDED.read_text())
    boxes, scores = scenes(1000, 20)
    found = kept_of(boxes, scores, iou_threshold=0.5, score_threshold=-1.0, max_boxes=20)
    assert [f"{sum(1 << each for each in kept):x}" for kept in found] == recorded["kept"]


def test_classes_leave_each_other_alone():
    boxes, scores = scenes(40, 30, seed=1)
    classes = np.random.default_rng(2).integers(0, 3, scores.shape)
    together = kept_of(boxes, scores, classes=classes, max_boxes=30)
    apart = [kept_of(boxes, np.where(classes == each, scores, -1), max_boxes=30) for each in range(3)]
    assert [sorted(row) for row in together] == [sorted(each for row in rows for each in row) for rows in zip(*apart)]


def test_a_neighbour_of_another_class_stays_and_one_of_the_same_goes():
    boxes = np.float32([[[0, 0, 1, 1], [0, 0, 1, 0.9], [0, 0, 1, 0.8]]])
    assert kept_of(boxes, np.float32([[0.9, 0.8, 0.7]]), classes=[[0, 1, 0]]) == [[0, 1]]


def test_detections_are_the_best_pairs_of_box_and_class():
    boxes = np.float32([[[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]]])
    scores = np.float32([[[0.9, 0.6, 0.1], [0.2, 0.7, 0.01]]])
    found = suppression.best_detections(boxes, scores, score_threshold=0.15, max_boxes=6)
    found = {key: ops.convert_to_numpy(value)[0].tolist() for key, value in found.items()}
    assert found["classes"] == [0, 1, 1, 0, -1, -1]
    assert found["scores"] == pytest.approx([0.9, 0.7, 0.6, 0.2, 0, 0])
    assert found["boxes"][1] == [0.5, 0.5, 1, 1] and found["boxes"][5] == [0, 0, 0, 0]


def test_suppression_is_the_same_compiled_by_xla():
    if keras.config.backend() != "tensorflow":
        pytest.skip("compiled by TensorFlow")
    import tensorflow as tf

    boxes, scores = scenes(8, 20, seed=3)
    compiled = tf.function(lambda *given: suppression.nms(*given, max_boxes=20), jit_compile=True)
    for found, expected in zip(compiled(boxes, scores), suppression.nms(boxes, scores, max_boxes=20)):
        assert np.array_equal(found, expected)


# Anchors and who tells of what


def test_the_cell_of_the_midpoint_and_the_likeliest_anchor():
    """A grid of 3 x 3 with a tall and a wide anchor: the example of the notes."""
    grid = anchors.grid_anchors(3, 3, [(0.5, 1.5), (1.5, 0.5)]).reshape(-1, 4)
    things = np.float32([[[0.5, 0.6, 0.1, 0.5], [0.1, 0.95, 0.4, 0.2], [0.34, 0.32, 0.9, 0.2]]])
    assert ops.convert_to_numpy(matching.by_midpoint(things, grid)).tolist() == [[8, 13, 3]]
    rng = np.random.default_rng(0)
    centres = rng.random((1, 500, 2))
    found = matching.by_midpoint(np.concatenate([centres, np.full_like(centres, 0.1)], -1).astype("float32"), grid)
    column, row = np.moveaxis((centres[0] * 3).astype(int), -1, 0)
    assert (ops.convert_to_numpy(found)[0] // 2 == 3 * row + column).all()


def test_two_things_with_one_anchor_are_told_as_the_first():
    has, which = matching.taken_by(np.int32([[4, 4, 1, 0]]), np.array([[True, True, True, False]]), 5)
    assert ops.convert_to_numpy(has)[0].tolist() == [False, True, False, False, True]
    assert ops.convert_to_numpy(which)[0, [1, 4]].tolist() == [2, 0]


def test_sizes_of_anchors_are_those_of_the_boxes():
    rng = np.random.default_rng(0)
    true = np.array([[0.1, 0.1], [0.2, 0.6], [0.7, 0.3]])
    sizes = np.concatenate([each * rng.uniform(0.9, 1.1, (100, 2)) for each in true])
    found = anchors.cluster_sizes(sizes, 3)
    np.testing.assert_allclose(found, true, rtol=0.05)
    assert anchors.shape_iou(sizes, found).max(1).mean() > 0.85 > anchors.shape_iou(sizes, found[:1]).max(1).mean()
    with pytest.raises(UsageError, match="2 boxes have different sizes; expected at least 3"):
        anchors.cluster_sizes(np.array([[1.0, 1.0], [2.0, 1.0], [2.0, 1.0]]), 3)


# Default boxes, offsets, and matching as SSD has them


def test_default_boxes_by_hand():
    """Two maps: 2 x 2 places of a square, and one place of four boxes, the wide one cut to the image's width."""
    expected = [(0.25, 0.25), (0.45, 0.45), (0.5, 0.125), (0.125, 0.5)]
    np.testing.assert_allclose(anchors.default_sizes(0.25, 0.81, [4.0]), expected)
    np.testing.assert_allclose(anchors.default_sizes(0.8, 0.8, [4.0])[2:], [(1.0, 0.4), (0.4, 1.0)])
    sizes = [[(0.3, 0.2)], anchors.default_sizes(0.5, 0.72, [4.0])]
    found = anchors.default_boxes([(2, 2), (1, 1)], [(0.5, 0.4), (1.0, 1.0)], sizes)
    np.testing.assert_allclose(
        found,
        [
            [0.2, 0.25, 0.3, 0.2], [0.6, 0.25, 0.3, 0.2], [0.2, 0.75, 0.3, 0.2], [0.6, 0.75, 0.3, 0.2],
            [0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.6, 0.6], [0.5, 0.5, 1.0, 0.25], [0.5, 0.5, 0.25, 1.0],
        ],
        atol=1e-6,
    )  # fmt: skip


def test_offsets_there_and_back():
    """By hand: half a side to the right in tenths, e times as high in fifths."""
    found = offsets.encoded([0.6, 0.5, 0.2, 0.1 * np.e], [0.5, 0.5, 0.2, 0.1])
    np.testing.assert_allclose(ops.convert_to_numpy(found), [5, 0, 0, 5], atol=1e-4)
    boxes, priors = (ops.convert_to_numpy(rows.centres(each)) for each in scenes(2, 50)[0])
    there = offsets.encoded(boxes, priors)
    np.testing.assert_allclose(ops.convert_to_numpy(offsets.decoded(there, priors)), boxes, atol=1e-6)


def test_a_side_that_runs_away_stops_at_625_tenths():
    far = ops.convert_to_numpy(offsets.decoded([0.0, 0.0, 1e4, -1e4], [0.5, 0.5, 0.01, 0.01]))
    np.testing.assert_allclose(far, [0.5, 0.5, 0.625, 0.0], rtol=1e-6)


def test_an_anchor_tells_of_what_it_overlaps_most_and_no_thing_is_left_out():
    grid = np.float32([[0, 0, 0.5, 1], [0.5, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0.5, 0.5], [0, 0, 0.5, 0.4]])
    things = np.float32([[[0, 0, 0.5, 1], [0.5, 0, 1, 1], [0.9, 0.9, 1, 1], [0, 0, 1, 1]]])
    real = [[True, True, True, False]]  # the last is none, though it fits the third anchor
    has, which = (ops.convert_to_numpy(each)[0] for each in matching.by_overlap(things, real, grid))
    # the small thing takes the second anchor, its best, from the thing that this fits; the third and the fourth have an
    # IoU of .5 with the first thing, the fifth of .4
    assert has.tolist() == [True, True, True, True, False] and which[:4].tolist() == [0, 2, 0, 0]
    has, which = matching.by_overlap(things, real, grid, 0.55)
    assert ops.convert_to_numpy(has)[0].tolist() == [True, True, False, False, False]
    none = matching.by_overlap(things, [[False] * 4], grid)[0]
    assert not ops.convert_to_numpy(none).any()
