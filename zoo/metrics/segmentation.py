"""How well pixels are told apart: intersection over union (IoU) of each class, from one table of counts."""

import numpy as np

IGNORED = 255  # in a mask of class numbers: this pixel does not count


def confusion(targets: np.ndarray, predicted: np.ndarray, num_classes: int, ignored: int = IGNORED) -> np.ndarray:
    """How many pixels of each class (row) were taken for each class (column), without those that do not count.

    >>> confusion(np.array([0, 0, 1, 255]), np.array([0, 1, 1, 0]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    counts = np.asarray(targets).ravel() != ignored
    targets, predicted = np.asarray(targets).ravel()[counts], np.asarray(predicted).ravel()[counts]
    pairs = targets.astype("int64") * num_classes + predicted
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def intersection_over_union(table: np.ndarray) -> np.ndarray:
    """Of each class, from a `confusion`: pixels that are both over those that are either; NaN where there are none."""
    both = np.diagonal(table).astype("float64")
    either = table.sum(0) + table.sum(1) - both
    return np.divide(both, either, out=np.full(len(table), np.nan), where=either > 0)


def scores(table: np.ndarray) -> dict[str, float]:
    """Mean IoU over the classes that are or were said to be there, as `keras.metrics.MeanIoU`; accuracy of pixels.

    >>> scores(np.array([[3, 1], [0, 2]]))["mean_iou"] == (3 / 4 + 2 / 3) / 2
    True
    """
    return {
        "mean_iou": float(np.nanmean(intersection_over_union(table))),
        "pixel_accuracy": float(np.diagonal(table).sum() / max(table.sum(), 1)),
    }
