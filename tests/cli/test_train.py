"""What `zoo train` says at the end."""

from types import SimpleNamespace

import pytest

import zoo
from zoo import tasks
from zoo.cli import train
from zoo.tasks.base import Task


@pytest.mark.parametrize(("defined", "line"), [(True, "beside no baseline: the set is too large"), (False, None)])
def test_a_missing_baseline_is_explained_where_the_task_defines_some(defined, line, tmp_path, monkeypatch):
    if not defined:
        monkeypatch.setattr(type(tasks.get("image_classification")), "baselines", Task.baselines)
    results = {"metrics": {"loss": 1.0, "accuracy": 0.5}, "baselines": {}, "seed": 0, "seconds": 1.0}
    run = SimpleNamespace(results=results, config={"examples": {"test": 2}}, path=tmp_path)
    card = zoo.info("mlp")
    told = train.summary(run, SimpleNamespace(card=card, recipe=card.recipe("demo"), unchanged=False))
    assert (line or "test accuracy 0.5000 (0.095-0.905) on 2 examples") in told
    assert ("beside" in told) == defined
