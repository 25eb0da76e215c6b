"""A run that learns to compare, from training to the answers of `zoo compare` and `zoo search`."""

import logging

import keras
import numpy as np
import pytest
from matplotlib.image import imsave

import zoo
from zoo import losses, registry, tasks
from zoo.cli import main
from zoo.data.builtin.glyphs import Glyphs
from zoo.metrics import retrieval
from zoo.tasks import metric_learning
from zoo.tasks.base import Network

SMALL = {"tower": "lenet5", "tower_options": {}, "dimensions": 16, "epochs": 1, "verbose": 0}
FIGURES = {"recall@1", "recall@5", "mAP", "accuracy", "auc", "threshold", "embedding_std"}


@pytest.fixture(scope="module")
def run(tmp_path_factory, drawn):
    """LeNet-5 after one epoch of glyphs."""
    return zoo.train("siamese", run=tmp_path_factory.mktemp("runs") / "glyphs", **SMALL)


@pytest.fixture(scope="module")
def characters(tmp_path_factory):
    """Three drawings of each of four test characters, a folder for each character."""
    x, y = Glyphs.examples(None)
    root = tmp_path_factory.mktemp("characters")
    for label in range(290, 294):
        (root / str(label)).mkdir()
        for number, image in enumerate(x[y == label][:3]):
            imsave(root / str(label) / f"{number}.png", image.repeat(3, -1))
    return root


def test_a_run_is_measured_on_unseen_classes_beside_what_needs_no_labels(run):
    assert set(run.metrics) == FIGURES
    assert set(run.results["baselines"]) == {"chance", "raw pixels", "PCA", "random network"}
    assert run.metrics["recall@1"] > run.results["baselines"]["random network"]
    assert 0.5 < run.metrics["accuracy"] <= 1 and 0 < run.metrics["threshold"] < 2
    for file in ("neighbours.png", "distances.png", "roc.png", "map.png", "curves.png"):
        assert (run.path / file).stat().st_size > 10_000
    header = (run.path / "history.csv").read_text().splitlines()[0]
    assert "val_recall@1" in header and "val_embedding_std" in header


def test_evaluating_again_finds_the_same(run):
    assert zoo.evaluate(run) == pytest.approx(run.metrics, abs=1e-5)


def test_pixels_are_judged_as_scikit_learn_would(run):
    from sklearn.neighbors import KNeighborsClassifier

    x, y = next(zoo.load_data("glyphs", split="test", batch_size=1000).as_numpy_iterator())
    nearest = KNeighborsClassifier(2).fit(x.reshape(1000, -1), y)
    others = nearest.kneighbors(return_distance=False)[:, 0]  # without X, no image is its own neighbour
    assert run.results["baselines"]["raw pixels"] == pytest.approx(np.mean(y[others] == y), abs=0.002)
    assert run.results["baselines"]["chance"] == pytest.approx(19 / 999)


@pytest.mark.parametrize(
    ("name", "options"),
    [("siamese_pairs", {"head": "absolute"}), ("siamese_pairs", {"head": "distance"}), ("triplet_inputs", {})],
)
def test_the_encoder_of_a_network_sees_what_the_network_says(name, options):
    model = zoo.build(name, tower="lenet5", dimensions=8, **options)
    x = np.random.default_rng(0).normal(size=(4, 28, 28, 1)).astype("float32")
    eye = metric_learning.encoder_of(model)
    points = eye.embed(x)
    assert points.shape == (4, 8)
    if name == "triplet_inputs":
        said = model({"anchor": x[:1], "positive": x[1:2], "negative": x[2:3]}, training=False)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(said)[0], points[:3], rtol=1e-4, atol=1e-5)
    else:
        said = model({"first": x[[0, 1]], "second": x[[2, 3]]}, training=False)
        expected = -keras.ops.convert_to_numpy(said)[:, 0]
        np.testing.assert_allclose(eye.distances(points, points)[[0, 1], [2, 3]], expected, rtol=1e-4, atol=1e-5)
        rows = np.array([[0, 2], [1, 3]])
        np.testing.assert_allclose(eye.between(points, rows), expected, rtol=1e-4, atol=1e-5)


def test_pairs_are_compared_one_by_one_as_in_a_table():
    eye = metric_learning.Encoder(lambda x: x, retrieval.euclidean, metric_learning.lengths)
    points = np.random.default_rng(0).normal(size=(30, 3))
    rows, _ = retrieval.pairs(np.arange(30) % 5)
    expected = eye.distances(points, points)[rows[:, 0], rows[:, 1]]
    np.testing.assert_allclose(eye.between(points, rows), expected, rtol=1e-4, atol=1e-5)


# The loss of a recipe.


def test_a_recipe_may_name_its_loss():
    card, task = zoo.info("siamese_pairs"), tasks.get("metric_learning")
    model = zoo.build("siamese_pairs", tower="lenet5")
    found = {name: Network.of(model, card, task, card.recipe(name)).loss for name in RECIPE_LOSSES}
    assert {name: type(loss) for name, loss in found.items()} == RECIPE_LOSSES


RECIPE_LOSSES = {"demo": keras.losses.BinaryCrossentropy, "demo_distance": losses.Contrastive}


def test_every_recipe_names_a_loss_there_is():
    for name in zoo.list_models(task="metric_learning"):
        for recipe in zoo.info(name).recipes:
            assert not recipe.loss or losses.get(recipe.loss)


