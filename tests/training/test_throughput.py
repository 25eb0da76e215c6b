"""Throughput: what is measured, and what cannot be."""

import numpy as np
import pytest

import zoo
from zoo.data.batching import Batches
from zoo.training import throughput


@pytest.mark.parametrize("groups", [[], [np.zeros(0, int)]])
def test_a_pipeline_without_examples_is_refused(groups):
    empty = Batches(lambda rows: (np.zeros((len(rows), 2)), rows), lambda: groups)
    with pytest.raises(zoo.UsageError, match="the batches of training hold no example"):
        throughput.pipeline_rate(empty, seconds=0.01)
