"""Anomaly detection by reconstruction: strangers are kept out, the threshold keeps its promise, folders as people have
them."""

import csv
import json
import logging
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

import zoo
from zoo import cli
from zoo.inference.reopening import reopen
from zoo.tasks import _anomaly as anomaly


def test_the_threshold_keeps_its_promise():
    """Over many draws, new good examples are beyond it as often as was asked for, or less."""
    rng = np.random.default_rng(0)
    rates = [(rng.normal(size=500) > anomaly.threshold(rng.normal(size=60), 0.1)).mean() for _ in range(400)]
    assert 0.08 < np.mean(rates) <= 0.1 + 0.01


def test_too_few_for_the_rate_are_told(caplog):
    anomaly.say_if_few(19, 0.05)
    assert not caplog.text
    anomaly.say_if_few(10, 0.05)
    assert "a false-alarm rate of 5.0% takes at least 19: expect about 9%" in caplog.text


def test_a_small_fault_has_a_peak_and_hardly_a_mean():
    class Data:
        score = "peak"

    good, faulty = np.full((1, 32, 32, 1), 0.3, "float32"), np.full((1, 32, 32, 1), 0.3, "float32")
    faulty[0, 8:12, 20:24] += 1
    x, outputs = np.concatenate([good, faulty]), np.zeros((2, 32, 32, 1), "float32")
    peak = anomaly.scores(Data, x, outputs)
    Data.score = "mean"
    mean = anomaly.scores(Data, x, outputs)
    assert peak[1] / peak[0] > 10 > 2 > mean[1] / mean[0]
    where = np.unravel_index(anomaly.heat(x, outputs)[1].argmax(), (32, 32))
    assert 8 <= where[0] < 12 and 20 <= where[1] < 24


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return zoo.train("autoencoder", run=tmp_path_factory.mktemp("runs") / "run", epochs=20, strange="8", verbose=0)


def test_a_class_is_held_out_and_found(run):
    data = reopen(run, with_source=True).data
    assert data.strange == (8,)
    assert not any((data.arrays(split)[1] == 8).any() for split in ("train", "validation"))
    assert (data.arrays("test")[1] == 8).sum() > 30
    assert run.config["examples"]["train"] == len(data.arrays("train")[0])
    metrics = run.metrics
    assert {"threshold", "false_alarm_rate", "detection_rate", "auroc", "average_precision"} <= set(metrics)
    assert metrics["auroc"] > 0.8 and metrics["false_alarm_rate"] < 0.15
    assert zoo.evaluate(run) == pytest.approx(metrics, abs=1e-5)


def test_the_area_is_that_of_the_reconstruction_errors(run):
    trained = reopen(run, with_source=True)
    x, y = trained.data.arrays("test")
    errors = np.square(trained.network.predict(x) - x).reshape(len(x), -1).mean(1)
    assert run.metrics["auroc"] == pytest.approx(roc_auc_score(y == 8, errors), abs=1e-6)
    assert run.metrics["mse"] == pytest.approx(errors[y != 8].mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"strange": "11"}, "class of digits:1.0.0 '11'"),
        ({"false_alarms": 1.5}, "false_alarms is 1.5; expected a fraction above 0 and below 1"),
        ({"score": "maximum"}, "there is no score 'maximum'"),
    ],
)
def test_what_cannot_be_is_said(tmp_path, words, told):
    with pytest.raises(zoo.UsageError, match=told):
        zoo.train("autoencoder", run=tmp_path / "run", verbose=0, epochs=1, **words)


# A folder of good images


