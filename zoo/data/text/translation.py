"""Pairs of a source text and the target text that it is to be turned into."""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from zoo.checks import check_sizes
from zoo.data import checks as data_checks
from zoo.data.array_files import no_examples
from zoo.data.base import SPLITS, DataModule, check_batch
from zoo.data.batching import Batches, bucket_by_length, padded, two_widths_first
from zoo.data.sources import ParallelSource, Source
from zoo.data.text.base import is_text, shortened
from zoo.data.text.special_tokens import END, START, UNKNOWN
from zoo.data.text.subwords import TOKENIZERS
from zoo.data.text.vocabulary import of_run
from zoo.errors import UsageError, unknown
from zoo.records import Card, Recipe

log = logging.getLogger("zoo")

SETTINGS = {
    "tokens": "characters",  # or "subwords"
    "tokenizer": "",  # the folder of a run whose tokens they are; "": learned from the training set
    "vocabulary": 8000,  # at most so many tokens, for both languages together
    "length": 64,  # tokens of a source or a target; longer pairs are not learned from
    "batch_tokens": 0,  # tokens of a batch, in place of `batch_size` pairs: more short pairs, fewer long ones
    "source": "",  # columns, where a data set has names for them
    "target": "",
    "reverse": False,  # from the second to the first
}
SENTENCE = re.compile(r"\S.*?(?:[.!?\u2026][\"')\u201d\u201c\u00bb]*(?=\s|$)|[\u3002\uff01\uff1f]|$)", re.DOTALL)
NUM_BUCKETS = 6  # of pairs by length: each shape is compiled for itself


