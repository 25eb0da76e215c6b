"""Average precision: how well boxes are found, by the rules of COCO and of Pascal VOC 2007.

T.-Y. Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, as its evaluation server computes it: in each
image the detections of a class, the best first, take the free box that they overlap most; precision is read at 101
points of recall and averaged; so for each overlap from .5 to .95. M. Everingham et al., "The Pascal Visual Object
Classes (VOC) Challenge", IJCV 2010: the box that they overlap most, free or not, at an overlap of .5, and 11 points of
recall.

What is not to be counted (a crowd, or what was marked as difficult) is neither asked for nor wrong when it is found.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

OVERLAPS = np.linspace(0.5, 0.95, 10)
RECALLS = {"coco": np.linspace(0, 1, 101), "voc2007": np.linspace(0, 1, 11)}
PER_IMAGE = 100  # detections of an image and class that COCO looks at
ERRORS = ("class", "place", "double", "background", "missed")
NOWHERE = 0.1  # an overlap below which a detection is of the background (Hoiem 2012)


@dataclass(frozen=True)
class Truth:
    """What is in an image."""

    boxes: np.ndarray  # (n, 4): left, top, right, bottom in any unit
    classes: np.ndarray  # (n,)
    crowd: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))  # (n,) or none: a box around many
    difficult: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))  # (n,) or none


@dataclass(frozen=True)
class Detections:
    """What was found in an image."""

    boxes: np.ndarray  # (n, 4), in the unit of the truth
    classes: np.ndarray  # (n,)
    scores: np.ndarray  # (n,)


@dataclass(frozen=True)
class Curve:
    """Precision and recall of a class as the threshold of the score falls, a point for each detection."""

    precision: np.ndarray
    recall: np.ndarray
    scores: np.ndarray
    count: int  # of boxes that were to be found


def overlaps(found: np.ndarray, true: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """IoU (n, m) in double precision; with a crowd, the part of the detection that lies in it."""
    a, b = np.asarray(found, "float64").reshape(-1, 1, 4), np.asarray(true, "float64").reshape(1, -1, 4)
    common = np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0).prod(-1)
    areas = [np.maximum(each[..., 2:] - each[..., :2], 0).prod(-1) for each in (a, b)]
    union = np.where(crowd[None], areas[0], areas[0] + areas[1] - common)
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def flags(given: np.ndarray, count: int) -> np.ndarray:
    return np.asarray(given, bool) if len(given) else np.zeros(count, bool)


def matched(
    overlap: np.ndarray, crowd: np.ndarray, ignored: np.ndarray, threshold: float, rule: str
) -> tuple[np.ndarray, np.ndarray]:
    """Of the detections of an image and class, the best first: whether each is right, and whether it counts.

    Args:
        overlap: (detections, boxes).
        crowd, ignored: (boxes,).
        threshold: the overlap that is enough.
        rule: "coco" or "voc2007".
    """
    right, counts = np.zeros(len(overlap), bool), np.ones(len(overlap), bool)
    taken = np.zeros(len(ignored), bool)
    for row, each in enumerate(overlap):
        if rule == "voc2007":
            best = int(each.argmax()) if len(each) else -1
            if best < 0 or each[best] <= threshold:
                continue
            right[row], counts[row] = not ignored[best] and not taken[best], not ignored[best]
            taken[best] = True
            continue
        able = (each >= min(threshold, 1 - 1e-10)) & (~taken | crowd)
        able &= ~ignored if (able & ~ignored).any() else True  # a box that counts is better than one that does not
        if able.any():
            best = len(each) - 1 - int(np.where(able, each, -1)[::-1].argmax())  # of equal ones COCO takes the last
            taken[best], counts[row] = True, not ignored[best]
            right[row] = not ignored[best]
    return right, counts


def curve(
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    label: int,
    *,
    threshold: float = 0.5,
    rule: str = "coco",
) -> Curve:
    """Of one class over all images.

    Args:
        truths: of each image.
        detections: of each image, in the same order.
        label: the class.
        threshold: the overlap that makes a detection right.
        rule: "coco" or "voc2007".

    >>> truth = Truth(np.array([[0, 0, 1, 1], [2, 2, 3, 3]]), np.array([0, 0]))
    >>> found = Detections(np.array([[0, 0, 1, 1], [5, 5, 6, 6]]), np.array([0, 0]), np.array([0.9, 0.8]))
    >>> line = curve([truth], [found], 0)
    >>> line.precision.tolist(), line.recall.tolist()
    ([1.0, 0.5], [0.5, 0.5])
    """
    (line,) = curves(truths, detections, label, [threshold], rule)
    return line


def curves(
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    label: int,
    thresholds: Sequence[float],
    rule: str,
    given: Sequence[np.ndarray] | None = None,
) -> list[Curve]:
    """The same for several overlaps; `given` as in `average_precision`."""
    scores, count = [], 0
    right: list[list[np.ndarray]] = [[] for _ in thresholds]
    counts: list[list[np.ndarray]] = [[] for _ in thresholds]
    for image, (truth, found) in enumerate(zip(truths, detections, strict=True)):
        of_class = truth.classes == label
        crowd = flags(truth.crowd, len(of_class))[of_class]
        ignored = crowd | flags(truth.difficult, len(of_class))[of_class]
        rows = np.flatnonzero(found.classes == label)
        rows = rows[np.argsort(-found.scores[rows], kind="stable")]
        rows = rows[:PER_IMAGE] if rule == "coco" else rows
        if given is None:
            overlap = overlaps(found.boxes[rows], truth.boxes[of_class], crowd)
        else:
            overlap = given[image][rows][:, of_class]
        count += int((~ignored).sum())
        scores.append(found.scores[rows])
        for number, threshold in enumerate(thresholds):
            each, counted = matched(overlap, crowd, ignored, threshold, rule)
            right[number].append(each)
            counts[number].append(counted)
    everything = np.concatenate([*scores, np.zeros(0)])
    order = np.argsort(-everything, kind="stable")
    lines = []
    for hit, real in zip(right, counts):
        keep = order[np.concatenate([*real, np.zeros(0, bool)])[order]]
        hits = np.cumsum(np.concatenate([*hit, np.zeros(0, bool)])[keep])
        lines.append(Curve(hits / np.arange(1, len(keep) + 1), hits / max(count, 1), everything[keep], count))
    return lines


def area_under(line: Curve, rule: str = "coco") -> float:
    """Average precision: of the best precision at each of the rule's recalls or beyond; NaN where there was nothing."""
    if not line.count:
        return float("nan")
    best = np.maximum.accumulate(line.precision[::-1])[::-1]
    places = np.searchsorted(line.recall, RECALLS[rule], side="left")
    return float(np.append(best, 0.0)[np.minimum(places, len(best))].mean())


