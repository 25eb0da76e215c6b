"""Every name's demo learns: it does better than a guess. Slow: each is trained as its recipe says."""

import pytest

import zoo
from zoo import tasks
from zoo.tasks.base import Task

NAMES = [
    name
    for name in zoo.list_models()
    if not zoo.info(name).baseline and type(tasks.get(zoo.info(name).task)).baselines is not Task.baselines
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_demo_does_better_than_the_weakest_baseline(name, tmp_path):
    run = zoo.train(name, run=tmp_path / "run", verbose=0)
    task = tasks.get(zoo.info(name).task)
    headline = task.headline(run.metrics)
    value, baselines = run.metrics[headline], run.results["baselines"]
    assert headline != "loss" and baselines, "there is nothing to compare with"
    if task.minimize:
        assert value < 0.95 * max(baselines.values()), f"{headline} {value:.4f} beside {baselines}"
    else:
        assert value > 1.05 * min(baselines.values()) + 0.02, f"{headline} {value:.4f} beside {baselines}"


def test_most_names_are_looked_at():
    assert {"glove", "cbow", "skipgram_softmax", "window_lm", "lenet5", "gpt", "transformer", "conv1d"} <= {*NAMES}
