"""Training by blocks with the text on the device: no pipeline stands between it and the arithmetic.

`zoo.trainers.word2vec` says what a step computes; at 2,000 words a step it takes half a millisecond on two cores and less on a
GPU, and what brings it its blocks takes as long. Here the whole text is on the device as word numbers. At the start of
an epoch it is cut there anew, in one go: frequent words are thinned out, each centre draws its window, each block its
negatives. What `fit` is given are the numbers of blocks, some steps together, and those steps are one loop on the
device as well. A text that does not fit is streamed (`zoo.data.text.word_vectors`).
"""

import keras
import numpy as np
from keras import layers, ops, random

from zoo.backend import gpus_used
from zoo.data.text.skipgram import Noise
from zoo.trainers.word2vec import BlockTrainer

TOGETHER = 64  # steps of one call, at most
SPREAD = 6  # standard deviations: an epoch has room for so many more words than it keeps on average


class ResidentText(layers.Layer):
    """A text on the device, in blocks: ``numbers`` (n,) of blocks -> what `BlockTrainer` learns from.

    Args:
        tokens: (words,) word numbers, 0 at the end of each sentence.
        keep: the chance of each word of the vocabulary to stay, as `zoo.data.text.skipgram.Vocabulary.keep` says.
        noise: what negatives are drawn from.
        size: centres in a block.
        shared: negatives of a block.
        window: the furthest word that counts as near.
        seed: of all that is drawn.

    >>> from zoo.data.text.skipgram import Noise
    >>> tokens, keep, noise = np.array([1, 2, 3, 0, 2, 1, 0]), np.ones(4), Noise([0, 2, 2, 1])
    >>> text = ResidentText(tokens, keep, noise, size=4, shared=2, window=2)
    >>> block = text(np.array([0, 1]))
    >>> print(ops.convert_to_numpy(block["words"]))
    [[0 0 1 2 3 2 1 0]
     [3 2 1 0 0 0 0 0]]
    >>> [*block], text.blocks
    (['words', 'left', 'right', 'negatives'], 2)
    """

    def __init__(self, tokens, keep, noise: Noise, *, size, shared, window, seed=0):
        super().__init__(name="text", trainable=False)
        self.size, self.shared, self.window = size, shared, window
        self.seeds = random.SeedGenerator(seed)
        ends, tokens, keep = tokens == 0, np.asarray(tokens), np.asarray(keep)
        chances = keep[tokens[~ends]].astype("float64")
        most = min(chances.sum() + SPREAD * np.sqrt((chances * (1 - chances)).sum()), len(chances))
        self.blocks = int(np.ceil(most / size))  # of an epoch; one more sees nothing
        self.given = [ops.convert_to_tensor(each) for each in (
            tokens.astype("int32"), np.cumsum(ends, dtype="int32"), np.flatnonzero(ends).astype("int32"),
            np.where(np.arange(len(keep)) > 0, keep, 0).astype("float32"), noise.own, noise.alias,
        )]  # fmt: skip
        backend = keras.config.backend()  # TensorFlow keeps variables of int32 off its GPUs
        dtype = "int64" if backend == "tensorflow" and gpus_used(backend) else "int32"
        shapes = {
            "words": ((self.blocks + 1) * size + 2 * window,),
            "left": (self.blocks + 1, size),
            "right": (self.blocks + 1, size),
            "negatives": (self.blocks + 1, shared),
        }
        self.cuts = {
            name: self.add_weight(shape=shape, dtype=dtype, initializer="zeros", trainable=False, name=name)
            for name, shape in shapes.items()
        }
        self.cut()

    def cut(self) -> None:
        """Draw an epoch: the words that stay, the windows and the negatives."""
        tokens, line, ends, keep, own, alias = self.given
        room = self.blocks * self.size
        stays = random.uniform(tokens.shape, seed=self.seeds) < ops.take(keep, tokens)  # the end of a sentence never
        met = ops.cumsum(ops.cast(stays, "int32"))  # words so far
        found = np.flatnonzero(ops.convert_to_numpy(stays))[:room]  # how many there are, no graph knows before
        origin = np.zeros(room, "int32")
        origin[: len(found)] = found
        line = ops.take(line, origin)
        first = ops.concatenate([ops.zeros(1, "int32"), ops.take(met, ends)])  # word of each sentence, and of the next
        last = ops.concatenate([first[1:], met[-1:]])
        here = ops.arange(room, dtype="int32")
        reach = random.randint((room,), 1, self.window + 1, dtype="int32", seed=self.seeds)
        real = ops.cast(here < met[-1], "int32")
        words = real * ops.take(tokens, origin)
        left = real * ops.minimum(reach, here - ops.take(first, line))
        right = real * ops.minimum(reach, ops.minimum(ops.take(last, line), room) - 1 - here)
        drawn = (self.blocks + 1, self.shared)
        column = random.randint(drawn, 0, own.shape[0], dtype="int32", seed=self.seeds)
        taken = random.uniform(drawn, seed=self.seeds) < ops.take(own, column)
        found = {
            "words": ops.pad(words, [[self.window, self.window + self.size]]),
            "left": ops.pad(ops.reshape(left, (-1, self.size)), [[0, 1], [0, 0]]),
            "right": ops.pad(ops.reshape(right, (-1, self.size)), [[0, 1], [0, 0]]),
            "negatives": ops.where(taken, column, ops.take(alias, column)),
        }
        for name, values in found.items():
            self.cuts[name].assign(ops.cast(values, self.cuts[name].dtype))

    def call(self, numbers):
        places = numbers[:, None] * self.size + ops.arange(self.size + 2 * self.window, dtype=numbers.dtype)
        block = {"words": ops.take(self.cuts["words"], places)}
        block |= {name: ops.take(self.cuts[name], numbers, axis=0) for name in ("left", "right", "negatives")}
        return {name: ops.cast(values, "int32") for name, values in block.items()}

    def epoch(self, rng: np.random.Generator, step: int) -> np.ndarray:
        """The numbers of all blocks in a new order, (calls, blocks of its steps), filled up with the one that sees
        nothing; `step` blocks to a step."""
        steps = -(-self.blocks // step)
        calls = -(-steps // TOGETHER)
        numbers = np.full(calls * -(-steps // calls) * step, self.blocks, "int32")
        numbers[: self.blocks] = rng.permutation(self.blocks)
        return numbers.reshape(calls, -1)


class CutAnew(keras.callbacks.Callback):
    """The text, cut anew for each epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model.text.cut()


class ResidentTrainer(BlockTrainer):
    """`BlockTrainer` with the text on the device. A batch are the numbers of the blocks of some steps, one after
    another: a row of what `ResidentText.epoch` makes.

    Args:
        network: with two Embedding layers named ``words`` and ``theta``.
        text: a `ResidentText`.
        step: blocks in a step.
        **options: as `BlockTrainer` takes them.
    """

    def __init__(self, network, text: ResidentText, *, step, **options):
        super().__init__(network, **options)
        self.text, self.step = text, step

    def compile(self, optimizer, **options):
        super().compile(optimizer, **{"steps_per_execution": 1} | options)

    def fit(self, *arguments, callbacks=(), **options):
        return super().fit(*arguments, callbacks=[CutAnew(), *(callbacks or ())], **options)

    def call(self, given):
        """The scores of a batch of blocks, or of the blocks with these numbers."""
        return super().call(given if isinstance(given, dict) else self.text(given))

    def update(self, numbers):
        """A call's steps of SGD, all at the rate of the first."""
        rate = ops.cast(self.optimizer.learning_rate, "float32")

        numbers = ops.reshape(numbers, (-1, self.step))

        def step(number, state):
            tables, loss = state
            tables, more = self.stepped(tables, self.text(numbers[number]), rate)
            return tables, [one + other for one, other in zip(loss, more)]

        start = [ops.convert_to_tensor(table) for table in self.tables], [ops.zeros(()), ops.zeros(())]
        steps = ops.shape(numbers)[0]  # a tensor where TensorFlow does not know it before
        self.keep(*ops.fori_loop(0, steps, step, start), steps)