class TranslationDataModule(DataModule):
    """Batches of ({"source", "target"}, next tokens): token ids (batch, time), padded with 0 on the right.

    The input "target" begins with the start and the target ends with the end, so that each position is to tell the
    next token from those up to it (teacher forcing).
    """

    preprocess = tuple(SETTINGS)
    set_by: ClassVar[Mapping[str, str]] = {"vocabulary_size": "vocabulary", "max_length": "length"}

    config_types: ClassVar[Mapping[str, Any]] = {"tokens": str}

    def __init__(self, card: Card, recipe: Recipe, source: Source | None, tokenizer: Any = None):
        super().__init__(card, recipe, source)
        for word in recipe.preprocess:
            if word not in SETTINGS:
                raise unknown("preprocessing of translations", word, SETTINGS)
        self.settings: dict[str, Any] = {**SETTINGS, **recipe.preprocess}
        if self.settings["tokens"] not in TOKENIZERS:
            raise unknown("kind of tokens", self.settings["tokens"], TOKENIZERS)
        check_sizes(self.settings, length=2, vocabulary=5, batch_tokens=0)
        self.length: int = self.settings["length"]
        self.tokenizer = tokenizer
        self.direction: tuple[Any, Any] | None = None  # the languages, from and to, where they have names
        self._texts: dict[str, tuple[list[str], list[str]]] = {}
        self._token_ids: dict[str, tuple[list[np.ndarray], list[np.ndarray]]] = {}

    @classmethod
    def adapt(cls, card: Card, recipe: Recipe, source: Source) -> Self:
        data = cls(card, recipe, source)
        texts = data.texts("train")
        if data.direction and all(isinstance(language, str) for language in data.direction):
            other = "translate_folder_back, or " if not data.settings["reverse"] else ""
            log.info("from {} to {} (the other way: {}--option reverse={})".format(
                *data.direction, other, not data.settings["reverse"]))  # fmt: skip
        kind = TOKENIZERS[data.settings["tokens"]]
        if run := data.settings["tokenizer"]:
            data.tokenizer = of_run(run, kind)
            log.info(f"the {data.settings['tokens']} are those of {run}: {len(data.tokenizer):,}")
        else:
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
    def from_config(cls, card: Card, recipe: Recipe, source: Source | None, config: Mapping[str, Any]) -> Self:
        return cls(card, recipe, source, TOKENIZERS[config["tokens"]].from_config(config))

    def get_config(self) -> dict[str, Any]:
        return {"tokens": self.settings["tokens"], **self.tokenizer.get_config()}

    def model_options(self) -> dict[str, Any]:
        return {
            "input_shape": (None,),
            "target_shape": (None,),
            "vocabulary_size": len(self.tokenizer),
            "max_length": max(self.length, self.recipe.model.get("max_length", 0)),  # the weights may have more
        }

    @property
    def vocabulary_size(self) -> int:
        return len(self.tokenizer)

    def texts(self, split: str) -> tuple[list[str], list[str]]:
        """Sources and targets, without the pairs of which one is empty."""
        if split not in self._texts:
            self._texts[split] = self._read(split)
        return self._texts[split]

    def _read(self, split: str) -> tuple[list[str], list[str]]:
        columns = self._columns(getattr(self.recipe, split), split)
        found = [[text.strip() for text in column] for column in columns]
        pairs = [pair for pair in zip(*found) if all(pair)]
        if empty := len(found[0]) - len(pairs):
            log.info(f"{empty:,} of {len(found[0]):,} pairs ({split}) have an empty side and are left out")
        if not pairs:
            raise no_examples(self.source.name, getattr(self.recipe, split), "pair of texts")
        sources, targets = map(list, zip(*pairs))
        return sources, targets

    def _columns(self, name: str, split: str) -> tuple[Sequence[str], Sequence[str]]:
        """All sources and all targets."""
        if isinstance(self.source, ParallelSource):
            columns = self.source.columns(name)
            first, second = self.direction = self._chosen(list(columns), [True] * len(columns))
            return columns[first], columns[second]
        examples = self.source.split(name)
        spec = examples.element_spec
        keys = list(spec) if isinstance(spec, Mapping) else list(range(len(spec))) if isinstance(spec, tuple) else []
        first, second = self.direction = self._chosen(keys, [is_text(spec[key]) for key in keys])
        found: tuple[list[str], list[str]] = ([], [])
        for row in data_checks.readable(examples.batch(1024), self.source, split):
            for side, key in zip(found, (first, second)):
                side.extend(text.decode("utf-8", "replace") for text in row[key])
        return found

    def _chosen(self, keys: list[Any], texts: list[bool]) -> tuple[Any, Any]:
        """The keys of source and target among those of an example."""
        first, second, reverse = (self.settings[word] for word in ("source", "target", "reverse"))
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
        return (second, first) if reverse else (first, second)

    def tokens(self, split: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Sources and targets as token ids, (tokens,) each; what is too long is left out of training, cut elsewhere."""
        if split not in self._token_ids:
            sources, targets = map(self.tokenizer.encode, self.texts(split))
            fits = [len(s) <= self.length and len(t) < self.length for s, t in zip(sources, targets)]
            done = "left out" if split == "train" else "cut"
            if long := len(fits) - sum(fits):
                kind = self.settings["tokens"]
                log.info(f"{long:,} of {len(fits):,} pairs ({split}) are longer than {self.length} {kind}: {done}")
            if split == "train":
                sources, targets = ([row for row, fit in zip(side, fits) if fit] for side in (sources, targets))
            self._token_ids[split] = (
                [row[: self.length] for row in sources],
                [row[: self.length - 1] for row in targets],  # the start or the end takes one position
            )
        return self._token_ids[split]

    def batches(self, split: str, *, training: bool = False) -> Batches:
        sources, targets = self.tokens(split)
        epochs = self.begin() if training else None
        lengths = self._lengths(split)
        by_length = training and self.settings["batch_tokens"]
        one_shape = max(map(len, sources)), max(map(len, targets)) + 1

        def make(rows: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
            width, target_width = (self.width_of(lengths[rows]),) * 2 if by_length else one_shape
            source = padded([sources[row] for row in rows], width)  # (batch, width)
            shifted = padded([np.append(START, targets[row]) for row in rows], target_width)
            target = padded([np.append(targets[row], END) for row in rows], target_width)
            return {"source": source, "target": shifted}, target

        def groups() -> list[np.ndarray]:
            rng = epochs.rng() if epochs else np.random.default_rng(0)
            if by_length:
                batches = bucket_by_length(lengths, self.bucket_lengths, self.bucket_sizes, rng)
                return two_widths_first(batches, lambda rows: self.width_of(lengths[rows]))
            rows = rng.permutation(len(lengths)) if training else np.arange(len(lengths))
            return np.split(rows, range(self.recipe.batch_size, len(rows), self.recipe.batch_size))

        return Batches(make, groups, epochs)

    def _lengths(self, split: str) -> np.ndarray:
        """Of each pair the longer side, its start or end with it."""
        return np.array([max(len(source), len(target) + 1) for source, target in zip(*self.tokens(split))])

    def width_of(self, lengths: np.ndarray) -> int:
        """Of a batch with pairs of these lengths."""
        return self.bucket_lengths[int(np.searchsorted(self.bucket_lengths, lengths.max()))]

    @property
    def bucket_lengths(self) -> list[int]:
        """The longest pair of each bucket, tokens."""
        return sorted({-(-self.length * part // NUM_BUCKETS) for part in range(1, NUM_BUCKETS + 1)})

    @property
    def bucket_sizes(self) -> list[int]:
        """Pairs in a batch of each bucket: as many tokens in all."""
        return [max(self.settings["batch_tokens"] // length, 1) for length in self.bucket_lengths]

    @property
    def steps(self) -> int:
        return len(self.batches("train", training=True))

    def encode(self, raws: Sequence[str]) -> np.ndarray:
        """The token ids of texts, (texts, longest of them) int32.

        Raises:
            UsageError: for a text that is empty, too long, or of characters that the network never saw.
        """
        rows = [self._row(text, f"text {number} ") for number, text in enumerate(raws, start=1)]
        return padded(rows, max(map(len, rows), default=1))

    def parts(self, text: str) -> list[np.ndarray]:
        """The token ids of a text in parts that are as long as what was trained on, cut between sentences.

        Raises:
            UsageError: for a sentence that is too long, or characters that the network never saw.
        """
        (whole,) = self.tokenizer.encode([text.strip()])
        if len(whole) <= self.length:
            return [self._row(text)]
        parts: list[str] = []
        for sentence in SENTENCE.findall(text.strip()):
            together = f"{parts[-1]} {sentence}" if parts else sentence
            if parts and len(self.tokenizer.encode([together])[0]) <= self.length:
                parts[-1] = together
            else:
                parts.append(sentence)
        return [self._row(part) for part in parts]

    def _row(self, text: str, number: str = "") -> np.ndarray:
        """The token ids of a text that can be translated. `number` is what an error calls it, before its beginning."""
        (row,) = self.tokenizer.encode([text.strip()])
        what = f"{number}({shortened(text)!r})" if number else f"{shortened(text)!r}"
        if not len(row):
            raise UsageError(f"{what} is empty; expected something to translate")
        if len(row) > self.length:
            raise UsageError(
                f"{what} has {len(row)} {self.settings['tokens']}; {self.card.name} was trained on at most "
                f"{self.length}: give it in parts"
            )
        if (row == UNKNOWN).any():
            strange = "".join(dict.fromkeys(letter for letter, token in zip(text.strip(), row) if token == UNKNOWN))
            raise UsageError(f"{what} holds {strange!r}, which {self.card.name} never saw; expected other words")
        return row
