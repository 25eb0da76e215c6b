"""Text as numbers, and what word vectors are trained on: windows, pairs, negatives, blocks.

    lines -> words -> vocabulary -> one array of word numbers, 0 after each sentence
          -> subsampling -> windows -> pairs (a centre, a context), or blocks of centres

T. Mikolov, I. Sutskever, K. Chen, G. Corrado and J. Dean, "Distributed Representations of Words and Phrases
and their Compositionality", NeurIPS 2013 (subsampling, negative sampling); T. Mikolov, K. Chen, G. Corrado
and J. Dean, "Efficient Estimation of Word Representations in Vector Space", 2013 (the window of random size).

Word 0 is no word: the end of a sentence, and the place beside it. Words count from 1, the commonest first.
The array lies in a file that is mapped into memory, so that a text may be larger than memory. Everything
that is drawn comes from a NumPy generator that the caller seeds.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zoo.errors import UsageError

WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")  # both apostrophes
LONGEST = 10_000  # words in a sentence: a text without line ends is cut
CHUNK = 2**20  # words that are looked at together: shuffled, subsampled, cut into windows


def words_of(line: str) -> list[str]:
    """The words of a line, in lower case.

    >>> words_of("The dog's tail: 2 feet!")
    ['the', "dog's", 'tail', '2', 'feet']
    """
    return WORD.findall(line.lower())


@dataclass(frozen=True)
class Vocabulary:
    """The words that are frequent enough, the commonest first; number 0 stands for no word."""

    words: tuple[str, ...]  # words[0] is ""
    counts: tuple[int, ...]  # counts[0] is 0

    @classmethod
    def of(cls, counts: Counter, *, min_count: int, source: str) -> "Vocabulary":
        """The words that occur `min_count` times or more. Words of equal frequency are in alphabetical order."""
        if not counts:
            raise UsageError(f"{source} holds no words; expected a text")
        kept = sorted((-count, word) for word, count in counts.items() if count >= min_count)
        if len(kept) < 2:
            raise UsageError(
                f"{len(kept)} of the {len(counts)} words of {source} occur {min_count} times; expected 2 or more: "
                "lower min_count, or take a longer text"
            )
        return cls(("", *(word for _, word in kept)), (0, *(-count for count, _ in kept)))

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words) if word}

    @property
    def tokens(self) -> int:
        """Words of the text that are in the vocabulary."""
        return sum(self.counts)

    def keep(self, sample: float) -> np.ndarray:
        """The chance of each word to be kept: sqrt(t / f) + t / f for a share f of the text, at most 1; `sample` is t.

        The paper's text has sqrt(t / f); its program, and everybody's since, has the sum. 0 keeps all.
        """
        if not sample:
            return np.ones(len(self), "float32")
        ratio = sample * self.tokens / np.maximum(self.counts, 1)
        chances = np.minimum(np.sqrt(ratio) + ratio, 1.0)
        chances[0] = 1.0
        return chances.astype("float32")

    def encode(self, sentences: Iterable[list[str]]) -> np.ndarray:
        """All sentences as word numbers in one array, 0 after each; unknown words are left out.

        The array is mapped from a temporary file, which goes when the array does.
        """
        numbers = self.numbers
        file = tempfile.TemporaryFile(prefix="zoo-corpus-")  # noqa: SIM115  open as long as the array
        for sentence in sentences:
            known = [numbers[word] for word in sentence if word in numbers]
            for start in range(0, len(known), LONGEST):
                file.write(np.array([*known[start : start + LONGEST], 0], "int32").tobytes())
        file.flush()
        if not file.tell():
            return np.zeros(0, "int32")
        return np.memmap(file, "int32", mode="r")


def chunks(tokens: np.ndarray, size: int = CHUNK) -> Iterator[np.ndarray]:
    """The array in parts of about `size`, each of whole sentences."""
    start = 0
    while start < len(tokens):
        end = min(start + size, len(tokens))
        if end < len(tokens):
            end += int(np.argmax(tokens[end - 1 : end + LONGEST] == 0))  # to the end of its sentence
        yield np.asarray(tokens[start:end])
        start = end


def subsample(tokens: np.ndarray, keep: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The text with each word kept by its chance; the windows close over the gaps."""
    return tokens[rng.random(len(tokens), "float32") < keep[tokens]]


def windows(tokens: np.ndarray, window: int, rng: np.random.Generator | None):
    """How far each word sees to its left and right: a number from 1 to `window`, within its sentence.

    Args:
        tokens: word numbers, 0 at the end of each sentence.
        window: the furthest.
        rng: draws each word's own width, so that near words count for more; None: all see `window` far.

    Returns:
        Three arrays of one length: the words without the ends of sentences, their reach to the left and to the right.

    >>> words, left, right = windows(np.array([5, 6, 7, 0, 8, 9, 0]), 2, rng=None)
    >>> words.tolist(), left.tolist(), right.tolist()
    ([5, 6, 7, 8, 9], [0, 1, 2, 0, 1], [2, 1, 0, 1, 0])
    """
    place = np.arange(len(tokens), dtype="int32")
    ends = tokens == 0
    before = np.maximum.accumulate(np.where(ends, place, -1))  # the last end of a sentence so far
    after = np.minimum.accumulate(np.where(ends, place, len(tokens))[::-1])[::-1]
    width = window if rng is None else rng.integers(1, window + 1, len(tokens), "int32")
    inside = ~ends
    left, right = np.minimum(width, place - before - 1), np.minimum(width, after - place - 1)
    return tokens[inside], left[inside].astype("int32"), right[inside].astype("int32")


