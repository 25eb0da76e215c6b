"""Texts with a class each, in batches of about the same length."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from zoo.data import checks as data_checks
from zoo.data.array_files import no_examples
from zoo.data.base import SPLITS, check_batch, check_classes
from zoo.data.batching import padded
from zoo.data.epochs import shuffled
from zoo.data.sources import Source
from zoo.data.tensors import tensorflow
from zoo.data.text.base import TextDataModule, is_text, shortened
from zoo.data.text.vocabulary import AnyVocabulary, PretrainedVocabulary, shortened_to
from zoo.errors import UsageError, unknown
from zoo.records import Card, Recipe

log = logging.getLogger("zoo")

NUM_BUCKETS = 4  # of texts by length
MAX_CHOSEN = 1000  # tokens of a text, where the data choose
TRUNCATIONS = ("head", "head_tail")  # the second: C. Sun et al. 2019, arXiv:1905.05583, section 5.3.1
CLASS_WEIGHTS = ("none", "balanced")


class LabelledTextDataModule(TextDataModule):
    """Texts with a class each, cut after `length` tokens; batches of texts of about the same length, padded with 0.

    Inputs are token ids (batch, time), targets numbers of classes (batch,).
    """

    config_types: ClassVar[Mapping[str, Any]] = {**TextDataModule.config_types, "classes": tuple[str, ...]}
    preprocess = (*TextDataModule.preprocess, "truncate", "class_weights", "text_column", "label_column")

    def __init__(
        self,
        card: Card,
        recipe: Recipe,
        source: Source | None,
        vocabulary: AnyVocabulary | None = None,
    ):
        super().__init__(card, recipe, source, vocabulary)
        self.truncate: str = recipe.preprocess.get("truncate", "head")
        if self.truncate not in TRUNCATIONS:
            raise unknown("way to cut a text", self.truncate, TRUNCATIONS)
        if (weights := recipe.preprocess.get("class_weights", "none")) not in CLASS_WEIGHTS:
            raise unknown("weights of classes", weights, CLASS_WEIGHTS)
        self._encoded: dict[str, tuple[list[np.ndarray], np.ndarray]] = {}

    @classmethod
    def adapt(cls, card: Card, recipe: Recipe, source: Source) -> Self:
        data = cls(card, recipe, source)
        data.class_names = source.class_names
        spec = data._split("train").element_spec
        if not isinstance(spec, tuple) or not is_text(spec[0]):
            raise data._not_text(spec[0] if isinstance(spec, tuple) else spec)
        texts = data._split("train").map(lambda text, _: text)
        if not list(data_checks.readable(texts.take(1), source, "train")):
            raise no_examples(source.name, recipe.train, "text")
        data._adapt_vocabulary(map(decoded, data_checks.readable(texts, source, "train")))
        data.length = data.length or data._chosen_length(texts)
        data.examples = {split: len(data._token_ids(split)[1]) for split in SPLITS}
        check_classes(source, np.unique(data._token_ids("train")[1]), card)
        check_batch(recipe, data.examples["train"])
        return data

    @classmethod
    def from_config(cls, card: Card, recipe: Recipe, source: Source | None, config: Mapping[str, Any]) -> Self:
        data = super().from_config(card, recipe, source, config)
        data.class_names = tuple(config["classes"])
        data.length = config.get("length", data.length)
        return data

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "classes": self.class_names, "length": self.length}

    def model_options(self) -> dict[str, Any]:
        return {**super().model_options(), "num_classes": self.source.num_classes}

    def batches(self, split: str, *, training: bool = False) -> Any:
        tf = tensorflow()
        rows, labels = self._token_ids(split)
        lengths = np.array([len(row) for row in rows])
        ends = np.cumsum(lengths)
        tokens, starts, ends, labels = map(tf.constant, (np.concatenate(rows), ends - lengths, ends, labels))
        order = tf.data.Dataset.range(len(rows))
        if training:
            texts, count = order, len(rows)
            order = self.begin().dataset(lambda seeds: shuffled(texts, count, seeds))
        examples = order.map(lambda row: (tokens[starts[row] : ends[row]], labels[row]))
        batched = examples.bucket_by_sequence_length(
            lambda tokens, _: tf.shape(tokens)[0],
            bucket_boundaries=[length + 1 for length in self.bucket_lengths],
            bucket_batch_sizes=[self.recipe.batch_size] * (len(self.bucket_lengths) + 1),
            pad_to_bucket_boundary=True,  # few shapes: each is compiled for itself
        )
        texts_in_bucket = np.bincount(np.searchsorted(self.bucket_lengths, lengths))
        steps = int(np.ceil(texts_in_bucket / self.recipe.batch_size).sum())
        return batched.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(tf.data.AUTOTUNE)

    @property
    def bucket_lengths(self) -> list[int]:
        """The longest text of each bucket, tokens: no batch is mostly padding."""
        return sorted({-(-self.length * part // NUM_BUCKETS) for part in range(1, NUM_BUCKETS + 1)})

    def targets(self, split: str) -> np.ndarray:
        """The classes (texts,), in the order of `batches`."""
        return np.concatenate([y for _, y in self.batches(split).as_numpy_iterator()])

    def texts(self, split: str) -> tuple[list[str], np.ndarray]:
        """The texts as they are, whole, and their classes."""
        texts, labels = zip(*self._split(split).as_numpy_iterator())
        return list(map(decoded, texts)), np.array(labels)

    def encode(self, raws: Sequence[str]) -> np.ndarray:
        """As in training, of at most `length` tokens: (texts, time) int32."""
        rows = [self._cut(self._tokens(number, text)) for number, text in enumerate(raws)]
        return padded(rows, max(map(len, rows), default=1))

    def _cut(self, row: np.ndarray) -> np.ndarray:
        """At most `length` tokens of a text: its beginning, or a quarter from there and the rest from its end.

        What closes each text for pretrained weights, BERT's [SEP], stays.
        """
        closing = self.vocabulary.closing if isinstance(self.vocabulary, PretrainedVocabulary) else 0
        if len(row) <= self.length or self.truncate == "head":
            return shortened_to(row, self.length, closing)
        head = self.length // 4
        return np.concatenate([row[:head], row[len(row) - (self.length - head) :]])

    def _chosen_length(self, texts: Any) -> int:
        """Tokens that 19 of 20 training texts do not exceed, at most `MAX_CHOSEN`."""
        lengths = [len(self.vocabulary.encode(decoded(text))) for text in texts.as_numpy_iterator()]
        chosen = int(np.clip(np.quantile(lengths, 0.95), NUM_BUCKETS, MAX_CHOSEN))
        log.info(f"texts are read up to {chosen} {self.called}; the median one has {int(np.median(lengths))}")
        return chosen

    @property
    def class_weights(self) -> np.ndarray | None:
        """(classes,) of the loss, so that each class counts alike, where the recipe asks for that."""
        if self.recipe.preprocess.get("class_weights", "none") == "none":
            return None
        counts = np.bincount(self._token_ids("train")[1], minlength=len(self.class_names))
        return counts.sum() / (len(counts) * counts)

    def _token_ids(self, split: str) -> tuple[list[np.ndarray], np.ndarray]:
        """The token ids of each text, cut, and the classes, in memory: 4 bytes a token.

        Raises:
            UsageError: for a split without texts, a text without tokens or a label that is none.
        """
        if split in self._encoded:
            return self._encoded[split]
        rows: list[np.ndarray] = []
        labels: list[np.ndarray] = []
        cut = lost = 0
        for texts, classes in data_checks.readable(self._split(split).batch(256), self.source, split):
            data_checks.check_labels(classes, self.source, split)
            for text in map(decoded, texts):
                found = self.vocabulary.encode(text)
                if not len(found):
                    shown = shortened(text)
                    raise UsageError(
                        f"example {len(rows)} of {self.source.name} ({split}) is {shown!r} and holds no {self.called}; "
                        "expected text: drop it"
                    )
                rows.append(self._cut(found))
                cut, lost = cut + (len(found) > self.length), lost + max(len(found) - self.length, 0)
            labels.append(classes)
        if not rows:
            raise no_examples(self.source.name, split, "text")
        if cut:
            share = lost / (lost + sum(map(len, rows)))
            log.info(
                f"{cut:,} of {len(rows):,} texts ({split}) are cut to {self.length} {self.called}, which loses "
                f"{share:.0%} of the text (--option length=, or truncate=head_tail)"
            )
        self._encoded[split] = rows, np.concatenate(labels)
        return self._encoded[split]


def decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")
