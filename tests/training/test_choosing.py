"""`best`: which network, which size and how many epochs; what it says, and that its run can be repeated."""

import dataclasses
import json
import shlex
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.image import imsave

import zoo
from zoo import cli
from zoo.data import reachability
from zoo.recipes import FINETUNE
from zoo.training import candidates, choosing, throughput
from zoo.training.candidates import Candidate, Speed
from zoo.training.choosing import Work, choose, plans, promising
from zoo.weights import fetching

SMALL = {"width": 8, "blocks": (1, 1, 1, 1)}
WORK = Work(train=300, validation=40, test=80, reading=0.0, num_classes=12)
FAST = Candidate("mobilenet_v3_small", "imagenet", 0.681, 224, 56_510_400)
FINE = Candidate("resnet50", "imagenet", 0.749, 224, 3_857_973_248)
HUGE = Candidate("convnext_xlarge", "imagenet", 0.867, 224, 60_921_030_656)
SPEEDS = {
    FAST.name: Speed(128, train=0.01, predict=0.003, start=5.0),
    FINE.name: Speed(128, train=0.1, predict=0.03, start=10.0),
    HUGE.name: Speed(128, train=1.6, predict=0.5, start=10.0),
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    for label, colour in {"blue": (40, 60, 200), "red": (200, 60, 40)}.items():
        (root / label).mkdir()
        for number in range(10):
            noise = np.random.default_rng([number, colour[0]]).integers(-40, 40, (20, 20, 3))
            imsave(root / label / f"{number}.png", np.clip(noise + colour, 0, 255).astype("uint8"))
    return root


@pytest.fixture
def measured(monkeypatch):
    """Networks that are there, and take the times of `SPEEDS`; the names of those that are measured."""
    asked = []

    def speed(name, *_):
        asked.append(name)
        return SPEEDS[name]

    monkeypatch.setattr(choosing, "time", SimpleNamespace(perf_counter=lambda: 0.0))  # nothing else takes time
    monkeypatch.setattr(throughput, "training_speed", speed)
    monkeypatch.setattr(choosing, "candidates", lambda weights: [FAST, FINE, HUGE])
    monkeypatch.setattr(choosing, "looked_at", lambda *_: WORK)
    return asked


@pytest.mark.parametrize(
    ("budget", "name", "side", "learns"),
    [(28, "mobilenet_v3_small", 160, False), (100, "mobilenet_v3_small", 192, True), (600, "resnet50", 160, True),
     (900, "resnet50", 224, True), (20_000, "convnext_xlarge", 224, True)],
)  # fmt: skip
def test_more_time_buys_a_better_network_and_larger_images(budget, name, side, learns, measured):
    chosen = choose({"data": "photos"}, budget, f"{budget}s")
    assert (chosen.candidate.name, chosen.side) == (name, side)
    assert (chosen.epochs > chosen.head_epochs) == learns
    assert chosen.seconds <= 0.85 * budget


def test_what_cannot_fit_is_not_measured(measured):
    choose({"data": "photos"}, 600, "10min")
    assert measured == ["mobilenet_v3_small", "resnet50"]
    measured.clear()
    choose({"data": "photos"}, 20_000, "20000s")
    assert measured == ["mobilenet_v3_small", "convnext_xlarge"]  # nothing promises more than it


def test_a_time_that_is_too_short_is_told(measured):
    with pytest.raises(
        zoo.UsageError, match=r"budget is 5s; even the head of mobilenet_v3_small .* about \d+ s for 300"
    ):
        choose({"data": "photos"}, 5, "5s")


def test_a_size_costs_accuracy_and_a_head_alone_more():
    found = {(plan.side, plan.epochs > plan.head_epochs): plan for plan in plans(FINE, SPEEDS["resnet50"], WORK)}
    assert found[112 * 2, True].worth == (True, 0.749)
    assert found[96, True].worth > found[224, False].worth
    assert found[128, True].worth[1] == pytest.approx(0.749 - 0.08 * np.log2(224 / 128))
    fixed = dataclasses.replace(SPEEDS["resnet50"], any_size=False)
    assert {plan.side for plan in plans(FINE, fixed, WORK)} == {128}


def test_few_images_get_small_batches_and_more_epochs():
    large = dataclasses.replace(WORK, train=5000)
    epochs = [
        sorted({plan.epochs - plan.head_epochs for plan in plans(FINE, SPEEDS["resnet50"], work)} - {0})
        for work in (WORK, large)
    ]
    assert (WORK.batch_size, large.batch_size) == (16, 32)
    assert (epochs[0][0], epochs[0][-1], epochs[1][0], epochs[1][-1]) == (7, 30, 1, 15)


def test_the_first_to_be_measured_is_the_smallest():
    assert promising([HUGE, FINE, FAST], {}, WORK, None, 600) is FAST


def test_a_speed_is_measured_and_a_flat_head_keeps_its_size():
    recipe = dataclasses.replace(FINETUNE, preprocess={"cover": (32, 32)})
    speed = throughput.training_speed("resnet20", recipe, 24, 4, 3)
    assert speed.side == 24 and speed.any_size and speed.predict > 0 and 0 < speed.train < speed.start
    flat = throughput.training_speed("lenet5", dataclasses.replace(recipe, model={}), 24, 4, 3)
    assert flat.side == 32 and not flat.any_size


@pytest.fixture(scope="module")
def chosen_run(photos, tmp_path_factory):
    """A run of `best` with what it said, from weights in a file; what is chosen from is made small."""
    folder = tmp_path_factory.mktemp("best")
    zoo.build("resnet18", input_shape=(64, 64, 3), num_classes=5, **SMALL).save_weights(
        folder / "my_resnet18.weights.h5"
    )
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(throughput, "training_speed", lambda *_: Speed(96, 0.01, 0.003, 1.0))
        for name, value in {"STEPS": (1, 1), "EPOCHS": 1, "HEAD_EPOCHS": 1, "SIZES": (48,)}.items():
            patch.setattr(choosing, name, value)
        patch.setattr(candidates, "side_of", lambda card: 64)
        patch.setattr(choosing.log, "info", lambda line: told.append(str(line)))
        run = zoo.train(
            "best", budget="1min", weights=folder / "my_resnet18.weights.h5", preprocessing="torch", data=photos,
            verbose=0, run=folder / "run", **SMALL,
        )  # fmt: skip
    return run, [line for line in told if line.startswith("best: ")][1:]  # the first: what is measured


def test_the_run_stands_under_the_network_that_was_chosen(chosen_run):
    run, told = chosen_run
    assert len(told) == 3 and "resnet18" in told[1] and "64x64 pixels" in told[1] and "of 1min" in told[2]
    config, recipe = run.config, run.config["recipe"]
    assert config["model"] == "resnet18" and run.results["recipe"] == "finetune"
    assert (recipe["epochs"], recipe["head_epochs"], recipe["batch_size"]) == (2, 1, 16)
    assert recipe["preprocess"] == {"cover": [64, 64]}
    words = shlex.split(config["command"])
    assert words[:3] == ["zoo", "train", "resnet18"] and "best" not in words and "--budget" not in words
    for option, value in {"--epochs": "2", "--head-epochs": "1", "--batch-size": "16"}.items():
        assert words[words.index(option) + 1] == value
    assert "cover=(64, 64)" in words


@pytest.mark.slow
def test_the_command_repeats_the_run_exactly(chosen_run, tmp_path):
    run, _ = chosen_run
    words = shlex.split(run.config["command"])
    assert cli.main([*words[1:], "--quiet", "--run", str(tmp_path / "again")]) == 0
    again = zoo.Run.open(tmp_path / "again")
    assert again.metrics == run.metrics
    for before, after in zip(run.model().weights, again.model().weights):
        assert np.array_equal(np.asarray(before), np.asarray(after))


def test_weights_that_are_here_are_found_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(zoo.UsageError, match=r"no weights 'imagenet' in .* and ZOO_OFFLINE is set; put a file there"):
        candidates.candidates(None)
    for name in ("resnet50", "densenet121"):
        (record,) = [each for each in zoo.info(name).weights if each.tag == "imagenet"]
        file = fetching.cached_path(record.url)
        file.parent.mkdir(parents=True)
        file.touch()
    found = candidates.candidates(None)
    assert {each.name: each.accuracy for each in found} == {"resnet50": 0.749, "densenet121": 0.75}
    assert all(each.at_hand and each.side == 224 for each in found)


def test_what_can_be_fetched_counts_as_well(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    monkeypatch.delenv("ZOO_OFFLINE", raising=False)
    monkeypatch.delenv("ZOO_MIRROR", raising=False)
    monkeypatch.setattr(reachability, "reachable", lambda host: host == "download.pytorch.org")
    found = {each.name: each for each in candidates.candidates("torchvision")}
    assert "mobilenet_v2" not in found  # they are for variant="torch"
    assert not found["convnext_tiny"].at_hand
    monkeypatch.setattr(reachability, "reachable", lambda host: False)
    with pytest.raises(zoo.UsageError, match=r"download\.pytorch.org cannot be reached"):
        candidates.candidates("torchvision")


def test_a_file_is_of_the_network_in_its_name():
    with pytest.raises(zoo.UsageError, match=r"weights are 'mine.h5'; best takes a tag"):
        candidates.candidates("mine.h5")
    assert candidates.candidates("w/mobilenet_v3_large-8738ca79.pth")[0].name == "mobilenet_v3_large"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (dict(name="best", data="photos"), "best chooses for the time that there is; say how long: --budget 10min"),
        (dict(name="best", data="photos", budget="soon"), "budget is 'soon'; expected a time: 90s, 10min or 1h"),
        (dict(name="best", data="photos", budget=-3), "budget is -3; expected a time"),
        (dict(name="best", data="photos", budget="10 min 5 x"), "expected a time"),
        (dict(name="best", data="photos", budget="1min30"), "expected a time"),  # not 31 minutes
        (dict(name="best", data="photos", budget="1 000s"), "expected a time"),
        (dict(name="best", data="photos", budget="0s"), "expected more than nothing"),
        (dict(name="best", data="photos", budget=True), "budget is True; expected a time"),
        (dict(name="best", budget="10min"), "best is for images of your own; name them: --data FOLDER"),
        (dict(name="best", data="photos", budget=5, epochs=3), "epochs is given with best, which chooses it"),
        (dict(name="best", data="photos", budget=5, head_epochs=0), "head_epochs is given with best, which chooses it"),
        (dict(name="best", data="photos", budget=5, folds=3), "folds is given with best"),
        (dict(name="best", data="photos", budget=5, resume=True), "resume is given with best"),
        (dict(name="lenet5", budget="10min"), "budget is '10min' for a network that is named"),
        (dict(data="photos", budget="10min"), "budget is '10min' for no network; it is for best"),
        (dict(name="best", data="nowhere", budget=5, weights="resnet50.h5"), "data is 'nowhere', which is not there"),
    ],
)
def test_what_does_not_go_with_it_is_told_in_a_line(given, told):
    with pytest.raises(zoo.UsageError) as error:
        zoo.train(**given)
    assert told in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "how", "told"),
    [("resnet50_lost.h5", "caffe", "resnet50_lost.h5"), ("resnet50_here.h5", None, "preprocessing"),
     ("resnet50_here.h5", "caffee", "caffee")],
)  # fmt: skip
def test_bad_weights_are_told_before_anything_is_measured(file, how, told, photos, tmp_path, monkeypatch):
    (tmp_path / "resnet50_here.h5").touch()
    monkeypatch.setattr(throughput, "training_speed", lambda *_: pytest.fail("it was measured"))
    with pytest.raises(zoo.UsageError) as error:
        zoo.train("best", data=photos, budget="10min", weights=tmp_path / file, preprocessing=how)
    assert told in str(error.value)


def test_the_command_tells_a_bad_budget_before_keras_is_imported(capsys):
    assert cli.main(["train", "best", "--data", "photos", "--budget", "soon"]) == 2
    assert capsys.readouterr().err == "zoo: budget is 'soon'; expected a time: 90s, 10min or 1h\n"


def test_the_bench_tells_milliseconds(capsys):
    assert cli.main(["bench", "lenet5", "--batch-size", "4", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["name"] == "lenet5" and row["pixels"] == 28 and row["learn_ms"] > 0 and row["predict_ms"] > 0
    assert cli.main(["bench", "gpt"]) == 2
    assert "gpt is for language_modelling; expected networks that take an image" in capsys.readouterr().err
    assert cli.main(["bench", "lenet5", "--image-size", "32x48"]) == 2
    assert "expected one number of pixels" in capsys.readouterr().err
