"""What `zoo train` says at the end."""

import re
from types import SimpleNamespace

import pytest

import zoo
from zoo import tasks
from zoo.cli import main, train
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


@pytest.mark.slow
def test_a_log_in_a_file_has_a_line_an_epoch_and_says_what_comes_next(tmp_path, capsys):
    """No bars, which are kilobytes of control characters there."""
    command = ["train", "lenet5", "--epochs", "1", "--run", str(tmp_path / "run")]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert not {"\x1b", "\x08", "\r"} & set(told)
    assert re.search(r"^lenet5: 61,706 parameters; \w+ on \d+ cores?$", told, re.MULTILINE)
    assert told.rstrip().endswith(f"next: zoo predict {tmp_path / 'run'} INPUT...")
    assert main([*command[:-1], str(tmp_path / "quiet"), "--quiet"]) == 0
    quiet = capsys.readouterr()
    assert quiet.out.startswith("lenet5, recipe demo, seed 0: test accuracy") and not quiet.err
