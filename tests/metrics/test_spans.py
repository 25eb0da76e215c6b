"""Span F1 beside the program that everyone uses, and beside numbers that were computed with it (seqeval 1.2.2)."""

import numpy as np
import pytest

from zoo.metrics.spans import span_f1

TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-a-b", "I-a-b"]
RECORDED = {0: 0.744444, 1: 0.807692, 2: 0.753541}  # by seed


def drawn(seed):
    """Tags at random, in which an I may stand anywhere, and others that are the same at half of the places."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 12, 40)
    targets = [list(rng.choice(TAGS, length)) for length in lengths]
    return targets, [[tag if rng.random() < 0.8 else rng.choice(TAGS) for tag in row] for row in targets]


@pytest.mark.parametrize("seed", RECORDED)
def test_recorded(seed):
    assert span_f1(*drawn(seed)) == pytest.approx(RECORDED[seed], abs=5e-7)


@pytest.mark.parametrize("seed", range(20))
def test_equals_seqeval(seed):
    metrics = pytest.importorskip("seqeval.metrics")
    assert span_f1(*drawn(seed)) == pytest.approx(metrics.f1_score(*drawn(seed)), abs=1e-12)


def test_no_spans_at_all():
    assert span_f1([["O"]], [["O"]]) == 0
