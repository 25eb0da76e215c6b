"""Training by blocks with the text on the device: no pipeline stands between it and the arithmetic.

`zoo.trainers.word2vec` says what a step computes; at 2,000 words a step it takes half a millisecond on two cores and
less on a GPU, and what brings it its blocks takes as long. Here the whole text is on the device as token ids. Each
epoch is drawn there, in one go: which words survive subsampling, the window of each centre, the negatives of each
block. What `fit` is given are the ids of blocks, some steps together, and those steps are one loop on the device as
well. A text that does not fit is streamed (`zoo.data.text.skipgram_blocks`).
"""

import math
from typing import Any

import keras
import numpy as np
from keras import layers, ops, random

from zoo.backend import gpus_used
from zoo.data.batching import Batches
from zoo.data.text.skipgram import NegativeSampler
from zoo.data.text.skipgram_blocks import SkipGramBlocks
from zoo.data.text.word_vectors import WordVectorDataModule
from zoo.trainers.word2vec import Block, BlockTrainer

MAX_STEPS_PER_CALL = 64  # that are one loop on the device
SPARE_STDS = 6  # an epoch has room for so many standard deviations more words than it keeps on average


def max_kept_words(token_ids: np.ndarray, keep_probabilities: np.ndarray) -> float:
    """How many words an epoch may have: the mean after subsampling and `SPARE_STDS` more, at most all.

    >>> max_kept_words(np.array([1, 2, 0]), np.array([1.0, 1.0, 1.0]))
    2.0
    """
    kept = keep_probabilities[token_ids[token_ids != 0]].astype("float64")  # (words,)
    return float(min(kept.sum() + SPARE_STDS * np.sqrt((kept * (1 - kept)).sum()), len(kept)))


def first_true(mask: Any, count: int) -> np.ndarray:
    """The positions of the first `count` true values, (count,) int32, 0 behind the last.

    >>> first_true(ops.convert_to_tensor([False, True, True]), 4).tolist()
    [1, 2, 0, 0]
    """
    found = np.flatnonzero(ops.convert_to_numpy(mask))[:count]  # how many there are, no graph knows before
    positions = np.zeros(count, "int32")
    positions[: len(found)] = found
    return positions


