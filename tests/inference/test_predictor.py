"""A predictor that stays in memory: what it takes, what it gives, and what the command line makes of it."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo import plots
from zoo.cli import main
from zoo.data.sources import tensorflow
from zoo.inference import predictor


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """LeNet-5 after two epochs of digits."""
    return zoo.train("lenet5", run=tmp_path_factory.mktemp("runs") / "digits", epochs=2, verbose=0)


@pytest.fixture(scope="module")
def ready(run):
    return zoo.load(run)


@pytest.fixture(scope="module")
def images():
    images, _ = next(iter(zoo.load_data("digits", split="test", batch_size=20, scaling="none")))
    return np.asarray(images).astype("uint8")  # (20, height, width, 1)


@pytest.fixture(scope="module")
def photos(images, tmp_path_factory):
    """Twenty files, the last two in a sub-folder."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "more").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image[..., 0]).save(folder / ("more" if number > 17 else "") / f"{number:02}.png")
    (folder / "notes.txt").write_text("no image")
    (folder / ".hidden.png").write_text("no image either")
    return folder


def test_a_record_holds_all_classes_the_likeliest_first(ready, run, photos):
    (found,) = ready(photos / "00.png")
    assert found.input == str(photos / "00.png") and sorted(found.labels) == sorted(ready.class_names)
    assert np.all(np.diff(found.probabilities) <= 0) and found.probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert found.logits.shape == (10,) and ready.class_names[found.logits.argmax()] == found.label
    exp = np.exp(found.logits - found.logits.max())
    assert found.probability == pytest.approx(exp.max() / exp.sum(), rel=1e-4)
    assert [str(found)] == zoo.predict(run, photos / "00.png")


def test_files_pil_images_arrays_and_datasets_are_answered_alike(ready, images, photos):
    files = sorted(photos.glob("*.png"))[1:]
    expected = np.stack([each.logits for each in ready([str(file) for file in files])])
    some = images[:18]
    batches = tensorflow().data.Dataset.from_tensor_slices((some, np.zeros(18))).batch(7)
    ways = {
        "PIL": [Image.open(file) for file in files],
        "arrays": [*some],
        "a batch": some,
        "fractions": some / 255.0,
        "grey": [each[..., 0] for each in some],
        "colour": np.repeat(some, 3, axis=-1),
        "dataset": batches,
        "unbatched": batches.unbatch(),
    }
    for way, given in ways.items():
        found = ready(given, batch_size=5)
        np.testing.assert_allclose([each.logits for each in found], expected, rtol=1e-4, atol=1e-4, err_msg=way)
    assert [each.input for each in found[:2]] == ["image 0", "image 1"]
    assert ready(ways["PIL"])[0].input.endswith("00.png")


def test_what_is_unlike_the_training_is_said(tmp_path, caplog):
    """Of a run on images as they are: the demo's own recipe turns dark on light over."""
    x, y = np.zeros((60, 28, 28), "uint8"), np.arange(60) % 3
    for image, label in zip(x, y):
        image[9 * label : 9 * label + 8, 10:18] = 255
    plain = zoo.records.replace(zoo.info("lenet5").recipe("demo"), name="plain", preprocess={}, augment={})
    ready = zoo.load(zoo.train("lenet5", plain, data=(x, y), run=tmp_path / "run", epochs=1, verbose=0))
    for name, image in (("alike", x[0]), ("negative", 255 - x[0]), ("empty", 0 * x[0])):
        caplog.clear()
        Image.fromarray(image).save(tmp_path / f"{name}.png")
        ready(tmp_path / f"{name}.png")
        said = {"alike": "", "negative": "is brighter than the images of the", "empty": "is nearly of one colour"}[name]
        assert f"{tmp_path / name}.png {said}" in caplog.text if said else not caplog.text


def test_a_pil_image_is_taken_upright(ready, photos):
    upright, turned = Image.open(photos / "03.png"), Image.open(photos / "03.png").rotate(90, expand=True)
    turned.getexif()[0x0112] = 6  # which says: turn me by 90 degrees clockwise
    np.testing.assert_allclose(ready(upright)[0].logits, ready(turned)[0].logits, rtol=1e-4, atol=1e-4)


def test_folders_and_patterns_stand_for_their_images(ready, photos):
    assert [Path(each.input).name for each in ready(photos)] == [f"{number:02}.png" for number in range(20)]
    assert len(ready(str(photos / "0*.png"))) == 10
    assert len(ready([str(photos / "**" / "1*.png"), photos / "00.png"])) == 11


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "nothing was given; expected the path of an image, a PIL image or an array"),
        (3, "3 was given; expected the path of an image"),
        ("nowhere.png", "nowhere.png is not there; expected the file of an image"),
        ("nowhere*.png", r"nowhere\*.png fits no file; expected images"),
        (np.zeros(8), r"an array of shape \(8,\) was given; expected an image \(height, width, channels\), or a batch"),
        (np.zeros((8, 8, 2)), r"of float64 and shape \(8, 8, 2\) was given; expected .* with 1, 3 or 4 of them"),
        (np.full((8, 8), -1), "the values of an image lie outside of 0 to 255"),
        (np.full((8, 8), np.nan), "the values of an image lie outside of 0 to 255"),
    ],
)
def test_what_is_no_image(ready, given, says):
    with pytest.raises(zoo.UsageError, match=says):
        ready(given)


