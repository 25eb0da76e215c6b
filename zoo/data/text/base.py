"""What data modules of texts have in common: a vocabulary, learned from the training split and kept with the run."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from zoo.checks import check_sizes
from zoo.data.base import DataModule
from zoo.data.batching import padded
from zoo.data.sources import Source, tensorflow
from zoo.data.text.special_tokens import UNKNOWN
from zoo.data.text.vocabulary import LEVELS, Vocabulary
from zoo.errors import UsageError, unknown
from zoo.records import Card, Recipe


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """What a recipe says of its tokens: ``{"tokens": "words", "vocabulary": 20_000, "length": 400}``."""
    settings = {"tokens": "words", "vocabulary": 20_000, "length": 400, **recipe.preprocess}
    for word in settings:
        if word not in TextDataModule.preprocess:
            raise unknown("preprocessing of texts", word, TextDataModule.preprocess)
    if settings["tokens"] not in LEVELS:
        raise unknown("kind of tokens", settings["tokens"], LEVELS)
    check_sizes(settings, length=1, vocabulary=3)
    return settings


class TextDataModule(DataModule):
    """Texts as token ids: of words or characters, by a vocabulary of the training split."""

    preprocessings = ("none",)
    preprocess = ("tokens", "vocabulary", "length")
    augment = ()
    config_types: ClassVar[Mapping[str, Any]] = {"tokens": str, "vocabulary": tuple[str, ...]}
    vocabulary: Vocabulary  # known after `adapt`

    def __init__(self, card: Card, recipe: Recipe, source: Source | None, vocabulary: Vocabulary | None = None):
        super().__init__(card, recipe, source)
        settings = settings_of(recipe)
        self.level: str = settings["tokens"]
        self.max_tokens: int = settings["vocabulary"]
        self.length: int = settings["length"]
        if vocabulary is not None:
            self.vocabulary = vocabulary

    @classmethod
    def from_config(cls, card: Card, recipe: Recipe, source: Source | None, config: Mapping[str, Any]) -> Self:
        return cls(card, recipe, source, Vocabulary(config["tokens"], config["vocabulary"]))

    def get_config(self) -> dict[str, Any]:
        return {"tokens": self.level, "vocabulary": self.vocabulary.entries}

    def model_options(self) -> dict[str, Any]:
        return {"input_shape": (None,), "vocabulary_size": len(self.vocabulary)}

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
            raise UsageError(f"{what} holds no {self.level}; expected at least one")
        if (tokens == UNKNOWN).all():
            raise UsageError(
                f"{what} holds no {self.level[:-1]} that the network knows; expected the language it was trained on"
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
    return getattr(spec, "dtype", None) == tensorflow().string and spec.shape.rank == 0
