"""Figures of retrieval and verification: by hand, and against loops and scikit-learn."""

import tracemalloc

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from zoo.metrics import retrieval

rng = np.random.default_rng(0)
LABELS = np.repeat(np.arange(6), [1, 2, 3, 8, 10, 16])
POINTS = rng.normal(size=(40, 3)) + 0.7 * rng.normal(size=(6, 3))[LABELS]


def by_loops(points, labels):
    first, five, precision = [], [], []
    for query in range(len(labels)):
        rest = [row for row in range(len(labels)) if row != query]
        d = [np.linalg.norm(points[query] - points[row]) for row in rest]
        hits = labels[rest] == labels[query]
        if not hits.any():
            continue
        ranked = hits[np.argsort(d)]
        first.append(ranked[0])
        five.append(ranked[:5].any())
        precision.append(average_precision_score(hits, -np.array(d)))
    return {"recall@1": np.mean(first), "recall@5": np.mean(five), "mAP": np.mean(precision)}


def test_retrieval_against_loops(monkeypatch):
    monkeypatch.setattr(retrieval, "QUERIES_AT_A_TIME", 7)
    found = retrieval.retrieval(POINTS, LABELS)
    assert found == pytest.approx(by_loops(POINTS, LABELS))
    assert 0.2 < found["recall@1"] < 0.95


def test_a_query_does_not_find_itself():
    ranked = retrieval.neighbours(POINTS, np.arange(40))
    assert ranked.shape == (40, 39)
    assert not (ranked == np.arange(40)[:, None]).any()


def test_points_without_order_are_as_good_as_a_guess():
    labels = np.arange(1000) % 10
    found = retrieval.retrieval(np.random.default_rng(1).normal(size=(1000, 8)), labels)
    assert found["recall@1"] == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("max_pairs", [10_000, 30])
def test_pairs_are_balanced_different_and_what_they_say(max_pairs):
    rows, same = retrieval.pairs(LABELS, max_pairs=max_pairs)
    assert same.sum() == (~same).sum() == min(max_pairs, 0 + 1 + 3 + 28 + 45 + 120)
    assert (rows[:, 0] < rows[:, 1]).all() and len(np.unique(rows, axis=0)) == len(rows)
    np.testing.assert_array_equal(LABELS[rows[:, 0]] == LABELS[rows[:, 1]], same)
    again, _ = retrieval.pairs(LABELS, max_pairs=max_pairs)
    np.testing.assert_array_equal(rows, again)


def test_pairs_of_which_there_are_few():
    _, same = retrieval.pairs(np.array([0] * 9 + [1]))
    assert same.sum() == 36 and (~same).sum() == 9  # no more than those


@pytest.mark.parametrize("seed", range(5))
def test_no_threshold_makes_fewer_mistakes(seed):
    rng = np.random.default_rng(seed)
    found, same = rng.integers(0, 20, 60) / 10, rng.random(60) < 0.5
    threshold = retrieval.best_threshold(found, same)
    right = [np.mean((found <= cut) == same) for cut in np.concatenate([[-1], np.unique(found)])]
    assert np.mean((found <= threshold) == same) == pytest.approx(max(right))


def test_verification_counts_right_answers():
    found, same = np.array([0.1, 0.6, 0.4, 0.9]), np.array([True, True, False, False])
    figures = retrieval.verification(found, same, 0.5)
    assert figures == {"accuracy": 0.5, "auc": roc_auc_score(same, -found)}


def test_spread_is_that_of_a_sphere_or_of_a_point():
    points = np.random.default_rng(0).normal(size=(5000, 32))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    assert retrieval.embedding_std(points) == pytest.approx(1.0, abs=0.01)
    assert retrieval.embedding_std(np.repeat(points[:1], 10, 0)) == pytest.approx(0.0, abs=1e-6)


def test_pairs_of_large_classes_are_drawn_without_writing_all_of_them_down():
    """Two classes of 20,000 have 400 million pairs."""
    tracemalloc.start()
    try:
        rows, same = retrieval.pairs(np.repeat([4, 7], 20_000))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**25 and same.sum() == (~same).sum() == 10_000
    assert (rows[same, 0] < rows[same, 1]).all() and (rows[same] // 20_000).std(axis=1).max() == 0
    assert len(np.unique(rows[same], axis=0)) == 10_000


@pytest.mark.parametrize("count", [2, 3, 9])
def test_all_pairs_of_a_small_class_are_there(count):
    rows, same = retrieval.pairs(np.array([0] * count + [1] * 50), max_pairs=10_000)
    of_it = rows[same][rows[same, 1] < count]
    assert of_it.tolist() == np.transpose(np.triu_indices(count, 1)).tolist()
