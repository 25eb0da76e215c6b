"""A run that may answer "I don't know": a threshold that keeps its promise, is measured once, or is refused."""

import csv
import dataclasses
import io
import json
import logging
import shutil

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo import tasks
from zoo.cli import main
from zoo.inference import rejection
from zoo.inference.reopening import reopen
from zoo.metrics import novelty
from zoo.metrics.classification import probabilities
from zoo.tasks._anomaly import threshold
from zoo.tasks._rejection import Known, Rejector

KNOWN = [0, 1, 2, 3, 4, 5, 6, 7]  # the others are strangers


@pytest.fixture(scope="module")
def digits():
    """Those of eight classes, divided; and strangers: (n, 8, 8, 1) of 0 to 255."""
    from sklearn.datasets import load_digits

    found = load_digits()
    x, y = (found.images[..., None] * 15.9).astype("uint8"), found.target
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    known, strangers = np.isin(y, KNOWN), x[~np.isin(y, KNOWN)]
    x, y = x[known], y[known]
    parts = {"train": slice(0, 800), "val": slice(800, 1100), "test": slice(1100, None)}
    arrays = {f"x_{name}": x[part] for name, part in parts.items()}
    return arrays | {f"y_{name}": y[part] for name, part in parts.items()}, strangers


@pytest.fixture(scope="module")
def file(digits, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "eight.npz"
    np.savez(path, **digits[0])
    return path


@pytest.fixture(scope="module")
def run(file):
    return zoo.train("mlp", data=file, run=file.parent / "run", hidden=(32,), epochs=8, verbose=0)


@pytest.fixture
def copied(run, tmp_path):
    """The run folder, without what was measured; its data are where they were."""
    shutil.copytree(run.path, tmp_path / "run", ignore=shutil.ignore_patterns("known_*"))
    return tmp_path / "run"


@pytest.fixture(scope="module")
def ready(run):
    return zoo.load(run)


@pytest.mark.parametrize("by", novelty.SCORES)
def test_the_rate_holds_on_validation_data_and_about_on_others(ready, digits, by):
    arrays, strangers = digits
    rejected = {
        name: np.mean([each.rejected for each in ready(x, reject=0.1, reject_score=by, batch_size=512)])
        for name, x in (("val", arrays["x_val"]), ("test", arrays["x_test"]), ("strangers", strangers))
    }
    assert 0.09 <= rejected["val"] <= 0.1  # the k-th of 300, k = ceil(301 x .9)
    assert 0.04 < rejected["test"] < 0.17  # 4 standard deviations of 320 and of the threshold: .1 +- .08, less below
    assert rejected["strangers"] > 3 * rejected["test"]


def test_scores_are_of_the_logits_and_thresholds_of_the_validation_set(run, ready, digits):
    arrays, _ = digits
    data = reopen(run, with_source=True)
    logits = data.network.predict(data.data.batches("validation"))
    for by, scores in (("softmax", 1 - probabilities(logits).max(-1)), ("energy", novelty.energy(logits))):
        found = ready(arrays["x_val"], reject=0.2, reject_score=by, batch_size=512)
        np.testing.assert_allclose([each.score for each in found], scores, rtol=1e-3, atol=1e-5)
        assert found[0].threshold == pytest.approx(threshold(scores, 0.2), rel=1e-3)
        assert {each.verdict.by for each in found} == {by}


def test_distances_are_of_the_features_before_the_logits(run, ready, digits):
    """By hand: the hidden layer of the network, class means and the covariance that is left."""
    import keras

    _, strangers = digits
    trained = reopen(run, with_source=True)
    body = keras.Model(ready.model.input, ready.model.layers[-1].input)
    x, y = trained.data.arrays("train")
    features = body.predict(x, verbose=0).astype("float64")
    means = np.stack([features[y == each].mean(0) for each in range(8)])
    precision = np.linalg.pinv(np.cov((features - means[y]).T, bias=True), rcond=1e-12, hermitian=True)
    new = body.predict(trained.data.encode(list(strangers[:20])), verbose=0)
    gaps = new[:, None] - means
    by_hand = np.einsum("nkd,de,nke->nk", gaps, precision, gaps).min(-1)
    found = ready(strangers[:20], reject=0.1, reject_score="mahalanobis")
    np.testing.assert_allclose([each.score for each in found], by_hand, rtol=2e-2)


def test_a_smaller_rate_rejects_fewer(ready, digits):
    _, strangers = digits
    found = [ready(strangers, reject=rate, batch_size=512) for rate in (0.01, 0.05, 0.2, 0.5)]
    rejected = [sum(each.rejected for each in records) for records in found]
    assert rejected == sorted(rejected) and rejected[0] < rejected[-1]


def test_without_a_rate_nothing_is_said(ready, digits):
    (found,) = ready(digits[1][0])
    assert (found.rejected, found.score, found.threshold) == (None, None, None)
    assert "known" not in str(found) and set(found.as_dict()) == {"input", "predictions"}


def test_it_is_measured_once_and_kept(copied, digits, caplog, monkeypatch):
    with caplog.at_level(logging.INFO, "zoo"):
        first = zoo.load(copied)(digits[1][:5], reject=0.1)
    assert "are looked at for the mahalanobis score, once" in caplog.text
    assert (copied / "known_mahalanobis.npz").is_file() and not [*copied.glob(".*")]
    monkeypatch.setattr(Known, "measure", lambda *_: pytest.fail("measured again"))
    monkeypatch.setattr(rejection, "open_again", lambda *_, **__: pytest.fail("its data were opened"))
    again = zoo.load(copied)(digits[1][:5], reject=0.1)
    assert [each.verdict for each in again] == [each.verdict for each in first]
    with pytest.raises(pytest.fail.Exception):
        zoo.load(copied)(digits[1][:5], reject=0.1, reject_score="softmax")


@pytest.mark.parametrize("by", ["energy", "mahalanobis"])
def test_what_is_of_another_network_or_damaged_is_not_taken(copied, by, caplog):
    trained, path = reopen(copied), copied / f"known_{by}.npz"
    rejection.rejector_of(trained, 0.1, by)
    with np.load(path) as file:
        arrays = dict(file)
    assert rejection.kept(trained, by).scores.tolist() == arrays["scores"].tolist()
    wrong = {
        "of another network": arrays | {"model": arrays["model"][::-1]},
        "empty": arrays | {"scores": np.empty(0)},
        "a table": arrays | {"scores": arrays["scores"][None]},
        "of texts": arrays | {"scores": np.array(["1.0"])},
        "nothing": {"other": np.zeros(3)},
    }
    if by == "mahalanobis":
        fewer = {"means": arrays["means"][:, 1:], "precision": arrays["precision"][1:, 1:]}
        wrong["of other features"] = arrays | fewer
    for what, given in wrong.items():
        np.savez(path, **given)
        assert rejection.kept(trained, by) is None, what
    assert caplog.text.count(f"known_{by}.npz was not written by the zoo") == len(wrong) - 1
    np.savez_compressed(path, **arrays)  # of any size when it is unpacked
    assert rejection.kept(trained, by) is None
    path.write_bytes(path.read_bytes()[:200])
    assert rejection.kept(trained, by) is None


def test_a_folder_that_cannot_be_written_is_asked_all_the_same(copied, digits, caplog, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rejection.os, "replace", full)
    with caplog.at_level(logging.INFO, "zoo"):
        (found,) = zoo.load(copied)(digits[1][0], reject=0.1)
    assert found.threshold is not None and not [*copied.glob("*known_*")] and not [*copied.glob(".*")]
    assert "cannot be written (No space left on device)" in caplog.text


def test_arrays_are_given_again(digits, tmp_path):
    run = zoo.train("mlp", data=digits[0], run=tmp_path / "run", hidden=(8,), epochs=1, verbose=0)
    with pytest.raises(zoo.UsageError, match="trained on arrays, which it does not keep; give them again: data="):
        zoo.load(run)(digits[1][0], reject=0.1)
    (found,) = zoo.load(run, data=digits[0])(digits[1][0], reject=0.1)
    (again,) = zoo.load(run)(digits[1][0], reject=0.1)  # what was measured is kept
    assert found.verdict == again.verdict


def test_few_validation_examples_are_told(copied, digits, caplog):
    zoo.load(copied)(digits[1][0], reject=0.001)
    assert "300 known examples are held out to choose a threshold; a false-alarm rate of 0.1%" in caplog.text
    assert "takes at least 999: expect about 0%, or add known ones" in caplog.text


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"reject": 0}, "reject is 0; expected a fraction above 0 and below 1"),
        ({"reject": "5%"}, "reject is '5%'; expected a fraction"),
        (
            {"reject": 0.1, "reject_score": "softmaks"},
            "there is no score to reject by 'softmaks'; did you mean softmax",
        ),
        ({"reject_score": "energy"}, "reject_score is 'energy' without a rate; expected how many known ones"),
    ],
)
def test_bad_settings_are_one_line(run, ready, digits, settings, says):
    with pytest.raises(zoo.UsageError, match=says):
        ready(digits[1][0], **settings)
    with pytest.raises(zoo.UsageError, match=says):
        zoo.predict(run, "nowhere.png", **settings)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda config: config.update(part="fold 1 of 5"), "is measured on fold 1 of 5; reject takes a run with a"),
        (
            lambda config: config["recipe"].update(validation="train"),
            "has no validation set of its own: it is the training set",
        ),
        (lambda config: config["recipe"].update(dataset="/nowhere/eight.npz"), "/nowhere/eight.npz.* is not there"),
    ],
)
def test_a_run_without_validation_data(copied, digits, change, says):
    config = json.loads((copied / "config.json").read_text())
    change(config)
    (copied / "config.json").write_text(json.dumps(config))
    with pytest.raises(zoo.UsageError, match=says):
        zoo.load(copied)(digits[1][0], reject=0.1)


