"""What networks for word vectors learn from: examples drawn anew from a text in every epoch.

What an example is follows from the inputs on the card. Those of `word2vec`, say, are a word, one that was near it and
some that were drawn; with ``block`` in the recipe they are blocks of words, for `zoo.trainers.word2vec`, or their mere numbers
where the text itself is on the device (`zoo.trainers.word2vec_on_device`).
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from zoo.data.base import SPLITS, DataModule
from zoo.data.sources import tensorflow
from zoo.data.text import skipgram
from zoo.data.text.files import TextSource
from zoo.data.text.skipgram import Noise, Vocabulary
from zoo.errors import UsageError, first_line, unknown

SETTINGS = {  # of a recipe's `preprocess`, and what they are if it does not say
    "window": 5,  # the furthest word that counts as near
    "negatives": 5,  # drawn words beside each true one
    "min_count": 5,  # rarer words are left out
    "sample": 1e-3,  # words with a larger share of the text are thinned out; 0: none
    "context": 4,  # words that a language model sees
    "block": 0,  # centres in a block, for training by blocks; 0: pairs
    "shared": 0,  # negatives that a block shares
}
AHEAD = 32  # batches that wait for the network: it takes 16 at once (zoo/trainers/word2vec.py)
TOGETHER = 16  # steps that are handed over at once
RESIDENT = 20_000_000  # words and ends of sentences: a longer text is streamed, a shorter one put on the device
SOME = 200_000  # examples: what is held out is measured on so many at most


def negative_pairs(words, left, right, data, rng):
    """(centre, a true context and drawn ones) -> which is which."""
    centres, contexts = skipgram.pairs(words, left, right)
    return (centres, with_noise(contexts, data, rng)), first_is_true(len(centres), data)


def bags(words, left, right, data, rng):
    """(the words around, the true middle and drawn ones) -> which is which."""
    some = left + right > 0
    around = skipgram.bags(words, left, right, data.window)[some]
    return (around, with_noise(words[some], data, rng)), first_is_true(len(around), data)


def with_noise(true, data, rng):
    return np.concatenate([true[:, None], data.noise.draw_others(rng, true, data.negatives)], axis=1)


def first_is_true(count, data):
    return np.tile(np.array([1] + [0] * data.negatives, "int32"), (count, 1))


def softmax_pairs(words, left, right, data, rng):
    """centre -> context."""
    return skipgram.pairs(words, left, right)


# What an example is, by the inputs of the network: (words, left, right, feed, rng) -> inputs, targets.
EXAMPLES: Mapping[tuple[str, ...], Callable] = {
    ("centre", "contexts"): negative_pairs,
    ("around", "middles"): bags,
    ("centre",): softmax_pairs,
}


class WordVectorDataModule(DataModule):
    """Windows of words, as the network's inputs ask for them."""

    preprocess = tuple(SETTINGS)

    def __init__(self, card, recipe, source, vocabulary: Vocabulary | None = None):
        super().__init__(card, recipe, source)
        self.vocabulary = vocabulary
        for name, value in settings(recipe.preprocess).items():
            setattr(self, name, value)
        self.inputs = tuple(each.name for each in card.inputs)
        self._tokens: dict[str, np.ndarray] = {}

    @classmethod
    def adapt(cls, card, recipe, source):
        data = cls(card, recipe, source)
        counts: Counter = Counter()
        for line in data.lines("train", "counting words"):
            counts.update(skipgram.words_of(line))
        data.vocabulary = Vocabulary.of(counts, min_count=data.min_count, source=source.name)
        if len(data.vocabulary) - 1 <= data.negatives:
            raise UsageError(
                f"{source.name} has {len(data.vocabulary) - 1} different words; expected more than {data.negatives}, "
                "the negatives drawn beside each: lower negatives or min_count, or take a longer text"
            )
        for split in SPLITS:
            if not len(data.tokens(split)):
                raise UsageError(
                    f"the split {split!r} of {source.name} holds no word of the vocabulary; take more text"
                )
        data.examples = {split: data._count(split) for split in SPLITS}
        for split, count in data.examples.items():
            if not count:
                raise UsageError(f"no word of {source.name} ({split}) has another one near it; take more text")
        return data

    @classmethod
    def from_config(cls, card, recipe, source, config):
        counts = map(int, config["counts"].split())
        return cls(card, recipe, source, Vocabulary(("", *config["words"].split()), (0, *counts)))

    def get_config(self):
        return {"words": " ".join(self.vocabulary.words[1:]), "counts": " ".join(map(str, self.vocabulary.counts[1:]))}

    def model_options(self):
        names = ("window", "negatives", "context")
        return {"vocabulary_size": len(self.vocabulary), **{name: getattr(self, name) for name in names}}

    def lines(self, split: str, what: str = "") -> Iterator[str]:
        """The text of a split, line by line."""
        part = getattr(self.recipe, split)
        if isinstance(self.source, TextSource):
            yield from self.source.lines(part, what)
            return
        try:
            examples = self.source.split(part)
        except (ValueError, AssertionError) as error:
            raise UsageError(f"{self.source.name} has no split {part!r}: {first_line(error)}") from None
        spec = examples.element_spec
        key = 0 if isinstance(spec, tuple) else "text"  # of a text with a label, the text
        if (isinstance(spec, Mapping) and key not in spec) or getattr(spec[key], "dtype", None) != tensorflow().string:
            raise UsageError(f"{self.source.name} has no feature 'text'; {self.card.name} learns from plain text")
        for example in examples.as_numpy_iterator():
            yield example[key].decode("utf-8", "replace")

    def tokens(self, split: str) -> np.ndarray:
        """A split as word numbers, 0 after each line."""
        if split not in self._tokens:
            lines = self.lines(split, f"reading {split}")
            self._tokens[split] = self.vocabulary.encode(map(skipgram.words_of, lines))
        return self._tokens[split]

    @property
    def noise(self) -> Noise:
        if not hasattr(self, "_noise"):
            self._noise = Noise(self.vocabulary.counts)
        return self._noise

    def shares(self) -> np.ndarray:
        """Of each word in the thinned-out text."""
        kept = np.array(self.vocabulary.counts) * self.vocabulary.keep(self.sample)
        return kept / kept.sum()

    @property
    def resident(self) -> bool:
        """Whether the training text is put on the device."""
        return bool(self.block) and len(self.tokens("train")) <= RESIDENT

    @property
    def text(self):
        """The training text on the device, a `zoo.trainers.word2vec_on_device.ResidentText`."""
        from zoo.trainers.word2vec_on_device import ResidentText  # Keras: not before a job has passed its checks

        if not hasattr(self, "_text"):
            sizes = {"size": self.block, "shared": self.shared or self.block, "window": self.window}
            keep = self.vocabulary.keep(self.sample)
            self._text = ResidentText(self.tokens("train"), keep, self.noise, seed=self.recipe.seed, **sizes)
        return self._text

    def numbers(self):
        """Of the blocks of the text on the device, in a new order in each epoch: the steps of one call together."""
        import keras

        from zoo.data.batching import Batches

        rng = np.random.default_rng([self.recipe.seed, 0])
        # Keras wants a target.
        calls = Batches(lambda call: (call, call), lambda: list(self.text.epoch(rng, self.blocks_in_a_step)))
        return calls.as_dataset() if keras.config.backend() == "tensorflow" else calls

    def batches(self, split, *, training=False, blocks=None):
        """Examples of a split, the same ones each time unless for training. `blocks`: as the recipe says, or not."""
        blocks = bool(self.block) if blocks is None else blocks
        if not training:
            return self._held_out(split, blocks)
        if blocks and self.resident:
            return self.numbers()
        make, numbers = self._blocks if blocks else self._batches, itertools.count()

        def text_after_text():  # `take` ends an epoch: thinning out makes the text a little longer or shorter
            for number in numbers:
                rng = np.random.default_rng([self.recipe.seed, SPLITS.index(split), number])
                yield from make(self.tokens(split), rng, True)

        def spec(array):
            return tf.TensorSpec((None, *array.shape[1:]), array.dtype)

        tf = tensorflow()
        like = next(make(self.tokens(split), np.random.default_rng(0), False))
        signature = tf.nest.map_structure(spec, like)
        examples = tf.data.Dataset.from_generator(text_after_text, output_signature=signature)
        if blocks:
            examples = examples.prefetch(2).unbatch()  # a step each; the next ones are made meanwhile
        return examples.take(self.steps).apply(tf.data.experimental.assert_cardinality(self.steps)).prefetch(AHEAD)

    def _held_out(self, split, blocks):
        """Some examples, in memory."""
        from zoo.data.batching import Batches

        rng = np.random.default_rng([self.recipe.seed, SPLITS.index(split)])
        made = (self._blocks if blocks else self._batches)(self.tokens(split), rng, False)
        if blocks:  # some steps together: one by one
            made = (({k: v[n] for k, v in x.items()}, y[n]) for x, y in made for n in range(len(y)))
        kept = list(itertools.islice(made, max(1, SOME // self.recipe.batch_size)))
        return Batches(kept.__getitem__, lambda: list(range(len(kept))))

    @property
    def words_in_a_step(self) -> int:
        """For blocks, whole ones; for pairs, pairs."""
        return self.blocks_in_a_step * self.block if self.block else self.recipe.batch_size

    @property
    def steps(self) -> int:
        if self.resident:
            return self.text.epoch(np.random.default_rng(0), self.blocks_in_a_step).size // self.blocks_in_a_step
        return -(-self.examples["train"] // self.words_in_a_step)

    @property
    def blocks_in_a_step(self) -> int:
        count = max(1, self.recipe.batch_size // self.block)
        return count - count % 2 if count > 1 else 1  # even: its halves are computed side by side

    def _windows(self, tokens, rng):
        """Chunk by chunk, the words of an epoch and how far they see."""
        keep = self.vocabulary.keep(self.sample)
        for chunk in skipgram.chunks(tokens):
            yield skipgram.windows(skipgram.subsample(chunk, keep, rng), self.window, rng)

    def _blocks(self, tokens, rng, training):
        """Some steps together, each of the same size: the last of a chunk is filled up with blocks that see nothing."""
        size = self.blocks_in_a_step
        for words, left, right in self._windows(tokens, rng):
            halo, left, right = skipgram.blocks(words, left, right, size=self.block, window=self.window)
            order = rng.permutation(len(halo)) if training else np.arange(len(halo))
            steps = np.concatenate([order, np.full(-len(order) % size, -1)]).reshape(-1, size)
            for start in range(0, len(steps), TOGETHER):
                rows = steps[start : start + TOGETHER]  # (steps, blocks)
                real = (rows >= 0)[..., None]
                reach = {"left": left[rows] * real, "right": right[rows] * real}
                drawn = self.noise.draw(rng, (*rows.shape, self.shared or self.block))
                # Keras wants a target; the words are their own.
                yield {"words": halo[rows], **reach, "negatives": drawn}, np.zeros(rows.shape, "int32")

    def _batches(self, tokens, rng, training):
        size = self.recipe.batch_size
        for inputs, targets in self._examples(tokens, rng):
            order = rng.permutation(len(targets)) if training else np.arange(len(targets))
            for start in range(0, len(order), size):
                rows = order[start : start + size]
                named = {name: column[rows] for name, column in zip(self.inputs, inputs)}
                yield (named if len(named) > 1 else next(iter(named.values()))), targets[rows]

    def _examples(self, tokens, rng):
        """Chunk by chunk, arrays of inputs and targets."""
        if self.inputs == ("word", "context"):
            words, contexts, counts = self._meetings(tokens)
            yield (words, contexts), counts[:, None]
        elif self.inputs == ("before",):
            for chunk in skipgram.chunks(tokens):
                yield self._before(chunk)
        elif self.inputs in EXAMPLES:
            for words, left, right in self._windows(tokens, rng):
                inputs, targets = EXAMPLES[self.inputs](words, left, right, self, rng)
                yield (inputs if isinstance(inputs, tuple) else (inputs,)), targets
        else:
            raise UsageError(f"{self.card.name} takes {', '.join(self.inputs)}; no examples of words have that form")

    def _meetings(self, tokens):
        key = id(tokens)
        if getattr(self, "_met", (None,))[0] != key:
            self._met = key, skipgram.cooccurrence(tokens, self.window, len(self.vocabulary))
        return self._met[1]

    def _before(self, chunk):
        """(the words before, 0 beyond the beginning) -> the word."""
        words, left, _ = skipgram.windows(chunk, self.context, rng=None)
        offsets = np.arange(-self.context, 0)
        place = np.maximum(np.arange(len(words))[:, None] + offsets, 0)
        return (np.where(offsets >= -left[:, None], words[place], 0),), words

    def _count(self, split):
        """Examples of an epoch: words for blocks, else what one draw gives."""
        rng, tokens = np.random.default_rng(0), self.tokens(split)
        if self.block:
            return sum(len(words) for words, _, _ in self._windows(tokens, rng))
        return sum(len(targets) for _, targets in self._examples(tokens, rng))


def settings(preprocess) -> dict[str, float]:
    """A recipe's words, checked, over the usual ones."""
    for word in preprocess:
        if word not in SETTINGS:
            raise unknown("preprocessing of words", word, SETTINGS)
    chosen = {**SETTINGS, **preprocess}
    for name, value in chosen.items():
        least = 0 if name in ("sample", "block", "shared") else 1
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (whole or (name == "sample" and isinstance(value, float))) or value < least:
            kind = "a number" if name == "sample" else "a whole number"
            raise UsageError(f"{name} is {value!r}; expected {kind} of at least {least}")
    return chosen
