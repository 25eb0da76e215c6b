"""What `zoo diagnose` finds in a finished run."""

import csv
import json

import numpy as np
import pytest

import zoo
from zoo.cli import main

SIZE = (4, 4, 1)


def digits(count, seed, moved=0):
    """Two classes: the left or the right half is bright."""
    random = np.random.default_rng(seed)
    y = random.integers(2, size=count)
    x = random.uniform(0, 0.4, (count, *SIZE))
    for image, label in zip(x, y):
        image[:, 2 * label : 2 * label + 2] += 0.5
    return np.roll(x, moved, axis=2).astype("float32"), y


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("diagnosis")


def arrays(moved=0):
    parts = {"train": digits(80, 0), "val": digits(40, 1), "test": digits(40, 2, moved)}
    return {f"{letter}_{split}": part for split, pair in parts.items() for letter, part in zip("xy", pair)}


@pytest.fixture(scope="module")
def run(folder):
    np.savez(folder / "mine.npz", **arrays())
    np.savez(folder / "moved.npz", **arrays(moved=2))  # left and right exchanged
    settings = {"hidden": (8,), "epochs": 12, "learning_rate": 0.02, "verbose": 0}
    return zoo.train("mlp", data=folder / "mine.npz", run=folder / "run", **settings)


def test_data_of_another_kind_are_a_mismatch(run, folder):
    found = zoo.diagnose(run, human=0.01, target=folder / "moved.npz", folder=folder / "out")
    assert found.holds_back == ("mismatch",) and found.looked_at == "target"
    assert found.errors["test"] == pytest.approx(1 - run.metrics["accuracy"])
    assert found.errors["target"] == pytest.approx(1 - zoo.evaluate(run, data=folder / "moved.npz")["accuracy"])
    assert len(found.mistakes) == round(40 * found.errors["target"]) == sum(row["errors"] for row in found.by_class)
    names = {"gaps.csv", "gaps.png", "by_class.csv", "by_class.png", "errors.csv"}
    assert {path.name for path in (folder / "out").iterdir()} == names
    with pytest.raises(zoo.UsageError, match="out is there already; choose another"):
        zoo.diagnose(run, folder=folder / "out")


def test_without_a_target_nothing_is_wrong(run):
    found = zoo.diagnose(run)
    assert found.holds_back == () and found.looked_at == "validation"
    assert [gap.at for gap in found.gaps] == ["training", "validation", "test"]


def test_tags_count_the_errors_by_kind(run, folder):
    found = zoo.diagnose(run, target=folder / "moved.npz")
    wrong = [row["example"] for row in found.mistakes]
    with (folder / "tags.csv").open("w", newline="") as file:
        csv.writer(file).writerows([(wrong[0], "blurred", "dark"), (wrong[1], "dark"), (wrong[2], "odd")])
    rows = zoo.diagnose(run, target=folder / "moved.npz", tags=folder / "tags.csv").by_tag
    assert [(row["kind"], row["errors"]) for row in rows] == [("dark", 2), ("blurred", 1), ("odd", 1)]
    (folder / "tags.csv").write_text("999,dark\n")
    with pytest.raises(zoo.UsageError, match="there is no example '999' in the target set"):
        zoo.diagnose(run, target=folder / "moved.npz", tags=folder / "tags.csv")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"human": 1.5}, "human is 1.5; expected an error rate from 0 to 1"),
        ({"human": "1%"}, "human is '1%'; expected an error rate"),
        ({"target": "nowhere"}, "'nowhere', which is not there; expected the path"),
        ({"tags": "none.csv"}, "none.csv cannot be read as a table of tags"),
    ],
)
def test_what_cannot_be_diagnosed_by_is_one_line(change, says, run):
    with pytest.raises(zoo.UsageError, match=says):
        zoo.diagnose(run, **change)


def test_a_target_of_other_classes(run, folder):
    data = arrays()
    for split in ("train", "val", "test"):
        data[f"y_{split}"] = np.arange(len(data[f"y_{split}"])) % 3
    np.savez(folder / "three.npz", **data)
    with pytest.raises(zoo.UsageError, match="has the classes 0, 1, 2; the run tells 0, 1 apart"):
        zoo.diagnose(run, target=folder / "three.npz")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda config: config.update(model="lagged_linear"), "lagged_linear cannot diagnose; "),
        (lambda config: config.update(part="fold 1 of 5"), "is measured on fold 1 of 5; expected a run with a"),
        (lambda config: config["recipe"].update(validation="test"), "has no validation set of its own: it is the test"),
    ],
)  # fmt: skip
def test_a_run_that_cannot_be_diagnosed(change, says, run, folder):
    other = folder / f"other-{len(list(folder.iterdir()))}"
    other.mkdir()
    for name in ("model.keras", "metrics.json"):
        (other / name).write_bytes((run.path / name).read_bytes())
    config = run.config
    change(config)
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(zoo.UsageError, match=says):
        zoo.diagnose(other)


def test_the_command_prints_the_rises_and_what_to_do(run, folder, capsys):
    moved = str(folder / "moved.npz")
    assert main(["diagnose", str(run.path), "--human", "0.01", "--target", moved]) == 0
    told = capsys.readouterr().out
    assert "what holds it back: mismatch\n  mismatch: look at errors on the target set" in told
    assert (run.path / "diagnosis" / "gaps.png").is_file()
    assert main(["diagnose", str(run.path), "--target", moved, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["holds_back"] == ["mismatch"] and found["folder"].endswith("diagnosis-2")
    assert main(["diagnose", str(run.path), "--human", "2"]) == 2
    assert "--human is 2.0; expected an error rate" in capsys.readouterr().err
