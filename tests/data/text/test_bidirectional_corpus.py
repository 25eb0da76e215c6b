"""Windows of words by their letters, with the words on both sides as targets; and the language of two senses."""

import math

import numpy as np
import pytest

import zoo
from zoo import tasks
from zoo.baselines.ngram import KneserNey
from zoo.data.builtin import two_senses
from zoo.data.sources import open_source
from zoo.data.text.bidirectional_corpus import BidirectionalCorpus
from zoo.data.text.folder import CorpusFolder
from zoo.data.text.spelling import BEGIN, END, FIRST_BYTE, LETTERS, spelled
from zoo.errors import UsageError
from zoo.models.elmo import BYTES
from zoo.tasks.bidirectional_language_modelling import expected

WORDS = "one two three four five six seven eight nine ten"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus")
    text = " ".join(np.random.default_rng(0).choice(WORDS.split(), 600))
    (root / "a.txt").write_text(text + " zürich", encoding="utf-8")
    return root


def corpus(folder, **preprocess):
    words = {"tokens": "words", "vocabulary": 100, "length": 8, "letters": 10, **preprocess}
    recipe = zoo.records.replace(zoo.info("elmo").recipe("text_folder"), preprocess=words, batch_size=4)
    return BidirectionalCorpus.adapt(zoo.info("elmo"), recipe, open_source(str(folder), folder=CorpusFolder).load())


def read(letters):
    """The words again, (windows, words)."""
    return [
        [bytes(x - FIRST_BYTE for x in word if x >= FIRST_BYTE).decode("utf-8", "replace") for word in row]
        for row in letters
    ]


@pytest.mark.parametrize("training", [False, True])
def test_targets_are_the_words_on_both_sides(folder, training):
    data = corpus(folder)
    text = data.text("train").split()
    for letters, targets in data.batches("train", training=training).as_numpy_iterator():
        assert letters.dtype == "int32" and letters.shape[1:] == (8, 10)
        for row, later, before in zip(read(letters), targets["forward"], targets["backward"]):
            ids = data.vocabulary.encode(" ".join(row))
            np.testing.assert_array_equal(later[:-1], ids[1:])
            np.testing.assert_array_equal(before[1:], ids[:-1])
            ends = data.vocabulary.decode([before[0]]), data.vocabulary.decode([later[-1]])
            assert f" {ends[0]} {' '.join(row)} {ends[1]} " in f" {' '.join(text)} "


def test_every_word_but_the_outermost_is_read_once(folder):
    data = corpus(folder)
    text = data.text("test").split()
    found = [word for letters, _ in data.batches("test").as_numpy_iterator() for row in read(letters) for word in row]
    assert found == text[1 : 1 + len(found)] and len(text) - 2 - len(found) < 8


def test_a_word_without_an_id_has_its_letters(folder):
    data = corpus(folder)
    assert data.vocabulary.encode("zürich").tolist() == [1]
    (row,) = data.encode(["zürich one"])
    assert row.shape == (2, 10) and read([row])[0] == ["zürich", "one"]
    assert data.encode(["one two", "three"]).shape == (2, 2, 10), "the shorter one has a word of zeros"
    again = BidirectionalCorpus.from_config(data.card, data.recipe, None, data.get_config())
    np.testing.assert_array_equal(again.encode(["zürich one"]), data.encode(["zürich one"]))
    assert data.model_options() == {"input_shape": (None, 10), "vocabulary_size": len(data.vocabulary)}


def test_spelling():
    assert spelled(["ab"], 5).tolist() == [[BEGIN, FIRST_BYTE + 97, FIRST_BYTE + 98, END, 0]]
    long = spelled(["abcdefgh"], 5)[0]
    assert long[-1] == END and (long > 0).all()
    assert LETTERS == BYTES and spelled(["ÿ€"], 12).max() < LETTERS


