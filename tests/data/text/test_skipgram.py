"""From text to what word vectors are trained on, against hand counts and the laws of chance."""

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from zoo.data.text import files as text_files
from zoo.data.text import skipgram
from zoo.data.text.files import TextFiles
from zoo.data.text.skipgram import CountedVocabulary, NegativeSampler
from zoo.errors import UsageError


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def vocabulary(text, min_count=1):
    return CountedVocabulary.of(Counter(text.split()), min_count=min_count, source="the text")


def test_words_are_numbered_by_frequency_and_rare_ones_left_out():
    words = vocabulary("b a a c c c d", min_count=1)
    assert words.words == ("", "c", "a", "b", "d")  # equal ones by the alphabet
    assert words.counts == (0, 3, 2, 1, 1)
    assert vocabulary("b a a c c c d", min_count=2).words == ("", "c", "a")


def test_encoding_ends_each_sentence_and_drops_unknown_words():
    words = vocabulary("a a b")
    assert words.encode([["a", "x", "b"], ["x"], ["b"]]).tolist() == [1, 2, 0, 2, 0]
    long = words.encode([["a"] * (skipgram.MAX_SENTENCE_LENGTH + 1)])
    assert np.flatnonzero(long == 0).tolist() == [skipgram.MAX_SENTENCE_LENGTH, skipgram.MAX_SENTENCE_LENGTH + 2]


def test_a_text_is_mapped_from_a_file_not_held_in_memory():
    assert isinstance(vocabulary("a a b").encode([["a"]]), np.memmap)


def test_chunks_hold_whole_sentences_and_everything():
    tokens = np.array([1, 2, 0, 3, 0, 4, 5, 6, 0, 7, 0])
    parts = list(skipgram.chunks(tokens, length=4))
    assert [part.tolist() for part in parts] == [[1, 2, 0, 3, 0], [4, 5, 6, 0], [7, 0]]


def test_common_words_are_kept_by_the_formula(rng):
    words = vocabulary("a " * 900 + "b " * 99 + "c")
    t = 0.01
    fraction = np.array([0.9, 0.099, 0.001])
    expected = np.minimum(np.sqrt(t / fraction) + t / fraction, 1)
    np.testing.assert_allclose(words.keep_probabilities(t)[1:], expected, rtol=1e-6)
    assert words.keep_probabilities(t)[0] == 1  # the end of a sentence
    assert (words.keep_probabilities(0) == 1).all()
    tokens = np.repeat([1, 2, 3, 0], 20_000)
    kept = np.bincount(skipgram.subsample(tokens, words.keep_probabilities(t), rng), minlength=4) / 20_000
    np.testing.assert_allclose(kept, [1, *expected], atol=4 * 0.5 / np.sqrt(20_000))


def test_windows_have_every_width_equally_often(rng):
    tokens = np.append(np.ones(60_000, int), 0)
    _, left, right = skipgram.windows(tokens, 5, rng)
    middle = slice(10, -10)  # away from the ends
    assert (left[middle] == right[middle]).all()
    assert chisquare(np.bincount(left[middle], minlength=6)[1:]).pvalue > 0.01


def test_windows_stop_at_the_ends_of_sentences(rng):
    tokens = np.array([5, 6, 0, 7, 8, 9, 0])
    for _ in range(20):
        words, left, right = skipgram.windows(tokens, 9, rng)
        assert words.tolist() == [5, 6, 7, 8, 9]
        assert (left <= [0, 1, 0, 1, 2]).all() and (right <= [1, 0, 2, 1, 0]).all()


def test_pairs_counted_by_hand():
    """the quick brown fox: with two words on each side, ten pairs."""
    words, left, right = skipgram.windows(np.array([1, 2, 3, 4, 0]), 2, rng=None)
    found = sorted(zip(*(column.tolist() for column in skipgram.pairs(words, left, right))))
    assert found == [(1, 2), (1, 3), (2, 1), (2, 3), (2, 4), (3, 1), (3, 2), (3, 4), (4, 2), (4, 3)]


def test_pairs_bags_and_blocks_hold_the_same(rng):
    tokens = np.where(rng.random(500) < 0.1, 0, rng.integers(1, 50, 500))
    tokens[-1] = 0
    words, left, right = skipgram.windows(tokens, 4, rng)
    pairs = Counter(zip(*(column.tolist() for column in skipgram.pairs(words, left, right))))
    bags = skipgram.bags(words, left, right, 4)
    assert Counter((int(c), int(w)) for c, bag in zip(words, bags) for w in bag if w) == pairs
    context, lefts, rights = skipgram.blocks(words, left, right, size=16, window=4)
    found = Counter()
    for row, to_left, to_right in zip(context, lefts, rights):
        for centre in range(16):
            here = 4 + centre
            near = [*row[here - to_left[centre] : here], *row[here + 1 : here + 1 + to_right[centre]]]
            found.update((int(row[here]), int(word)) for word in near)
    assert found == pairs


