"""Pairs of texts, of which the second is to be said when the first is read."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from zoo.data import pipeline
from zoo.data.feeds import SPLITS, Feed, check_batch
from zoo.data.sources import tensorflow
from zoo.data.subwords import TOKENIZERS
from zoo.data.text import is_text, shortened
from zoo.errors import UsageError, first_line, unknown
from zoo.sequences import END, START, UNKNOWN

log = logging.getLogger("zoo")

SETTINGS = {
    "tokens": "characters",  # or "subwords"
    "vocabulary": 8000,  # at most so many tokens, for both languages together
    "length": 64,  # tokens of a source or a target; longer pairs are not learned from
    "batch_tokens": 0,  # tokens of a batch, in place of `batch_size` pairs: more short pairs, fewer long ones
    "source": "",  # columns, where a data set has names for them
    "target": "",
    "reverse": False,  # from the second to the first
}
BUCKETS = 8  # kinds of batches by length


class TranslationFeed(Feed):
    """Batches of ({"source", "target"}, next tokens), whole numbers filled up with 0 on the right."""

    preprocess = tuple(SETTINGS)

    def __init__(self, card, plan, source, tokenizer=None):
        super().__init__(card, plan, source)
        for word in plan.preprocess:
            if word not in SETTINGS:
                raise unknown("preprocessing of translations", word, SETTINGS)
        self.settings = {**SETTINGS, **plan.preprocess}
        if self.settings["tokens"] not in TOKENIZERS:
            raise unknown("kind of tokens", self.settings["tokens"], TOKENIZERS)
        self.length, self.tokenizer = self.settings["length"], tokenizer
        self._texts, self._pairs = {}, {}

    @classmethod
    def learn(cls, card, plan, source):
        feed = cls(card, plan, source)
        texts = feed.texts("train")
        kind = TOKENIZERS[feed.settings["tokens"]]
        feed.tokenizer = kind.learn([*texts[0], *texts[1]], feed.settings["vocabulary"])
        feed.examples = {split: len(feed.tokens(split)[0]) for split in SPLITS}
        check_batch(plan, feed.examples["train"])
        return feed

    @classmethod
    def restore(cls, card, plan, source, state):
        return cls(card, plan, source, TOKENIZERS[state["tokens"]].restore(state))

    def state(self):
        return {"tokens": self.settings["tokens"], **self.tokenizer.state()}

    def options(self):
        return {
            "input_shape": (None,),
            "target_shape": (None,),
            "vocabulary_size": len(self.tokenizer),
            "longest": self.length,
        }

    def texts(self, split: str) -> tuple[list[str], list[str]]:
        """Sources and targets, without the pairs of which one is empty."""
        if split not in self._texts:
            self._texts[split] = self._read(split)
        return self._texts[split]

    def _read(self, split):
        name = getattr(self.plan, split)
        try:
            examples = self.source.split(name)
        except (ValueError, AssertionError) as error:
            raise UsageError(f"{self.source.name} has no split {name!r}: {first_line(error)}") from None
        examples = examples.map(self._columns(examples.element_spec))
        found = [], []
        for texts in pipeline.readable(examples.batch(1024), self.source, split):
            for side, column in zip(found, texts):
                side.extend(text.decode("utf-8", "replace").strip() for text in column)
        pairs = [pair for pair in zip(*found) if all(pair)]
        if empty := len(found[0]) - len(pairs):
            log.info(f"{empty:,} of {len(found[0]):,} pairs ({split}) have an empty side and are left out")
        if not pairs:
            raise UsageError(f"the split {name!r} of {self.source.name} is empty; expected at least one pair of texts")
        sources, targets = map(list, zip(*pairs))
        return sources, targets

    def tokens(self, split: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Sources and targets as numbers. What is too long is left out of training, and cut elsewhere."""
        if split not in self._pairs:
            sources, targets = map(self.tokenizer.encode, self.texts(split))
            fits = [len(s) <= self.length and len(t) < self.length for s, t in zip(sources, targets)]
            done = "left out" if split == "train" else "cut"
            if long := len(fits) - sum(fits):
                kind = self.settings["tokens"]
                log.info(f"{long:,} of {len(fits):,} pairs ({split}) are longer than {self.length} {kind}: {done}")
            if split == "train":
                sources, targets = ([row for row, fit in zip(side, fits) if fit] for side in (sources, targets))
            self._pairs[split] = (
                [row[: self.length] for row in sources],
                [row[: self.length - 1] for row in targets],  # the start or the end takes one place
            )
        return self._pairs[split]

    def batches(self, split, *, training=False):
        tf = tensorflow()
        sources, targets = self.tokens(split)
        rows = tuple(
            tf.RaggedTensor.from_row_lengths(np.concatenate(side), list(map(len, side))) for side in (sources, targets)
        )

        def framed(source, target):
            start, end = tf.constant([START]), tf.constant([END])
            target = tf.identity(target)
            inputs = {"source": tf.identity(source), "target": tf.concat([start, target], 0)}
            return inputs, tf.concat([target, end], 0)

        examples = tf.data.Dataset.from_tensor_slices(rows)
        if training:
            count = min(len(sources), pipeline.LOOK_AT)
            examples = examples.shuffle(count, seed=self.plan.seed, reshuffle_each_iteration=True)
        examples = examples.map(framed, num_parallel_calls=tf.data.AUTOTUNE)
        if training and self.settings["batch_tokens"]:
            examples = examples.bucket_by_sequence_length(
                lambda x, y: tf.maximum(tf.shape(x["source"])[0], tf.shape(y)[0]),
                bucket_boundaries=[longest + 1 for longest in self.buckets],
                bucket_batch_sizes=[*self.bucket_sizes, 1],
                pad_to_bucket_boundary=True,  # few shapes: each is compiled for itself
            )
            examples = examples.apply(tf.data.experimental.assert_cardinality(self.steps))
        else:  # one shape
            widest = max(map(len, sources)), max(map(len, targets)) + 1
            shapes = {"source": [widest[0]], "target": [widest[1]]}, [widest[1]]
            examples = examples.padded_batch(self.plan.batch_size, shapes)
        return examples.prefetch(tf.data.AUTOTUNE)

    @property
    def buckets(self) -> list[int]:
        """The longest pair of each kind of batch."""
        return sorted({-(-self.length * part // BUCKETS) for part in range(1, BUCKETS + 1)})

    @property
    def bucket_sizes(self) -> list[int]:
        """Pairs in a batch of each kind: as many tokens in all."""
        return [max(self.settings["batch_tokens"] // longest, 1) for longest in self.buckets]

    @property
    def steps(self):
        if not self.settings["batch_tokens"]:
            return super().steps
        lengths = [max(len(source), len(target) + 1) for source, target in zip(*self.tokens("train"))]
        kinds = np.bincount(np.searchsorted(self.buckets, lengths), minlength=len(self.buckets))
        return int(np.ceil(kinds / self.bucket_sizes).sum())

    def encode(self, raws: Sequence[str]) -> np.ndarray:
        """(texts, longest of them) whole numbers.

        Raises:
            UsageError: for a text that is empty, too long, or of characters that the network never saw.
        """
        rows = self.tokenizer.encode([text.strip() for text in raws])
        kind = self.settings["tokens"]
        for number, (text, row) in enumerate(zip(raws, rows), start=1):
            what = f"text {number} ({shortened(text)!r})"
            if not len(row):
                raise UsageError(f"{what} is empty; expected something to translate")
            if len(row) > self.length:
                raise UsageError(
                    f"{what} has {len(row)} {kind}; {self.card.name} was trained on at most {self.length}: "
                    "give it in parts"
                )
            if (row == UNKNOWN).any():
                strange = "".join(dict.fromkeys(letter for letter, token in zip(text.strip(), row) if token == UNKNOWN))
                raise UsageError(f"{what} holds {strange!r}, which {self.card.name} never saw; expected other words")
        batch = np.zeros((len(rows), max(map(len, rows), default=1)), "int32")
        for row, tokens in zip(batch, rows):
            row[: len(tokens)] = tokens
        return batch

    def _columns(self, spec):
        """A function from an example, as the source has it, to (source, target)."""
        first, second, back = (self.settings[word] for word in ("source", "target", "reverse"))
        if isinstance(spec, Mapping):
            names = sorted(spec)
            for name in (first, second):
                if name and name not in names:
                    raise unknown(f"column of {self.source.name}", name, names)
            if not (first and second):
                if len(names) != 2:
                    raise UsageError(
                        f"{self.source.name} has the columns {', '.join(names)}; expected two, or a recipe that names "
                        "its source and target"
                    )
                first, second = names
            pair, specs = (lambda row: (row[first], row[second])), (spec[first], spec[second])
        elif isinstance(spec, tuple) and len(spec) == 2:
            if first or second:
                raise UsageError(f"{self.source.name} has pairs and no names of columns; leave source and target out")
            pair, specs = (lambda *row: row), spec
        else:
            pair, specs = None, ()
        if not specs or not all(map(is_text, specs)):
            raise UsageError(f"{self.source.name} has no pairs of texts; {self.card.name} learns from those alone")
        return (lambda *row: pair(*row)[::-1]) if back else pair
