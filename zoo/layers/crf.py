"""A linear-chain conditional random field: the tags of a sentence are scored together, not one by one.

J. Lafferty, A. McCallum and F. Pereira, "Conditional Random Fields", ICML 2001, section 3; as the last layer of a
network: G. Lample et al., "Neural Architectures for Named Entity Recognition", NAACL 2016, section 2.2.

    score(tags) = sum over t of potentials[t, tag before, tag],      P(tags) = exp score(tags) / Z

The layer gives these potentials, (batch, time, tags, tags), and all else is a function of them: `path_score` and
`log_partition` make the likelihood that is learned, `viterbi` finds the best path. At a step of padding the tag stays
as it is, at no cost, and may not change: so no function needs to know where a sentence ends.
"""

from typing import Any

import keras
from keras import layers, ops

from zoo.layers.sequence import is_real

NEVER = -1e4  # the score of what cannot be: its exponential is 0 in float32


@keras.saving.register_keras_serializable("zoo")
class ConditionalRandomField(layers.Layer):
    """Scores of the tags of each word to scores of each pair of tags that follow one another.

    Three tables are learned: how well tag j follows tag i, begins a sentence, ends one. At the first step the tag
    before does not matter: all rows are the same.

    Shapes: scores (batch, time, tags) and tokens (batch, time), 0 after the end -> (batch, time, tags, tags).

    >>> crf = ConditionalRandomField()
    >>> potentials = crf(ops.array([[[1.0, 0.0], [0.0, 2.0], [5.0, 5.0]]]), ops.array([[7, 8, 0]]))
    >>> ops.convert_to_numpy(potentials)[0, 1].tolist(), ops.convert_to_numpy(viterbi(potentials)).tolist()
    ([[0.0, 2.0], [0.0, 2.0]], [[0, 1, 1]])
    """

    def build(self, scores_shape: Any, tokens_shape: Any) -> None:
        count = scores_shape[-1]
        self.transitions = self.add_weight(shape=(count, count), initializer="zeros", name="transitions")
        self.start = self.add_weight(shape=(count,), initializer="zeros", name="start")
        self.end = self.add_weight(shape=(count,), initializer="zeros", name="end")

    def call(self, scores: Any, tokens: Any) -> Any:
        real = is_real(tokens)  # (batch, time)
        first = ops.arange(ops.shape(tokens)[1]) == 0  # (time,)
        last = ops.logical_and(real, ops.logical_not(ops.pad(real[:, 1:], ((0, 0), (0, 1)))))  # (batch, time)
        scores = scores + self.end * ops.cast(last, scores.dtype)[:, :, None]  # (batch, time, tags)
        start, transitions = map(ops.convert_to_tensor, (self.start, self.transitions))
        before = ops.where(first[:, None, None], start, transitions)  # (time, tags, tags)
        stay = NEVER * (1.0 - ops.eye(self.start.shape[0], dtype=scores.dtype))  # (tags, tags)
        return ops.where(real[:, :, None, None], before[None] + scores[:, :, None, :], stay)

    def multiply_adds(self, before: tuple[int, ...], after: tuple[int, ...]) -> int:
        """It adds alone."""
        return 0

    def compute_output_shape(self, scores_shape: Any, tokens_shape: Any) -> Any:
        return (*scores_shape, scores_shape[-1])


def steps_of(potentials: Any) -> tuple[Any, Any]:
    """What `ops.scan` begins with, (batch, tags), and goes through, (time, batch, tags, tags)."""
    steps = ops.transpose(potentials, (1, 0, 2, 3))
    return ops.zeros_like(steps[0, :, 0]), steps


def log_partition(potentials: Any) -> Any:
    """log Z, of the sum of exp score over all paths of tags: (batch, time, tags, tags) -> (batch,).

    >>> import math
    >>> round(math.exp(float(log_partition(ops.zeros((1, 3, 2, 2)))[0])))  # paths of 3 steps through 2 tags
    8
    """

    def step(before: Any, scores: Any) -> tuple[Any, None]:
        return ops.logsumexp(before[:, :, None] + scores, axis=1), None

    begin, steps = steps_of(potentials)
    begin = begin - ops.log(ops.cast(potentials.shape[-1], potentials.dtype))  # the tag before the first is none
    return ops.logsumexp(ops.scan(step, begin, steps)[0], axis=-1)


def path_score(potentials: Any, tags: Any) -> Any:
    """The score of one path of tags (batch, time) each, -1 after the end -> (batch,)."""
    count = potentials.shape[-1]
    tags = ops.cast(tags, "int32")
    real, tags = tags >= 0, ops.maximum(tags, 0)
    before = ops.pad(tags[:, :-1], ((0, 0), (1, 0)))  # at the first step any tag will do
    pairs = ops.reshape(potentials, (*ops.shape(potentials)[:2], count * count))
    scores = ops.take_along_axis(pairs, (before * count + tags)[:, :, None], axis=-1)[:, :, 0]
    return ops.sum(ops.where(real, scores, 0.0), axis=1)


def viterbi(potentials: Any) -> Any:
    """The path of tags with the best score, (batch, time, tags, tags) -> (batch, time); after the end the last tag.

    A. Viterbi, IEEE Transactions on Information Theory 13(2), 1967.
    """

    def step(before: Any, scores: Any) -> tuple[Any, Any]:
        through = before[:, :, None] + scores  # (batch, tag before, tag)
        return ops.max(through, axis=1), ops.cast(ops.argmax(through, axis=1), scores.dtype)  # TensorFlow: one dtype

    def step_back(tag: Any, came_from: Any) -> tuple[Any, Any]:
        return ops.take_along_axis(came_from, tag[:, None], axis=1)[:, 0], tag

    best, came_from = ops.scan(step, *steps_of(potentials))
    last = ops.cast(ops.argmax(best, axis=-1), "int32")
    return ops.transpose(ops.scan(step_back, last, ops.cast(came_from, "int32"), reverse=True)[1])
