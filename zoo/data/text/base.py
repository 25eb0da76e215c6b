"""zoo.data.text.base."""

from typing import Any

import numpy as np

from zoo.checks import check_sizes
from zoo.data.base import DataModule
from zoo.data.sources import tensorflow
from zoo.data.text.vocabulary import LEVELS, UNKNOWN, Vocabulary
from zoo.errors import UsageError, first_line, unknown


def settings_of(recipe) -> dict[str, Any]:
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
    """What texts with classes and texts without have in common: a vocabulary."""

    preprocessings = ("none",)
    preprocess = ("tokens", "vocabulary", "length")
    augment = ()

    def __init__(self, card, recipe, source, vocabulary: Vocabulary | None = None):
        super().__init__(card, recipe, source)
        settings = settings_of(recipe)
        self.level, self.most, self.length = settings["tokens"], settings["vocabulary"], settings["length"]
        self.vocabulary = vocabulary

    @classmethod
    def from_config(cls, card, recipe, source, config):
        return cls(card, recipe, source, Vocabulary(config["tokens"], config["vocabulary"]))

    def get_config(self):
        return {"tokens": self.level, "vocabulary": self.vocabulary.entries}

    def model_options(self):
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
            return self.source.split(getattr(self.recipe, split))
        except (ValueError, AssertionError) as error:
            name = getattr(self.recipe, split)
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
