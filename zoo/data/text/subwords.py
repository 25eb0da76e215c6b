"""Tokens of a translation: characters, or parts of words by byte-pair encoding (the package `tokenizers`).

Token ids 0 to 3 are padding, what is unknown, the start and the end of a target (`special_tokens`).
"""

import importlib.util
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.data.text.special_tokens import END, PADDING, UNKNOWN
from zoo.errors import UsageError


class Characters:
    """Each character by itself.

    >>> letters = Characters("ab")
    >>> [row.tolist() for row in letters.encode(["ab", "b?"])], letters.decode([4, 5, 3, 0])
    ([[4, 5], [5, 1]], 'ab')
    """

    def __init__(self, letters: str):
        self.letters = letters
        self.ids = {letter: number for number, letter in enumerate(letters, start=END + 1)}

    @classmethod
    def adapt(cls, texts: Sequence[str], max_tokens: int) -> "Characters":
        """The commonest ones, at most `max_tokens` with the four special ones."""
        counts = Counter(itertools.chain.from_iterable(texts))
        return cls("".join(sorted(counts, key=lambda letter: (-counts[letter], letter))[: max_tokens - END - 1]))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Characters":
        if not isinstance(config["letters"], str):
            raise TypeError("its letters are no text")
        return cls(config["letters"])

    def get_config(self) -> dict[str, Any]:
        return {"letters": self.letters}

    def __len__(self) -> int:
        return len(self.letters) + END + 1

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """The token ids of each text, (characters,) int32."""
        return [np.array([self.ids.get(letter, UNKNOWN) for letter in text], "int32") for text in texts]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of some token ids, up to the end."""
        return "".join(map(self.piece, until_end(tokens)))

    def piece(self, token: int) -> str:
        """The character of a token id."""
        return self.letters[token - END - 1] if token > END else "" if token != UNKNOWN else "\N{REPLACEMENT CHARACTER}"


class Subwords:
    """Byte-pair encoding, learned from the training text of both languages: R. Sennrich et al., arXiv:1508.07909.

    Bytes are the smallest parts, so that nothing is unknown and every text comes back as it was.
    """

    SPECIAL = ("[PADDING]", "[UNKNOWN]", "[START]", "[END]")

    def __init__(self, tokenizer: Any):
        self.tokenizer = tokenizer

    @classmethod
    def adapt(cls, texts: Sequence[str], max_tokens: int) -> "Subwords":
        """Merge the commonest pairs until there are `max_tokens`, the four special ones included.

        Raises:
            UsageError: where the package `tokenizers` is not installed.
        """
        tokenizers = library()
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = tokenizers.decoders.ByteLevel()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=max_tokens,
            special_tokens=list(cls.SPECIAL),
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Subwords":
        return cls(library().Tokenizer.from_str(config["tokenizer"]))

    def get_config(self) -> dict[str, Any]:
        return {"tokenizer": self.tokenizer.to_str()}

    def __len__(self) -> int:
        return self.tokenizer.get_vocab_size()

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """The token ids of each text, (tokens,) int32."""
        return [np.array(each.ids, "int32") for each in self.tokenizer.encode_batch(list(texts))]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of some token ids, up to the end."""
        return self.tokenizer.decode(until_end(tokens)).strip()

    def piece(self, token: int) -> str:
        """The text of one token id."""
        return "" if token < len(self.SPECIAL) else self.tokenizer.decode([token])


def until_end(tokens: Sequence[int]) -> list[int]:
    """What stands before the end or the padding.

    >>> until_end([7, 8, 3, 0, 0])
    [7, 8]
    """
    kept = []
    for token in map(int, tokens):
        if token in (PADDING, END):
            break
        kept.append(token)
    return kept


def library() -> Any:
    """The package `tokenizers`."""
    if importlib.util.find_spec("tokenizers") is None:
        raise UsageError("the package tokenizers, which finds parts of words, is not installed: pip install tokenizers")
    import tokenizers

    return tokenizers


TOKENIZERS: Mapping[str, type[Characters] | type[Subwords]] = {"characters": Characters, "subwords": Subwords}
