"""Tokens of texts and their ids: words, characters, what stands between spaces, parts of words, or those of
pretrained weights.

Id 0 is padding (nothing), id 1 is whatever the vocabulary does not have.
"""

import functools
import itertools
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.text.special_tokens import PADDING, UNKNOWN
from zoo.data.text.subwords import Subwords, library
from zoo.data.text.words import SPLITS_INTO
from zoo.errors import UsageError, first_line

SPECIAL = (PADDING, UNKNOWN)  # token ids that stand for no part of a text, and are never written
END_OF_TEXT = "<|endoftext|>"  # GPT-2's
LEVELS = (*SPLITS_INTO, "subwords", "pretrained")  # what a recipe may call its tokens


class Vocabulary:
    """Words or characters and their token ids.

    Args:
        level: one of `zoo.data.text.words.SPLITS_INTO`.
        entries: the words or characters of ids 2, 3, ...

    >>> words = Vocabulary("words", ["the", "cat"])
    >>> words.encode("The <br />CAT sat.").tolist(), words.decode([3, 2])
    ([2, 3, 1], 'cat the')
    """

    excluded = SPECIAL

    def __init__(self, level: str, entries: Sequence[str]):
        self.split, self.joint = SPLITS_INTO[level], "" if level == "characters" else " "
        self.level, self.entries = level, list(entries)
        self.ids = {entry: number for number, entry in enumerate(self.entries, start=UNKNOWN + 1)}

    @classmethod
    def adapt(cls, level: str, max_tokens: int, texts: Iterable[str]) -> "Vocabulary":
        """The commonest words (or characters) of some texts, at most `max_tokens` with ids 0 and 1."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(SPLITS_INTO[level](text))
        common = sorted(counts, key=lambda entry: (counts[entry], entry), reverse=True)
        return cls(level, common[: max_tokens - UNKNOWN - 1])

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Vocabulary":
        entries = config["vocabulary"]
        if not isinstance(entries, (list, tuple)) or not all(isinstance(each, str) for each in entries):
            raise ValueError("its vocabulary is no list of words")
        if len({*entries}) < len(entries):
            raise ValueError("its vocabulary has a word twice")
        return cls(config["tokens"], entries)

    def get_config(self) -> dict[str, Any]:
        return {"tokens": self.level, "vocabulary": self.entries}

    def __len__(self) -> int:
        return len(self.entries) + UNKNOWN + 1

    def encode(self, text: str) -> np.ndarray:
        """The token ids of a text, (tokens,) int32."""
        if self.level == "characters":
            return self.by_code[np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")]
        return np.fromiter((self.ids.get(token, UNKNOWN) for token in self.split(text)), "int32")

    @functools.cached_property
    def by_code(self) -> np.ndarray:
        """The id of each character by its code point."""
        table = np.full(sys.maxunicode + 1, UNKNOWN, "int32")
        for entry, number in self.ids.items():
            if len(entry) == 1:
                table[ord(entry)] = number
        return table

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of some token ids.

        Raises:
            UsageError: for one that is outside the vocabulary.
        """
        check_tokens(tokens, len(self))
        return self.joint.join(self.piece(token) for token in tokens)

    def piece(self, token: int) -> str:
        """The word or character of a token id."""
        return ("", "\N{REPLACEMENT CHARACTER}")[token] if token <= UNKNOWN else self.entries[token - UNKNOWN - 1]

    def continued(self, tokens: Iterable[int]) -> Iterator[str]:
        """What is written after a text, token by token."""
        return (self.joint + self.piece(token) for token in tokens)

    def unknown(self, text: str) -> set[str]:
        """The tokens of a text that have no id of their own."""
        return set(self.split(text)) - self.ids.keys()


class SubwordVocabulary:
    """Parts of words and their token ids, by byte-pair encoding: nothing is unknown. As `Vocabulary`."""

    level, excluded = "subwords", SPECIAL

    def __init__(self, subwords: Subwords):
        self.subwords = subwords

    @classmethod
    def adapt(cls, level: str, max_tokens: int, texts: Iterable[str]) -> "SubwordVocabulary":
        return cls(Subwords.adapt(list(texts), max_tokens))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "SubwordVocabulary":
        return cls(Subwords.from_config(config))

    def get_config(self) -> dict[str, Any]:
        return {"tokens": self.level, **self.subwords.get_config()}

    def __len__(self) -> int:
        return len(self.subwords)

    def encode(self, text: str) -> np.ndarray:
        return self.subwords.encode([text])[0]

    def decode(self, tokens: Sequence[int]) -> str:
        check_tokens(tokens, len(self))
        return self.subwords.decode(tokens)

    def piece(self, token: int) -> str:
        return self.subwords.piece(token)

    def continued(self, tokens: Iterable[int]) -> Iterator[str]:
        return growing(self.subwords.tokenizer, tokens)

    def unknown(self, text: str) -> set[str]:
        return set()


