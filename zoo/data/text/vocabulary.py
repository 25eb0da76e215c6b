"""Words or characters and their token ids, through Keras's `TextVectorization`.

Id 0 is padding (nothing), id 1 is whatever the vocabulary does not have.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from zoo.data.sources import tensorflow
from zoo.data.text.special_tokens import UNKNOWN
from zoo.errors import UsageError


def lower_words(texts: Any) -> Any:
    """Lower case; a space for markup and punctuation, but ! and ? are words."""
    tf = tensorflow()
    texts = tf.strings.regex_replace(tf.strings.lower(texts, encoding="utf-8"), r"<[^<>]{1,20}>", " ")
    return tf.strings.regex_replace(tf.strings.regex_replace(texts, r"[^\pL\pN'!?]+", " "), r"([!?])", r" \1 ")


# What a recipe calls its tokens: (standardisation, split of Keras's TextVectorization, what joins them again).
LEVELS: Mapping[str, tuple[Callable[[Any], Any], str, str]] = {
    "words": (lower_words, "whitespace", " "),
    "characters": (lambda texts: texts, "character", ""),
}


class Vocabulary:
    """Words or characters and their token ids.

    Args:
        level: one of `LEVELS`.
        entries: the words or characters of ids 2, 3, ...

    >>> words = Vocabulary("words", ["the", "cat"])
    >>> words.encode("The <br />CAT sat.").tolist(), words.decode([3, 2])
    ([2, 3, 1], 'cat the')
    """

    def __init__(self, level: str, entries: Sequence[str]):
        from keras.layers import TextVectorization

        self.standardise, split, self.joint = LEVELS[level]
        self.level, self.entries = level, list(entries)
        # Its own `standardize` takes no functions of tensors on JAX and PyTorch.
        self.layer = TextVectorization(standardize=None, split=split, vocabulary=self.entries)

    @classmethod
    def adapt(cls, level: str, max_tokens: int, texts: Any) -> "Vocabulary":
        """The commonest words (or characters) of a ``tf.data.Dataset`` of texts, at most `max_tokens` with 0 and 1."""
        from keras.layers import TextVectorization

        standardise, split, _ = LEVELS[level]
        layer = TextVectorization(max_tokens=max_tokens, standardize=None, split=split)
        layer.adapt(texts.batch(256).map(standardise))
        return cls(level, list(map(str, layer.get_vocabulary(include_special_tokens=False))))

    def __len__(self) -> int:
        return len(self.entries) + 2

    def token_ids(self, texts: Any) -> Any:
        """Texts (batch,) to a tensor (batch, tokens) int32, each row padded with 0 up to the longest."""
        return tensorflow().cast(self.layer(self.standardise(texts)), "int32")

    def encode(self, text: str) -> np.ndarray:
        """The token ids of a text, (tokens,) int32."""
        return self.token_ids(tensorflow().constant([text]))[0].numpy()

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of some token ids.

        Raises:
            UsageError: for one that is outside the vocabulary.
        """
        check_tokens(tokens, len(self))
        return self.joint.join(self.piece(token) for token in tokens)

    def piece(self, token: int) -> str:
        """The word or character of a token id."""
        return ("", "\N{REPLACEMENT CHARACTER}")[token] if token <= UNKNOWN else self.entries[token - 2]


def check_tokens(tokens: Sequence[int], vocabulary_size: int) -> None:
    """Raise for a token id that the network has no row for.

    A network that is called directly does not check: an id beyond its vocabulary is an error of TensorFlow's on a
    processor and passes in silence where the graph is compiled by XLA; a negative id and a fraction pass everywhere.

    >>> check_tokens([3, 500], 100)
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: token 500 at position 1 is outside the vocabulary; expected 0 to 99
    """
    for position, token in enumerate(tokens):
        if not 0 <= token < vocabulary_size:
            raise UsageError(
                f"token {token} at position {position} is outside the vocabulary; expected 0 to {vocabulary_size - 1}"
            )
