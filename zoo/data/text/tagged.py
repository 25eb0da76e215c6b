"""Sentences with a tag for each word, in batches of about the same length."""

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from zoo.checks import check_sizes
from zoo.data import checks as data_checks
from zoo.data.array_files import no_examples
from zoo.data.base import SPLITS, DataModule, check_batch
from zoo.data.batching import Batches, bucket_by_length, padded, two_widths_first
from zoo.data.sources import Source
from zoo.data.text.base import is_text
from zoo.data.text.vocabulary import Vocabulary, of_run
from zoo.errors import UsageError, unknown
from zoo.records import Card, Recipe

log = logging.getLogger("zoo")

SETTINGS = {
    "vocabulary": 50_000,  # at most so many words
    "tokenizer": "",  # the folder of a run whose words they are; "": learned from the training set
    "min_count": 2,  # a rarer word is unknown: so the network learns what to make of those that it never saw
    "length": 100,  # words that are read at once; a longer sentence is read in parts
    "word_column": 1,  # of a CoNLL file
    "tag_column": 0,
}
NUM_BUCKETS = 4  # of sentences by length: each shape is compiled for itself
NO_TAG = -1  # the target of padding, and of what the loss leaves out


class TaggedTextDataModule(DataModule):
    """Batches of (words, tags): ids (batch, time), words padded with 0 and tags with -1 on the right.

    An example of the source is a pair of texts: words and tags, as many of both, with spaces between.
    """

    preprocess: ClassVar[Collection[str]] = tuple(SETTINGS)
    set_by: ClassVar[Mapping[str, str]] = {"vocabulary_size": "vocabulary"}
    config_types: ClassVar[Mapping[str, Any]] = {"tokens": str, "classes": tuple[str, ...]}
    vocabulary: Vocabulary  # known after `adapt`

    def __init__(self, card: Card, recipe: Recipe, source: Source | None, vocabulary: Vocabulary | None = None):
        super().__init__(card, recipe, source)
        for word in recipe.preprocess:
            if word not in SETTINGS:
                raise unknown("preprocessing of tagged texts", word, SETTINGS)
        self.settings: dict[str, Any] = {**SETTINGS, **recipe.preprocess}
        check_sizes(self.settings, length=1, vocabulary=3, min_count=1)
        self.length: int = self.settings["length"]
        if vocabulary is not None:
            self.vocabulary = vocabulary
        self._sentences: dict[str, tuple[list[list[str]], list[list[str]]]] = {}

    @classmethod
    def adapt(cls, card: Card, recipe: Recipe, source: Source) -> Self:
        data = cls(card, recipe, source)
        words, tags = data.sentences("train")
        if run := data.settings["tokenizer"]:
            data.vocabulary = of_run(run, Vocabulary)
            log.info(f"the words are those of {run}: {len(data.vocabulary):,}")
        else:
            counts = Counter(word for sentence in words for word in sentence)
            common = [word for word, count in counts.most_common() if count >= data.settings["min_count"]]
            data.vocabulary = Vocabulary("spaces", common[: data.settings["vocabulary"] - 2])
        data.class_names = tuple(sorted({tag for sentence in tags for tag in sentence}))
        if len(data.class_names) < 2:
            raise UsageError(f"the training set of {source.name} holds one tag only; expected at least 2")
        if len(data.class_names) > 1000:
            raise UsageError(
                f"the training set of {source.name} holds {len(data.class_names):,} different tags; expected tags, "
                "and not words, in the last column (--option tag_column=)"
            )
        data.examples = {split: len(data.sentences(split)[0]) for split in SPLITS}
        for split in SPLITS[1:]:
            data._say_unseen(split)
        check_batch(recipe, data.examples["train"])
        return data

    @classmethod
    def from_config(cls, card: Card, recipe: Recipe, source: Source | None, config: Mapping[str, Any]) -> Self:
        data = cls(card, recipe, source, Vocabulary.from_config(config))
        data.class_names = tuple(config["classes"])
        return data

    def get_config(self) -> dict[str, Any]:
        return {**self.vocabulary.get_config(), "classes": self.class_names}

    def model_options(self) -> dict[str, Any]:
        return {
            "input_shape": (None,),
            "vocabulary_size": len(self.vocabulary),
            "num_classes": len(self.class_names),
        }

    @property
    def vocabulary_size(self) -> int:
        return len(self.vocabulary)

    def sentences(self, split: str) -> tuple[list[list[str]], list[list[str]]]:
        """The words and the tags of each sentence.

        Raises:
            UsageError: for a source of anything else.
        """
        if split not in self._sentences:
            self._sentences[split] = self._read(split)
        return self._sentences[split]

    def _read(self, split: str) -> tuple[list[list[str]], list[list[str]]]:
        examples = self.source.split(getattr(self.recipe, split))
        spec = examples.element_spec
        if not isinstance(spec, tuple) or len(spec) != 2 or not all(map(is_text, spec)):
            raise UsageError(
                f"{self.source.name} has no texts with a tag for each word; {self.card.name} learns from those alone: "
                "--data FILE.conll"
            )
        words: list[list[str]] = []
        tags: list[list[str]] = []
        for pair in data_checks.readable(examples, self.source, split):
            both = [text.decode("utf-8", "replace").split() for text in pair]
            if len(both[0]) != len(both[1]):
                raise UsageError(
                    f"example {len(words)} of {self.source.name} ({split}) has {len(both[0])} words and "
                    f"{len(both[1])} tags; expected as many of both"
                )
            if both[0]:
                words.append(both[0])
                tags.append(both[1])
        if not words:
            raise no_examples(self.source.name, getattr(self.recipe, split), "sentence")
        return words, tags

    def _say_unseen(self, split: str) -> None:
        words, tags = self.sentences(split)
        unseen = sorted({tag for sentence in tags for tag in sentence} - {*self.class_names})
        if unseen:
            named = ", ".join(unseen[:5]) + (" and others" if len(unseen) > 5 else "")
            log.info(f"training has no example of {named}; where it stands ({split}) the network is wrong")
        share = np.mean([word not in self.vocabulary.ids for sentence in words for word in sentence])
        if share and split == "test":
            log.info(f"{share:.1%} of the words of the test set are unknown to the network (--option min_count=)")

    def parts(self, split: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Word ids and tag ids of all sentences, (words,) each, in parts of at most `length`.

        A sentence with a tag that training does not have is without tags: its likelihood would mean nothing.
        """
        numbers = {tag: number for number, tag in enumerate(self.class_names)}
        rows, targets = [], []
        for words, tags in zip(*self.sentences(split)):
            found = np.array([numbers.get(tag, NO_TAG) for tag in tags], "int32")
            rows += self.in_parts(self.word_ids(words))
            targets += self.in_parts(found if (found != NO_TAG).all() else np.full_like(found, NO_TAG))
        return rows, targets

    def word_ids(self, words: Sequence[str]) -> np.ndarray:
        """Of a sentence, (words,) int32."""
        return self.vocabulary.encode(" ".join(words))

    def in_parts(self, row: np.ndarray) -> list[np.ndarray]:
        """A sentence in parts that are read at once."""
        return np.split(row, range(self.length, len(row), self.length))

    def batches(self, split: str, *, training: bool = False) -> Batches:
        rows, targets = self.parts(split)
        lengths, size = np.array([len(row) for row in rows]), self.recipe.batch_size
        longest = int(lengths.max())
        widths = sorted({-(-longest * part // NUM_BUCKETS) for part in range(1, NUM_BUCKETS + 1)})
        epochs = self.begin() if training else None

        def width_of(chosen: np.ndarray) -> int:
            return widths[int(np.searchsorted(widths, lengths[chosen].max()))] if training else longest

        def make(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            width = width_of(chosen)
            tags = padded([targets[row] - NO_TAG for row in chosen], width) + NO_TAG
            return padded([rows[row] for row in chosen], width), tags

        def groups() -> list[np.ndarray]:
            if epochs is None:
                return np.split(np.arange(len(rows)), range(size, len(rows), size))
            found = bucket_by_length(lengths, widths, [size] * len(widths), epochs.rng())
            return two_widths_first(found, width_of)

        return Batches(make, groups, epochs)

    @property
    def steps(self) -> int:
        return len(self.batches("train", training=True))

    def encode(self, raws: Sequence[str]) -> np.ndarray:
        """The word ids of texts, (texts, words of the longest) int32, padded with 0.

        Raises:
            UsageError: for a text without words.
        """
        rows = [self.word_ids(text.split()) for text in raws]
        for number, row in enumerate(rows, start=1):
            if not len(row):
                raise UsageError(f"text {number} holds no words; expected at least one")
        return padded(rows, max(map(len, rows), default=1))
