"""From one sequence to another, a token at a time: the likeliest each time, or several beginnings side by side.

A family whose networks take ``{"source", "target"}`` defines ``decoder(model)`` in its file: a `keras.Model` with

    begin(source, longest) -> (memory, state)                        what stays and what changes; batch first
    advance(tokens, position, memory, state) -> (logits, state)      tokens (batch,), logits (batch, vocabulary)

so that a step costs what one token costs, and not what all before it did. The whole search is one loop inside one
compiled graph. Tokens 0 to 3 are padding, what is unknown, the start and the end.
"""

import keras
import numpy as np
from keras import ops

from zoo import registry
from zoo.checks import is_number, is_whole
from zoo.data.text.special_tokens import END, PADDING, START, UNKNOWN
from zoo.errors import UsageError

NEVER = (PADDING, UNKNOWN, START)  # nothing that can be said
IMPOSSIBLE = -1e9


def allowed(logits):
    """Log-probabilities of what comes next, in float32, with what can never come out of reach. (..., vocabulary)"""
    barred = ops.arange(logits.shape[-1]) < len(NEVER)
    return ops.where(barred, IMPOSSIBLE, ops.log_softmax(ops.cast(logits, "float32"), axis=-1))


def placed(tokens, new, place):
    """(..., time) tokens with the new ones (...) at a place."""
    here = ops.arange(tokens.shape[-1]) == place
    return ops.where(here, ops.expand_dims(new, -1), tokens)


def flat(structure):
    return keras.tree.flatten(structure)


class Greedy(keras.Model):
    """Always the likeliest token. Source (batch, S) -> target (batch, longest), with its end and 0 behind it."""

    def __init__(self, decoder, longest):
        super().__init__(name=f"{decoder.name}_greedy")
        self.decoder, self.longest = decoder, longest

    def build(self, shape):
        """Nothing: the layers are the decoder's."""

    def call(self, source):
        batch = ops.shape(source)[0]
        memory, state = self.decoder.begin(source, self.longest)
        said = ops.zeros((batch, self.longest), "int32")
        last = ops.full((batch,), START, "int32")

        def going_on(place, last, said, *_):
            return ops.logical_and(place < self.longest, ops.any(ops.logical_and(last != END, last != PADDING)))

        def say(place, last, said, *parts):
            state_now = keras.tree.pack_sequence_as(state, parts)
            logits, after = self.decoder.advance(last, place, memory, state_now)
            new = ops.cast(ops.argmax(allowed(logits), axis=-1), "int32")
            over = ops.logical_or(last == END, last == PADDING)
            new = ops.where(over, PADDING, new)
            return place + 1, new, placed(said, new, place), *flat(after)

        start = (ops.convert_to_tensor(0, "int32"), last, said, *flat(state))
        return ops.while_loop(going_on, say, start)[2]


class Beam(keras.Model):
    """Beam search: at each step the `beams` likeliest beginnings of all are kept.

    At the end the one with the largest log-probability / ((5 + tokens) / 6)^penalty is taken: without the penalty
    short ones win, because every token costs (Y. Wu et al. 2016, arXiv:1609.08144, equation 14, without coverage).

    Shapes: source (batch, S) -> target (batch, longest), and its log-probability (batch,).
    """

    def __init__(self, decoder, longest, beams=4, penalty=0.6):
        super().__init__(name=f"{decoder.name}_beam{beams}")
        self.decoder, self.longest, self.beams, self.penalty = decoder, longest, beams, penalty

    def build(self, shape):
        """Nothing: the layers are the decoder's."""

    def call(self, source):
        batch, beams = ops.shape(source)[0], self.beams
        begun = self.decoder.begin(source, self.longest)
        memory, state = keras.tree.map_structure(lambda each: ops.repeat(each, beams, axis=0), begun)  # batch x beams
        said = ops.zeros((batch, beams, self.longest), "int32")
        last = ops.full((batch, beams), START, "int32")
        # All beams begin alike: only the first may go on, or they would stay so.
        scores = ops.tile(ops.where(ops.arange(beams) == 0, 0.0, IMPOSSIBLE)[None], (batch, 1))
        first = ops.arange(batch, dtype="int32")[:, None] * beams  # the row of each example's first beam

        def going_on(place, last, said, scores, *_):
            return ops.logical_and(place < self.longest, ops.any(ops.logical_and(last != END, last != PADDING)))

        def say(place, last, said, scores, *parts):
            state_now = keras.tree.pack_sequence_as(state, parts)
            logits, after = self.decoder.advance(ops.reshape(last, (-1,)), place, memory, state_now)
            size = logits.shape[-1]
            steps = ops.reshape(allowed(logits), (-1, beams, size))
            over = ops.logical_or(last == END, last == PADDING)[..., None]
            nothing = ops.where(ops.arange(size) == PADDING, 0.0, IMPOSSIBLE)  # what is over costs no more
            sums = scores[..., None] + ops.where(over, nothing, steps)  # (batch, beams, vocabulary)
            scores, best = ops.top_k(ops.reshape(sums, (-1, beams * size)), beams)
            best = ops.cast(best, "int32")
            beam, new = best // size, best % size  # which beginning, and what comes after it
            said = placed(ops.take_along_axis(said, beam[..., None], axis=1), new, place)
            rows = ops.reshape(first + beam, (-1,))
            return place + 1, new, said, scores, *(ops.take(each, rows, axis=0) for each in flat(after))

        start = (ops.convert_to_tensor(0, "int32"), last, said, scores, *flat(state))
        _, _, said, scores, *_ = ops.while_loop(going_on, say, start)
        tokens = ops.cast(ops.sum(ops.cast(said != PADDING, "int32"), axis=-1), "float32")
        ranks = scores / ((5.0 + tokens) / 6.0) ** self.penalty
        best = ops.argmax(ranks, axis=-1)[:, None]  # (batch, 1)
        said = ops.take_along_axis(said, ops.cast(best, "int32")[..., None], axis=1)[:, 0]
        return said, ops.take_along_axis(scores, best, axis=1)[:, 0]


def check_search(beams, penalty):
    if not is_whole(beams) or beams > 64:
        raise UsageError(f"beams is {beams!r}; expected a whole number from 1 (always the likeliest) to 64")
    if not is_number(penalty, 0, 5):
        raise UsageError(f"length_penalty is {penalty!r}; expected a number from 0 (none) to 5")


class Translator:
    """What says the target of a source: `Greedy` for one beam, else `Beam`; compiled once for each length of sources.

    Args:
        model: of a family with a `decoder`.
        name: the network's, in the zoo.
        longest: tokens of a target, its end among them.
        beams, length_penalty: as in `Beam`.
    """

    def __init__(self, model, name: str, longest: int, *, beams: int = 1, length_penalty: float = 0.6):
        check_search(beams, length_penalty)
        decoder = registry.module_of(name).decoder(model)
        self.search = Greedy(decoder, longest) if beams == 1 else Beam(decoder, longest, beams, length_penalty)

    def __call__(self, source: np.ndarray) -> np.ndarray:
        """(batch, S) tokens -> (batch, longest) tokens."""
        said = self.search.predict_on_batch(np.asarray(source, "int32"))
        return said if isinstance(said, np.ndarray) else said[0]