def drawn(folder, count, *, scratched=False, start=0):
    """Grey rings that differ in place and width; some with a white scratch."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(start)
    i, j = np.mgrid[:16, :16]
    for number in range(count):
        y, x, width = rng.uniform(6, 9), rng.uniform(6, 9), rng.uniform(1.2, 2)
        image = 200 * np.exp(-(((np.hypot(i - y, j - x) - 5) / width) ** 2))
        if scratched:
            row = rng.integers(2, 12)
            image[row : row + 3, 3:13] = 255
        Image.fromarray(image.astype("uint8")).convert("RGB").save(folder / f"{start + number}.png")


SETTINGS = dict(epochs=25, units=(32,), code_size=6, cover=(16, 16), verbose=0)


@pytest.fixture(scope="module")
def good_run(tmp_path_factory):
    root = tmp_path_factory.mktemp("good")
    drawn(root / "GOOD", 120)
    return zoo.train("autoencoder", data=root / "GOOD", run=root / "run", **SETTINGS)


@pytest.mark.slow
def test_a_flat_folder_of_good_images_is_enough(good_run, tmp_path, capsys):
    assert good_run.config["recipe"]["name"] == "folder" and "auroc" not in good_run.metrics
    assert good_run.config["examples"] == {"train": 86, "validation": 10, "test": 24}
    drawn(tmp_path / "new", 1, start=900)
    drawn(tmp_path / "new", 1, start=901, scratched=True)
    paths = [str(tmp_path / "new" / name) for name in ("900.png", "901.png")]
    assert cli.main(["predict", str(good_run.path), *paths, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    good, faulty = (
        float(re.search(rf"{name}: peak of the squared error ([\d.]+)", said)[1]) for name in ("900.png", "901.png")
    )
    assert faulty > 2 * good
    assert re.search(r"901.png: peak of the squared error [\d.]+: strange \(normal up to", said)
    assert (tmp_path / "out" / "901-where.png").exists()


def test_a_folder_of_new_ones_is_a_table(tmp_path, capsys):
    """What cannot be read is left out and told; more than eight are not drawn."""
    drawn(tmp_path / "GOOD", 24)
    settings = {**SETTINGS, "epochs": 1}
    run = zoo.train("autoencoder", data=tmp_path / "GOOD", run=tmp_path / "run", **settings)
    drawn(tmp_path / "new", 8, start=900)
    (tmp_path / "new" / "broken.jpg").write_text("no image")
    ask = ["predict", str(run.path), str(tmp_path / "new"), "--out", str(tmp_path / "out")]
    assert cli.main([*ask, "--csv"]) == 1
    told = capsys.readouterr()
    assert "9 images, none drawn: up to 8 at a time are" in told.err and "1 of 9 images could not be read" in told.err
    rows = [*csv.DictReader(told.out.splitlines())]
    assert [Path(row["input"]).name for row in rows] == [f"{number}.png" for number in range(900, 908)]
    assert not (tmp_path / "out").exists()
    found = zoo.load(run)([str(tmp_path / "new" / "900.png"), np.zeros((20, 16), "uint8")])
    assert [each.input for each in found] == [str(tmp_path / "new" / "900.png"), "image 1"]
    assert f"{found[0].score:.4f}" == f"{float(rows[0]['score']):.4f}"
    assert found[0].threshold == pytest.approx(run.metrics["threshold"])
    assert str(found[0].strange) == rows[0]["strange"]
    assert cli.main([*ask[:2], str(tmp_path / "new" / "broken.jpg")]) == 2
    assert cli.main([*ask, "--top", "3"]) == 2
    told = capsys.readouterr().err
    assert "broken.jpg is not an image" in told and "autoencoder tells no classes apart; top is for" in told
    assert cli.main([*ask[:2], str(tmp_path / "new" / "900.png"), *ask[3:], "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert Path(record["where"]).exists() and Path(record["reconstruction"]).exists()


@pytest.mark.slow
def test_folders_of_others_in_test_are_strange(tmp_path, caplog):
    for split, count, start in (("train", 90, 0), ("test", 20, 100)):
        drawn(tmp_path / "DATA" / split / "good", count, start=start)
    drawn(tmp_path / "DATA" / "test" / "scratch", 20, start=200, scratched=True)
    with caplog.at_level(logging.INFO, "zoo"):
        run = zoo.train("autoencoder", data=tmp_path / "DATA", run=tmp_path / "run", **SETTINGS)
    assert run.metrics["auroc"] > 0.95 and run.metrics["average_precision"] > 0.9
    assert run.config["examples"]["train"] == 81, "a tenth is held out to choose the threshold"
    assert zoo.evaluate(run) == pytest.approx(run.metrics, abs=1e-5)


def test_too_few_good_images_are_refused(tmp_path):
    drawn(tmp_path / "GOOD", 5)
    with pytest.raises(zoo.UsageError, match="has 5 different good images that can be read; expected at least 20"):
        zoo.train("autoencoder", data=tmp_path / "GOOD", run=tmp_path / "run", verbose=0)
    (tmp_path / "EMPTY").mkdir()
    with pytest.raises(zoo.UsageError, match="holds no images; expected good ones"):
        zoo.train("autoencoder", data=tmp_path / "EMPTY", run=tmp_path / "run", verbose=0)
