"""From text to what word vectors are trained on: token ids, windows, pairs, negative samples, blocks.

    lines -> words -> vocabulary -> one array of token ids, 0 after each sentence
          -> subsampling -> windows -> pairs (a centre, a context word), or blocks of centres

T. Mikolov, I. Sutskever, K. Chen, G. Corrado and J. Dean, "Distributed Representations of Words and Phrases
and their Compositionality", NeurIPS 2013 (subsampling, negative sampling); T. Mikolov, K. Chen, G. Corrado
and J. Dean, "Efficient Estimation of Word Representations in Vector Space", 2013 (the window of random size).

Id 0 is no word: the end of a sentence, and padding. Words count from 1, the commonest first. The ids of a text lie in
a file that is mapped into memory, so that it may be larger than memory. Everything that is drawn comes from a NumPy
generator that the caller seeds.
"""

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zoo.errors import UsageError

MAX_SENTENCE_LENGTH = 10_000  # words: a text without line ends is cut
CHUNK_LENGTH = 2**20  # token ids that are in memory at once: subsampled, cut into windows, shuffled

Windows = tuple[np.ndarray, np.ndarray, np.ndarray]  # words, how many context words are to the left, and to the right


@dataclass(frozen=True)
class CountedVocabulary:
    """The words that are frequent enough, the commonest first, and how often each occurs; id 0 stands for no word.

    >>> vocabulary = CountedVocabulary.of(Counter("a rose is a rose".split()), min_count=2, source="the line")
    >>> vocabulary.words, vocabulary.counts, vocabulary.ids
    (('', 'a', 'rose'), (0, 2, 2), {'a': 1, 'rose': 2})
    """

    words: tuple[str, ...]  # words[0] is ""
    counts: tuple[int, ...]  # counts[0] is 0

    @classmethod
    def of(cls, counts: Counter[str], *, min_count: int, source: str) -> "CountedVocabulary":
        """The words that occur `min_count` times or more. Words of equal frequency are in alphabetical order.

        Raises:
            UsageError: for fewer than 2; `source` is what the message calls the text.
        """
        if not counts:
            raise UsageError(f"{source} holds no words; expected a text")
        frequent = sorted((-count, word) for word, count in counts.items() if count >= min_count)
        if len(frequent) < 2:
            raise UsageError(
                f"{len(frequent)} of the {len(counts)} words of {source} occur {min_count} times; expected 2 or more: "
                "lower min_count, or take a longer text"
            )
        return cls(("", *(word for _, word in frequent)), (0, *(-count for count, _ in frequent)))

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of each word."""
        return {word: token_id for token_id, word in enumerate(self.words) if word}

    @property
    def tokens(self) -> int:
        """How many words of the text are in the vocabulary."""
        return sum(self.counts)

    def keep_probabilities(self, sample: float) -> np.ndarray:
        """(vocabulary,): the probability of each word to survive subsampling, sqrt(t / f) + t / f, at most 1.

        f is the word's fraction of the text; `sample` is t, and 0 keeps all. The paper's text has sqrt(t / f); its
        program, and everybody's since, has the sum. The end of a sentence always stays.
        """
        if not sample:
            return np.ones(len(self), "float32")
        ratio = sample * self.tokens / np.maximum(self.counts, 1)
        probabilities = np.minimum(np.sqrt(ratio) + ratio, 1.0)
        probabilities[0] = 1.0
        return probabilities.astype("float32")

    def encode(self, sentences: Iterable[list[str]]) -> np.ndarray:
        """All sentences as token ids in one array (tokens,), 0 after each; unknown words are left out.

        The array is mapped from a temporary file, which goes when the array does.
        """
        ids = self.ids
        file = tempfile.TemporaryFile(prefix="zoo-corpus-")  # noqa: SIM115  open as long as the array
        for sentence in sentences:
            known = [ids[word] for word in sentence if word in ids]
            for start in range(0, len(known), MAX_SENTENCE_LENGTH):
                file.write(np.array([*known[start : start + MAX_SENTENCE_LENGTH], 0], "int32").tobytes())
        file.flush()
        if not file.tell():
            return np.zeros(0, "int32")
        return np.memmap(file, "int32", mode="r")


def chunks(token_ids: np.ndarray, length: int = CHUNK_LENGTH) -> Iterator[np.ndarray]:
    """The text in parts of about `length`, each of whole sentences."""
    start = 0
    while start < len(token_ids):
        end = min(start + length, len(token_ids))
        if end < len(token_ids):
            end += int(np.argmax(token_ids[end - 1 : end + MAX_SENTENCE_LENGTH] == 0))  # to the end of its sentence
        yield np.asarray(token_ids[start:end])
        start = end


def subsample(token_ids: np.ndarray, keep_probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The text with each word kept by its probability; the windows close over the gaps."""
    return token_ids[rng.random(len(token_ids), "float32") < keep_probabilities[token_ids]]


