"""What a finished run says of new images."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread, imsave

import zoo
from zoo import plots
from zoo.cli import main
from zoo.inference import pretrained, reopening
from zoo.inference.robustness import robustness
from zoo.introspection.attribution import heatmaps

pytestmark = pytest.mark.usefixtures("drawn")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """LeNet-5 after two epochs of digits."""
    return zoo.train(
        "lenet5", run=tmp_path_factory.mktemp("runs") / "digits", epochs=2, augment="none", dropout=0.0, verbose=0
    )


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Twenty test digits as files, and what they are."""
    images, labels = next(iter(zoo.load_data("digits", split="test", batch_size=20, scaling="none")))
    folder = tmp_path_factory.mktemp("digits")
    paths = [folder / f"{number}.png" for number in range(20)]
    for path, image in zip(paths, images.numpy()):
        imsave(path, np.repeat(image.astype("uint8"), 3, axis=-1))
    return list(map(str, paths)), labels.numpy()


def test_five_classes_for_each_image(run, digits):
    paths, labels = digits
    lines = zoo.predict(run, paths)
    assert len(lines) == 20
    pattern = r".*\.png: (\d) [\d.]+%(, \d [\d.]+%){4}"
    called = [int(re.fullmatch(pattern, line).group(1)) for line in lines]
    assert np.mean(called == labels) >= 0.8


def test_one_path_is_a_list_of_one(run, digits):
    (path, *_), _ = digits
    assert zoo.predict(run, path) == zoo.predict(run, Path(path)) == zoo.predict(run, [path])


def test_a_folder_is_measured_whole_in_the_channels_of_the_run(run, digits, tmp_path):
    """The run has learned from none of it: no part is held back. Folders are read in colour, the run in grey."""
    paths, labels = digits
    for path, label in zip(paths, labels):
        (tmp_path / str(label)).mkdir(exist_ok=True)
        (tmp_path / str(label) / Path(path).name).write_bytes(Path(path).read_bytes())
    called = [int(line.split(": ")[1][0]) for line in zoo.predict(run, paths)]
    assert zoo.evaluate(run, data=tmp_path)["accuracy"] == pytest.approx(np.mean(called == labels))
    for label in {*labels}:
        (tmp_path / str(label)).rename(tmp_path / f"digit {label}")
    with pytest.raises(zoo.UsageError, match=r"has the classes digit \d, .*; the run tells 0, 1, .* apart"):
        zoo.evaluate(run, data=tmp_path)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda run: zoo.predict(run, []), "nothing was given; expected the path of an image"),
        (lambda run: zoo.predict(run, [3]), "3 was given; expected the path of an image"),
        (lambda run: zoo.predict(run, None), "None was given; expected the path"),
        (lambda run: zoo.evaluate(None), "the run is None; expected a run folder"),
        (lambda run: zoo.evaluate(""), "the run is ''; expected a run folder"),
        (lambda run: zoo.translate(run, [None]), "None was given; expected a text"),
        (lambda run: zoo.generate(run, 3), "3 was given; expected the beginning of a text"),
        (lambda run: zoo.compare(run, "a.png", None), "None was given; expected the path of an image"),
    ],
)
def test_what_is_no_question_is_one_line(ask, says, run):
    with pytest.raises(zoo.UsageError, match=says):
        ask(run)


def test_explanations_are_written_and_never_overwritten(run, digits, tmp_path):
    for _ in range(2):
        lines = zoo.predict(run, digits[0][:2], folder=tmp_path / "out")
        assert len(lines) == 4
    files = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert files == ["0-gradcam-2.png", "0-gradcam.png", "1-gradcam-2.png", "1-gradcam.png"]
    assert imread(tmp_path / "out" / files[0])[..., :3].std() > 0.05


@pytest.mark.parametrize("explain", ["gradcam", "saliency", "integrated", "occlusion"])
def test_each_explanation_has_its_picture(run, digits, tmp_path, explain):
    _, line = zoo.predict(run, digits[0][0], folder=tmp_path, explain=explain)
    assert line == f"  where it looks: {tmp_path / f'0-{explain}.png'}"
    assert imread(tmp_path / f"0-{explain}.png")[..., :3].std() > 0.05


