"""Texts for a network: those with a class each, and those to go on from.

The vocabulary is learned from the training split and travels with the run, in its config.json.
"""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.data import pipeline
from zoo.data.feeds import SPLITS, Feed, check_batch, check_classes
from zoo.data.sources import tensorflow
from zoo.data.vocabulary import LEVELS, UNKNOWN, Vocabulary
from zoo.errors import UsageError, first_line, unknown

log = logging.getLogger("zoo")


def settings_of(plan) -> dict[str, Any]:
    """What a recipe says of its tokens: ``{"tokens": "words", "vocabulary": 20_000, "length": 400}``."""
    settings = {"tokens": "words", "vocabulary": 20_000, "length": 400, **plan.preprocess}
    for word in settings:
        if word not in TextFeed.preprocess:
            raise unknown("preprocessing of texts", word, TextFeed.preprocess)
    if settings["tokens"] not in LEVELS:
        raise unknown("kind of tokens", settings["tokens"], LEVELS)
    check_sizes(settings, length=1, vocabulary=3)
    return settings


def check_sizes(settings: Mapping[str, Any], **least: int) -> None:
    """Raise unless each of these settings is a whole number of at least so much.

    >>> check_sizes({"length": 0}, length=1)
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: length is 0; expected a whole number of at least 1
    """
    for name, smallest in least.items():
        value = settings[name]
        if isinstance(value, bool) or not isinstance(value, int) or value < smallest:
            raise UsageError(f"{name} is {value!r}; expected a whole number of at least {smallest}")


class TextFeed(Feed):
    """What texts with classes and texts without have in common: a vocabulary."""

    preprocessings = ("none",)
    preprocess = ("tokens", "vocabulary", "length")
    augment = ()

    def __init__(self, card, plan, source, vocabulary: Vocabulary | None = None):
        super().__init__(card, plan, source)
        settings = settings_of(plan)
        self.level, self.most, self.length = settings["tokens"], settings["vocabulary"], settings["length"]
        self.vocabulary = vocabulary

    @classmethod
    def restore(cls, card, plan, source, state):
        return cls(card, plan, source, Vocabulary(state["tokens"], state["vocabulary"]))

    def state(self):
        return {"tokens": self.level, "vocabulary": self.vocabulary.entries}

    def options(self):
        return {"input_shape": (None,), "vocabulary_size": len(self.vocabulary)}

    def encode(self, raws):
        rows = [self._tokens(number, text) for number, text in enumerate(raws)]
        batch = np.zeros((len(rows), max(map(len, rows), default=1)), "int32")
        for row, tokens in zip(batch, rows):
            row[: len(tokens)] = tokens
        return batch

    def _tokens(self, number, text):
        tokens = self.vocabulary.encode(text)
        what = f"text {number + 1} ({shortened(text)!r})"
        if not len(tokens):
            raise UsageError(f"{what} holds no {self.level}; expected at least one")
        if (tokens == UNKNOWN).all():
            raise UsageError(
                f"{what} holds no {self.level[:-1]} that the network knows; expected the language it was trained on"
            )
        return tokens

    def _split(self, split):
        """The examples of a split, as the source gives them."""
        try:
            return self.source.split(getattr(self.plan, split))
        except (ValueError, AssertionError) as error:
            name = getattr(self.plan, split)
            raise UsageError(f"{self.source.name} has no split {name!r}: {first_line(error)}") from None

    def _not_text(self, spec) -> UsageError:
        return UsageError(
            f"an example of {self.source.name} is {described(spec)}; {self.card.name} reads text: "
            "choose another data set"
        )


def shortened(text: str, most: int = 30) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def described(spec) -> str:
    """A tensor's form in words."""
    return f"{spec.dtype.name} of shape {tuple(spec.shape)}" if hasattr(spec, "dtype") else str(spec)


def is_text(spec) -> bool:
    return getattr(spec, "dtype", None) == tensorflow().string and spec.shape.rank == 0