def windows(token_ids: np.ndarray, window: int, rng: np.random.Generator | None) -> Windows:
    """The window of each word: how many context words it has to the left and to the right, within its sentence.

    Args:
        token_ids: (tokens,), 0 at the end of each sentence.
        window: context words to either side, at most.
        rng: draws each word's own size from 1 to `window`, so that near words count for more; None: `window` for all.

    Returns:
        Three arrays of one length: the words without the ends of sentences, the sizes of their windows to the left,
        and to the right.

    >>> words, left, right = windows(np.array([5, 6, 7, 0, 8, 9, 0]), 2, rng=None)
    >>> words.tolist(), left.tolist(), right.tolist()
    ([5, 6, 7, 8, 9], [0, 1, 2, 0, 1], [2, 1, 0, 1, 0])
    """
    position = np.arange(len(token_ids), dtype="int32")
    is_end = token_ids == 0
    end_before = np.maximum.accumulate(np.where(is_end, position, -1))  # (tokens,)
    end_after = np.minimum.accumulate(np.where(is_end, position, len(token_ids))[::-1])[::-1]  # (tokens,)
    size = window if rng is None else rng.integers(1, window + 1, len(token_ids), "int32")
    left, right = np.minimum(size, position - end_before - 1), np.minimum(size, end_after - position - 1)
    is_word = ~is_end
    return token_ids[is_word], left[is_word].astype("int32"), right[is_word].astype("int32")