def test_the_explanation_is_the_one_that_was_asked_for(run, digits, tmp_path, monkeypatch):
    """Of the class that is named first, where it is said to lie: by the heat itself."""
    drawn = []
    monkeypatch.setattr("zoo.plots.overlay", lambda image, heat, title: drawn.append((heat, title)) or figure())
    path = digits[0][0]
    (line, _), _ = (
        zoo.predict(run, path, folder=tmp_path, explain="integrated"),
        zoo.predict(run, path, folder=tmp_path),
    )
    label, x = re.search(r": (\d) ", line)[1], reopening.reopen(run).data.encode([path])
    for (heat, title), method in zip(drawn, ("integrated", "gradcam"), strict=True):
        np.testing.assert_allclose(heat, heatmaps(run.model(), x, int(label), method)[0], rtol=1e-3, atol=1e-5)
        assert title.startswith(f"{label} ")


def figure():
    found = plots.new_figure(1, 1)
    found.subplots()
    return found


@pytest.mark.slow
def test_a_network_without_maps_is_explained_by_its_pixels(digits, tmp_path):
    mlp = zoo.train("mlp", run=tmp_path / "mlp", epochs=1, verbose=0)
    assert len(zoo.predict(mlp, digits[0][0], folder=tmp_path)) == 1, "no maps, nothing to say by default"
    assert zoo.predict(mlp, digits[0][0], folder=tmp_path, explain="saliency")[1].endswith("0-saliency.png")
    with pytest.raises(zoo.UsageError, match="mlp has no maps"):
        zoo.predict(mlp, digits[0][0], folder=tmp_path, explain="gradcam")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"explain": "lime", "folder": "out"}, "there is no explanation 'lime'; there are gradcam, integrated"),
        ({"explain": "saliency"}, "explain is 'saliency' without a folder; expected one for its plots"),
    ],
)
def test_what_explains_nothing(run, digits, settings, says):
    with pytest.raises(zoo.UsageError, match=says):
        zoo.predict(run, digits[0][0], **settings)


def test_attacks_are_measured_beside_noise(run, tmp_path):
    rows = zoo.attack(run, [0.2, 0.02], folder=tmp_path / "out", steps=3, examples=60)
    assert [row["epsilon"] for row in rows] == [0, 0.02, 0.2] and list(rows[0]) == ["epsilon", "noise", "fgsm", "pgd"]
    assert rows[0]["noise"] == rows[0]["fgsm"] == rows[0]["pgd"] > 0.7
    assert rows[2]["fgsm"] < 0.4 < rows[2]["noise"] and rows[2]["pgd"] <= rows[2]["fgsm"] + 0.05 < rows[1]["fgsm"]
    assert imread(tmp_path / "out" / "digits-attack.png")[..., :3].std() > 0.05
    assert zoo.attack(run, [0.2], methods=["fgsm"], examples=60)[1] == {
        "epsilon": 0.2, "noise": rows[2]["noise"], "fgsm": rows[2]["fgsm"],
    }  # fmt: skip


def test_an_attack_is_measured_as_evaluate_does(run):
    """On the whole test set, in the range of its pixels, which stay in it."""
    found = robustness(run, [0.5], methods=["fgsm"])
    assert found.rows[0]["noise"] == pytest.approx(zoo.evaluate(run)["accuracy"], abs=1e-6)
    assert found.examples == found.test_examples == 360 and found.pixels == (0, 255) and found.picture is None