# Collapse.


def watched(mining, spreads, caplog):
    """What is said of a network with these spreads after epochs of 60 steps."""
    network = Network(None, zoo.info("siamese"), None, {"": losses.Triplet(mining=mining)})
    watch = metric_learning.CollapseWatch(network, None)
    caplog.set_level(logging.WARNING, "zoo")
    for epoch, spread in enumerate(spreads):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(metric_learning, "encoder_of", lambda model: Fake)
            patch.setattr(retrieval, "embedding_std", lambda points, spread=spread: spread)
            for batch in range(60):
                watch.on_train_batch_end(batch)
            watch.on_epoch_end(epoch, {"loss": 0.2001})
    return [record.getMessage() for record in caplog.records]


class Fake:
    distances = staticmethod(retrieval.euclidean)

    @staticmethod
    def embeddings(data, split):
        return np.eye(4), np.array([0, 0, 1, 1])


def test_a_collapse_is_said_once_with_its_cure(caplog):
    said = watched("hard", [0.01, 0.008, 0.002, 0.001], caplog)
    assert said == [
        "all images have become one point (standard deviation 0.0080) and the loss is stuck at the margin 0.2: "
        "hard triplets from the start pull everything together; "
        "train with the loss triplet_semi_hard, or lower learning_rate"
    ]


def test_a_start_close_together_is_no_collapse(caplog):
    assert watched("semi_hard", [0.03, 0.4, 0.8], caplog) == []


# Verbs.


def test_compare_says_same_or_different(run, characters):
    one, other = characters / "290" / "0.png", characters / "291" / "0.png"
    assert zoo.compare(run, one, one)[0].startswith("the same: distance 0.00")
    (line,) = zoo.compare(run, one, other)
    word, distance = line.split(": distance ")
    assert (word == "the same") == (float(distance.split(",")[0]) <= run.metrics["threshold"])
    assert f"{run.metrics['accuracy']:.1%} right on unseen test classes" in line


def test_search_ranks_the_images_of_a_folder(run, characters):
    lines = zoo.search(run, characters / "290" / "0.png", characters)
    assert len(lines) == 11, "all but the query"
    distances = [float(line.split()[1]) for line in lines]
    assert distances == sorted(distances) and distances[0] > 0
    assert len({line.split()[-1] for line in lines}) == 11


def test_search_leaves_out_what_is_no_image(run, characters, tmp_path, caplog):
    query = characters / "290" / "0.png"
    (tmp_path / "same.png").write_bytes(query.read_bytes())
    (tmp_path / "text.png").write_text("not an image")
    with caplog.at_level("WARNING", logger="zoo"):
        (line,) = zoo.search(run, query, tmp_path)
    assert line.endswith("same.png") and "text.png" in caplog.text
    (tmp_path / "same.png").unlink()
    with pytest.raises(zoo.UsageError, match=r"no image in .* can be read"):
        zoo.search(run, query, tmp_path)


def test_the_command_line_prints_the_lines(run, characters, capsys):
    query = str(characters / "290" / "0.png")
    assert main(["search", str(run.path), query, str(characters), "--top", "3"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert main(["compare", str(run.path), query, query]) == 0
    assert capsys.readouterr().out.startswith("the same")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["compare", "RUN", "QUERY", "nowhere.png"], "nowhere.png is not there; expected the file of an image"),
        (["search", "RUN", "QUERY", "nowhere"], "there is no folder nowhere"),
        (["search", "RUN", "QUERY", "EMPTY"], "holds no images"),
        (["search", "RUN", "QUERY", "EMPTY", "--top", "0"], "--top is 0; expected"),
        (["compare", "nowhere", "QUERY", "QUERY"], "nowhere is no finished run"),
    ],
)
def test_wrong_requests(run, characters, tmp_path, words, says, capsys):
    (tmp_path / "empty").mkdir()
    stand_for = {"RUN": run.path, "QUERY": characters / "290" / "0.png", "EMPTY": tmp_path / "empty"}
    assert main([str(stand_for.get(word, word)) for word in words]) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1


def test_a_classifier_compares_nothing(tmp_path):
    digits = zoo.train("softmax_regression", run=tmp_path / "digits", epochs=1, verbose=0)
    with pytest.raises(zoo.UsageError, match="softmax_regression cannot compare; `zoo list --task metric_learning`"):
        zoo.compare(digits, "a.png", "b.png")


# What is expected of the demo.


@pytest.mark.slow
def test_the_hardest_triplets_collapse_and_it_is_said(tmp_path, caplog):
    caplog.set_level(logging.WARNING, "zoo")
    run = zoo.train("siamese", "demo_hard", run=tmp_path / "run", verbose=0)
    assert "all images have become one point" in caplog.text and "triplet_semi_hard" in caplog.text
    assert run.metrics["embedding_std"] < 0.1 and run.metrics["recall@1"] < run.results["baselines"]["raw pixels"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_the_demo_reaches_its_figure(seed, tmp_path):
    expected = registry.info("siamese").recipe("demo").expected
    run = zoo.train("siamese", run=tmp_path / "run", seed=seed, verbose=0)
    assert run.metrics["recall@1"] >= expected.bound
    assert run.results["baselines"]["raw pixels"] <= 0.70