def pairs(words: np.ndarray, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every centre with every word of its window: two arrays of one length, the nearest first.

    >>> centres, contexts = pairs(*windows(np.array([5, 6, 7, 0]), 2, rng=None))
    >>> [*zip(centres.tolist(), contexts.tolist())]
    [(6, 5), (7, 6), (5, 6), (6, 7), (7, 5), (5, 7)]
    """
    centres, contexts = [words[:0]], [words[:0]]
    for distance in range(1, int(max(left.max(initial=0), right.max(initial=0))) + 1):
        for size, offset in ((left, -distance), (right, distance)):
            rows = np.flatnonzero(size >= distance)
            centres.append(words[rows])
            contexts.append(words[rows + offset])
    return np.concatenate(centres), np.concatenate(contexts)


def bags(words: np.ndarray, left: np.ndarray, right: np.ndarray, window: int) -> np.ndarray:
    """The context words of every centre in a row: (words, 2 window), 0 where there is none.

    >>> bags(*windows(np.array([5, 6, 7, 0]), 2, rng=None), window=2).tolist()
    [[0, 0, 6, 7], [0, 5, 7, 0], [5, 6, 0, 0]]
    """
    offset = np.array([*range(-window, 0), *range(1, window + 1)])  # (2 window,)
    position = np.clip(np.arange(len(words))[:, None] + offset, 0, max(len(words) - 1, 0))  # (words, 2 window)
    inside = (offset >= -left[:, None]) & (offset <= right[:, None])
    return np.where(inside, words[position], 0)


def blocks(words: np.ndarray, left: np.ndarray, right: np.ndarray, *, size: int, window: int) -> Windows:
    """Consecutive centres in blocks of `size`, each block with the `window` words to either side of it.

    Returns:
        The words (blocks, window + size + window), a view; and the sizes of the centres' windows to the left and to the
        right, (blocks, size) each. The last block is filled up with centres without a window.
    """
    count = -(-len(words) // size)
    padded = np.zeros(count * size + 2 * window, "int32")
    padded[window : window + len(words)] = words
    context = np.lib.stride_tricks.sliding_window_view(padded, size + 2 * window)[::size]
    sizes = np.zeros((2, count * size), "int32")
    sizes[0, : len(left)], sizes[1, : len(right)] = left, right
    return context, sizes[0].reshape(count, size), sizes[1].reshape(count, size)


class NegativeSampler:
    """Draws words in proportion to frequency^power, by Walker's alias method: two random numbers a draw.

    One number chooses a column of a table that is as wide as the vocabulary; the other, whether the draw is the
    column's own word or its alias.

    Args:
        counts: (vocabulary,), how often each word occurs; one that never does is never drawn.
        power: 3/4 lies between the frequencies (1) and every word alike (0).

    >>> NegativeSampler([0, 16, 1]).probabilities.round(3).tolist()
    [0.0, 0.889, 0.111]
    """

    def __init__(self, counts: Iterable[int], power: float = 0.75):
        occurrences = np.asarray(counts)
        weights = occurrences.astype("float64") ** power * (occurrences > 0)
        self.probabilities = weights / weights.sum()
        size = len(self.probabilities)
        own, self.alias = np.ones(size), np.arange(size, dtype="int32")
        heights = self.probabilities * size
        low, high = list(np.flatnonzero(heights < 1)), list(np.flatnonzero(heights >= 1))
        while low and high:  # a column that is too low is filled up by one that is too high
            small, large = low.pop(), high[-1]
            own[small], self.alias[small] = heights[small], large
            heights[large] -= 1 - heights[small]
            if heights[large] < 1:
                low.append(high.pop())
        self.own_probabilities = own.astype("float32")  # of a column's own word

    def draw(self, rng: np.random.Generator, shape: int | tuple[int, ...]) -> np.ndarray:
        """Token ids of that shape."""
        column = rng.integers(0, len(self.alias), shape, "int32")
        return np.where(rng.random(shape, "float32") < self.own_probabilities[column], column, self.alias[column])

    def draw_negatives(self, rng: np.random.Generator, true: np.ndarray, count: int) -> np.ndarray:
        """(pairs,) true words -> (pairs, count) drawn ones, none of which is the true word of its row."""
        drawn = self.draw(rng, (len(true), count))
        while (rejected := drawn == true[:, None]).any():
            drawn[rejected] = self.draw(rng, int(rejected.sum()))
        return drawn


def cooccurrences(
    token_ids: np.ndarray, window: int, vocabulary_size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How often words meet, each meeting weighted by 1 / distance (Pennington 2014, section 4.2).

    Returns:
        (words, contexts, counts): the cells of the matrix that are not 0.

    >>> [*zip(*(column.tolist() for column in cooccurrences(np.array([1, 2, 1, 0]), 2, vocabulary_size=3)))]
    [(1, 1, 1.0), (1, 2, 2.0), (2, 1, 2.0)]
    """
    from scipy.sparse import coo_matrix, csr_matrix

    shape = (vocabulary_size, vocabulary_size)
    total = csr_matrix(shape, dtype="float64")
    for chunk in chunks(token_ids):
        words, _, right = windows(chunk, window, rng=None)
        for distance in range(1, window + 1):
            rows = np.flatnonzero(right >= distance)
            one, other = words[rows], words[rows + distance]
            weights = np.full(len(rows), 1.0 / distance)
            met = coo_matrix((weights, (one, other)), shape) + coo_matrix((weights, (other, one)), shape)
            total = total + met.tocsr()
    cells = total.tocoo()
    return cells.row.astype("int32"), cells.col.astype("int32"), cells.data.astype("float32")
