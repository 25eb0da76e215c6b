"""What networks for word vectors learn from: examples drawn anew from a text in every epoch.

    text -> counted vocabulary -> token ids of each split -> examples, as the network's inputs ask for them -> batches

What an example is follows from the inputs on the card (`EXAMPLES`). Those of `word2vec`, say, are a centre, a word that
was near it and some that were drawn. A text in blocks of words is in `zoo.data.text.skipgram_blocks`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from zoo.checks import check_whole, is_number
from zoo.data.base import SPLITS, DataModule
from zoo.data.sources import Source
from zoo.data.text import skipgram
from zoo.data.text import words as text_words
from zoo.data.text.base import is_text, say_long_words
from zoo.data.text.files import TextSource
from zoo.data.text.skipgram import CountedVocabulary, NegativeSampler
from zoo.data.text.streaming import endless_dataset, held_out
from zoo.errors import UsageError, unknown
from zoo.records import Card, Recipe


@dataclass(frozen=True)
class SkipGramSettings:
    """How examples are drawn from a text: what a recipe's `preprocess` may say, and what holds if it does not.

    Raises:
        UsageError: for a value out of range.
    """

    window: int = 5  # context words to either side of a centre, at most
    negatives: int = 5  # drawn words beside each true one
    min_count: int = 5  # rarer words are left out
    sample: float = 1e-3  # words with a larger fraction of the text are subsampled; 0: none
    context: int = 4  # words that a language model sees
    block: int = 0  # centres in a block, for training by blocks; 0: examples one by one
    shared: int = 0  # negatives that the centres of a block share; 0: as many as centres
    tokens: str = "words"  # or "spaces", of a text that is cut into tokens already, or "characters"

    @classmethod
    def of(cls, preprocess: Mapping[str, Any]) -> "SkipGramSettings":
        """The settings of a recipe.

        >>> SkipGramSettings.of({"windw": 3})
        Traceback (most recent call last):
            ...
        zoo.errors.UsageError: there is no preprocessing of words 'windw'; did you mean window?
        """
        for name in preprocess:
            if name not in SETTINGS:
                raise unknown("preprocessing of words", name, SETTINGS)
        return cls(**preprocess)

    def __post_init__(self) -> None:
        for name in ("window", "negatives", "min_count", "context"):
            check_whole(name, getattr(self, name))
        for name in ("block", "shared"):
            check_whole(name, getattr(self, name), least=0)
        if self.tokens not in text_words.SPLITS_INTO:
            raise unknown("kind of tokens", self.tokens, text_words.SPLITS_INTO)
        if not is_number(self.sample, low=0):
            raise UsageError(f"sample is {self.sample!r}; expected a number of at least 0")

    @property
    def negatives_per_block(self) -> int:
        return self.shared or self.block


SETTINGS = tuple(field.name for field in fields(SkipGramSettings))


class WordVectorDataModule(DataModule):
    """Examples of words and their company, as the network's inputs ask for them."""

    preprocess = SETTINGS
    set_by: ClassVar[Mapping[str, str]] = {"vocabulary_size": "min_count"}
    vocabulary: CountedVocabulary  # `adapt` counts it

    def __init__(self, card: Card, recipe: Recipe, source: Source | None, vocabulary: CountedVocabulary | None = None):
        super().__init__(card, recipe, source)
        self.settings = SkipGramSettings.of(recipe.preprocess)
        if vocabulary is not None:
            self.vocabulary = vocabulary
        self.inputs = tuple(each.name for each in card.inputs)
        self._token_ids: dict[str, np.ndarray] = {}
        self._cooccurrences: dict[str, tuple[np.ndarray, ...]] = {}

    @classmethod
    def adapt(cls, card: Card, recipe: Recipe, source: Source) -> "WordVectorDataModule":
        data = cls(card, recipe, source)
        counts: Counter[str] = Counter()
        for line in data.lines("train", "counting words"):
            counts.update(data.split(line))
        if data.settings.tokens == "words":
            say_long_words([word for word, _ in counts.most_common(10_000)], source.name)
        data.vocabulary = CountedVocabulary.of(counts, min_count=data.settings.min_count, source=source.name)
        data.check_vocabulary()
        data.examples = {split: data.count_examples(split) for split in SPLITS}
        for split, count in data.examples.items():
            if not count:
                raise UsageError(f"no word of {source.name} ({split}) has another one near it; take more text")
        return data

    def check_vocabulary(self) -> None:
        """Raise unless there are other words to draw beside each true one, and known words in every split."""
        words, negatives = len(self.vocabulary) - 1, self.settings.negatives
        if words <= negatives:
            raise UsageError(
                f"{self.source.name} has {words} different words; expected more than {negatives}, "
                "the negatives drawn beside each: lower negatives or min_count, or take a longer text"
            )
        for split in SPLITS:
            if not len(self.token_ids(split)):
                raise UsageError(
                    f"the split {split!r} of {self.source.name} holds no word of the vocabulary; take more text"
                )

    @classmethod
    def from_config(
        cls, card: Card, recipe: Recipe, source: Source | None, config: Mapping[str, Any]
    ) -> "WordVectorDataModule":
        words, counts = config["words"].split(), [int(count) for count in config["counts"].split()]
        if len(words) != len(counts):
            raise ValueError(f"it has {len(words)} words and {len(counts)} counts")
        return cls(card, recipe, source, CountedVocabulary(("", *words), (0, *counts)))

    def get_config(self) -> dict[str, Any]:
        return {"words": " ".join(self.vocabulary.words[1:]), "counts": " ".join(map(str, self.vocabulary.counts[1:]))}

    @property
    def vocabulary_size(self) -> int:
        return len(self.vocabulary)

    def model_options(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "vocabulary_size": len(self.vocabulary),
            "window": settings.window,
            "negatives": settings.negatives,
            "context": settings.context,
        }

    # The text

    def split(self, line: str) -> list[str]:
        """The words of a line; ! and ? are none, as they are for the networks that judge a text."""
        if self.settings.tokens == "words":
            return text_words.words(line)
        return [token for token in text_words.SPLITS_INTO[self.settings.tokens](line) if not token.isspace()]

    def lines(self, split: str, description: str = "") -> Iterator[str]:
        """The text of a split, line by line; `description` stands before a progress bar."""
        part = getattr(self.recipe, split)
        if isinstance(self.source, TextSource):
            yield from self.source.lines(part, description)
            return
        examples = self.source.split(part)
        spec = examples.element_spec
        key = 0 if isinstance(spec, tuple) else "text"  # of a text with a label, the text
        if (isinstance(spec, Mapping) and key not in spec) or not is_text(spec[key]):
            raise UsageError(f"{self.source.name} has no feature 'text'; {self.card.name} learns from plain text")
        for example in examples.as_numpy_iterator():
            yield example[key].decode("utf-8", "replace")

    def token_ids(self, split: str) -> np.ndarray:
        """A split as token ids (tokens,), 0 after each line."""
        if split not in self._token_ids:
            lines = self.lines(split, f"reading {split}")
            self._token_ids[split] = self.vocabulary.encode(map(self.split, lines))
        return self._token_ids[split]

    def windows(self, split: str, rng: np.random.Generator) -> Iterator[skipgram.Windows]:
        """Part by part, the words of an epoch and the sizes of their windows."""
        for chunk in skipgram.chunks(self.token_ids(split)):
            kept = skipgram.subsample(chunk, self.keep_probabilities, rng)
            yield skipgram.windows(kept, self.settings.window, rng)

    def cooccurrences(self, split: str) -> tuple[np.ndarray, ...]:
        """Words, their contexts and how often they meet, (cells,) each; counted once."""
        if split not in self._cooccurrences:
            size = len(self.vocabulary)
            self._cooccurrences[split] = skipgram.cooccurrences(self.token_ids(split), self.settings.window, size)
        return self._cooccurrences[split]

    @cached_property
    def keep_probabilities(self) -> np.ndarray:
        """(vocabulary,): the probability of each word to survive subsampling."""
        return self.vocabulary.keep_probabilities(self.settings.sample)

    @property
    def word_probabilities(self) -> np.ndarray:
        """(vocabulary,): the fraction of each word in the subsampled text."""
        kept = np.array(self.vocabulary.counts) * self.keep_probabilities
        return kept / kept.sum()

    @cached_property
    def negative_sampler(self) -> NegativeSampler:
        return NegativeSampler(self.vocabulary.counts)

    def candidates(self, true: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(examples,) true words -> each before its negatives, and which is which: (examples, 1 + negatives) twice."""
        drawn = self.negative_sampler.draw_negatives(rng, true, self.settings.negatives)
        labels = np.array([1] + [0] * self.settings.negatives, "int32")
        return np.concatenate([true[:, None], drawn], axis=1), np.tile(labels, (len(true), 1))

    # Examples

    def batches(self, split: str, *, training: bool = False) -> Any:
        """Examples of a split, the same ones each time unless for training: then drawn anew, in a new order."""
        if training:
            readings = partial(self.read_once, split, shuffle=True)
            return endless_dataset(readings, epochs=self.begin(), split=split, steps=self.steps)
        drawn: dict[str, Any] = dict(seed=self.recipe.seed, split=split, batch_size=self.recipe.batch_size)
        return held_out(partial(self.read_once, split), **drawn)

    def read_once(
        self, split: str, rng: np.random.Generator, *, shuffle: bool = False
    ) -> Iterator[tuple[Any, np.ndarray]]:
        """Batches of (inputs, targets) from the whole text, the examples of each part of it shuffled or in order."""
        size = self.recipe.batch_size
        for inputs, targets in self.draw_examples(split, rng):
            order = rng.permutation(len(targets)) if shuffle else np.arange(len(targets))
            for start in range(0, len(order), size):
                rows = order[start : start + size]
                named = {name: column[rows] for name, column in zip(self.inputs, inputs)}
                yield (named if len(named) > 1 else named[self.inputs[0]]), targets[rows]

    def draw_examples(self, split: str, rng: np.random.Generator) -> "Iterator[Examples]":
        """Part by part of the text, the columns of inputs and the targets."""
        if self.inputs not in EXAMPLES:
            raise UsageError(f"{self.card.name} takes {', '.join(self.inputs)}; no examples of words have that form")
        return EXAMPLES[self.inputs](self, split, rng)

    def count_examples(self, split: str) -> int:
        """Of an epoch: words for training by blocks, else what one draw gives."""
        rng = np.random.default_rng(0)
        if self.settings.block:
            return sum(len(words) for words, _, _ in self.windows(split, rng))
        return sum(len(targets) for _, targets in self.draw_examples(split, rng))


# What an example is, by the inputs of the network


Examples = tuple[tuple[np.ndarray, ...], np.ndarray]  # a column (examples, ...) for each input, and the targets


def skip_gram_pairs(data: WordVectorDataModule, split: str, rng: np.random.Generator) -> Iterator[Examples]:
    """(centre, a true context word and drawn ones) -> which is which."""
    for windows in data.windows(split, rng):
        centres, contexts = skipgram.pairs(*windows)  # (examples,) each
        candidates, labels = data.candidates(contexts, rng)  # (examples, 1 + negatives) each
        yield (centres, candidates), labels


def context_bags(data: WordVectorDataModule, split: str, rng: np.random.Generator) -> Iterator[Examples]:
    """(the words around, the true middle and drawn ones) -> which is which."""
    for words, left, right in data.windows(split, rng):
        accompanied = left + right > 0  # (words,)
        around = skipgram.bags(words, left, right, data.settings.window)[accompanied]  # (examples, 2 window)
        candidates, labels = data.candidates(words[accompanied], rng)  # (examples, 1 + negatives) each
        yield (around, candidates), labels


def softmax_pairs(data: WordVectorDataModule, split: str, rng: np.random.Generator) -> Iterator[Examples]:
    """centre -> context word."""
    for windows in data.windows(split, rng):
        centres, contexts = skipgram.pairs(*windows)  # (examples,) each
        yield (centres,), contexts


def word_meetings(data: WordVectorDataModule, split: str, rng: np.random.Generator) -> Iterator[Examples]:
    """(word, context word) -> how often they meet. Nothing is drawn."""
    words, contexts, counts = data.cooccurrences(split)  # (cells,) each
    yield (words, contexts), counts[:, None]


def previous_words(data: WordVectorDataModule, split: str, rng: np.random.Generator) -> Iterator[Examples]:
    """(the words before, 0 beyond the beginning) -> the word. Nothing is drawn."""
    offset = np.arange(-data.settings.context, 0)  # (context,)
    for chunk in skipgram.chunks(data.token_ids(split)):
        words, left, _ = skipgram.windows(chunk, data.settings.context, rng=None)  # (words,) each
        position = np.maximum(np.arange(len(words))[:, None] + offset, 0)  # (words, context)
        yield (np.where(offset >= -left[:, None], words[position], 0),), words


EXAMPLES: Mapping[tuple[str, ...], Callable[[WordVectorDataModule, str, np.random.Generator], Iterator[Examples]]] = {
    ("centre", "contexts"): skip_gram_pairs,
    ("around", "middles"): context_bags,
    ("centre",): softmax_pairs,
    ("word", "context"): word_meetings,
    ("before",): previous_words,
}