def test_what_is_refused(folder, tmp_path):
    with pytest.raises(UsageError, match="tokens is 'characters'; elmo reads words by their letters: words or spaces"):
        corpus(folder, tokens="characters")
    with pytest.raises(UsageError, match="letters is 2; expected a whole number of at least 3"):
        corpus(folder, letters=2)
    with pytest.raises(UsageError, match="text 1 holds no words; expected at least one"):
        corpus(folder).encode(["..."])
    (tmp_path / "short.txt").write_text("a word or two " * 20)
    with pytest.raises(UsageError, match=r"\(validation\) holds 8 words; expected at least 10, one window and a word"):
        corpus(tmp_path / "short.txt")


def test_baseline_reads_both_ways(folder):
    data = corpus(folder)
    train, test = data.token_ids("train"), data.token_ids("test")
    size = len(data.vocabulary) - 1
    ways = [
        KneserNey(a, order=2, vocabulary_size=size).perplexity(b) for a, b in ((train, test), (train[::-1], test[::-1]))
    ]
    found = tasks.get("bidirectional_language_modelling").baselines(data)["Kneser-Ney 2-gram"]
    unknown = data.unknown_kinds ** data.unknown_share("test")
    assert found == pytest.approx(math.sqrt(ways[0] * ways[1]) * unknown)


def test_evaluation_of_a_network_that_knows_nothing(folder):
    """Equal logits: every word is one of all."""
    data = corpus(folder)
    model = zoo.build("elmo", **data.model_options(), embedding=4, filters=((1, 4),), dim=4)
    model.get_layer("logits").set_weights([0 * each for each in model.get_layer("logits").get_weights()])
    task = tasks.get("bidirectional_language_modelling")
    network = tasks.base.Network.of(model, data.card, task)
    found = network.judge(data, "test").metrics
    wanted = len(data.vocabulary) * data.unknown_kinds ** data.unknown_share("test")
    for name in ("perplexity", "forward_perplexity", "backward_perplexity"):
        assert found[name] == pytest.approx(wanted, rel=1e-4)


def test_what_both_directions_expect():
    """At the ends one of them speaks, between them both: 1/2 * 1/3 against 1/4 * 1/3 is two to one."""
    forward = np.log(np.array([[[1, 1, 6, 3], [1, 1, 1, 1], [1, 1, 1, 1]]]) / 1.0)
    backward = np.log(np.array([[[1, 1, 1, 1], [1, 1, 1, 3], [1, 1, 4, 4]]]) / 1.0)
    found = expected({"forward": forward, "backward": backward})
    np.testing.assert_allclose(found, [[0, 0, 1 / 4, 3 / 4], [0, 0, 2 / 3, 1 / 3], [0, 0, 1 / 2, 1 / 2]], atol=1e-9)


# The language.


def test_the_sense_is_told_in_its_own_clause():
    field_of = {word: field for field, parts in two_senses.FIELDS.items() for part in parts for word in part.split()}
    for sentence in two_senses.sentences(500):
        words = [word if word in field_of else word.removesuffix("s") for word in sentence.text.split()]
        assert len(words) == two_senses.LENGTH and words[sentence.place] == sentence.word
        clause = range(0, 7) if sentence.place < 7 else range(8, 15)
        clues = {place for place in clause if words[place] in field_of}
        meant = two_senses.SENSES[sentence.word][sentence.sense]
        assert {field_of[words[place]] for place in clues} == {meant}
        assert sentence.before == any(place < sentence.place for place in clues)
        assert sentence.after == any(place > sentence.place for place in clues)


def test_senses_are_balanced_and_no_word_is_two_things():
    rows = two_senses.sentences(4000)
    assert abs(np.mean([row.sense for row in rows]) - 0.5) < 0.03
    words = [
        word for parts in [*two_senses.FIELDS.values(), two_senses.NEUTRAL] for part in parts for word in part.split()
    ]
    words += two_senses.SENSES
    assert len(words) == len(set(words))
    assert two_senses.sentences(3) == rows[:3]
