"""Skip-gram with negative sampling, trained by blocks: the arithmetic of `word2vec`, arranged for the processor.

Pair by pair, each word of a text costs about six pairs, and each pair six rows of memory to read and to write for
a few hundred multiplications. Here the unit is a block of consecutive centres. Their windows overlap, and they share
their negatives, so that all scores of a block are one matrix product,

    C (centres, dim) x O' (dim, window + centres + window + negatives)  ->  S,

and the gradients two more, G O and G' C; each row is read and written once a block. G is known in closed form:

    sigmoid(s) - 1                      for the words in the centre's window
    sigmoid(s) (n_i - t_ik) K / K'      for the negatives

with n_i contexts of centre i, of which t_ik are the very word drawn as negative k (rejected: a true word is no
negative), K negatives to a pair and K' drawn for the block. No tape, no optimizer slots, no gradient as large as the
table: the rows that changed are added to the table, times the rate. That is plain SGD on the sum over pairs, and
`tests/trainers/test_word2vec.py` holds it equal to the network's own layers under `keras.optimizers.SGD`, pair by pair.

S. Ji, N. Satish, S. Li and P. Dubey, "Parallelizing Word2Vec in Shared and Distributed Memory", IEEE TPDS 30(9),
2019, share negatives and multiply matrices, one window at a time.

What a step adds to a row is a sum over all of the row's pairs in the step. For a common word these are thousands, all
taken at the same old value of the row, where pair by pair each would have seen the last: the sum overshoots, and the
vectors fly apart. So a row whose pairs in a step, times the rate, are more than `MOST` on average, learns at a rate
that is lower in proportion (`paces`). That concerns some of the commonest words of a text.
"""

import keras
import numpy as np
from keras import ops

from zoo.backend import gpus_used
from zoo.errors import UsageError

SIDE_BY_SIDE = 2  # parts of a step, whose products a CPU of several cores computes at once: in .65 ms, not .79
MOST = 2.0  # pairs of one row in a step, times the rate. At 5 most texts still train stably, at 10 none did
WATCHED = 16  # the training loss is computed on one block in so many: on all, it takes a fifth of the time


def paces(shares, noise, *, rate: float, words: int, window: int, negatives: int) -> list[np.ndarray]:
    """What the rate of each row is multiplied by, in the table of the words and in that of the contexts.

    Args:
        shares: of each word in the text that is trained on; they sum to 1.
        noise: the chance of each word to be drawn as a negative.
        rate: of learning, at the start.
        words: in a step.
        window, negatives: of the training.

    >>> common_and_rare = np.array([0.5, 0.001]), np.array([0.3, 0.002])
    >>> paces(*common_and_rare, rate=0.025, words=1000, window=4, negatives=5)[0].round(4).tolist()
    [0.0053, 1.0]
    """
    pairs = words * (window + 1) * np.stack([shares * (1 + negatives), shares + negatives * noise])
    return list(np.minimum(1.0, MOST / np.maximum(rate * pairs, 1e-9)))


