"""What data modules of texts have in common: a vocabulary, learned from the training split and kept with the run."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from zoo.checks import check_sizes
from zoo.data.base import DataModule
from zoo.data.batching import padded
from zoo.data.sources import Source
from zoo.data.tensors import tensorflow
from zoo.data.text.special_tokens import UNKNOWN
from zoo.data.text.vocabulary import LEVELS, AnyVocabulary, Vocabulary, kind_of, opened
from zoo.errors import UsageError, unknown
from zoo.records import Card, Recipe

log = logging.getLogger("zoo")

LONG_WORD = 12  # characters: half of the words of a text are shorter where its script puts spaces between them


def settings_of(recipe: Recipe, takes: Collection[str]) -> dict[str, Any]:
    """What a recipe says of its tokens: ``{"tokens": "words", "vocabulary": 20_000, "length": 400}``."""
    settings = {"tokens": "words", "vocabulary": 20_000, "length": 400, **recipe.preprocess}
    for word in settings:
        if word not in takes:
            raise unknown("preprocessing of texts", word, takes)
    if settings["tokens"] not in LEVELS:
        raise unknown("kind of tokens", settings["tokens"], LEVELS)
    if settings["tokens"] == "pretrained" and not settings.get("tokenizer"):
        raise UsageError(
            f"recipe {recipe.name} takes the tokens of pretrained weights; expected some with their tokenizer: "
            "--weights hf://owner/name, or a folder with config.json, model.safetensors and tokenizer.json"
        )
    check_sizes(settings, length=0 if "truncate" in takes else 1, vocabulary=3)
    return settings


class TextDataModule(DataModule):
    """Texts as token ids, by a vocabulary of the training split."""

    preprocessings = ("none",)
    preprocess: ClassVar[Collection[str]] = ("tokens", "vocabulary", "length", "tokenizer")
    augment = ()
    set_by: ClassVar[Mapping[str, str]] = {"vocabulary_size": "vocabulary", "max_length": "length"}
    config_types: ClassVar[Mapping[str, Any]] = {"tokens": str}
    vocabulary: AnyVocabulary  # known after `adapt`

    def __init__(
        self,
        card: Card,
        recipe: Recipe,
        source: Source | None,
        vocabulary: AnyVocabulary | None = None,
    ):
        super().__init__(card, recipe, source)
        settings = settings_of(recipe, self.preprocess)
        self.level: str = settings["tokens"]
        self.max_tokens: int = settings["vocabulary"]
        self.length: int = settings["length"]  # at most; 0: chosen from the data
        if vocabulary is not None:
            self.vocabulary = vocabulary

    @classmethod
    def from_config(cls, card: Card, recipe: Recipe, source: Source | None, config: Mapping[str, Any]) -> Self:
        return cls(card, recipe, source, kind_of(config["tokens"]).from_config(config))

    def get_config(self) -> dict[str, Any]:
        return self.vocabulary.get_config()

    @property
    def called(self) -> str:
        """What the tokens are called in what is said of them."""
        return "tokens" if self.level in ("spaces", "pretrained") else self.level

    def _adapt_vocabulary(self, texts: Iterable[str]) -> None:
        """Learn the vocabulary, and say where its words seem to be none; or open that of the weights to start from."""
        if tokenizer := self.recipe.preprocess.get("tokenizer"):
            self.vocabulary = opened(tokenizer, self.recipe.model.get("vocabulary_size", 0))
            log.info(f"the {self.called} are those of {tokenizer}: {len(self.vocabulary):,}")
            return
        self.vocabulary = kind_of(self.level).adapt(self.level, self.max_tokens, texts)
        if isinstance(self.vocabulary, Vocabulary) and self.level == "words":
            say_long_words(self.vocabulary.entries, self.source.name)

    def model_options(self) -> dict[str, Any]:
        """With as many positions as a text has tokens at most, where neither recipe nor weights have more."""
        options = {"input_shape": (None,), "vocabulary_size": len(self.vocabulary)}
        most = max(self.length, self.recipe.model.get("max_length", 0))
        return options if self.recipe.weights else {**options, "max_length": most}

    @property
    def vocabulary_size(self) -> int:
        return len(self.vocabulary)

    def encode(self, raws: Sequence[str]) -> np.ndarray:
        """The token ids of texts, (texts, longest of them) int32, padded with 0.

        Raises:
            UsageError: for a text without tokens, or with none that is known.
        """
        rows = [self._tokens(number, text) for number, text in enumerate(raws)]
        return padded(rows, max(map(len, rows), default=1))

    def _tokens(self, number: int, text: str) -> np.ndarray:
        tokens = self.vocabulary.encode(text)
        what = f"text {number + 1} ({shortened(text)!r})"
        if not len(tokens):
            raise UsageError(f"{what} holds no {self.called}; expected at least one")
        if UNKNOWN in self.vocabulary.excluded and (tokens == UNKNOWN).all():
            raise UsageError(
                f"{what} holds no {self.called[:-1]} that the network knows; expected the language it was trained on"
            )
        return tokens

    def _split(self, split: str) -> Any:
        """The examples of a split, as the source gives them."""
        return self.source.split(getattr(self.recipe, split))

    def _not_text(self, spec: Any) -> UsageError:
        return UsageError(
            f"an example of {self.source.name} is {described(spec)}; {self.card.name} reads text: "
            "choose another data set"
        )


def say_long_words(words: Sequence[str], name: str) -> None:
    """Say where the words of a text are as long as sentences: its script puts nothing between them."""
    lengths = sorted(map(len, words[:10_000]))
    if lengths and (median := lengths[len(lengths) // 2]) > LONG_WORD:
        log.info(
            f"half of the words of {name} have {median} characters or more; for a script without spaces between words "
            "take --option tokens=characters (or subwords)"
        )


def shortened(text: str, max_length: int = 30) -> str:
    """The beginning of a text.

    >>> shortened("the quick brown fox", 12)
    'the quick...'
    """
    return text if len(text) <= max_length else text[: max_length - 3] + "..."


def described(spec: Any) -> str:
    """A tensor's form in words."""
    return f"{spec.dtype.name} of shape {tuple(spec.shape)}" if hasattr(spec, "dtype") else str(spec)


def is_text(spec: Any) -> bool:
    """Whether a tensor is one text."""
    return getattr(spec, "dtype", None) == tensorflow().string and len(spec.shape) == 0