def pairs(words: np.ndarray, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every centre with every word of its window: two arrays of one length, the nearest first.

    >>> centres, contexts = pairs(*windows(np.array([5, 6, 7, 0]), 2, rng=None))
    >>> [*zip(centres.tolist(), contexts.tolist())]
    [(6, 5), (7, 6), (5, 6), (6, 7), (7, 5), (5, 7)]
    """
    centres, contexts = [], []
    for distance in range(1, int(max(left.max(initial=0), right.max(initial=0))) + 1):
        for reach, step in ((left, -distance), (right, distance)):
            rows = np.flatnonzero(reach >= distance)
            centres.append(words[rows])
            contexts.append(words[rows + step])
    return (np.concatenate(centres), np.concatenate(contexts)) if centres else (words[:0], words[:0])


def bags(words: np.ndarray, left: np.ndarray, right: np.ndarray, window: int) -> np.ndarray:
    """The window of every centre as a row of 2 x `window` words, 0 where there is none.

    >>> bags(*windows(np.array([5, 6, 7, 0]), 2, rng=None), window=2).tolist()
    [[0, 0, 6, 7], [0, 5, 7, 0], [5, 6, 0, 0]]
    """
    offsets = np.array([*range(-window, 0), *range(1, window + 1)])
    place = np.clip(np.arange(len(words))[:, None] + offsets, 0, max(len(words) - 1, 0))
    inside = (offsets >= -left[:, None]) & (offsets <= right[:, None])
    return np.where(inside, words[place], 0)


class Noise:
    """Words drawn in proportion to frequency^power, by Walker's alias method: two random numbers a draw.

    Args:
        counts: of each word number; a word that never occurs is never drawn.
        power: 3/4 lies between the frequencies (1) and every word alike (0).
    """

    def __init__(self, counts, power: float = 0.75):
        weights = np.asarray(counts, "float64") ** power * (np.asarray(counts) > 0)
        self.shares = weights / weights.sum()
        size = len(self.shares)
        self.own, self.alias = np.ones(size), np.arange(size, dtype="int32")
        heights = self.shares * size
        low, high = list(np.flatnonzero(heights < 1)), list(np.flatnonzero(heights >= 1))
        while low and high:  # a column that is too low is filled up by one that is too high
            small, large = low.pop(), high[-1]
            self.own[small], self.alias[small] = heights[small], large
            heights[large] -= 1 - heights[small]
            if heights[large] < 1:
                low.append(high.pop())
        self.own = self.own.astype("float32")

    def draw(self, rng: np.random.Generator, shape) -> np.ndarray:
        """Word numbers of that shape."""
        column = rng.integers(0, len(self.own), shape, "int32")
        return np.where(rng.random(shape, "float32") < self.own[column], column, self.alias[column])

    def draw_others(self, rng: np.random.Generator, true: np.ndarray, count: int) -> np.ndarray:
        """(n,) true words -> (n, count) drawn words, none of which is the true one of its row."""
        drawn = self.draw(rng, (len(true), count))
        while (wrong := drawn == true[:, None]).any():
            drawn[wrong] = self.draw(rng, int(wrong.sum()))
        return drawn


def blocks(words: np.ndarray, left: np.ndarray, right: np.ndarray, *, size: int, window: int):
    """Consecutive centres in blocks of `size`, each block with the `window` words around it.

    Returns:
        Views (blocks, window + size + window) of the words and (blocks, size) of the reaches. The last block is filled
        up with words that see nothing.
    """
    count = -(-len(words) // size)
    padded = np.zeros(count * size + 2 * window, "int32")
    padded[window : window + len(words)] = words
    halo = np.lib.stride_tricks.sliding_window_view(padded, size + 2 * window)[::size]
    reaches = np.zeros((2, count * size), "int32")
    reaches[0, : len(left)], reaches[1, : len(right)] = left, right
    return halo, reaches[0].reshape(count, size), reaches[1].reshape(count, size)


def cooccurrence(tokens: np.ndarray, window: int, size: int):
    """How often words meet, each meeting weighted by 1 / distance (Pennington 2014, section 4.2).

    Returns:
        (words, contexts, counts): the cells of the matrix that are not 0.

    >>> [*zip(*(column.tolist() for column in cooccurrence(np.array([1, 2, 1, 0]), 2, size=3)))]
    [(1, 1, 1.0), (1, 2, 2.0), (2, 1, 2.0)]
    """
    from scipy.sparse import coo_matrix, csr_matrix

    total = csr_matrix((size, size), dtype="float64")
    for chunk in chunks(tokens):
        words, _, right = windows(chunk, window, rng=None)
        for distance in range(1, window + 1):
            rows = np.flatnonzero(right >= distance)
            one, other = words[rows], words[rows + distance]
            share = np.full(len(rows), 1.0 / distance)
            met = coo_matrix((share, (one, other)), (size, size)) + coo_matrix((share, (other, one)), (size, size))
            total = total + met.tocsr()
    cells = total.tocoo()
    return cells.row.astype("int32"), cells.col.astype("int32"), cells.data.astype("float32")