def test_data_that_have_moved(copied, digits, file):
    config = json.loads((copied / "config.json").read_text())
    config["recipe"]["dataset"] = "/nowhere/eight.npz"
    (copied / "config.json").write_text(json.dumps(config))
    (found,) = zoo.load(copied, data=file)(digits[1][0], reject=0.1)
    assert found.threshold == pytest.approx(zoo.load(copied)(digits[1][0], reject=0.1)[0].threshold)


def test_names_and_networks_without_classes(ready):
    class Opened:
        run = None
        network = ready.trained.network

    with pytest.raises(zoo.UsageError, match="mlp is the name of a network; reject takes a run, whose validation set"):
        rejection.rejector_of(Opened, 0.05)
    network = dataclasses.replace(Opened.network, card=zoo.info("autoencoder"), task=tasks.get("reconstruction"))
    Opened.network = network
    with pytest.raises(zoo.UsageError, match="autoencoder tells no classes apart; reject is for classifiers: leave it"):
        rejection.rejector_of(Opened, 0.05)


def test_the_command_line_says_so(run, digits, tmp_path, capsys):
    arrays, strangers = digits
    for name, image in (("known", arrays["x_val"][0]), ("stranger", strangers[3])):
        Image.fromarray(image[..., 0]).save(tmp_path / f"{name}.png")
    files = [str(tmp_path / f"{name}.png") for name in ("known", "stranger")]
    command = ["predict", str(run.path), *files, "--top", "2", "--reject", "0.25", "--reject-score", "softmax"]
    assert main([*command, "--json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert [each["rejected"] for each in records] == [each["score"] > each["threshold"] for each in records]
    assert {each["reject_score"] for each in records} == {"softmax"} and {each["reject"] for each in records} == {0.25}
    assert main(command) == 0
    for line, each in zip(capsys.readouterr().out.splitlines(), records, strict=True):
        limit = f"softmax score {each['score']:.4g}, known up to {each['threshold']:.4g}"
        assert (
            line.endswith(f"{limit} (which rejects 25.0% of known ones)")
            and ("png: don't know; at best" in line) == each["rejected"]
        )
    assert main([*command, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["rejected"] for row in rows] == [str(each["rejected"]) for each in records]
    assert [float(row["score"]) for row in rows] == [each["score"] for each in records]
    assert main(["predict", str(run.path), files[0], "--data", "x"]) == 2
    assert "--data is for --reject: give a rate" in capsys.readouterr().err


def test_the_help_names_the_scores(capsys):
    with pytest.raises(SystemExit):
        main(["predict", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    named = [f"{each} (default)" if each == novelty.DEFAULT else each for each in novelty.SCORES]
    assert f"by what: {named[0]}, {named[1]} or {named[2]}" in told


def test_a_score_that_is_no_number_is_rejected(ready):
    network = ready.trained.network
    (found,) = Rejector(network, Known("energy", np.arange(100.0)), 0.1)(None, np.full((1, 8), np.nan))
    assert found.rejected


def test_one_logit_of_two_classes(digits, tmp_path):
    """There the energy knows one class only."""
    arrays, _ = digits
    two = {name: each[arrays[f"y{name[1:]}"] < 2] for name, each in arrays.items()}
    two = {name: each.reshape(len(each), -1) if name[0] == "x" else each for name, each in two.items()}
    run = zoo.train("logistic_regression", data=two, run=tmp_path / "run", epochs=2, verbose=0)
    trained = reopen(run)
    assert rejection.rejector_of(trained, 0.1, "softmax", data=two).known.gaussians is None
    with pytest.raises(zoo.UsageError, match="energy takes a logit for each class; there is one for two"):
        rejection.rejector_of(trained, 0.1, "energy", data=two)


@pytest.mark.slow
def test_texts_are_rejected_as_well(tmp_path):
    """Each text has words of one kind; one of both kinds is like neither."""
    colours, animals = ("red green blue white black grey", "dog cat cow horse pig hen")
    rng = np.random.default_rng(0)
    for label, words in (("colours", colours), ("animals", animals)):
        (tmp_path / "texts" / label).mkdir(parents=True)
        for number in range(60):
            text = " ".join(rng.choice(words.split(), 8))
            (tmp_path / "texts" / label / f"{number}.txt").write_text(f"{text} {label[0]}{number}")
    run = zoo.train("fasttext_classifier", data=tmp_path / "texts", run=tmp_path / "run", epochs=15, verbose=0)
    known, stranger = zoo.predict(run, ["red red blue green", "red dog blue cat"], reject=0.2)
    assert known.startswith("red red blue green: colours ") and "known up to" in known
    assert stranger.startswith("red dog blue cat: don't know; at best ")
    assert zoo.load(run)("red red blue green", reject=0.2) == [known]


@pytest.mark.slow
def test_clips_are_rejected_as_well(tmp_path):
    run = zoo.train("conv3d_demo", run=tmp_path / "run", epochs=1, verbose=0)
    trained = reopen(run, with_source=True)
    clips = trained.data.arrays("validation")[0]
    rejector = rejection.rejector_of(trained, 0.25, "softmax")
    rejected = [each.rejected for each in rejector(clips, trained.network.predict(clips))]
    assert 0.15 < np.mean(rejected) <= 0.25
    shutil.rmtree(tmp_path / "run" / "checkpoint", ignore_errors=True)
    frames = [Image.fromarray(np.full((32, 32), each, "uint8")) for each in range(0, 255, 8)]
    frames[0].save(tmp_path / "clip.gif", save_all=True, append_images=frames[1:])
    (line,) = zoo.predict(run, tmp_path / "clip.gif", reject=0.25)
    assert "mahalanobis score" in line and "known up to" in line


def test_the_default_is_by_the_logits_where_there_are_no_features(ready, monkeypatch):
    network = ready.trained.network
    assert rejection.default_of(network) == "mahalanobis"
    monkeypatch.setattr("zoo.tasks._rejection.MAX_FEATURES", 31)
    assert rejection.default_of(network) == "energy"
    with pytest.raises(zoo.UsageError, match="mlp has 32 features before its logits; the mahalanobis score takes at"):
        rejection.rejector_of(ready.trained, 0.1, "mahalanobis")
    single = zoo.build("logistic_regression", input_shape=(40,))
    assert rejection.default_of(dataclasses.replace(network, model=single)) == "softmax"
