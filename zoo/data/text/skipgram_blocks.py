"""A text in blocks of consecutive words, for training skip-gram many pairs at a time (`zoo.trainers.word2vec`)."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from zoo.data.base import DataModule
from zoo.data.text import skipgram
from zoo.data.text.streaming import endless_dataset, held_out
from zoo.data.text.word_vectors import WordVectorDataModule

STEPS_MADE_AT_ONCE = 16  # by the pipeline
Batch = tuple[dict[str, np.ndarray], np.ndarray]  # blocks, and the target that Keras wants


class SkipGramBlocks(DataModule):
    """The text of a data module, in batches of blocks.

    A batch is a dictionary of int32: ``words`` (blocks, window + centres + window), ``left`` and ``right`` (blocks,
    centres), how many context words each centre has to either side, and ``negatives`` (blocks, negatives), drawn for
    all centres of a block.

    Args:
        data: its settings say how large blocks are.
        blocks_per_step: in each batch.
    """

    def __init__(self, data: WordVectorDataModule, blocks_per_step: int):
        super().__init__(data.card, data.recipe, data.source)
        self.data, self.settings, self.examples = data, data.settings, data.examples
        self.blocks_per_step = blocks_per_step

    @property
    def steps(self) -> int:
        return math.ceil(self.examples["train"] / (self.blocks_per_step * self.settings.block))

    def batches(self, split: str, *, training: bool = False) -> Any:
        """Blocks of a split, the same ones each time unless for training: then drawn anew, in a new order."""
        if training:
            stacks = partial(self.read_once, split, shuffle=True)
            return endless_dataset(stacks, epochs=self.begin(), split=split, steps=self.steps, stacked=True)
        drawn: dict[str, Any] = dict(seed=self.recipe.seed, split=split, batch_size=self.recipe.batch_size)
        return held_out(lambda rng: unstacked(self.read_once(split, rng)), **drawn)

    def read_once(self, split: str, rng: np.random.Generator, *, shuffle: bool = False) -> Iterator[Batch]:
        """Batches from the whole text, some steps stacked, (steps, blocks, ...). All are full: the last ones of each
        part of the text are filled up with blocks without windows."""
        settings = self.settings
        for windows in self.data.windows(split, rng):
            words, left, right = skipgram.blocks(*windows, size=settings.block, window=settings.window)
            order = rng.permutation(len(words)) if shuffle else np.arange(len(words))
            missing = -len(order) % self.blocks_per_step
            steps = np.concatenate([order, np.full(missing, -1)]).reshape(-1, self.blocks_per_step)
            for start in range(0, len(steps), STEPS_MADE_AT_ONCE):
                rows = steps[start : start + STEPS_MADE_AT_ONCE]  # (steps, blocks)
                real = (rows >= 0)[..., None]  # (steps, blocks, 1)
                batch = {
                    "words": words[rows],  # (steps, blocks, window + centres + window)
                    "left": left[rows] * real,  # (steps, blocks, centres)
                    "right": right[rows] * real,  # (steps, blocks, centres)
                    "negatives": self.data.negative_sampler.draw(rng, (*rows.shape, settings.negatives_per_block)),
                }
                yield batch, np.zeros(rows.shape, "int32")  # Keras wants a target; the words are their own


def unstacked(stacks: Iterator[Batch]) -> Iterator[Batch]:
    """Batches one by one from some steps together."""
    for stack, targets in stacks:
        for step in range(len(targets)):
            yield {name: array[step] for name, array in stack.items()}, targets[step]
