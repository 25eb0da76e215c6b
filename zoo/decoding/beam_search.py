"""The target of a source: the likeliest token at each step (greedy search), or several hypotheses side by side (beam
search).

The whole search is one loop in one compiled graph, over the steps of a `zoo.decoding.base.Decoder`. Tokens 0 to 3 are
padding, what is unknown, the start and the end.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.checks import is_number, is_whole
from zoo.data.text.special_tokens import END, PADDING, START, UNKNOWN
from zoo.decoding.base import Decoder, decoder_of
from zoo.errors import UsageError

EXCLUDED = (PADDING, UNKNOWN, START)  # tokens that no target has: the first three
IMPOSSIBLE = -1e9  # in place of the logarithm of 0


def log_probabilities(logits: Any) -> Any:
    """Of each token to come next, in float32, `IMPOSSIBLE` for what no target has. (..., vocabulary)"""
    excluded = ops.arange(logits.shape[-1]) < len(EXCLUDED)
    return ops.where(excluded, IMPOSSIBLE, ops.log_softmax(ops.cast(logits, "float32"), axis=-1))


def finished(tokens: Any) -> Any:
    """Where the last token is the end, or padding behind it."""
    return ops.logical_or(tokens == END, tokens == PADDING)


def write(tokens: Any, position: Any, target: Any) -> Any:
    """The target (..., time) with tokens (...) at a position."""
    return ops.where(ops.arange(target.shape[-1]) == position, ops.expand_dims(tokens, -1), target)


Choose = Callable[[Any, Any, Any, Any, Any], tuple[Any, Any, Any]]  # see `Search.loop`


class Search(keras.Model):
    """What greedy and beam search share: the loop over positions, until every target has ended."""

    def __init__(self, decoder: Decoder, max_length: int):
        super().__init__(name="search")
        self.decoder, self.model, self.max_length = decoder, decoder.model, max_length

    def build(self, shape: Any) -> None:
        """Nothing: the layers are the model's."""

    def loop(self, tokens: Any, rest: Any, memory: Any, state: Any, choose: Choose) -> Any:
        """Step by step.

        Args:
            tokens: those before the first step.
            rest: what `choose` carries from step to step, besides.
            memory, state: from the decoder's start; one row for each of the tokens, flattened.
            choose: (position, last tokens, rest, logits, state) -> the same without logits, of the next step.

        Returns:
            `rest`, after the last step.
        """

        def unfinished(position: Any, tokens: Any, *_: Any) -> Any:
            return ops.logical_and(position < self.max_length, ops.any(ops.logical_not(finished(tokens))))

        def step(position: Any, tokens: Any, *flat: Any) -> tuple[Any, ...]:
            now, past = keras.tree.pack_sequence_as((rest, state), flat)
            logits, past = self.decoder.step(ops.reshape(tokens, (-1,)), position, memory, past)
            tokens, now, past = choose(position, tokens, now, logits, past)
            return position + 1, tokens, *keras.tree.flatten((now, past))

        first = (ops.convert_to_tensor(0, "int32"), tokens, *keras.tree.flatten((rest, state)))
        _, _, *flat = ops.while_loop(unfinished, step, first)
        return keras.tree.pack_sequence_as((rest, state), flat)[0]


class GreedySearch(Search):
    """The likeliest token at each step. Source (batch, S) -> target (batch, max_length), 0 behind its end."""

    def call(self, source: Any) -> Any:
        batch = ops.shape(source)[0]
        memory, state = self.decoder.start(source, batch, self.max_length)
        target = ops.zeros((batch, self.max_length), "int32")
        start = ops.full((batch,), START, "int32")

        def choose(position: Any, last: Any, target: Any, logits: Any, state: Any) -> tuple[Any, Any, Any]:
            likeliest = ops.cast(ops.argmax(log_probabilities(logits), axis=-1), "int32")
            tokens = ops.where(finished(last), PADDING, likeliest)  # (batch,)
            return tokens, write(tokens, position, target), state

        return self.loop(start, target, memory, state, choose)


