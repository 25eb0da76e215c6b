"""Average precision: by hand, against scikit-learn's counting and against pycocotools."""

import contextlib
import io

import numpy as np
import pytest

from zoo.metrics import detection
from zoo.metrics.detection import Detections, Truth


def scene(seed, images=25, classes=3, crowd=0.0, difficult=0.0):
    """Random truths, and detections that are moved copies of some, in another class at times, with equal scores."""
    rng = np.random.default_rng(seed)
    truths, found = [], []
    for _ in range(images):
        count = rng.integers(0, 8)
        corner, side = rng.uniform(0, 80, (count, 2)), rng.uniform(12, 40, (count, 2))
        truth = Truth(
            np.concatenate([corner, corner + side], 1), rng.integers(0, classes, count),
            rng.random(count) < crowd, rng.random(count) < difficult,
        )  # fmt: skip
        copies = rng.integers(0, count, 3 * count) if count else np.zeros(0, int)
        boxes = np.concatenate([truth.boxes[copies], rng.uniform(0, 50, (2, 4)) + [0, 0, 50, 50]])
        boxes = boxes + rng.normal(scale=2.0, size=boxes.shape)
        labels = np.concatenate([truth.classes[copies], rng.integers(0, classes, 2)])
        labels = np.where(rng.random(len(labels)) < 0.1, rng.integers(0, classes, len(labels)), labels)
        truths.append(truth)
        found.append(Detections(boxes, labels, rng.integers(1, 9, len(labels)) / 8))
    return truths, found


def by_pycocotools(truths, found, classes):
    coco = pytest.importorskip("pycocotools.coco", reason="pip install pycocotools")
    from pycocotools.cocoeval import COCOeval

    def as_coco(box):
        return [float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1])]

    truth_rows, rows = [], []
    for image, (truth, each) in enumerate(zip(truths, found), 1):
        for box, label, crowd, difficult in zip(truth.boxes, truth.classes, truth.crowd, truth.difficult):
            area = 1e11 if difficult else 1.0  # outside of every range of areas: pycocotools' own word is overwritten
            truth_rows.append(dict(id=len(truth_rows) + 1, image_id=image, category_id=int(label), bbox=as_coco(box),
                                   area=area, iscrowd=int(crowd)))  # fmt: skip
        for box, label, score in zip(each.boxes, each.classes, each.scores):
            rows.append(dict(image_id=image, category_id=int(label), bbox=as_coco(box), score=float(score)))
    with contextlib.redirect_stdout(io.StringIO()):
        ground = coco.COCO()
        ground.dataset = dict(
            images=[dict(id=image) for image in range(1, len(truths) + 1)], annotations=truth_rows,
            categories=[dict(id=label) for label in range(classes)], info={},
        )  # fmt: skip
        ground.createIndex()
        evaluation = COCOeval(ground, ground.loadRes(rows), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]  # (overlaps, recalls, classes)
    return np.where((precision < 0).all(1), np.nan, precision.mean(1)).T


@pytest.mark.parametrize("seed", range(6))
def test_equal_to_pycocotools_with_ties_crowds_and_difficult_things(seed):
    rates = dict(crowd=0.15, difficult=0.15) if seed % 2 else {}
    truths, found = scene(seed, **rates)
    ours = detection.average_precision(truths, found, 3)
    np.testing.assert_allclose(ours, by_pycocotools(truths, found, 3), atol=1e-3)
    assert 0.1 < np.nanmean(ours) < 0.9, "a scene that tells something"


def test_by_hand_at_eleven_points():
    """Two things; the detections, by score: right, wrong, right. Precision 1, 1/2, 2/3 at a recall of 1/2, 1/2, 1."""
    truth = Truth(np.array([[0, 0, 10, 10], [20, 20, 30, 30]]), np.array([0, 0]))
    boxes = np.array([[0, 0, 10, 10], [50, 50, 60, 60], [20, 20, 30, 30]])
    found = Detections(boxes, np.zeros(3, int), np.array([0.9, 0.8, 0.7]))
    line = detection.curve([truth], [found], 0, rule="voc2007")
    assert line.precision.tolist() == pytest.approx([1, 0.5, 2 / 3]) and line.recall.tolist() == [0.5, 0.5, 1]
    assert detection.average_precision([truth], [found], 1, rule="voc2007")[0, 0] == pytest.approx(
        (6 * 1 + 5 * 2 / 3) / 11
    )
    assert detection.average_precision([truth], [found], 1)[0, 0] == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)


def test_where_the_rules_of_2007_and_of_coco_differ():
    """A detection overlaps a taken thing more than a free one: VOC calls it a double, COCO gives it the other."""
    truth = Truth(np.array([[0, 0, 10, 10], [0, 2, 10, 12]]), np.array([0, 0]))
    found = Detections(np.array([[0, 0, 10, 10], [0, 0.8, 10, 10.8]]), np.zeros(2, int), np.array([0.9, 0.8]))
    assert detection.curve([truth], [found], 0, rule="coco").recall.tolist() == [0.5, 1]
    assert detection.curve([truth], [found], 0, rule="voc2007").recall.tolist() == [0.5, 0.5]


def test_what_is_difficult_is_neither_asked_for_nor_wrong():
    truth = Truth(np.array([[0, 0, 10, 10], [20, 20, 30, 30]]), np.array([0, 0]), difficult=np.array([False, True]))
    found = Detections(truth.boxes, np.zeros(2, int), np.array([0.8, 0.9]))
    for rule in ("coco", "voc2007"):
        line = detection.curve([truth], [found], 0, rule=rule)
        assert line.count == 1 and line.precision.tolist() == [1.0] and line.scores.tolist() == [0.8]


def test_nothing_found_and_nothing_there():
    nothing = Detections(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0))
    truth = Truth(np.array([[0, 0, 1, 1]]), np.array([0]))
    found = detection.average_precision([truth], [nothing], 2)
    assert (found[0] == 0).all() and np.isnan(found[1]).all()
    assert detection.error_kinds([truth], [nothing])["missed"] == 1