# Negatives


def test_negatives_follow_the_frequencies_to_the_three_quarters(rng):
    counts = [0, 5000, 1200, 700, 300, 90, 20, 5, 1]
    drawn = np.bincount(NegativeSampler(counts).draw(rng, 400_000), minlength=9)
    expected = np.array(counts[1:]) ** 0.75
    assert drawn[0] == 0  # no word is never drawn
    assert chisquare(drawn[1:], expected / expected.sum() * 400_000).pvalue > 0.01
    assert chisquare(drawn[1:], np.array(counts[1:]) / sum(counts) * 400_000).pvalue < 1e-9  # the test can tell


def test_the_true_word_is_rejected_and_the_others_keep_their_probabilities(rng):
    counts = [0, 5000, 1200, 700, 300]
    drawn = NegativeSampler(counts).draw_negatives(rng, np.full(50_000, 1), 5)
    assert drawn.shape == (50_000, 5) and not (drawn == 1).any()
    expected = np.array(counts[2:]) ** 0.75
    assert chisquare(np.bincount(drawn.ravel())[2:], expected / expected.sum() * drawn.size).pvalue > 0.01


def test_a_seed_decides_what_is_drawn():
    sampler = NegativeSampler(np.arange(100))
    first, again, other = (sampler.draw(np.random.default_rng(seed), 1000) for seed in (0, 0, 1))
    assert (first == again).all() and (first != other).any()


def test_meetings_are_weighted_by_distance_and_symmetric():
    words, contexts, counts = skipgram.cooccurrences(np.array([1, 2, 3, 0, 3, 1, 0]), 2, vocabulary_size=4)
    matrix = np.zeros((4, 4))
    matrix[words, contexts] = counts
    assert matrix.tolist() == [[0, 0, 0, 0], [0, 0, 1, 1.5], [0, 1, 0, 1], [0, 1.5, 1, 0]]


# Files


def write(path, content):
    path.write_bytes(content)
    return TextFiles(path)


def test_a_file_is_read_line_by_line_whole_and_in_order(tmp_path, monkeypatch):
    text = "".join(f"line {number} Größe\n" for number in range(100_000))  # more than two parts of a mebibyte
    path = tmp_path / "text.txt"
    path.write_text(text, encoding="utf-8")
    assert list(text_files.lines_of(path)) == text.splitlines()


def test_a_text_of_one_line_is_cut_between_words(tmp_path):
    words = [f"w{number}" for number in range(300_000)]
    path = tmp_path / "text.txt"
    path.write_text(" ".join(words))
    lines = list(text_files.lines_of(path))
    assert len(lines) > 1
    assert " ".join(lines).split() == words
    source = TextFiles(path)
    found = [word for split in ("train", "validation", "test") for line in source.lines(split) for word in line.split()]
    assert sorted(found) == sorted(words)


def test_splits_share_no_line_and_leave_none_out(tmp_path):
    source = write(tmp_path / "text.txt", b"".join(b"line %d\n" % number for number in range(100)))
    splits = {split: list(source.lines(split)) for split in ("train", "validation", "test")}
    assert {split: len(lines) for split, lines in splits.items()} == {"train": 90, "validation": 5, "test": 5}
    assert len({line for lines in splits.values() for line in lines}) == 100
    with pytest.raises(UsageError, match="did you mean test"):
        list(source.lines("tset"))


def test_a_byte_that_is_no_text_is_named_with_its_place(tmp_path):
    content = b"good line\n" * 200_000 + b"bad \xff byte\n"
    source = write(tmp_path / "text.txt", content)
    with pytest.raises(UsageError, match=f"^byte {content.index(0xFF)} of .* is 0xff, which is no UTF-8"):
        list(source.lines("train"))


def test_what_is_no_text_is_said_in_one_line(tmp_path):
    with pytest.raises(UsageError, match="there is no text at"):
        TextFiles(tmp_path / "none.txt")
    with pytest.raises(UsageError, match="the text holds no words"):
        vocabulary("")
    with pytest.raises(UsageError, match="1 of the 2 words of the text occur 2 times"):
        vocabulary("a a b", min_count=2)