class PretrainedVocabulary:
    """The tokens of pretrained weights, by the tokenizer that comes with them (a file ``tokenizer.json``). As
    `Vocabulary`; nothing is learned.

    Args:
        tokenizer: of the package `tokenizers`.
        size: how many rows the weights have; at least as many as there are tokens.
    """

    level, excluded = "pretrained", ()  # GPT-2 writes tokens 0 and 1: "!" and a quotation mark

    def __init__(self, tokenizer: Any, size: int = 0):
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self.tokenizer, self.size = tokenizer, max(size, tokenizer.get_vocab_size())
        marks = tokenizer.encode("a").special_tokens_mask  # BERT's: [CLS] a [SEP]
        self.end = tokenizer.token_to_id(END_OF_TEXT)  # None: it has none
        self.closing = next((number for number, mark in enumerate(reversed(marks)) if not mark), 0)  # tokens at the end

    @classmethod
    def open(cls, path: str | Path, size: int = 0) -> "PretrainedVocabulary":
        """That of a file.

        Raises:
            UsageError: if it cannot be read.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
            return cls(library().Tokenizer.from_str(text), size)
        except UsageError:
            raise
        except BaseException as error:  # a panic of the library's is no Exception
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            raise UsageError(f"{path} is not a tokenizer ({first_line(error)}); expected a tokenizer.json") from None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "PretrainedVocabulary":
        return cls(library().Tokenizer.from_str(config["tokenizer"]), config["size"])

    def get_config(self) -> dict[str, Any]:
        return {"tokens": self.level, "tokenizer": self.tokenizer.to_str(), "size": self.size}

    def __len__(self) -> int:
        return self.size

    def encode(self, text: str) -> np.ndarray:
        """The token ids of a text with the marks around it, (tokens,) int32; none for a text that is empty."""
        found = self.tokenizer.encode(text)
        return np.array([] if all(found.special_tokens_mask) else found.ids, "int32")

    def encode_within(self, text: str, length: int) -> np.ndarray:
        """At most so many token ids: the first, and the marks that close each text."""
        return shortened_to(self.encode(text), length, self.closing)

    def decode(self, tokens: Sequence[int]) -> str:
        check_tokens(tokens, len(self))
        return self.tokenizer.decode(list(tokens))

    def piece(self, token: int) -> str:
        return self.tokenizer.decode([token])

    def continued(self, tokens: Iterable[int]) -> Iterator[str]:
        """Up to the end of the text, where the network writes it."""
        return growing(self.tokenizer, itertools.takewhile(lambda token: token != self.end, tokens))

    def unknown(self, text: str) -> set[str]:
        return set()


AnyVocabulary = Vocabulary | SubwordVocabulary | PretrainedVocabulary
KINDS: Mapping[str, Any] = {"subwords": SubwordVocabulary, "pretrained": PretrainedVocabulary}


def kind_of(level: str) -> Any:
    """The class of a recipe's tokens."""
    return KINDS.get(level, Vocabulary)


def of_run(run: str | Path, kind: Any = None) -> Any:
    """The vocabulary, or a tokenizer of this kind, that the folder of a run keeps.

    Raises:
        UsageError: if it cannot be read.
    """
    try:
        kept = json.loads((Path(run) / "config.json").read_text(encoding="utf-8"))["data"]
        return (kind or kind_of(kept["tokens"])).from_config(kept)
    except UsageError:
        raise
    except BaseException as error:  # a panic of the library of subwords is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise UsageError(f"the tokens of {run} cannot be read ({first_line(error)}); expected a run of texts") from None


def opened(tokenizer: str | Path, size: int = 0) -> AnyVocabulary:
    """The vocabulary that comes with weights: of a file ``tokenizer.json``, or as the folder of a run keeps it."""
    found: AnyVocabulary = of_run(tokenizer) if Path(tokenizer).is_dir() else PretrainedVocabulary.open(tokenizer, size)
    return found


def shortened_to(tokens: np.ndarray, length: int, closing: int) -> np.ndarray:
    """The first of some token ids, and the last ones that close each text.

    >>> shortened_to(np.array([101, 7, 8, 9, 102]), 4, closing=1).tolist()
    [101, 7, 8, 102]
    """
    if len(tokens) <= length:
        return tokens
    return np.concatenate([tokens[: length - closing], tokens[len(tokens) - closing :]])


def growing(tokenizer: Any, tokens: Iterable[int]) -> Iterator[str]:
    """What each token adds to the text. A character may be several tokens: it is written with its last one."""
    seen: list[int] = []
    written = 0
    for token in tokens:
        seen.append(token)
        text = tokenizer.decode(seen)
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):
            yield text[written:]
            written = len(text)


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