class LabelledTextFeed(TextFeed):
    """Texts with a class each, cut after `length` tokens; batches of texts of about the same length, padded with 0."""

    def __init__(self, card, plan, source, vocabulary=None):
        super().__init__(card, plan, source, vocabulary)
        self._numbered = {}

    @classmethod
    def learn(cls, card, plan, source):
        feed = cls(card, plan, source)
        feed.class_names = source.class_names
        spec = feed._split("train").element_spec
        if not isinstance(spec, tuple) or not is_text(spec[0]):
            raise feed._not_text(spec[0] if isinstance(spec, tuple) else spec)
        texts = feed._split("train").map(lambda text, _: text)
        feed.vocabulary = Vocabulary.learn(feed.level, feed.most, texts)
        feed.examples = {split: len(feed._numbers(split)[1]) for split in SPLITS}
        check_classes(card, source, np.unique(feed._numbers("train")[1]))
        check_batch(plan, feed.examples["train"])
        return feed

    @classmethod
    def restore(cls, card, plan, source, state):
        feed = super().restore(card, plan, source, state)
        feed.class_names = tuple(state["classes"])
        return feed

    def state(self):
        return {**super().state(), "classes": self.class_names}

    def options(self):
        return {**super().options(), "num_classes": self.source.num_classes}

    def batches(self, split, *, training=False):
        tf = tensorflow()
        rows, labels = self._numbers(split)
        sizes = np.array([len(row) for row in rows])
        ends = np.cumsum(sizes)
        tokens, starts, ends, labels = map(tf.constant, (np.concatenate(rows), ends - sizes, ends, labels))
        order = tf.data.Dataset.range(len(rows))
        if training:
            order = order.shuffle(len(rows), seed=self.plan.seed, reshuffle_each_iteration=True)
        examples = order.map(lambda row: (tokens[starts[row] : ends[row]], labels[row]))
        batched = examples.bucket_by_sequence_length(
            lambda tokens, _: tf.shape(tokens)[0],
            bucket_boundaries=[longest + 1 for longest in self.quarters],
            bucket_batch_sizes=[self.plan.batch_size] * (len(self.quarters) + 1),
            pad_to_bucket_boundary=True,  # few shapes: each is compiled for itself
        )
        in_each = np.bincount(np.searchsorted(self.quarters, sizes))
        steps = int(np.ceil(in_each / self.plan.batch_size).sum())
        return batched.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(tf.data.AUTOTUNE)

    @property
    def quarters(self) -> list[int]:
        """The longest text of each kind of batch: none is mostly padding."""
        return sorted({-(-self.length * part // 4) for part in (1, 2, 3, 4)})

    def targets(self, split: str) -> np.ndarray:
        """The classes, in the order of `batches`."""
        return np.concatenate([y for _, y in self.batches(split).as_numpy_iterator()])

    def texts(self, split: str) -> tuple[list[str], np.ndarray]:
        """The texts as they are, whole, and their classes."""
        texts, labels = zip(*self._split(split).as_numpy_iterator())
        return [text.decode("utf-8", "replace") for text in texts], np.array(labels)

    def encode(self, raws):
        """As in training, cut after `length` tokens."""
        return super().encode(raws)[:, : self.length]

    def _numbers(self, split) -> tuple[list[np.ndarray], np.ndarray]:
        """The tokens of each text, cut, and the classes, in memory: 4 bytes a token.

        Raises:
            UsageError: for a split without texts, a text without tokens or a label that is none.
        """
        if split in self._numbered:
            return self._numbered[split]
        rows, labels, cut = [], [], 0
        for texts, classes in pipeline.readable(self._split(split).batch(256), self.source, split):
            pipeline.check_labels(classes, self.source, split)
            for text, row in zip(texts, self.vocabulary.numbers(texts).numpy()):
                found = row[row > 0]
                if not len(found):
                    said = shortened(text.decode("utf-8", "replace"))
                    raise UsageError(
                        f"example {len(rows)} of {self.source.name} ({split}) is {said!r} and holds no {self.level}; "
                        "expected text: drop it"
                    )
                rows.append(found[: self.length])
                cut += len(found) > self.length
            labels.append(classes)
        if not rows:
            raise UsageError(f"the split {split!r} of {self.source.name} is empty; expected at least one text")
        if cut:
            log.info(f"{cut:,} of {len(rows):,} texts ({split}) are cut after {self.length} {self.level}")
        self._numbered[split] = rows, np.concatenate(labels)
        return self._numbered[split]


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
        texts = [text.decode("utf-8", "replace") for text in pipeline.readable(examples, self.source, split)]
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
