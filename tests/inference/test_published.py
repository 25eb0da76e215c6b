"""Published weights, measured on images of the user's own."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.cli import main
from zoo.inference import pretrained, published

INDEX = Path("/work/shared/weights/imagenet_class_index.json")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "random.weights.h5"
    zoo.build("resnet18").save_weights(path)
    return path


@pytest.fixture(scope="module")
def photos(weights, tmp_path_factory):
    """Five images: one in the folder of the class that it is taken for, one of its third, three of an unlikely one."""
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 255, (40, 50, 3), dtype="uint8")) for _ in range(5)]
    ready = zoo.load("resnet18", weights=weights, preprocessing="torch")
    for number, (image, each) in enumerate(zip(images, ready(images))):
        places = np.argsort(-each.logits, kind="stable")
        place = int(places[{0: 0, 1: 2}.get(number, 500 + number)])
        folder = root / (published.wordnet()[place][0] if number else str(place))
        folder.mkdir(exist_ok=True)
        image.save(folder / f"{number}.png")
    (folder / "page.png").write_text("<html>")
    return root


def test_top_1_and_top_5_are_counted(photos, weights, caplog):
    found = published.measure("resnet18", photos, weights=weights, preprocessing="torch")
    assert found.metrics == {"accuracy": pytest.approx(0.2), "top5_accuracy": pytest.approx(0.4)}
    assert found.examples == 5 == sum(row["images"] for row in found.confusion)
    assert sum(row["images"] for row in found.confusion if row["class"] == row["predicted"]) == 1
    assert "page.png is not an image" in caplog.text and not found.published
    assert zoo.evaluate("resnet18", data=photos, weights=weights, preprocessing="torch") == found.metrics


@pytest.mark.slow
def test_the_command_line_writes_the_confusion(photos, weights, tmp_path, capsys):
    command = ["evaluate", "resnet18", "--weights", str(weights), "--preprocessing", "torch", "--data", str(photos)]
    assert main([*command, "--confusion", str(tmp_path / "confusion.csv"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["metrics"]["accuracy"] == pytest.approx(0.2) and told["examples"] == 5
    rows = list(csv.DictReader((tmp_path / "confusion.csv").open(encoding="utf-8")))
    assert sum(int(row["images"]) for row in rows) == 5
    assert main([*command, "--confusion", str(tmp_path / "confusion.csv")]) == 2
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("folder", "says"),
    [
        ("nowhere", "nowhere is no folder; expected one with a sub-folder of images for each class"),
        ("empty", "holds no images"),
        ("strange", "there is no class of ImageNet 'tenchh'; did you mean tench"),
        ("twice", "ImageNet has two classes called crane, n02012849 and n03126707; expected one of these numbers"),
    ],
)
def test_wrong_folders_are_refused_before_anything_is_fetched(folder, says, tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "ready", lambda *parts, **settings: pytest.fail("fetched"))
    (tmp_path / "empty" / "tench").mkdir(parents=True)
    for name, label in {"strange": "tenchh", "twice": "crane"}.items():
        (tmp_path / name / label).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name / label / "a.png")
    with pytest.raises(zoo.UsageError, match=says):
        published.measure("resnet18", tmp_path / folder)


def test_a_name_wants_images_and_a_run_no_weights(tmp_path, capsys):
    assert main(["evaluate", "resnet18"]) == 2
    assert "resnet18 is the name of a network; expected the folder of a run, or images: --data FOLDER" in (
        capsys.readouterr().err
    )


def test_published_figures_stand_beside(monkeypatch):
    card = zoo.info("resnet50")
    tag = next(each for each in card.weights if each.tag == "imagenet")
    assert {each.metric for each in tag.published} >= {"accuracy", "top5_accuracy"}


@pytest.mark.skipif(not INDEX.is_file(), reason="the file of class names that Keras publishes is not here")
def test_the_classes_are_those_that_keras_publishes():
    table = json.loads(INDEX.read_text())
    assert [*published.wordnet()] == [(table[str(n)][0], table[str(n)][1].replace("_", " ")) for n in range(1000)]


def test_there_are_a_thousand_classes():
    assert len({number for number, _ in published.wordnet()}) == len(pretrained.class_names(1000)) == 1000
