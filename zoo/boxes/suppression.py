"""Non-maximum suppression: of several boxes on one thing, the best stays.

Greedy, class by class: the box with the highest score stays, those that overlap it by more than a threshold go, and so
on with what is left. Shapes are fixed, so that it runs in a compiled graph and in an exported model: what is missing of
`max_boxes` is marked, not left out.
"""

from typing import Any

from keras import ops

from zoo.boxes.overlap import area, iou

Tensor = Any


def nms(
    boxes: Tensor,
    scores: Tensor,
    *,
    classes: Tensor | None = None,
    iou_threshold: float = 0.5,
    score_threshold: float = 0.0,
    max_boxes: int = 100,
) -> tuple[Tensor, Tensor]:
    """Which boxes stay, the best first.

    Args:
        boxes: (batch, n, 4).
        scores: (batch, n).
        classes: (batch, n) whole numbers: boxes of different classes leave each other alone. None: one class.
        iou_threshold: boxes that overlap a better one by more than that go.
        score_threshold: boxes with no more than that go before anything else.
        max_boxes: how many may stay.

    Returns:
        Their numbers, (batch, max_boxes) int32, and whether there is one, (batch, max_boxes); elsewhere the number is
        0.
        Of equal scores the first counts as the higher one.

    >>> boxes = [[[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.9], [2.0, 2.0, 3.0, 3.0]]]
    >>> kept, there = nms(boxes, [[0.6, 0.9, 0.7]], max_boxes=3)
    >>> ops.convert_to_numpy(kept).tolist(), ops.convert_to_numpy(there).tolist()
    ([[1, 2, 0]], [[True, True, False]])
    """
    boxes, scores = ops.convert_to_tensor(boxes), ops.convert_to_tensor(scores)
    classes = ops.zeros_like(scores) if classes is None else ops.cast(classes, scores.dtype)
    number = ops.arange(ops.shape(scores)[1], dtype="int32")[None]  # (1, n)
    slots = ops.arange(max_boxes, dtype="int32")[None]  # (1, max_boxes)
    gone = ops.cast(-float("inf"), scores.dtype)

    def step(slot: Tensor, state: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        left, kept, there = state
        best = ops.cast(ops.argmax(left, axis=1), "int32")[:, None]  # (batch, 1)
        score = ops.take_along_axis(left, best, axis=1)
        found = score > gone
        box = ops.take_along_axis(boxes, best[..., None], axis=1)  # (batch, 1, 4)
        same = classes == ops.take_along_axis(classes, best, axis=1)
        removed = (same & (iou(box, boxes) > iou_threshold)) | (number == best)
        here = slots == slot
        kept = ops.where(here & found, best, kept)
        return ops.where(removed & found, gone, left), kept, there | (here & found)

    empty = ops.zeros_like(ops.cast(scores[:, :1], "int32")) + ops.zeros_like(slots)  # (batch, max_boxes)
    start = ops.where(scores > score_threshold, scores, gone), empty, empty > 0
    _, kept, there = ops.fori_loop(0, max_boxes, step, start)
    return kept, there


def best_detections(
    boxes: Tensor,
    scores: Tensor,
    *,
    score_threshold: float = 0.05,
    iou_threshold: float = 0.5,
    max_boxes: int = 100,
    candidates: int = 1000,
) -> dict[str, Tensor]:
    """The boxes that a detector is left with: scores under a threshold go, then doubles, class by class.

    Args:
        boxes: (batch, n, 4), one for all classes, or (batch, n, classes, 4). Those without area go first.
        scores: (batch, n, classes).
        score_threshold, iou_threshold, max_boxes: as in `nms`.
        candidates: how many pairs of a box and a class, the best ones, are looked at.

    Returns:
        "boxes" (batch, max_boxes, 4), "scores" and "classes" (batch, max_boxes), the best first. Where there is none,
        the class is -1 and the rest 0.
    """
    boxes, scores = ops.convert_to_tensor(boxes), ops.convert_to_tensor(scores)
    count, kinds = int(scores.shape[1]), int(scores.shape[2])
    flat = ops.reshape(scores, (-1, count * kinds))
    scores, places = ops.top_k(flat, min(candidates, count * kinds))  # (batch, candidates)
    places = ops.cast(places, "int32")
    classes = places % kinds
    shared = len(boxes.shape) == 3
    boxes = boxes if shared else ops.reshape(boxes, (-1, count * kinds, 4))
    boxes = ops.take_along_axis(boxes, (places // kinds if shared else places)[..., None], axis=1)
    scores = ops.where(area(boxes) > 0, scores, 0.0)
    kept, there = nms(
        boxes,
        scores,
        classes=classes,
        iou_threshold=iou_threshold,
        score_threshold=score_threshold,
        max_boxes=max_boxes,
    )
    return {
        "boxes": ops.where(there[..., None], ops.take_along_axis(boxes, kept[..., None], axis=1), 0.0),
        "scores": ops.where(there, ops.take_along_axis(scores, kept, axis=1), 0.0),
        "classes": ops.where(there, ops.take_along_axis(classes, kept, axis=1), -1),
    }
