"""How good predictions are: of classes, from logits, and of numbers. All in NumPy."""

import numpy as np

CALIBRATION_BINS = 15  # of confidence


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax: (examples, classes) to as many probabilities; one logit z stands for the pair (0, z).

    >>> probabilities(np.array([[0.0]]))
    array([[0.5, 0.5]])
    """
    if logits.shape[-1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=-1)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def scores(targets: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    """Metrics of logits (examples, classes) against class numbers (examples,).

    Accuracy; the mean of the classes' recalls (balanced accuracy) and of their F1, which a rare class moves as much as
    a frequent one; and the calibration error.

    >>> scores(np.array([0, 0, 0, 1]), np.array([[2.0, 0.0]] * 4))["balanced_accuracy"]  # always class 0
    0.5
    """
    from sklearn.metrics import f1_score, recall_score

    by_class = probabilities(logits)
    predicted, present = by_class.argmax(-1), np.unique(targets)
    means = {"labels": present, "average": "macro", "zero_division": 0}
    return {
        "accuracy": float(np.mean(predicted == targets)),
        "balanced_accuracy": float(recall_score(targets, predicted, **means)),
        "macro_f1": float(f1_score(targets, predicted, **means)),
        "calibration_error": calibration_error(targets, by_class),
    }


def interval(rate: float, examples: int) -> tuple[float, float]:
    """The 95 % interval of a rate that was counted on so many examples (Wilson 1927).

    Args:
        rate: which part of the examples, 0 to 1.
        examples: how many there are.

    >>> [round(end, 3) for end in interval(0.9722, 360)]  # 10 errors
    [0.95, 0.985]
    """
    from scipy.stats import binomtest

    found = binomtest(round(rate * examples), examples).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def calibration_error(targets: np.ndarray, by_class: np.ndarray) -> float:
    """The mean gap between confidence and accuracy over bins of confidence (Guo 2017, section 2, equation 3).

    Args:
        targets: class numbers (examples,).
        by_class: probabilities (examples, classes).

    >>> calibration_error(np.array([0, 1]), np.array([[0.8, 0.2], [0.8, 0.2]]))  # confidence .8, correct in .5
    0.3...
    """
    confidence, correct = by_class.max(-1), by_class.argmax(-1) == targets
    bins = confidence_bins(confidence)
    gaps = [
        abs(confidence[bins == each].mean() - correct[bins == each].mean()) * (bins == each).mean()
        for each in np.unique(bins)
    ]
    return float(np.sum(gaps))


def confidence_bins(confidence: np.ndarray) -> np.ndarray:
    """Which of `CALIBRATION_BINS` equal parts of 0..1 each confidence (examples,) lies in."""
    return np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)


def errors(targets: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """Mean absolute error, and the root of the mean squared error."""
    residual = predictions - targets
    return {"mae": float(np.mean(np.abs(residual))), "rmse": float(np.sqrt(np.mean(np.square(residual))))}
