"""Pairs of texts, of which the second is to be said when the first is read."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from zoo.checks import check_sizes
from zoo.data import checks as data_checks
from zoo.data.base import SPLITS, DataModule, check_batch
from zoo.data.batching import Batches, by_length, filled
from zoo.data.sources import ParallelSource
from zoo.data.text.base import is_text, shortened
from zoo.data.text.special_tokens import END, START, UNKNOWN
from zoo.data.text.subwords import TOKENIZERS
from zoo.errors import UsageError, first_line, unknown

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
BUCKETS = 6  # kinds of batches by length: each is compiled for itself


class TranslationDataModule(DataModule):
    """Batches of ({"source", "target"}, next tokens), whole numbers filled up with 0 on the right."""

    preprocess = tuple(SETTINGS)

    def __init__(self, card, recipe, source, tokenizer=None):
        super().__init__(card, recipe, source)
        for word in recipe.preprocess:
            if word not in SETTINGS:
                raise unknown("preprocessing of translations", word, SETTINGS)
        self.settings = {**SETTINGS, **recipe.preprocess}
        if self.settings["tokens"] not in TOKENIZERS:
            raise unknown("kind of tokens", self.settings["tokens"], TOKENIZERS)
        check_sizes(self.settings, length=2, vocabulary=5, batch_tokens=0)
        self.length, self.tokenizer = self.settings["length"], tokenizer
        self._texts, self._pairs = {}, {}

    @classmethod
    def adapt(cls, card, recipe, source):
        data = cls(card, recipe, source)
        texts = data.texts("train")
        kind = TOKENIZERS[data.settings["tokens"]]
        data.tokenizer = kind.adapt([*texts[0], *texts[1]], data.settings["vocabulary"])
        data.examples = {split: len(data.tokens(split)[0]) for split in SPLITS}
        if not data.examples["train"]:
            kind = data.settings["tokens"]
            raise UsageError(
                f"all {len(texts[0]):,} training pairs of {source.name} are longer than {data.length} {kind}; "
                "give shorter ones, or a larger length"
            )
        check_batch(recipe, data.examples["train"])
        return data

    @classmethod
    def from_config(cls, card, recipe, source, config):
        return cls(card, recipe, source, TOKENIZERS[config["tokens"]].from_config(config))

    def get_config(self):
        return {"tokens": self.settings["tokens"], **self.tokenizer.get_config()}

    def model_options(self):
        return {
            "input_shape": (None,),
            "target_shape": (None,),
            "vocabulary_size": len(self.tokenizer),
            "max_length": self.length,
        }

    def texts(self, split: str) -> tuple[list[str], list[str]]:
        """Sources and targets, without the pairs of which one is empty."""
        if split not in self._texts:
            self._texts[split] = self._read(split)
        return self._texts[split]

    def _read(self, split):
        found = self._columns(getattr(self.recipe, split), split)
        found = [[text.strip() for text in column] for column in found]
        pairs = [pair for pair in zip(*found) if all(pair)]
        if empty := len(found[0]) - len(pairs):
            log.info(f"{empty:,} of {len(found[0]):,} pairs ({split}) have an empty side and are left out")
        if not pairs:
            name = getattr(self.recipe, split)
            raise UsageError(f"the split {name!r} of {self.source.name} is empty; expected at least one pair of texts")
        sources, targets = map(list, zip(*pairs))
        return sources, targets

    def _columns(self, name, split) -> tuple[Sequence[str], Sequence[str]]:
        """All sources and all targets."""
        if isinstance(self.source, ParallelSource):
            columns = self.source.columns(name)
            first, second = self._chosen(columns, [True] * len(columns))
            return columns[first], columns[second]
        try:
            examples = self.source.split(name)
        except (ValueError, AssertionError) as error:
            raise UsageError(f"{self.source.name} has no split {name!r}: {first_line(error)}") from None
        spec = examples.element_spec
        keys = list(spec) if isinstance(spec, Mapping) else list(range(len(spec))) if isinstance(spec, tuple) else []
        first, second = self._chosen(keys, [is_text(spec[key]) for key in keys])
        found = [], []
        for row in data_checks.readable(examples.batch(1024), self.source, split):
            for side, key in zip(found, (first, second)):
                side.extend(text.decode("utf-8", "replace") for text in row[key])
        return found

    def _chosen(self, keys, texts) -> tuple:
        """The keys of source and target among those of an example."""
        first, second, back = (self.settings[word] for word in ("source", "target", "reverse"))
        named = all(isinstance(key, str) for key in keys)
        for name in (first, second):
            if name and named and keys and name not in keys:
                raise unknown(f"column of {self.source.name}", name, sorted(keys))
            if name and not named:
                raise UsageError(f"{self.source.name} has pairs and no names of columns; leave source and target out")
        if not (first and second):
            if named and len(keys) > 2:
                raise UsageError(
                    f"{self.source.name} has the columns {', '.join(sorted(keys))}; expected two, or --option source= "
                    "and --option target="
                )
            first, second = sorted(keys) if len(keys) == 2 else (None, None)
        is_text_of = dict(zip(keys, texts))
        if not (is_text_of.get(first) and is_text_of.get(second)):
            raise UsageError(f"{self.source.name} has no pairs of texts; {self.card.name} learns from those alone")
        return (second, first) if back else (first, second)

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
        sources, targets = self.tokens(split)
        rng = np.random.default_rng([self.recipe.seed, SPLITS.index(split)])
        lengths = self._lengths(split)
        widest = max(map(len, sources)), max(map(len, targets)) + 1  # one shape

        def make(rows):
            width = (self.width_of(lengths[rows]),) * 2 if training and self.settings["batch_tokens"] else widest
            source, target = [sources[row] for row in rows], [targets[row] for row in rows]
            shifted = filled([np.append(START, row) for row in target], width[1])
            return {"source": filled(source, width[0]), "target": shifted}, filled(
                [np.append(row, END) for row in target], width[1]
            )

        def two_widths_first(batches):
            """For TensorFlow, Keras takes the width for fixed if the first two batches have the same."""
            widths = [self.width_of(lengths[rows]) for rows in batches]
            other = next((number for number, width in enumerate(widths) if width != widths[0]), 0)
            if other > 1:
                batches[1], batches[other] = batches[other], batches[1]
            return batches

        def groups():
            if training and self.settings["batch_tokens"]:
                return two_widths_first(by_length(lengths, self.buckets, self.bucket_sizes, rng))
            rows = rng.permutation(len(lengths)) if training else np.arange(len(lengths))
            return np.split(rows, range(self.recipe.batch_size, len(rows), self.recipe.batch_size))

        return Batches(make, groups)

    def _lengths(self, split) -> np.ndarray:
        """Of each pair the longer side, its start or end with it."""
        return np.array([max(len(source), len(target) + 1) for source, target in zip(*self.tokens(split))])

    def width_of(self, lengths: np.ndarray) -> int:
        return self.buckets[int(np.searchsorted(self.buckets, lengths.max()))]

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
        return len(self.batches("train", training=True))

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
        return filled(rows, max(map(len, rows), default=1))
