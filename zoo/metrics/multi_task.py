"""How well yes/no questions are answered, each by itself and all together, where some answers are not known."""

import numpy as np

UNKNOWN = -1  # in a table of answers, where 1 is yes and 0 is no


def areas(answers: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """The area under the ROC curve of each attribute over what is known of it; NaN where that is all yes or all no.

    Shapes: answers of 1, 0 and -1 and logits, both (examples, attributes), to (attributes,).

    >>> areas(np.array([[1, 1], [0, 1], [1, -1]]), np.array([[2.0, 0.0], [1.0, 0.0], [3.0, 0.0]])).tolist()
    [1.0, nan]
    """
    from sklearn.metrics import roc_auc_score

    found = np.full(answers.shape[1], np.nan)
    for number, (truth, scores) in enumerate(zip(answers.T, logits.T)):
        known = truth != UNKNOWN
        if len(np.unique(truth[known])) == 2:
            found[number] = roc_auc_score(truth[known], scores[known])
    return found


def accuracies(answers: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Which part of the known answers of each attribute are right, yes from a probability of one half on.

    Shapes: as in `areas`. NaN where nothing is known.
    """
    known = answers != UNKNOWN
    return parts(((logits >= 0) == (answers == 1)) & known, known)


def base_rates(answers: np.ndarray) -> np.ndarray:
    """The accuracy of who always gives an attribute's commoner answer: (examples, attributes) to (attributes,).

    >>> base_rates(np.array([[1, 0], [1, 1], [0, -1], [1, -1]])).tolist()
    [0.75, 0.5]
    """
    known = answers != UNKNOWN
    yes = parts(answers == 1, known)
    return np.maximum(yes, 1 - yes)


def parts(some: np.ndarray, of: np.ndarray) -> np.ndarray:
    """By column, how many are true of those that could be; NaN of none."""
    counts = of.sum(0)
    return np.divide(some.sum(0), counts, out=np.full(len(counts), np.nan), where=counts > 0)


def scores(answers: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    """Means over the attributes, and the worst of them: those of which nothing can be measured are left out."""
    auc = areas(answers, logits)
    known = np.isfinite(auc).any()
    return {
        "mean_auc": float(np.nanmean(auc)) if known else float("nan"),
        "worst_auc": float(np.nanmin(auc)) if known else float("nan"),
        "accuracy": float(np.nanmean(accuracies(answers, logits))),
        "base_rate": float(np.nanmean(base_rates(answers))),
    }