class DeviceCorpus(layers.Layer):
    """A text on the device, in blocks: their ids (n,) -> what `BlockTrainer` learns from.

    Args:
        token_ids: (tokens,), 0 at the end of each sentence.
        keep_probabilities: (vocabulary,), of each word to survive subsampling.
        sampler: draws the negatives.
        block: centres in a block.
        negatives: of a block.
        window: context words to either side of a centre, at most.
        seed: of all that is drawn.

    >>> token_ids, keep, sampler = np.array([1, 2, 3, 0, 2, 1, 0]), np.ones(4), NegativeSampler([0, 2, 2, 1])
    >>> corpus = DeviceCorpus(token_ids, keep, sampler, block=4, negatives=2, window=2)
    >>> batch = corpus(np.array([0, 1]))
    >>> print(ops.convert_to_numpy(batch["words"]))
    [[0 0 1 2 3 2 1 0]
     [3 2 1 0 0 0 0 0]]
    >>> [*batch], corpus.blocks
    (['words', 'left', 'right', 'negatives'], 2)
    """

    def __init__(
        self,
        token_ids: np.ndarray,
        keep_probabilities: np.ndarray,
        sampler: NegativeSampler,
        *,
        block: int,
        negatives: int,
        window: int,
        seed: int = 0,
    ):
        super().__init__(name="text", trainable=False)
        self.block, self.negatives, self.window = block, negatives, window
        self.seeds = random.SeedGenerator(seed)
        token_ids, keep_probabilities = np.asarray(token_ids), np.asarray(keep_probabilities)
        self.put_text(token_ids, keep_probabilities, sampler)
        self.blocks = math.ceil(max_kept_words(token_ids, keep_probabilities) / block)
        shapes = {  # of an epoch; its last block has no windows
            "words": ((self.blocks + 1) * block + 2 * window,),
            "left": (self.blocks + 1, block),
            "right": (self.blocks + 1, block),
            "negatives": (self.blocks + 1, negatives),
        }
        backend = keras.config.backend()  # TensorFlow keeps variables of int32 off its GPUs
        dtype = "int64" if backend == "tensorflow" and gpus_used(backend) else "int32"
        self.drawn = {
            name: self.add_weight(shape=shape, dtype=dtype, initializer="zeros", trainable=False, name=name)
            for name, shape in shapes.items()
        }
        self.draw_epoch()

    def put_text(self, token_ids: np.ndarray, keep_probabilities: np.ndarray, sampler: NegativeSampler) -> None:
        """Put on the device what every epoch is drawn from."""
        is_end = token_ids == 0
        keep = np.where(np.arange(len(keep_probabilities)) > 0, keep_probabilities, 0)  # ends of sentences never stay
        self.token_ids = ops.convert_to_tensor(token_ids.astype("int32"))  # (tokens,)
        self.sentence = ops.convert_to_tensor(np.cumsum(is_end, dtype="int32"))  # (tokens,), the sentence of each
        self.ends = ops.convert_to_tensor(np.flatnonzero(is_end).astype("int32"))  # (sentences,)
        self.keep_probabilities = ops.convert_to_tensor(keep.astype("float32"))  # (vocabulary,)
        self.own_probabilities = ops.convert_to_tensor(sampler.own_probabilities)  # (vocabulary,)
        self.alias = ops.convert_to_tensor(sampler.alias)  # (vocabulary,)

    def draw_epoch(self) -> None:
        """Draw an epoch anew: the words that stay, their windows, and the negatives of each block."""
        positions, kept_so_far = self.subsample()
        words, left, right = self.draw_windows(positions, kept_so_far)
        epoch = {
            "words": ops.pad(words, [[self.window, self.window + self.block]]),
            "left": ops.pad(ops.reshape(left, (-1, self.block)), [[0, 1], [0, 0]]),
            "right": ops.pad(ops.reshape(right, (-1, self.block)), [[0, 1], [0, 0]]),
            "negatives": self.draw_negatives(),
        }
        for name, values in epoch.items():
            self.drawn[name].assign(ops.cast(values, self.drawn[name].dtype))

    def subsample(self) -> tuple[Any, Any]:
        """Where in the text the words of the epoch are (words,), and how many stay up to each token (tokens,)."""
        keep = ops.take(self.keep_probabilities, self.token_ids)  # (tokens,)
        stays = random.uniform(self.token_ids.shape, seed=self.seeds) < keep
        return first_true(stays, self.blocks * self.block), ops.cumsum(ops.cast(stays, "int32"))

    def draw_windows(self, positions: Any, kept_so_far: Any) -> tuple[Any, Any, Any]:
        """The words of the epoch and the sizes of their windows to either side, (words,) each."""
        count = positions.shape[0]
        here = ops.arange(count, dtype="int32")  # (words,)
        begin, end = self.sentence_borders(positions, kept_so_far)
        size = random.randint((count,), 1, self.window + 1, dtype="int32", seed=self.seeds)
        real = ops.cast(here < kept_so_far[-1], "int32")  # behind the last word there are none
        left = real * ops.minimum(size, here - begin)
        right = real * ops.minimum(size, ops.minimum(end, count) - 1 - here)
        return real * ops.take(self.token_ids, positions), left, right

    def sentence_borders(self, positions: Any, kept_so_far: Any) -> tuple[Any, Any]:
        """For each word of the epoch the number of the first of its sentence, and of the next, (words,) each."""
        first = ops.concatenate([ops.zeros(1, "int32"), ops.take(kept_so_far, self.ends)])  # (sentences + 1,)
        next_first = ops.concatenate([first[1:], kept_so_far[-1:]])
        sentence = ops.take(self.sentence, positions)  # (words,)
        return ops.take(first, sentence), ops.take(next_first, sentence)

    def draw_negatives(self) -> Any:
        """As `NegativeSampler` draws them: (blocks + 1, negatives)."""
        shape = (self.blocks + 1, self.negatives)
        column = random.randint(shape, 0, self.alias.shape[0], dtype="int32", seed=self.seeds)
        is_own = random.uniform(shape, seed=self.seeds) < ops.take(self.own_probabilities, column)
        return ops.where(is_own, column, ops.take(self.alias, column))

    def call(self, block_ids: Any) -> dict[str, Any]:
        """The batch of the blocks with these ids (n,)."""
        offset = ops.arange(self.block + 2 * self.window, dtype=block_ids.dtype)  # (window + centres + window,)
        batch = {"words": ops.take(self.drawn["words"], block_ids[:, None] * self.block + offset)}
        batch |= {name: ops.take(self.drawn[name], block_ids, axis=0) for name in ("left", "right", "negatives")}
        return {name: ops.cast(values, "int32") for name, values in batch.items()}

    def steps_per_call(self, blocks_per_step: int) -> int:
        """As many as divide an epoch into the fewest calls of about the same length."""
        steps = -(-self.blocks // blocks_per_step)
        return -(-steps // -(-steps // MAX_STEPS_PER_CALL))

    def shuffled_blocks(self, rng: np.random.Generator, blocks_per_step: int) -> np.ndarray:
        """The ids of all blocks in a new order, (calls, steps x blocks), filled up with the one without windows."""
        blocks_per_call = self.steps_per_call(blocks_per_step) * blocks_per_step
        block_ids = np.full(-(-self.blocks // blocks_per_call) * blocks_per_call, self.blocks, "int32")
        block_ids[: self.blocks] = rng.permutation(self.blocks)
        return block_ids.reshape(-1, blocks_per_call)


class DeviceBlocks(SkipGramBlocks):
    """Batches for `OnDeviceTrainer`: for training the ids of blocks, else the blocks themselves."""

    def __init__(self, data: WordVectorDataModule, blocks_per_step: int, corpus: DeviceCorpus):
        super().__init__(data, blocks_per_step)
        self.corpus = corpus

    @property
    def steps(self) -> int:
        return self.corpus.shuffled_blocks(np.random.default_rng(0), self.blocks_per_step).size // self.blocks_per_step

    def batches(self, split: str, *, training: bool = False) -> Any:
        if not training:
            return super().batches(split)
        epochs = self.begin()
        calls = Batches(
            lambda call: (call, call),  # Keras wants a target
            lambda: list(self.corpus.shuffled_blocks(epochs.rng(), self.blocks_per_step)),
            epochs,
        )
        return calls.as_dataset() if keras.config.backend() == "tensorflow" else calls


class DrawEachEpoch(keras.callbacks.Callback):
    """The text of the device, drawn anew for each epoch."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model.corpus.draw_epoch()


class OnDeviceTrainer(BlockTrainer):
    """`BlockTrainer` with the text on the device. A batch are the ids of the blocks of some steps, one after
    another: a row of what `DeviceCorpus.shuffled_blocks` makes.

    Args:
        network: with two Embedding layers named ``words`` and ``theta``.
        corpus: the text.
        blocks_per_step: of a batch, for one step of SGD.
        **options: as `BlockTrainer` takes them.
    """

    def __init__(self, network: keras.Model, corpus: DeviceCorpus, *, blocks_per_step: int, **options: Any):
        super().__init__(network, **options)
        self.corpus, self.blocks_per_step = corpus, blocks_per_step

    def compile(self, optimizer: keras.optimizers.SGD, **options: Any) -> None:
        super().compile(optimizer, **{"steps_per_execution": 1} | options)

    def fit(self, *arguments: Any, callbacks: Any = (), **options: Any) -> Any:
        return super().fit(*arguments, callbacks=[DrawEachEpoch(), *(callbacks or ())], **options)

    def call(self, batch: Block | Any) -> Any:
        """The scores of a batch of blocks, or of the blocks with these ids."""
        return super().call(batch if isinstance(batch, dict) else self.corpus(batch))

    def update(self, block_ids: Any) -> None:
        """A call's steps of SGD, all at the learning rate of the first."""
        learning_rate = ops.cast(self.optimizer.learning_rate, "float32")
        block_ids = ops.reshape(block_ids, (-1, self.blocks_per_step))  # (steps, blocks)

        def step(number: Any, state: Any) -> Any:
            tables, (total, pairs) = state
            tables, (more_total, more_pairs) = self.sgd_step(tables, self.corpus(block_ids[number]), learning_rate)
            return tables, [total + more_total, pairs + more_pairs]

        start = [ops.convert_to_tensor(table) for table in self.tables], [ops.zeros(()), ops.zeros(())]
        steps = ops.shape(block_ids)[0]  # a tensor where TensorFlow does not know it before
        tables, loss = ops.fori_loop(0, steps, step, start)
        self.assign_tables(tables, loss, steps)