class BeamSearch(Search):
    """Beam search: at each step the `beams` likeliest hypotheses of all are kept.

    At the end the one with the largest log-probability / ((5 + tokens) / 6)^penalty is taken: without the penalty
    short ones win, because every token costs (Y. Wu et al. 2016, arXiv:1609.08144, equation 14, without coverage).

    Shapes: source (batch, S) -> target (batch, max_length), and its log-probability (batch,).
    """

    def __init__(self, decoder: Decoder, max_length: int, beams: int = 4, penalty: float = 0.6):
        super().__init__(decoder, max_length)
        self.beams, self.penalty = beams, penalty

    def call(self, source: Any) -> tuple[Any, Any]:
        batch, beams = ops.shape(source)[0], self.beams
        started = self.decoder.start(source, batch, self.max_length)
        memory, state = keras.tree.map_structure(lambda each: ops.repeat(each, beams, axis=0), started)  # batch x beams
        targets = ops.zeros((batch, beams, self.max_length), "int32")
        start = ops.full((batch, beams), START, "int32")
        # All hypotheses begin alike: only the first may go on, or they would stay so.
        scores = ops.tile(ops.where(ops.arange(beams) == 0, 0.0, IMPOSSIBLE)[None], (batch, 1))
        first_rows = ops.arange(batch, dtype="int32")[:, None] * beams  # of each example's first hypothesis

        def choose(position: Any, last: Any, rest: Any, logits: Any, state: Any) -> tuple[Any, Any, Any]:
            targets, scores = rest
            size = logits.shape[-1]
            gains = ops.reshape(log_probabilities(logits), (-1, beams, size))
            no_gain = ops.where(ops.arange(size) == PADDING, 0.0, IMPOSSIBLE)  # of what has ended: padding, at no cost
            gains = ops.where(finished(last)[..., None], no_gain, gains)
            sums = scores[..., None] + gains  # (batch, beams, vocabulary)
            scores, best = ops.top_k(ops.reshape(sums, (-1, beams * size)), beams)
            best = ops.cast(best, "int32")
            parent, tokens = best // size, best % size  # which hypothesis goes on, and with what
            targets = write(tokens, position, ops.take_along_axis(targets, parent[..., None], axis=1))
            rows = ops.reshape(first_rows + parent, (-1,))
            state = keras.tree.map_structure(lambda each: ops.take(each, rows, axis=0), state)
            return tokens, (targets, scores), state

        targets, scores = self.loop(start, (targets, scores), memory, state, choose)
        lengths = ops.cast(ops.sum(ops.cast(targets != PADDING, "int32"), axis=-1), "float32")
        ranks = scores / ((5.0 + lengths) / 6.0) ** self.penalty
        best = ops.argmax(ranks, axis=-1)[:, None]  # (batch, 1)
        target = ops.take_along_axis(targets, ops.cast(best, "int32")[..., None], axis=1)[:, 0]
        return target, ops.take_along_axis(scores, best, axis=1)[:, 0]


def check_search(beams: int, penalty: float) -> None:
    """Raise for settings that cannot be searched with."""
    if not is_whole(beams) or beams > 64:
        raise UsageError(f"beams is {beams!r}; expected a whole number from 1 (always the likeliest) to 64")
    if not is_number(penalty, 0, 5):
        raise UsageError(f"length_penalty is {penalty!r}; expected a number from 0 (none) to 5")


class Translator:
    """From sources to targets by `GreedySearch` for one beam, else by `BeamSearch`; compiled once for each length of
    sources.

    Args:
        model: from ``{"source", "target"}`` to the logits of the target's next token.
        name: the network's, in the zoo.
        max_length: tokens of a target, its end among them.
        beams, length_penalty: as in `BeamSearch`.
    """

    def __init__(self, model: keras.Model, name: str, max_length: int, *, beams: int = 1, length_penalty: float = 0.6):
        check_search(beams, length_penalty)
        decoder = decoder_of(model, name)
        if beams == 1:
            self.search: Search = GreedySearch(decoder, max_length)
        else:
            self.search = BeamSearch(decoder, max_length, beams, length_penalty)

    def __call__(self, source: np.ndarray) -> np.ndarray:
        """(batch, S) tokens -> (batch, max_length) tokens."""
        found = self.search.predict_on_batch(np.asarray(source, "int32"))
        return found if isinstance(found, np.ndarray) else found[0]
