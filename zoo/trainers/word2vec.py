"""Skip-gram with negative sampling, trained by blocks: the arithmetic of `word2vec`, arranged for the processor.

Pair by pair, each word of a text costs about six pairs, and each pair six rows of memory to read and to write for
a few hundred multiplications. Here the unit is a block of consecutive centres. Their windows overlap, and they share
their negatives, so that all scores of a block are one matrix product,

    C (centres, dim) x O' (dim, context + negatives)  ->  S,    context = window + centres + window words,

and the gradients two more, G O and G' C; each row is read and written once a block. G is known in closed form:

    sigmoid(s) - 1                      for the words in the centre's window
    sigmoid(s) (n_i - t_ik) K / K'      for the negatives

with n_i context words of centre i, of which t_ik are the very word drawn as negative k (rejected: a true word is no
negative), K negatives to a pair and K' drawn for the block. No tape, no optimizer slots, no gradient as large as the
table: the rows that changed are added to the table, times the rate. That is plain stochastic gradient descent (SGD) on
the sum over pairs, and `tests/trainers/test_word2vec.py` holds it equal to the network's own layers under
`keras.optimizers.SGD`, pair by pair.

S. Ji, N. Satish, S. Li and P. Dubey, "Parallelizing Word2Vec in Shared and Distributed Memory", IEEE TPDS 30(9),
2019, share negatives and multiply matrices, one window at a time.

What a step adds to a row is a sum over all of the row's pairs in the step. For a common word these are thousands, all
taken at the same old value of the row, where pair by pair each would have seen the last: the sum overshoots, and the
vectors fly apart. So a row whose pairs in a step, times the rate, are more than `MAX_SUMMED_RATE` on average, learns at
a rate that is lower in proportion (`learning_rate_multipliers`). That concerns some of the commonest words of a text.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.backend import gpus_used
from zoo.errors import UsageError

MAX_SUMMED_RATE = 2.0  # pairs of one row in a step, times the rate. At 5 most texts still train stably, at 10 none did
PARTS_ON_CPU = 2  # of a step, whose products several cores compute at once: in .65 ms, not .79
BLOCKS_PER_LOSS = 16  # the training loss is computed on one block in so many: on all, it takes a fifth of the time
STEPS_PER_EXECUTION = 16  # that TensorFlow takes without returning to Python

Block = Mapping[str, Any]  # a batch of blocks, as `BlockTrainer` describes it


def blocks_per_step(batch_size: int, centres: int) -> int:
    """Blocks in a step of about `batch_size` centres: one, or an even number, whose halves a CPU computes at once.

    >>> blocks_per_step(128, centres=16), blocks_per_step(48, centres=16), blocks_per_step(8, centres=16)
    (8, 2, 1)
    """
    count = max(1, batch_size // centres)
    return count - count % 2 if count > 1 else 1


def learning_rate_multipliers(
    word_probabilities: np.ndarray,
    negative_probabilities: np.ndarray,
    *,
    learning_rate: float,
    words: int,
    window: int,
    negatives: int,
) -> list[np.ndarray]:
    """What the learning rate of each row is multiplied by, in the table of the words and in that of the contexts.

    Args:
        word_probabilities: (vocabulary,), the fraction of each word in the text that is trained on.
        negative_probabilities: (vocabulary,), the probability of each word to be drawn as a negative.
        learning_rate: at the start.
        words: in a step.
        window, negatives: of the training.

    >>> common_and_rare = np.array([0.5, 0.001]), np.array([0.3, 0.002])
    >>> sizes = dict(words=1000, window=4, negatives=5)
    >>> learning_rate_multipliers(*common_and_rare, learning_rate=0.025, **sizes)[0].round(4).tolist()
    [0.0053, 1.0]
    """
    as_centre = word_probabilities * (1 + negatives)  # pairs of a row, for each pair of the text
    as_candidate = word_probabilities + negatives * negative_probabilities
    pairs = words * (window + 1) * np.stack([as_centre, as_candidate])  # (2, vocabulary)
    return list(np.minimum(1.0, MAX_SUMMED_RATE / np.maximum(learning_rate * pairs, 1e-9)))


# The arithmetic of a batch of blocks


def table_rows(block: Block) -> tuple[Any, Any]:
    """The rows that a batch meets: of the words (blocks, centres), and of the contexts (blocks, context + K')."""
    words, centres = block["words"], block["left"].shape[1]
    window = (words.shape[1] - centres) // 2
    return words[:, window : window + centres], ops.concatenate([words, block["negatives"]], axis=1)


def pair_weights(block: Block, negatives: int) -> tuple[Any, Any]:
    """How much each score counts: as true (blocks, centres, context), and as false (blocks, centres, K')."""
    words, left, right, drawn = (block[name] for name in ("words", "left", "right", "negatives"))
    context, centres = words.shape[1], left.shape[1]
    window = (context - centres) // 2
    offset = ops.arange(context)[None, :] - window - ops.arange(centres)[:, None]  # (centres, context)
    inside = (offset >= -left[:, :, None]) & (offset <= right[:, :, None]) & (offset != 0)
    true = ops.cast(inside, "float32")  # (blocks, centres, context)
    allowed = ops.cast(words[:, :, None] != drawn[:, None, :], "float32")  # (blocks, context, K')
    return true, ops.matmul(true, allowed) * (negatives / drawn.shape[1])


def block_scores(centres: Any, others: Any) -> Any:
    """Vectors (blocks, centres, dim) and (blocks, context + K', dim) -> scores (blocks, centres, context + K')."""
    return ops.matmul(centres, ops.transpose(others, (0, 2, 1)))


def summed_loss(scores: Any, true: Any, false: Any) -> tuple[Any, Any]:
    """The sum over pairs of softplus(-s) of the context word + softplus(s) of its negatives; and how many pairs."""
    context = true.shape[2]
    of_true = ops.sum(true * ops.softplus(-scores[:, :, :context]))
    of_false = ops.sum(false * ops.softplus(scores[:, :, context:]))
    return of_true + of_false, ops.sum(true)


def score_gradients(scores: Any, true: Any, false: Any) -> Any:
    """The gradient of the summed loss by the scores, G: (blocks, centres, context + K')."""
    context = true.shape[2]
    squashed = ops.sigmoid(scores)
    return ops.concatenate([true * (squashed[:, :, :context] - 1.0), false * squashed[:, :, context:]], axis=2)


class BlockTrainer(keras.Model):
    """Trains the two tables of a skip-gram network through `compile` and `fit`, on blocks in place of pairs.

        trainer = BlockTrainer(zoo.build("word2vec", vocabulary_size=20_000), negatives=5)
        trainer.compile(keras.optimizers.SGD(0.025))
        trainer.fit(blocks)  # of `zoo.data.text.skipgram_blocks`; then the network is trained

    A batch is a dictionary of int32: ``words`` (blocks, window + centres + window); ``left`` and ``right`` (blocks,
    centres), how many context words each centre has to either side; and ``negatives`` (blocks, K').

    Args:
        network: with two Embedding layers named ``words`` and ``theta``.
        negatives: K, to a pair.
        learning_rate_multipliers: (vocabulary,) for either table, from `learning_rate_multipliers`; None: all are 1.

    Raises:
        UsageError: by `compile`, for another optimizer than plain SGD.
    """

    def __init__(
        self,
        network: keras.Model,
        *,
        negatives: int = 5,
        learning_rate_multipliers: Sequence[np.ndarray] | None = None,
    ):
        super().__init__(name=f"{network.name}_by_blocks")
        self.network = network
        self.negatives = negatives
        self.tables = [network.get_layer(name).embeddings for name in ("words", "theta")]  # (vocabulary, dim) each
        multipliers = learning_rate_multipliers or [np.ones(table.shape[0]) for table in self.tables]
        self.multipliers = [np.asarray(each, "float32") for each in multipliers]
        self.parts = 1 if gpus_used(keras.config.backend()) else PARTS_ON_CPU
        self.loss_tracker = keras.metrics.Mean("loss")
        self.built = True

    def compile(
        self,
        optimizer: keras.optimizers.SGD,
        *,
        loss: Any = None,
        metrics: Any = (),
        jit_compile: bool | str = "auto",
        steps_per_execution: int | None = None,
    ) -> None:
        """`loss` and `metrics` are not needed: the loss of this training is its own."""
        if not isinstance(optimizer, keras.optimizers.SGD) or optimizer.momentum or optimizer.weight_decay:
            raise UsageError(
                f"blocks are trained by plain SGD, not {type(optimizer).__name__} with these options; "
                "expected keras.optimizers.SGD(rate): others touch every row of the tables in each step"
            )
        backend = keras.backend.backend()
        if jit_compile == "auto":
            jit_compile = backend != "torch"  # on a CPU too, where Keras would not
        steps_per_execution = steps_per_execution or (STEPS_PER_EXECUTION if backend == "tensorflow" else 1)
        super().compile(optimizer, jit_compile=jit_compile, steps_per_execution=steps_per_execution)
        optimizer.build(self.trainable_variables)

    def save(self, *arguments: Any, **options: Any) -> None:
        """Saves the network: what was trained, not how."""
        self.network.save(*arguments, **options)

    def call(self, block: Block) -> Any:
        """The scores of a batch of blocks, (blocks, centres, context + K')."""
        return block_scores(*self.look_up(map(ops.convert_to_tensor, self.tables), table_rows(block)))

    def look_up(self, tables: Any, rows: Any) -> list[Any]:
        """Vectors (blocks, rows, dim) of the rows (blocks, rows) of each table."""
        return [ops.take(table, row, axis=0) for table, row in zip(tables, rows)]

    def row_gradients(self, tables: Any, block: Block) -> tuple[Any, Any, Any]:
        """Which rows of the two tables a step changes, their gradients, and the summed loss of some of the blocks."""
        rows = table_rows(block)  # (blocks, centres), (blocks, context + K')
        centres, others = self.look_up(tables, rows)  # (blocks, centres, dim), (blocks, context + K', dim)
        true, false = pair_weights(block, self.negatives)
        scores = block_scores(centres, others)
        by_score = score_gradients(scores, true, false)  # (blocks, centres, context + K')
        gradients = ops.matmul(by_score, others), ops.matmul(ops.transpose(by_score, (0, 2, 1)), centres)
        return rows, gradients, summed_loss(*(each[::BLOCKS_PER_LOSS] for each in (scores, true, false)))

    def sgd_step(self, tables: Any, block: Block, learning_rate: Any) -> tuple[list[Any], list[Any]]:
        """The two tables after one step; the summed loss before it, and of how many pairs."""
        parts = [self.row_gradients(tables, part) for part in self.split_blocks(block)]
        rows, gradients, losses = (zip(*each) for each in zip(*parts))
        after = []
        for table, multiplier, row, gradient in zip(tables, self.multipliers, rows, gradients):
            row, gradient = ops.concatenate(row), ops.concatenate(gradient)  # (blocks, rows), (blocks, rows, dim)
            change = -learning_rate * ops.take(multiplier, row)[..., None] * gradient
            flat = ops.reshape(row, (-1, 1)), ops.reshape(change, (-1, change.shape[-1]))
            after.append(ops.scatter_update(table, *flat, reduction="add"))
        return after, [sum(each) for each in losses]

    def split_blocks(self, block: Block) -> list[Block]:
        """The blocks of a step in parts that know nothing of each other, if they can be divided."""
        count = block["words"].shape[0]
        if count is None or count % self.parts:
            return [block]
        split = {name: ops.split(array, self.parts) for name, array in block.items()}
        return [dict(zip(split, part)) for part in zip(*split.values())]

    def update(self, block: Block) -> None:
        """One step of SGD. Assigns the tables, the step counter and the running loss."""
        learning_rate = ops.cast(self.optimizer.learning_rate, "float32")
        tables = [ops.convert_to_tensor(table) for table in self.tables]
        self.assign_tables(*self.sgd_step(tables, block, learning_rate))

    def assign_tables(self, tables: Any, loss: Any, steps: Any = 1) -> None:
        for table, after in zip(self.tables, tables):
            table.assign(after)
        self.optimizer.iterations.assign_add(ops.cast(steps, self.optimizer.iterations.dtype))
        self.track_loss(*loss)

    def track_loss(self, total: Any, pairs: Any) -> None:
        self.loss_tracker.update_state(total / ops.maximum(pairs, 1.0), sample_weight=pairs)

    def measure(self, block: Block) -> None:
        """The loss of a batch, into the running one."""
        self.track_loss(*summed_loss(self(block), *pair_weights(block, self.negatives)))

    # What Keras calls

    def train_step(self, *arguments: Any) -> Any:
        return self._stateful(self.update, *arguments)

    def test_step(self, *arguments: Any) -> Any:
        return self._stateful(self.measure, *arguments)

    def _stateful(self, step: Callable[[Any], None], *arguments: Any) -> Any:
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
    def _now(scope: keras.StatelessScope, variable: keras.Variable) -> Any:
        value = scope.get_current_value(variable)
        return variable.value if value is None else value
