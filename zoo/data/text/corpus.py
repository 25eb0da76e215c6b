"""One long text, cut into windows for a network that tells the next token."""

import logging
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from zoo.checks import check_sizes
from zoo.data import checks as data_checks
from zoo.data.base import SPLITS, check_batch
from zoo.data.sources import Source
from zoo.data.tensors import tensorflow
from zoo.data.text.base import TextDataModule, is_text, shortened
from zoo.data.text.special_tokens import UNKNOWN
from zoo.data.text.vocabulary import AnyVocabulary, Vocabulary
from zoo.errors import UsageError
from zoo.records import Card, Recipe

log = logging.getLogger("zoo")


class CorpusDataModule(TextDataModule):
    """One long text for each split, cut into windows of `length` tokens; the target is the same window, one later.

    Inputs and targets are token ids (batch, length). In training a window begins at any multiple of `stride`: at any
    token, or, where a text is a row of things that are equally long, with one of them.
    """

    preprocess: ClassVar[Collection[str]] = (*TextDataModule.preprocess, "stride")

    def __init__(
        self,
        card: Card,
        recipe: Recipe,
        source: Source | None,
        vocabulary: AnyVocabulary | None = None,
    ):
        super().__init__(card, recipe, source, vocabulary)
        self.stride: int = recipe.preprocess.get("stride", 1)
        check_sizes({"stride": self.stride}, stride=1)
        self._token_ids: dict[str, np.ndarray] = {}

    @classmethod
    def adapt(cls, card: Card, recipe: Recipe, source: Source) -> Self:
        data = cls(card, recipe, source)
        data._adapt_vocabulary([data.text("train")])
        data.examples = {split: data._count(split) for split in SPLITS}
        if share := data.unknown_share("test"):
            log.info(
                f"{share:.1%} of the {data.called} of the test text are unknown to the vocabulary of "
                f"{len(data.vocabulary):,}; the perplexity counts them as errors, each among {data.unknown_kinds:,}"
            )
        check_batch(recipe, data.examples["train"])
        return data

    def text(self, split: str) -> str:
        """All texts of a split, an empty line between two."""
        examples = self._split(split)
        spec = examples.element_spec
        if isinstance(spec, tuple):
            spec, examples = spec[0], examples.map(lambda text, _: text)
        elif isinstance(spec, Mapping):
            if "text" not in spec:
                raise UsageError(f"{self.source.name} has no feature 'text'; it has {', '.join(spec)}")
            spec, examples = spec["text"], examples.map(lambda features: features["text"])
        if not is_text(spec):
            raise self._not_text(spec)
        texts = [text.decode("utf-8", "replace") for text in data_checks.readable(examples, self.source, split)]
        if not any(text.strip() for text in texts):
            raise UsageError(f"the split {split!r} of {self.source.name} is empty; expected text")
        return "\n\n".join(texts)

    def token_ids(self, split: str) -> np.ndarray:
        """The token ids of a split, as far as they fill windows: each but the first is a target once. (tokens,)"""
        if split not in self._token_ids:
            found = self.vocabulary.encode(self.text(split))
            self._token_ids[split] = found[: (len(found) - 1) // self.length * self.length + 1]
        return self._token_ids[split]

    def unknown_share(self, split: str) -> float:
        """The fraction of a split's tokens that the vocabulary does not have."""
        if UNKNOWN not in self.vocabulary.excluded:
            return 0.0
        return float(np.mean(self.token_ids(split)[1:] == UNKNOWN))

    @cached_property
    def unknown_kinds(self) -> int:
        """How many different tokens of all splits share the id of the unknown, at least 1."""
        return max(len(set().union(*(self.vocabulary.unknown(self.text(split)) for split in SPLITS))), 1)

    def batches(self, split: str, *, training: bool = False) -> Any:
        tf = tensorflow()
        token_ids, length = self.token_ids(split), self.length
        if training:  # windows from anywhere, others in each epoch
            text, places = tf.constant(token_ids), -(-(len(token_ids) - length) // self.stride)
            count, stride = self.examples[split], self.stride

            def starts_of(seeds: Any) -> Any:
                starts = tf.random.stateless_uniform((count,), seeds, maxval=places, dtype=tf.int64)
                return tf.data.Dataset.from_tensor_slices(starts * stride)

            starts = self.begin().dataset(starts_of).apply(tf.data.experimental.assert_cardinality(count))
            windows = starts.map(lambda start: text[start : start + length + 1])
            pairs = windows.map(lambda window: (window[:-1], window[1:]), num_parallel_calls=tf.data.AUTOTUNE)
        else:
            windows = token_ids[:-1].reshape(-1, length), token_ids[1:].reshape(-1, length)
            pairs = tf.data.Dataset.from_tensor_slices(windows)
        return pairs.batch(self.recipe.batch_size).prefetch(tf.data.AUTOTUNE)

    def _count(self, split: str) -> int:
        count = (len(self.token_ids(split)) - 1) // self.length
        if count < 1:
            tokens = len(self.vocabulary.encode(self.text(split)))
            raise UsageError(
                f"{self.source.name} ({split}) holds {tokens} {self.called}; "
                f"expected more than {self.length}, one window"
            )
        return count

    def _tokens(self, number: int, text: str) -> np.ndarray:
        tokens = super()._tokens(number, text)
        if isinstance(self.vocabulary, Vocabulary) and self.level == "characters" and (tokens == UNKNOWN).any():
            strange = "".join(dict.fromkeys(letter for letter in text if letter not in self.vocabulary.ids))
            raise UsageError(
                f"the network was trained on text without {shortened(strange)!r}; expected characters that it knows"
            )
        return tokens
