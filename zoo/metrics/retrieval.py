"""How good distances are: is the nearest image of the same class (retrieval), and can one threshold tell same from
different (verification)?

Everything here is NumPy on distances or on labels; nothing knows of networks.
"""

from collections.abc import Callable

import numpy as np

Distances = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (a, d), (b, d) -> (a, b): small is alike
MAX_PAIRS = 10_000  # of one class, and as many of two, for verification
QUERIES_AT_A_TIME = 256  # that are ranked


def euclidean(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Straight-line distances between all rows of a and of b.

    >>> euclidean(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[5.0, 0.0]]
    """
    a, b = a.astype("float32"), b.astype("float32")
    squared = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2.0 * a @ b.T
    return np.sqrt(np.maximum(squared, 0.0))


def neighbours(embeddings: np.ndarray, queries: np.ndarray, distances: Distances = euclidean) -> np.ndarray:
    """For each query (a row number of `embeddings`) all other rows, the nearest first: numbers (queries, n - 1)."""
    ranked = []
    for start in range(0, len(queries), QUERIES_AT_A_TIME):
        rows = queries[start : start + QUERIES_AT_A_TIME]
        found = distances(embeddings[rows], embeddings)
        found[np.arange(len(rows)), rows] = -np.inf  # itself comes first, and is dropped
        ranked.append(np.argsort(found, axis=1, kind="stable")[:, 1:])
    return np.concatenate(ranked)


def retrieval(embeddings: np.ndarray, labels: np.ndarray, distances: Distances = euclidean) -> dict[str, float]:
    """Each image is searched for among all others.

    Returns:
        recall@1 and recall@5: the fraction of queries with an image of their class among the 1 or 5 nearest;
        mAP: the mean over the queries of their average precision, the mean over the images of the query's class of
        the precision at their rank. Images without another of their class are no queries.

    >>> embeddings = np.array([[0.0], [1.0], [5.0], [5.5]])
    >>> {name: round(value, 3) for name, value in retrieval(embeddings, np.array([0, 0, 0, 1])).items()}
    {'recall@1': 0.667, 'recall@5': 1.0, 'mAP': 0.861}
    """
    counts = dict(zip(*np.unique(labels, return_counts=True)))
    queries = np.flatnonzero([counts[label] > 1 for label in labels])
    first, five, precision = [], [], []
    for start in range(0, len(queries), QUERIES_AT_A_TIME):
        rows = queries[start : start + QUERIES_AT_A_TIME]
        hits = labels[neighbours(embeddings, rows, distances)] == labels[rows, None]  # (queries, n - 1)
        first.append(hits[:, 0])
        five.append(hits[:, :5].any(1))
        at_rank = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
        precision.append((at_rank * hits).sum(1) / hits.sum(1))
    metrics = {"recall@1": first, "recall@5": five, "mAP": precision}
    return {name: float(np.mean(np.concatenate(values))) for name, values in metrics.items()}


def pairs(labels: np.ndarray, seed: int = 0, max_pairs: int = MAX_PAIRS) -> tuple[np.ndarray, np.ndarray]:
    """As many pairs of one class as of two, at most `max_pairs` of each, drawn by the seed: row numbers (pairs, 2), and
    whether they are of one class (pairs,).

    >>> rows, same = pairs(np.array([3, 3, 4, 4]))
    >>> rows[same].tolist(), len(rows)
    ([[0, 1], [2, 3]], 4)
    """
    rng = np.random.default_rng(seed)
    of_each: list[np.ndarray] = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        earlier = np.cumsum(np.arange(len(rows), 0, -1)) - len(rows)  # pairs, by their first row
        count = len(rows) * (len(rows) - 1) // 2
        numbers = np.arange(count) if count <= max_pairs else rng.choice(count, max_pairs, replace=False)
        one = np.searchsorted(earlier, numbers, side="right") - 1
        of_each.append(np.stack([rows[one], rows[numbers - earlier[one] + one + 1]], axis=1))
    alike = np.concatenate(of_each)
    if len(alike) > max_pairs:
        alike = alike[np.sort(rng.choice(len(alike), max_pairs, replace=False))]
    different = np.empty((0, 2), int)
    while len(different) < len(alike):  # draws of one class are thrown away, and so are repeated ones
        drawn = np.sort(rng.integers(0, len(labels), (2 * len(alike) + 10, 2)), axis=1)
        drawn = drawn[labels[drawn[:, 0]] != labels[drawn[:, 1]]]
        before, different = len(different), np.unique(np.concatenate([different, drawn]), axis=0)
        if len(different) == before and len(drawn):  # there are no more
            break
    different = different[rng.permutation(len(different))[: len(alike)]]
    rows = np.concatenate([alike, different])
    return rows, np.arange(len(rows)) < len(alike)


def best_threshold(found: np.ndarray, same: np.ndarray) -> float:
    """The distance up to which pairs are predicted to be the same with the fewest mistakes: half way between two that
    occur.

    Args:
        found: the distance of each pair, (pairs,).
        same: whether it shows one class, (pairs,).

    >>> best_threshold(np.array([0.1, 0.2, 0.5, 0.4, 0.9]), np.array([True, True, True, False, False]))
    0.3...
    """
    order = np.argsort(found, kind="stable")
    found, same = found[order], same[order]
    gain = np.concatenate([[0], np.cumsum(np.where(same, 1, -1))])  # correct ones, by how many are predicted the same
    cuts = np.concatenate([[np.nextafter(found[0], -np.inf)], (found[1:] + found[:-1]) / 2, [found[-1]]])
    possible = np.concatenate([[True], found[1:] > found[:-1], [True]])  # equal distances are predicted alike
    return float(cuts[np.argmax(np.where(possible, gain, -np.inf))])


def verification(found: np.ndarray, same: np.ndarray, threshold: float) -> dict[str, float]:
    """Same or different? The fraction of correct predictions at a threshold, and the area under the ROC curve."""
    from sklearn.metrics import roc_auc_score

    return {
        "accuracy": float(np.mean((found <= threshold) == same)),
        "auc": float(roc_auc_score(same, -found)),
    }


def embedding_std(embeddings: np.ndarray) -> float:
    """How far embeddings of unit length lie from their mean: the root of the mean square, 0 if all are one, at most 1.

    >>> embedding_std(np.array([[1.0, 0.0], [-1.0, 0.0]])), embedding_std(np.array([[1.0, 0.0], [1.0, 0.0]]))
    (1.0, 0.0)
    """
    return float(np.sqrt(np.mean(np.sum(np.square(embeddings - embeddings.mean(0)), axis=1))))