def average_precision(
    truths: Sequence[Truth],
    detections: Sequence[Detections],
    classes: int,
    *,
    rule: str = "coco",
    given: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """AP of each class at each of `OVERLAPS`: (classes, overlaps); by "voc2007" at .5 alone, (classes, 1).

    Overlaps are those of the boxes, or `given`: of each image (detections, things), of masks say.

    Classes that the truth does not hold are NaN: `numpy.nanmean` of column 0 is mAP@.5, of all mAP@.5:.95.
    """
    thresholds = [0.5] if rule == "voc2007" else [float(each) for each in OVERLAPS]
    found = [curves(truths, detections, label, thresholds, rule, given) for label in range(classes)]
    return np.array([[area_under(line, rule) for line in lines] for lines in found]).reshape(classes, len(thresholds))


def error_kinds(
    truths: Sequence[Truth], detections: Sequence[Detections], *, score: float = 0.5, threshold: float = 0.5
) -> dict[str, int]:
    """What is wrong, counted: D. Hoiem et al., "Diagnosing Error in Object Detectors", ECCV 2012.

    ``class``: the place of a thing of another class; ``place``: too little overlap with a thing of its class;
    ``double``: a second detection of a thing; ``background``: nothing is there; ``missed``: things that no detection is
    right about.

    Args:
        truths: of each image.
        detections: of each image.
        score: those with less are left out.
        threshold: the overlap that makes a detection right.

    >>> truth = Truth(np.array([[0, 0, 2, 2]]), np.array([0]))
    >>> boxes = np.array([[0, 0, 2, 2], [0, 0, 2, 1.9], [0, 0, 2, 2], [0, 0, 1, 1], [5, 5, 6, 6]])
    >>> found = Detections(boxes, np.array([0, 0, 1, 0, 0]), np.array([0.9, 0.8, 0.8, 0.8, 0.8]))
    >>> error_kinds([truth], [found])
    {'class': 1, 'place': 1, 'double': 1, 'background': 1, 'missed': 0}
    """
    counted = dict.fromkeys(ERRORS, 0)
    for truth, found in zip(truths, detections, strict=True):
        for kind in kinds_of(truth, found, score=score, threshold=threshold):
            if kind in counted:
                counted[kind] += 1
    return counted


def kinds_of(truth: Truth, found: Detections, *, score: float = 0.5, threshold: float = 0.5) -> list[str]:
    """Of one image: a kind for each detection from a score on, the best first, then "missed" for each thing that is.

    A kind is one of `ERRORS`, "right", or "" where it does not count.
    """
    crowd = flags(truth.crowd, len(truth.classes))
    ignored = crowd | flags(truth.difficult, len(truth.classes))
    rows = np.argsort(-found.scores, kind="stable")
    rows = rows[found.scores[rows] >= score]
    overlap = overlaps(found.boxes[rows], truth.boxes, crowd)
    same = found.classes[rows][:, None] == truth.classes[None]
    taken, kinds = np.zeros(len(truth.classes), bool), []
    for each, own in zip(overlap, same):
        free = own & ~taken & ~ignored & (each >= threshold)
        if free.any():
            taken[np.where(free, each, -1).argmax()] = True
            kinds.append("right")
            continue
        best = {name: np.where(mask, each, 0).max(initial=0) for name, mask in (("own", own), ("other", ~own))}
        if (each[own & ignored] >= threshold).any():
            kinds.append("")
        elif best["own"] >= threshold:
            kinds.append("double")
        elif best["other"] >= threshold:
            kinds.append("class")
        else:
            kinds.append("place" if best["own"] >= NOWHERE else "background")
    return [*kinds, *["missed"] * int((~taken & ~ignored).sum())]
