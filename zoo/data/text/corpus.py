"""zoo.data.text.corpus."""


from collections.abc import Mapping

import numpy as np

from zoo.data import checks as data_checks
from zoo.data.base import SPLITS, check_batch
from zoo.data.sources import tensorflow
from zoo.data.text.base import TextFeed, is_text, shortened
from zoo.data.text.vocabulary import UNKNOWN, Vocabulary
from zoo.errors import UsageError


class CorpusFeed(TextFeed):
    """One long text for each split, cut into windows of `length` tokens; the target is the same window, one later."""

    def __init__(self, card, plan, source, vocabulary=None):
        super().__init__(card, plan, source, vocabulary)
        self._numbers = {}

    @classmethod
    def learn(cls, card, plan, source):
        feed = cls(card, plan, source)
        texts = tensorflow().data.Dataset.from_tensors(feed.text("train"))
        feed.vocabulary = Vocabulary.learn(feed.level, feed.most, texts)
        feed.examples = {split: feed._count(split) for split in SPLITS}
        check_batch(plan, feed.examples["train"])
        return feed

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

    def numbers(self, split: str) -> np.ndarray:
        """The tokens of a split, as far as they fill windows: each but the first is a target once. (tokens,)"""
        if split not in self._numbers:
            found = self.vocabulary.encode(self.text(split))
            self._numbers[split] = found[: (len(found) - 1) // self.length * self.length + 1]
        return self._numbers[split]

    def batches(self, split, *, training=False):
        tf = tensorflow()
        numbers, length = self.numbers(split), self.length
        if training:  # windows from anywhere, others in each epoch
            text, last = tf.constant(numbers), len(numbers) - length
            draws = tf.data.Dataset.random(seed=self.plan.seed, rerandomize_each_iteration=True)
            starts = draws.take(self.examples[split]).map(lambda draw: draw % last)
            windows = starts.map(lambda start: text[start : start + length + 1])
            pairs = windows.map(lambda window: (window[:-1], window[1:]), num_parallel_calls=tf.data.AUTOTUNE)
        else:
            windows = numbers[:-1].reshape(-1, length), numbers[1:].reshape(-1, length)
            pairs = tf.data.Dataset.from_tensor_slices(windows)
        return pairs.batch(self.plan.batch_size).prefetch(tf.data.AUTOTUNE)

    def _count(self, split):
        count = (len(self.numbers(split)) - 1) // self.length
        if count < 1:
            tokens = len(self.vocabulary.encode(self.text(split)))
            raise UsageError(
                f"{self.source.name} ({split}) holds {tokens} {self.level}; "
                f"expected more than {self.length}, one window"
            )
        return count

    def _tokens(self, number, text):
        tokens = super()._tokens(number, text)
        if self.level == "characters" and (tokens == UNKNOWN).any():
            strange = "".join(dict.fromkeys(letter for letter in text if letter not in self.vocabulary.entries))
            raise UsageError(
                f"the network was trained on text without {shortened(strange)!r}; expected characters that it knows"
            )
        return tokens
