"""One long text, cut into windows of words by their letters, for a network that reads them both ways."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from zoo.checks import check_sizes
from zoo.data.sources import Source
from zoo.data.tensors import tensorflow
from zoo.data.text.base import TextDataModule
from zoo.data.text.corpus import CorpusDataModule
from zoo.data.text.spelling import spelled
from zoo.data.text.vocabulary import SubwordVocabulary, Vocabulary
from zoo.errors import UsageError
from zoo.records import Card, Recipe

WORDS = ("words", "spaces")  # kinds of tokens that have letters
AT = {"forward": 2, "backward": 0}  # where the targets of a window begin, which its inputs do at 1


class BidirectionalCorpus(CorpusDataModule):
    """One long text for each split, cut into windows of `length` words.

    Inputs are the words' letters (batch, length, letters), so that no word is unknown to the network; the targets are
    the ids of the words one later, "forward", and one before, "backward", (batch, length) each.
    """

    preprocess: ClassVar[Collection[str]] = (*TextDataModule.preprocess, "letters")
    set_by: ClassVar[Mapping[str, str]] = {"vocabulary_size": "vocabulary", "input_shape": "letters"}

    def __init__(
        self,
        card: Card,
        recipe: Recipe,
        source: Source | None,
        vocabulary: Vocabulary | SubwordVocabulary | None = None,
    ):
        super().__init__(card, recipe, source, vocabulary)
        if self.level not in WORDS:
            raise UsageError(
                f"tokens is {self.level!r}; {card.name} reads words by their letters: {' or '.join(WORDS)}"
            )
        self.letters: int = recipe.preprocess.get("letters", 16)
        check_sizes({"letters": self.letters}, letters=3)

    def words(self, text: str) -> list[str]:
        """The words of a text, as they are before they have ids."""
        vocabulary: Any = self.vocabulary  # one of words: see WORDS
        return list(vocabulary.split(text))

    def model_options(self) -> dict[str, Any]:
        return {"input_shape": (None, self.letters), "vocabulary_size": len(self.vocabulary)}

    def token_ids(self, split: str) -> np.ndarray:
        """The ids of the words of a split, as far as they fill windows: the outermost are only targets. (words,)"""
        if split not in self._token_ids:
            found = self.vocabulary.encode(self.text(split))
            self._token_ids[split] = found[: (len(found) - 2) // self.length * self.length + 2]
        return self._token_ids[split]

    def spellings(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """The letters of a split's different words, (kinds, letters), and the row of each of its words, (words,)."""
        words = self.words(self.text(split))[: len(self.token_ids(split))]
        kinds = {word: row for row, word in enumerate(dict.fromkeys(words))}
        return spelled(list(kinds), self.letters), np.array([kinds[word] for word in words], "int32")

    def batches(self, split: str, *, training: bool = False) -> Any:
        tf = tensorflow()
        table, rows = (tf.constant(each) for each in self.spellings(split))
        token_ids, length, count = tf.constant(self.token_ids(split)), self.length, self.examples[split]
        if training:  # windows from anywhere, others in each epoch
            last = len(token_ids) - length - 1

            def starts_of(seeds: Any) -> Any:
                starts = tf.random.stateless_uniform((count,), seeds, maxval=last, dtype=tf.int64)
                return tf.data.Dataset.from_tensor_slices(starts)

            starts = self.begin().dataset(starts_of).apply(tf.data.experimental.assert_cardinality(count))
        else:
            starts = tf.data.Dataset.range(0, count * length, length)

        def window(start: Any) -> Any:
            letters = tf.gather(table, rows[start + 1 : start + length + 1])
            words = token_ids[start : start + length + 2]
            letters = tf.ensure_shape(letters, (length, self.letters))
            return letters, {way: tf.ensure_shape(words[at : at + length], (length,)) for way, at in AT.items()}

        pairs = starts.map(window, num_parallel_calls=tf.data.AUTOTUNE)
        return pairs.batch(self.recipe.batch_size).prefetch(tf.data.AUTOTUNE)

    def encode(self, raws: Sequence[str]) -> np.ndarray:
        """The letters of the words of texts, (texts, words of the longest, letters) int32, padded with 0.

        Raises:
            UsageError: for a text without words.
        """
        rows = [spelled(self.words(text), self.letters) for text in raws]
        for number, row in enumerate(rows, start=1):
            if not len(row):
                raise UsageError(f"text {number} holds no words; expected at least one")
        words = np.zeros((len(rows), max(map(len, rows), default=1), self.letters), "int32")
        for number, row in enumerate(rows):
            words[number, : len(row)] = row
        return words

    def _count(self, split: str) -> int:
        count = (len(self.token_ids(split)) - 2) // self.length
        if count < 1:
            words = len(self.vocabulary.encode(self.text(split)))
            raise UsageError(
                f"{self.source.name} ({split}) holds {words} words; expected at least {self.length + 2}, one window "
                "and a word on each side"
            )
        return count
