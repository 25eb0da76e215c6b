"""Word vectors: what each network computes, by hand; its examples; and a text of one's own, from words to files."""

import dataclasses
import math

import keras
import numpy as np
import pytest
import samples

import zoo
from zoo import tasks
from zoo.cli import main
from zoo.data.text.files import TextFiles
from zoo.data.text.word_vectors import SkipGramSettings, WordVectorDataModule
from zoo.inference import api
from zoo.losses import Glove, NegativeSampling
from zoo.metrics.word_vectors import WordVectors, vectors_of
from zoo.tasks import word_vectors as word_vectors_task
from zoo.tasks.base import Network
from zoo.tasks.word_vectors import factored
from zoo.trainers.word2vec import BlockTrainer
from zoo.trainers.word2vec_on_device import OnDeviceTrainer

SIZES = {"vocabulary_size": 30, "dimension": 6}


def filled(name, **options):
    model = samples.fill(zoo.build(name, **SIZES, **options))
    tables = {layer.name: layer.get_weights()[0] for layer in model.layers if layer.weights}
    return model, tables


def run(model, **inputs):
    inputs = {name: np.array(values, "int32") for name, values in inputs.items()}
    return samples.arrays(model(inputs if len(inputs) > 1 else next(iter(inputs.values()))))


def test_word2vec_scores_are_dot_products():
    model, tables = filled("word2vec", negatives=2)
    found = run(model, centre=[3, 7], contexts=[[1, 2, 3], [4, 5, 6]])
    expected = [[tables["theta"][j] @ tables["words"][i] for j in row] for i, row in ((3, (1, 2, 3)), (7, (4, 5, 6)))]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_cbow_averages_the_words_that_are_there():
    model, tables = filled("cbow", window=2, negatives=1)
    found = run(model, around=[[0, 4, 5, 0]], middles=[[8, 9]])
    bag = (tables["words"][4] + tables["words"][5]) / 2
    np.testing.assert_allclose(found, [[tables["theta"][8] @ bag, tables["theta"][9] @ bag]], rtol=1e-5)


def test_the_order_of_a_bag_does_not_matter_and_that_of_a_window_does():
    cbow, _ = filled("cbow", window=2, negatives=1)
    one, other = ([[3, 4, 5, 0]], [[0, 5, 3, 4]])
    np.testing.assert_allclose(run(cbow, around=one, middles=[[8, 9]]), run(cbow, around=other, middles=[[8, 9]]), 1e-5)
    window, _ = filled("window_lm", context=4, hidden=8)
    assert not np.allclose(run(window, before=one), run(window, before=other))


def test_the_softmax_is_the_one_of_the_definition():
    model, tables = filled("skipgram_softmax")
    logits = run(model, centre=[5])
    np.testing.assert_allclose(logits[0], tables["words"][5] @ tables["logits"], rtol=1e-5)


def test_glove_adds_both_biases():
    model, tables = filled("glove")
    found = run(model, word=[3], context=[4])
    expected = tables["words"][3] @ tables["theta"][4] + tables["word_bias"][3, 0] + tables["context_bias"][4, 0]
    np.testing.assert_allclose(found, [[expected]], rtol=1e-5)


def test_the_vectors_of_glove_are_the_mean_of_both_tables():
    model, tables = filled("glove")
    np.testing.assert_allclose(vectors_of(model), (tables["words"] + tables["theta"]) / 2, rtol=1e-6)
    model, tables = filled("word2vec")
    np.testing.assert_array_equal(vectors_of(model), tables["words"])


def test_losses_by_hand():
    # softplus(-2) + softplus(-1) + softplus(3)
    expected = math.log1p(math.exp(-2)) + math.log1p(math.exp(-1)) + math.log1p(math.exp(3))
    loss = float(NegativeSampling()(np.array([[1, 0, 0]]), np.array([[2.0, -1.0, 3.0]])))
    assert loss == pytest.approx(expected, rel=1e-6)
    counts, predictions = np.array([[50.0], [400.0]]), np.array([[1.0], [2.0]])
    expected = (0.5**0.75 * (1 - math.log(50)) ** 2 + (2 - math.log(400)) ** 2) / 2
    assert float(Glove()(counts, predictions)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("option", "value"), [("vocabulary_size", 0), ("dimension", -1), ("negatives", 2.5)])
