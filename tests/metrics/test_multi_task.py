"""AUC and accuracy of several attributes, over what is known of each."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from zoo.metrics import multi_task as metrics

ANSWERS = np.array([[1, 0, 1], [0, 1, 1], [1, -1, 1], [0, 0, -1]])
LOGITS = np.array([[2.0, 1.0, -1.0], [-1.0, 3.0, 1.0], [-2.0, 9.0, 2.0], [-3.0, -1.0, 9.0]])


def test_by_hand():
    """3 of 4 pairs in order, all of both pairs, and one answer only; 3 of 4, 2 of 3 and 2 of 3 right."""
    assert metrics.areas(ANSWERS, LOGITS).tolist() == pytest.approx([0.75, 1.0, np.nan], nan_ok=True)
    assert metrics.accuracies(ANSWERS, LOGITS).tolist() == pytest.approx([3 / 4, 2 / 3, 2 / 3])
    assert metrics.base_rates(ANSWERS).tolist() == pytest.approx([1 / 2, 2 / 3, 1])
    found = metrics.scores(ANSWERS, LOGITS)
    assert found["mean_auc"] == pytest.approx(0.875) and found["worst_auc"] == 0.75
    assert found["accuracy"] == pytest.approx((3 / 4 + 2 / 3 + 2 / 3) / 3)


def test_a_column_of_its_own_is_scikit_learns():
    rng = np.random.default_rng(0)
    answers, logits = rng.integers(-1, 2, (200, 3)), rng.normal(size=(200, 3))
    for number, area in enumerate(metrics.areas(answers, logits)):
        known = answers[:, number] >= 0
        assert area == roc_auc_score(answers[known, number], logits[known, number])


def test_nothing_that_could_be_measured():
    found = metrics.scores(np.ones((3, 2)), np.zeros((3, 2)))
    assert np.isnan(found["mean_auc"]) and np.isnan(found["worst_auc"]) and found["accuracy"] == 1
    empty = metrics.base_rates(np.array([[-1, 1], [-1, 0]]))
    assert np.isnan(empty[0]) and empty[1] == 0.5
