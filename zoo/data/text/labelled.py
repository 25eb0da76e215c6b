"""Texts for a network: those with a class each, and those to go on from.

The vocabulary is learned from the training split and travels with the run, in its config.json.
"""

import logging

import numpy as np

from zoo.data import checks as data_checks
from zoo.data.base import SPLITS, check_batch, check_classes
from zoo.data.sources import tensorflow
from zoo.data.text.base import TextDataModule, is_text, shortened
from zoo.data.text.vocabulary import Vocabulary
from zoo.errors import UsageError

log = logging.getLogger("zoo")


class LabelledTextDataModule(TextDataModule):
    """Texts with a class each, cut after `length` tokens; batches of texts of about the same length, padded with 0."""

    def __init__(self, card, recipe, source, vocabulary=None):
        super().__init__(card, recipe, source, vocabulary)
        self._numbered = {}

    @classmethod
    def adapt(cls, card, recipe, source):
        data = cls(card, recipe, source)
        data.class_names = source.class_names
        spec = data._split("train").element_spec
        if not isinstance(spec, tuple) or not is_text(spec[0]):
            raise data._not_text(spec[0] if isinstance(spec, tuple) else spec)
        texts = data._split("train").map(lambda text, _: text)
        data.vocabulary = Vocabulary.adapt(data.level, data.most, texts)
        data.examples = {split: len(data._numbers(split)[1]) for split in SPLITS}
        check_classes(card, source, np.unique(data._numbers("train")[1]))
        check_batch(recipe, data.examples["train"])
        return data

    @classmethod
    def from_config(cls, card, recipe, source, config):
        data = super().from_config(card, recipe, source, config)
        data.class_names = tuple(config["classes"])
        return data

    def get_config(self):
        return {**super().get_config(), "classes": self.class_names}

    def model_options(self):
        return {**super().model_options(), "num_classes": self.source.num_classes}

    def batches(self, split, *, training=False):
        tf = tensorflow()
        rows, labels = self._numbers(split)
        sizes = np.array([len(row) for row in rows])
        ends = np.cumsum(sizes)
        tokens, starts, ends, labels = map(tf.constant, (np.concatenate(rows), ends - sizes, ends, labels))
        order = tf.data.Dataset.range(len(rows))
        if training:
            order = order.shuffle(len(rows), seed=self.recipe.seed, reshuffle_each_iteration=True)
        examples = order.map(lambda row: (tokens[starts[row] : ends[row]], labels[row]))
        batched = examples.bucket_by_sequence_length(
            lambda tokens, _: tf.shape(tokens)[0],
            bucket_boundaries=[longest + 1 for longest in self.quarters],
            bucket_batch_sizes=[self.recipe.batch_size] * (len(self.quarters) + 1),
            pad_to_bucket_boundary=True,  # few shapes: each is compiled for itself
        )
        in_each = np.bincount(np.searchsorted(self.quarters, sizes))
        steps = int(np.ceil(in_each / self.recipe.batch_size).sum())
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
        for texts, classes in data_checks.readable(self._split(split).batch(256), self.source, split):
            data_checks.check_labels(classes, self.source, split)
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
