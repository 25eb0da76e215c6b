"""What does not belong: how strange an example is by its reconstruction, from where on it is reported, and how well.

A threshold is chosen on good examples that nothing was learned from, for a rate of false alarms that is asked for, and
what the rate is on others is measured.
"""

import logging
import math
from collections.abc import Mapping

import numpy as np

from zoo.data.image.good_images import GoodImages

log = logging.getLogger("zoo")

WINDOWS = 8  # of a heat map, to the length of an image


def heat(x: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Where an output is unlike the image: squared errors, averaged over channels and a window: (n, height, width)."""
    from scipy.ndimage import uniform_filter

    errors = np.square(outputs - x).mean(-1)
    window = max(1, round(min(x.shape[1:3]) / WINDOWS))
    return np.asarray(uniform_filter(errors, size=(1, window, window), mode="nearest"))


def scores(data: GoodImages, x: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """How strange each example is: (n,)."""
    if data.score == "peak" and x.ndim == 4:
        return np.asarray(heat(x, outputs).max((1, 2)))
    return np.asarray(np.square(outputs - x).reshape(len(x), -1).mean(1))


def threshold(good: np.ndarray, false_alarms: float) -> float:
    """The score above which an example is reported, so that a new good one is with at most this probability.

    The k-th smallest of n scores, k = ceil((n + 1) (1 - rate)): V. Vovk, A. Gammerman and G. Shafer, "Algorithmic
    Learning in a Random World", 2005, section 2.2. Too few good ones for the rate: the largest score.

    >>> threshold(np.arange(1, 100), 0.05), threshold(np.arange(5), 0.05)
    (95.0, 4.0)
    """
    ordered = np.sort(good)
    return float(ordered[min(math.ceil((len(good) + 1) * (1 - false_alarms)), len(good)) - 1])


def say_if_few(good: int, false_alarms: float, kind: str = "good") -> None:
    """Say where so few good examples are held out that no threshold of theirs can keep the rate."""
    fewest = math.ceil(1 / false_alarms) - 1
    if good < fewest:
        log.warning(
            f"{good} {kind} examples are held out to choose a threshold; a false-alarm rate of {false_alarms:.1%} "
            f"takes at least {fewest}: expect about {1 / (good + 1):.0%}, or add {kind} ones"
        )


def judged(found: np.ndarray, strange: np.ndarray, limit: float) -> Mapping[str, float]:
    """How well scores tell strange examples from good ones; without strange ones, the false alarms alone.

    >>> scores = judged(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, True]), 2.5)
    >>> {name: round(value, 4) for name, value in scores.items()}
    {'false_alarm_rate': 0.5, 'detection_rate': 0.5, 'auroc': 0.75, 'average_precision': 0.8333}
    """
    metrics = {"false_alarm_rate": float((found[~strange] > limit).mean()) if (~strange).any() else math.nan}
    if strange.any() and not strange.all():
        from sklearn.metrics import average_precision_score, roc_auc_score

        metrics["detection_rate"] = float((found[strange] > limit).mean())
        metrics["auroc"] = float(roc_auc_score(strange, found))
        metrics["average_precision"] = float(average_precision_score(strange, found))
    return metrics