def test_a_folder_without_images(ready, tmp_path):
    with pytest.raises(zoo.UsageError, match="has no images in it"):
        ready(tmp_path)


def test_bad_settings(ready, photos):
    for settings, says in {"top": "top is 0", "batch_size": "batch_size is 0"}.items():
        with pytest.raises(zoo.UsageError, match=says):
            ready(photos, **{settings: 0})
    with pytest.raises(zoo.UsageError, match="explain is 'saliency' without a folder"):
        ready(photos, explain="saliency")


def test_what_cannot_be_read_stands_in_its_place(ready, photos, tmp_path):
    (tmp_path / "page.png").write_text("<html>")
    given = [str(photos / "00.png"), str(tmp_path / "page.png"), str(photos / "01.png")]
    first, second, third = ready.each(given, batch_size=2)
    assert isinstance(second, predictor.Refusal) and "page.png is not an image" in second.error
    assert (first.input, third.input) == (given[0], given[2])
    alone = [each.logits for each in ready([given[0], given[2]])]
    np.testing.assert_allclose([first.logits, third.logits], alone, rtol=1e-4, atol=1e-5)


def test_maps_of_many_are_those_of_each(ready, photos, tmp_path, monkeypatch):
    drawn = []
    overlay = plots.overlay
    monkeypatch.setattr(
        "zoo.plots.overlay", lambda image, heat, title: drawn.append(heat) or overlay(image, heat, title)
    )
    files = [str(file) for file in sorted(photos.glob("0*.png"))[:3]]
    together = ready(files, folder=tmp_path / "out", explain="gradcam")
    assert [each.explanation.name for each in together] == [f"0{n}-gradcam.png" for n in range(3)]
    for file in files:
        ready(file, folder=tmp_path / "other")
    for one, other in zip(drawn[:3], drawn[3:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_the_second_call_reads_no_network(run, photos, monkeypatch):
    ready = zoo.load(run)
    first = ready(photos / "00.png")
    monkeypatch.setattr("zoo.training.run_folder.Run.model", lambda self: pytest.fail("read anew"))
    np.testing.assert_array_equal(ready(photos / "00.png")[0].logits, first[0].logits)


def test_the_command_line_answers_the_rest_and_says_so(run, photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.png").write_text("<html>")
    assert main(["predict", str(run.path), str(photos), "page.png", "--top", "2"]) == 1
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert len(lines) == 20 and all(line.count("%") == 2 for line in lines)
    assert "left out: page.png is not an image" in err and "1 of 21 images could not be read" in err
    assert "21 images, none explained: --explain gradcam" in err and not (tmp_path / "predictions").exists()
    assert main(["predict", str(run.path), "page.png", "page.png"]) == 2
    assert "none of the 2 images could be read" in capsys.readouterr().err


def test_json_and_csv_hold_what_the_lines_hold(run, ready, photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.png").write_text("<html>")
    command = ["predict", str(run.path), str(photos / "0*.png"), "page.png", "--top", "3"]
    expected = ready(str(photos / "0*.png"))
    assert main([*command, "--json"]) == 1
    *found, refused = json.loads(capsys.readouterr().out)
    assert [each["predictions"][0]["label"] for each in found] == [each.label for each in expected]
    assert all(len(each["predictions"]) == 3 for each in found) and "is not an image" in refused["error"]
    assert main([*command, "--csv"]) == 1
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["label_1"] for row in rows] == [each.label for each in expected]
    assert float(rows[0]["probability_1"]) == pytest.approx(expected[0].probability, abs=1e-5)
    assert list(rows[0]) == ["input", *(f"{what}_{n}" for n in (1, 2, 3) for what in ("label", "probability"))]


def test_few_images_are_explained_unasked(run, photos, tmp_path, capsys):
    assert main(["predict", str(run.path), str(photos / "more"), "--out", str(tmp_path / "out")]) == 0
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["18-gradcam.png", "19-gradcam.png"]
    assert capsys.readouterr().out.count("where it looks") == 2


@pytest.mark.slow
def test_forms_are_for_classes_of_images(tmp_path, capsys):
    views = zoo.train("lagged_linear", run=tmp_path / "views", epochs=1, verbose=0)
    assert main(["predict", str(views.path), "week.csv", "--json"]) == 2
    assert "--json is for classifiers of images" in capsys.readouterr().err
    with pytest.raises(zoo.UsageError, match="was not trained on a table"):
        zoo.load(views)("week.csv")
