"""What vectors know, against gensim's own reading of the same files, and hand-made cases."""

import numpy as np
import pytest

from zoo.data.builtin import tiny_english
from zoo.errors import UsageError
from zoo.metrics.word_vectors import WordVectors, known_judgements, read_judgement
from zoo.tasks.word_vectors import signed_words


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    words = ["paris", "france", "rome", "italy", "tokyo", "japan", "king", "queen", "man", "woman", "love", "sex"]
    words += ["tiger", "cat", "book", "paper", "computer", "keyboard", "plane", "car", "train", "größe", "a'b"]
    return WordVectors(words, rng.normal(size=(len(words), 16)))


def keyed(vectors):
    models = pytest.importorskip("gensim.models", reason="gensim is not installed")
    keyed = models.KeyedVectors(vectors.vectors.shape[1])
    keyed.add_vectors(list(vectors.words), vectors.vectors)
    return keyed


@pytest.mark.parametrize("binary", [False, True])
def test_gensim_reads_the_very_same_vectors(vectors, tmp_path, binary):
    models = pytest.importorskip("gensim.models", reason="gensim is not installed")
    path = vectors.save_word2vec(tmp_path / "vectors", binary=binary)
    loaded = models.KeyedVectors.load_word2vec_format(path, binary=binary)
    assert tuple(loaded.index_to_key) == vectors.words
    np.testing.assert_array_equal(loaded.vectors, vectors.vectors)


def test_the_text_format_holds_every_bit(vectors, tmp_path):
    first, *rows = vectors.save_word2vec(tmp_path / "vectors").read_text(encoding="utf-8").splitlines()
    assert first == f"{len(vectors.words)} 16"
    read = np.array([row.split(" ")[1:] for row in rows], "float32")
    np.testing.assert_array_equal(read, vectors.vectors)


def test_a_word_with_a_space_is_refused(tmp_path):
    with pytest.raises(UsageError, match="'new york' holds a space"):
        WordVectors(["new york"], np.ones((1, 2))).save_word2vec(tmp_path / "vectors")


def test_the_projector_files_fit_each_other(vectors, tmp_path):
    folder = vectors.save_projector(tmp_path / "projector")
    assert (folder / "words.tsv").read_text(encoding="utf-8").splitlines() == list(vectors.words)
    np.testing.assert_allclose(np.loadtxt(folder / "vectors.tsv"), vectors.vectors, rtol=1e-5)
    assert "vectors.tsv" in (folder / "projector_config.pbtxt").read_text()


def test_neighbours_are_gensims(vectors):
    for word in ("king", "cat"):
        found, theirs = vectors.neighbours(word, 5), keyed(vectors).most_similar(word, topn=5)
        assert [word for word, _ in found] == [word for word, _ in theirs]
        np.testing.assert_allclose([c for _, c in found], [c for _, c in theirs], atol=1e-6)


def test_similarity_is_gensims(vectors):
    files = known_judgements()
    if not files:
        pytest.skip("gensim is not installed")
    score = vectors.similarity(read_judgement(files["wordsim353"]))
    _, theirs, missing = keyed(vectors).evaluate_word_pairs(files["wordsim353"])
    assert score.value == pytest.approx(theirs[0], abs=1e-6)
    assert 1 - score.known / score.asked == pytest.approx(missing / 100)


def test_analogies_are_gensims(vectors):
    files = known_judgements()
    if not files:
        pytest.skip("gensim is not installed")
    scores = vectors.analogies(read_judgement(files["analogies"]))
    accuracy, sections = keyed(vectors).evaluate_word_analogies(files["analogies"], restrict_vocab=30_000)
    assert scores[""].value == pytest.approx(accuracy) and scores[""].asked == 19_544
    for section in sections[:-1]:
        asked = len(section["correct"]) + len(section["incorrect"])
        assert scores[section["section"].lower()].known == asked


def test_planted_analogies_are_found_and_shuffled_ones_are_not():
    rng = np.random.default_rng(0)
    words = [word for pairs in tiny_english.PAIRS.values() for pair in pairs for word in pair]
    planted = []
    for pairs in tiny_english.PAIRS.values():
        sides = rng.normal(size=(2, 30))
        planted += [topic + side for topic in rng.normal(size=(len(pairs), 30)) for side in sides]
    score = WordVectors(words, np.array(planted)).analogies(tiny_english.QUESTIONS)[""]
    assert score.value > 0.95 and score.known == score.asked == 360
    shuffled = WordVectors(rng.permutation(words), np.array(planted))
    assert shuffled.analogies(tiny_english.QUESTIONS)[""].value < 0.1


def test_the_three_given_words_are_no_answer():
    vectors = WordVectors(["a", "b", "c", "d"], np.array([[1, 0], [1, 0.1], [1, 0.05], [-1, 0]]))
    assert vectors.analogy("a", "b", "c") == "d"


def test_vectors_of_zeros_do_no_harm():
    vectors = WordVectors(["a", "b", "c"], np.zeros((3, 4)))
    assert len(vectors.neighbours("a")) == 2


def test_unknown_words_are_left_out_and_counted(vectors):
    score = vectors.similarity([("king", "queen", 9), ("cat", "car", 1), ("rome", "paris", 5), ("king", "qqq", 3)])
    assert (score.asked, score.known) == (4, 3)
    assert np.isnan(vectors.similarity([("qqq", "zzz", 1.0)]).value)
    assert vectors.analogies({"all": [("king", "queen", "man", "qqq")]})[""].known == 0


def test_an_unknown_word_is_answered_with_a_near_one(vectors):
    with pytest.raises(UsageError, match="there is no word 'quen'; did you mean queen"):
        vectors.neighbours("quen")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("one two three four five\n" * 2, "line 2 of .* expected four words, or two words and a number"),
        ("# nothing\n", "holds no questions"),
        ("a b c d\na b 1.5\n", "holds both kinds"),
    ],
)
def test_a_file_that_is_no_judgement_is_said_in_one_line(tmp_path, content, message):
    path = tmp_path / "questions.txt"
    path.write_text(content)
    with pytest.raises(UsageError, match=message) as caught:
        read_judgement(path)
    assert "\n" not in str(caught.value)


def test_files_of_both_kinds_are_read(tmp_path):
    path = tmp_path / "questions.txt"
    path.write_text(": capitals\nParis France Rome Italy\n")
    assert read_judgement(path) == {"capitals": [("paris", "france", "rome", "italy")]}
    path.write_text("word1 word2 score\ncat Dog 7.5\n")
    assert read_judgement(path) == [("cat", "dog", 7.5)]


def test_sums_of_words_are_read():
    assert signed_words("King + woman - man") == [(1, "King"), (1, "woman"), (-1, "man")]
    with pytest.raises(UsageError, match="holds no word"):
        signed_words(" + ")