class BlockTrainer(keras.Model):
    """Trains the two tables of a skip-gram network through `compile` and `fit`, on blocks in place of pairs.

        trainer = BlockTrainer(zoo.build("word2vec", vocabulary=20_000), negatives=5)
        trainer.compile(keras.optimizers.SGD(0.025))
        trainer.fit(blocks)  # of `zoo.data`; then the network is trained

    A batch is a dictionary of int32: ``words`` (blocks, window + centres + window), ``left`` and ``right`` (blocks,
    centres), the reach of each centre's window, and ``negatives`` (blocks, K').

    Args:
        network: with two Embedding layers named ``words`` and ``theta``.
        negatives: K, to a pair.
        paces: what the rate of each row of either table is multiplied by, as from `paces`; None: nothing.
    """

    def __init__(self, network, *, negatives=5, paces=None):
        super().__init__(name=f"{network.name}_by_blocks")
        self.network = network
        self.negatives = negatives
        self.tables = [network.get_layer(name).embeddings for name in ("words", "theta")]
        paces = paces or [np.ones(table.shape[0]) for table in self.tables]
        self.paces = [np.asarray(pace, "float32") for pace in paces]
        self.parts = 1 if gpus_used(keras.config.backend()) else SIDE_BY_SIDE
        self.loss_tracker = keras.metrics.Mean("loss")
        self.built = True

    def compile(self, optimizer, *, loss=None, metrics=(), jit_compile="auto", steps_per_execution=None):
        """`loss` and `metrics` are not needed: the loss of this training is its own."""
        if not isinstance(optimizer, keras.optimizers.SGD) or optimizer.momentum or optimizer.weight_decay:
            raise UsageError(
                f"blocks are trained by plain SGD, not {type(optimizer).__name__} with these options; "
                "expected keras.optimizers.SGD(rate): others touch every row of the tables in each step"
            )
        backend = keras.backend.backend()
        if jit_compile == "auto":
            jit_compile = backend != "torch"  # on a CPU too, where Keras would not
        steps_per_execution = steps_per_execution or (16 if backend == "tensorflow" else 1)
        super().compile(optimizer, jit_compile=jit_compile, steps_per_execution=steps_per_execution)
        optimizer.build(self.trainable_variables)

    def save(self, *arguments, **options):
        """Saves the network: what was trained, not how."""
        self.network.save(*arguments, **options)

    def call(self, block):
        """The scores of a batch of blocks, (blocks, centres, halo + K')."""
        return self.scores(*self.vectors(self.rows(block)))

    def scores(self, centres, others):
        return ops.matmul(centres, ops.transpose(others, (0, 2, 1)))

    def rows(self, block):
        """Which rows of the two tables a batch meets."""
        words, centres = block["words"], block["left"].shape[1]
        window = (words.shape[1] - centres) // 2
        return words[:, window : window + centres], ops.concatenate([words, block["negatives"]], axis=1)

    def vectors(self, rows, tables=None):
        tables = tables or map(ops.convert_to_tensor, self.tables)
        return [ops.take(table, row, axis=0) for table, row in zip(tables, rows)]

    def weights_of(self, block):
        """How much each score counts: as true (blocks, centres, halo), and as false (blocks, centres, K')."""
        words, left, right, negatives = (block[key] for key in ("words", "left", "right", "negatives"))
        halo, centres, drawn = words.shape[1], left.shape[1], negatives.shape[1]
        window = (halo - centres) // 2
        offset = ops.arange(halo)[None, :] - window - ops.arange(centres)[:, None]  # (centres, halo)
        inside = (offset >= -left[:, :, None]) & (offset <= right[:, :, None]) & (offset != 0)
        true = ops.cast(inside, "float32")
        allowed = ops.cast(words[:, :, None] != negatives[:, None, :], "float32")  # (blocks, halo, K')
        return true, ops.matmul(true, allowed) * (self.negatives / drawn)

    def loss_of(self, scores, true, false):
        """The mean over pairs of softplus(-s) of the context + the sum of softplus(s) of its negatives."""
        halo = true.shape[2]
        total = ops.sum(true * ops.softplus(-scores[:, :, :halo])) + ops.sum(false * ops.softplus(scores[:, :, halo:]))
        return total, ops.sum(true)

    def changes(self, tables, block):
        """Which rows of the two tables a step changes, by how much at a rate of 1, and the loss on some blocks."""
        rows = self.rows(block)
        centres, others = self.vectors(rows, tables)
        true, false = self.weights_of(block)
        halo = true.shape[2]
        scores = self.scores(centres, others)  # (blocks, centres, halo + K')
        squashed = ops.sigmoid(scores)
        gradient = ops.concatenate([true * (squashed[:, :, :halo] - 1.0), false * squashed[:, :, halo:]], axis=2)
        changes = ops.matmul(gradient, others), ops.matmul(ops.transpose(gradient, (0, 2, 1)), centres)
        return rows, changes, self.loss_of(scores[::WATCHED], true[::WATCHED], false[::WATCHED])

    def stepped(self, tables, block, rate):
        """The two tables after one step of SGD; the loss before it, and of how many pairs."""
        parts = [self.changes(tables, part) for part in self.divided(block)]
        rows, changes, losses = (zip(*each) for each in zip(*parts))
        after = []
        for table, pace, row, change in zip(tables, self.paces, rows, changes):
            row, change = ops.concatenate(row), ops.concatenate(change)
            change = -rate * ops.take(pace, row)[..., None] * change
            flat = ops.reshape(row, (-1, 1)), ops.reshape(change, (-1, change.shape[-1]))
            after.append(ops.scatter_update(table, *flat, reduction="add"))
        return after, [sum(each) for each in losses]

    def divided(self, block):
        """The blocks of a step in parts that know nothing of each other, if there are enough."""
        count = block["words"].shape[0]
        if count is None or count % self.parts:
            return [block]
        divided = {key: ops.split(each, self.parts) for key, each in block.items()}
        return [dict(zip(divided, part)) for part in zip(*divided.values())]

    def update(self, block):
        """One step of SGD. Assigns the tables, the step counter and the running loss."""
        rate = ops.cast(self.optimizer.learning_rate, "float32")
        self.keep(*self.stepped([ops.convert_to_tensor(table) for table in self.tables], block, rate))

    def keep(self, tables, loss, steps=1):
        for table, after in zip(self.tables, tables):
            table.assign(after)
        self.optimizer.iterations.assign_add(ops.cast(steps, self.optimizer.iterations.dtype))
        self.show(*loss)

    def show(self, total, pairs):
        self.loss_tracker.update_state(total / ops.maximum(pairs, 1.0), sample_weight=pairs)

    def judge(self, block):
        self.show(*self.loss_of(self(block), *self.weights_of(block)))

    def train_step(self, *arguments):
        return self._stateful(self.update, *arguments)

    def test_step(self, *arguments):
        return self._stateful(self.judge, *arguments)

    def _stateful(self, step, *arguments):
        """Keras calls (data) and expects logs; on JAX it calls (state, data) and expects (logs, new state)."""
        if keras.backend.backend() != "jax":
            (data,) = arguments
            step(keras.utils.unpack_x_y_sample_weight(data)[0])
            return {"loss": self.loss_tracker.result()}
        state, data = arguments
        training = len(state) == 4
        groups = [self.trainable_variables, self.non_trainable_variables, self.metrics_variables]
        if training:
            groups.insert(2, self.optimizer.variables)
        mapping = [pair for group, values in zip(groups, state) for pair in zip(group, values)]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            step(keras.utils.unpack_x_y_sample_weight(data)[0])
            logs = {"loss": self.loss_tracker.result()}
        current = tuple([self._now(scope, variable) for variable in group] for group in groups)
        return logs, current

    @staticmethod
    def _now(scope, variable):
        value = scope.get_current_value(variable)
        return variable.value if value is None else value