def test_a_size_that_is_none_is_refused(option, value):
    with pytest.raises(zoo.UsageError, match=f"{option} is {value}; expected a whole number of at least 1"):
        zoo.build("word2vec", **{option: value})


# What they learn from


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """A text of 2,000 lines, each about one of ten things."""
    rng = np.random.default_rng(0)
    topics = [[f"w{topic}{letter}" for letter in "abcdef"] for topic in range(10)]
    lines = [" ".join(["the", *rng.choice(topics[rng.integers(10)], 7)]) for _ in range(2000)]
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n".join(lines))
    return path


def data_module(name, text, **preprocess):
    card = zoo.info(name)
    recipe = card.recipe("demo")
    same = {"train": "train", "validation": "validation", "test": "test"}
    recipe = dataclasses.replace(recipe, preprocess={**recipe.preprocess, **preprocess}, **same)
    return WordVectorDataModule.adapt(card, recipe, TextFiles(text).load())


def first(data, split="train"):
    return next(iter(data.batches(split, training=split == "train").as_numpy_iterator()))


def test_each_network_gets_what_its_card_says(text):
    for name in zoo.list_models(task="word_vectors"):
        data = data_module(name, text)
        card = zoo.info(name)
        x, _ = first(data)
        arrays = x if isinstance(x, dict) else {card.inputs[0].name: x}
        known = {option: value for option, value in data.model_options().items() if option in card.options}
        model = zoo.build(name, dimension=4, **known)
        assert {t.name: tuple(t.shape[1:]) for t in model.inputs} == {key: a.shape[1:] for key, a in arrays.items()}
        assert all(array.max() < len(data.vocabulary) for array in arrays.values())
        model.predict_on_batch(x)


def test_examples_come_from_the_text(text):
    """Words of a line share their topic: so do a centre and its context, and the words before a word."""
    data = data_module("word2vec", text, sample=0)
    topics = np.array([-1, *(int(word[1]) if word != "the" else -1 for word in data.vocabulary.words[1:])])
    x, y = first(data)
    centre, true = topics[x["centre"]], topics[x["contexts"][:, 0]]
    assert (y == [1, 0, 0, 0, 0, 0]).all()
    assert ((centre == true) | (centre < 0) | (true < 0)).all()
    drawn = topics[x["contexts"][:, 1]]
    assert 0.05 < (centre == drawn).mean() < 0.25  # one topic in ten
    assert not (x["contexts"][:, 1:] == x["contexts"][:, :1]).any()
    before, word = first(data_module("window_lm", text))
    last = topics[before[:, -1]]
    assert ((last == topics[word]) | (last < 0) | (topics[word] < 0)).all()


def test_every_epoch_is_drawn_anew_and_every_run_alike(text):
    data_modules = [data_module("word2vec", text, block=0).batches("train", training=True) for _ in range(2)]
    epochs = [
        [np.concatenate([x["centre"] for x, _ in data.as_numpy_iterator()]) for _ in range(2)] for data in data_modules
    ]
    (a, b), (again, _) = epochs
    assert np.array_equal(a, again)
    assert not np.array_equal(a[: len(b)], b[: len(a)])
    held = [first(data_module("word2vec", text), "test")[0]["contexts"] for _ in range(2)]
    assert np.array_equal(*held)


def trained(data):
    """What trains the network that this data is for, its batches, and the loss of two epochs."""
    model = zoo.build("word2vec", vocabulary_size=len(data.vocabulary), dimension=8)
    task = tasks.get("word_vectors")
    network, blocks = task.trainer(Network.of(model, data.card, task), data)
    trainer, batches = network.model, blocks.batches("train", training=True)
    trainer.compile(keras.optimizers.SGD(0.05))
    return trainer, blocks, [trainer.fit(batches, verbose=0, shuffle=False).history["loss"][0] for _ in range(2)]


def test_a_text_that_is_too_long_for_the_device_is_streamed_in_blocks_of_one_size(text, monkeypatch):
    monkeypatch.setattr(word_vectors_task, "MAX_TOKENS_ON_DEVICE", 10)
    trainer, blocks, losses = trained(data_module("word2vec", text))
    shapes = {tuple((key, a.shape) for key, a in x.items()) for x, _ in blocks.batches("train", training=True)}
    assert len(shapes) == 1
    assert type(trainer) is BlockTrainer and losses[1] < losses[0]