@pytest.mark.slow
def test_the_command_line_tabulates_attacks(run, tmp_path, capsys):
    options = ["--epsilon", "0.1", "--examples", "40", "--method", "fgsm", "--out", str(tmp_path / "out")]
    assert main(["attack", str(run.path), *options]) == 0
    head, names, *rows, picture = capsys.readouterr().out.splitlines()
    assert "40 of 360 test images, each pixel of 0 to 255 moved by at most epsilon times 255" in head
    assert names.split() == ["epsilon", "noise", "fgsm"] and [row.split()[0] for row in rows] == ["0", "0.1"]
    assert Path(picture.strip()).is_file()
    assert main(["attack", str(run.path), *options, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"][1]["epsilon"] == 0.1 and found["examples"] == 40


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--epsilon", "a"], "--epsilon is 'a'; expected numbers, as in 0.05,0.1"),
        (["--epsilon", "25"], "epsilon is 25.0; expected parts of the range of the pixels, above 0 and up to 1"),
        (["--method", "fsgm"], "there is no attack 'fsgm'; did you mean fgsm?"),
        (["--steps", "0"], "steps is 0; expected a whole number of at least 1"),
        (["--examples", "0"], "examples is 0; expected a whole number of at least 1"),
    ],
)
def test_attacks_that_cannot_be(run, options, says, capsys):
    assert main(["attack", str(run.path), *options]) == 2
    assert says in capsys.readouterr().err


def test_only_classifiers_of_images_are_attacked(views):
    with pytest.raises(zoo.UsageError, match=r"lagged_linear cannot be attacked; `zoo list --task .*image_class"):
        zoo.attack(views)


def test_predicting_what_is_no_image(run, tmp_path):
    (tmp_path / "page.png").write_text("<html>")
    with pytest.raises(zoo.UsageError, match=r"page\.png is not an image"):
        zoo.predict(run, [tmp_path / "page.png"])
    with pytest.raises(zoo.UsageError, match=r"nowhere\.png is not there; expected the file of an image"):
        zoo.predict(run, ["nowhere.png"])


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    return zoo.train("lagged_linear", run=tmp_path_factory.mktemp("runs") / "views", epochs=1, verbose=0)


def test_vectors_are_no_images(views):
    with pytest.raises(zoo.UsageError, match="lagged_linear has no such explanation; saliency is for classifiers of"):
        zoo.predict(views, ["week.txt"], folder="out", explain="saliency")
    with pytest.raises(zoo.UsageError, match="was not trained on a table; expected a run of"):
        zoo.predict(views, ["week.txt"])


def test_the_command_line_prints_the_lines(run, digits, tmp_path, capsys):
    assert main(["predict", str(run.path), digits[0][0], "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith(digits[0][0]) and printed[1].endswith("0-gradcam.png")
    (tmp_path / "file").write_text("")
    assert main(["predict", str(run.path), digits[0][0], "--out", str(tmp_path / "file")]) == 2
    assert "is not a folder you may write to" in capsys.readouterr().err


def test_a_name_with_weights_answers_without_training(digits, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    zoo.build("resnet18").save_weights(tmp_path / "random.weights.h5")
    (line,) = zoo.predict("resnet18", digits[0][:1], weights=tmp_path / "random.weights.h5", preprocessing="torch")
    assert re.fullmatch(r".*0\.png: [^%]+ [\d.]+%(, [^%]+ [\d.]+%){4}", line) and "class " not in line
    with pytest.raises(zoo.UsageError, match="does not say what its weights were trained on"):
        zoo.predict("resnet18", digits[0][:1], weights=tmp_path / "random.weights.h5")
    with pytest.raises(zoo.UsageError, match="ZOO_OFFLINE is set"):
        zoo.predict("resnet18", digits[0][:1])
    with pytest.raises(zoo.UsageError, match="there are no published weights for lenet5; train it, or take one of"):
        zoo.predict("lenet5", digits[0][:1])


def test_a_run_has_weights_of_its_own(run, digits):
    with pytest.raises(zoo.UsageError, match="has weights of its own"):
        zoo.predict(run, digits[0][:1], weights="imagenet")


def test_an_untrained_head_names_nothing(tmp_path):
    body, file = zoo.build("resnet18", top=False), tmp_path / "body.weights.h5"
    body.save_weights(file)
    with pytest.raises(zoo.UsageError, match=r"has no weights for logits.* expected a file with its top"):
        pretrained.ready("resnet18", file, preprocessing="torch")