def test_a_text_that_fits_is_on_the_device(text):
    trainer, blocks, losses = trained(data_module("word2vec", text))
    assert type(trainer) is OnDeviceTrainer and losses[1] < losses[0]
    assert trainer.evaluate(blocks.batches("validation"), verbose=0, return_dict=True)["loss"] > 0


def test_a_data_module_comes_back_from_its_config(text):
    data = data_module("word2vec", text)
    again = WordVectorDataModule.from_config(data.card, data.recipe, None, data.get_config())
    assert again.vocabulary == data.vocabulary


@pytest.mark.parametrize(
    ("preprocess", "message"),
    [
        ({"window": 0}, "window is 0; expected a whole number of at least 1"),
        ({"sample": -1.0}, "sample is -1.0; expected a number of at least 0"),
        ({"negatives": 2.5}, "negatives is 2.5; expected a whole number of at least 1"),
        ({"windw": 3}, "did you mean window"),
    ],
)
def test_settings_are_checked(preprocess, message):
    with pytest.raises(zoo.UsageError, match=message):
        SkipGramSettings.of(preprocess)


def test_a_vocabulary_smaller_than_the_negatives_is_refused(text):
    with pytest.raises(zoo.UsageError, match="has 61 different words; expected more than 61"):
        data_module("word2vec", text, negatives=61)


def test_factored_counts_know_the_topics(text):
    data = data_module("word2vec", text)
    vectors = WordVectors(data.vocabulary.words[1:], factored(data)[1:])
    assert all(word[1] == "3" for word, _ in vectors.neighbours("w3a", 5))


# From a text of one's own to files


@pytest.mark.slow
def test_a_text_of_ones_own(text, tmp_path, capsys):
    folder = tmp_path / "run"
    settings = dict(data=text, run=folder, window=3, min_count=2, epochs=8, learning_rate=0.1, verbose=0)
    run = zoo.train("word2vec", "demo", **settings)
    assert run.config["recipe"]["preprocess"]["window"] == 3
    assert "--option window=3" in run.config["command"]
    assert run.config["options"]["vocabulary_size"] == 62  # 10 x 6 words, "the", and none
    assert run.metrics["loss"] < 6 * math.log(2) * 0.8
    again = api.evaluate(run)
    assert again["loss"] == pytest.approx(run.metrics["loss"], rel=1e-5)
    questions = tmp_path / "mine.txt"
    questions.write_text(": topics\nw1a w1b w2a w2b\nw1a w1b w2a qqq\n")
    capsys.readouterr()
    assert main(["evaluate", str(folder), "--with", str(questions)]) == 0
    out = capsys.readouterr().out
    assert "topics: " in out and " on 1 of 2" in out and "nearest to" in out
    assert main(["predict", str(folder), "w3a"]) == 0
    neighbours = capsys.readouterr().out.partition(": ")[2].split(", ")
    assert all(word.startswith("w3") for word in neighbours[:3])
    for form, file in {"word2vec": "v.txt", "word2vec-binary": "v.bin", "projector": "p"}.items():
        assert main(["export", str(folder), "--format", form, "--out", str(tmp_path / file)]) == 0
        assert (tmp_path / file).exists()
    assert main(["export", str(folder), "--format", "word2vec", "--out", str(tmp_path / "v.txt")]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["export", str(folder), "--format", "onx", "--out", str(tmp_path / "x")]) == 2
    assert "there is no format of word2vec 'onx'; did you mean onnx" in capsys.readouterr().err


def test_files_are_for_tasks_that_take_them(tmp_path):
    run = zoo.train("softmax_regression", run=tmp_path / "run", epochs=1, verbose=0)
    with pytest.raises(zoo.UsageError, match="softmax_regression is not measured against files"):
        api.evaluation(run, files=["x.txt"])
    with pytest.raises(zoo.UsageError, match="there is no format of softmax_regression 'word2vec'"):
        api.export(run, "word2vec", tmp_path / "x")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_demo_solves_the_planted_analogies(seed, tmp_path):
    run = zoo.train("word2vec", seed=seed, run=tmp_path / "run", verbose=0)
    assert run.metrics["analogies"] >= zoo.info("word2vec").recipe("demo").expected.bound
