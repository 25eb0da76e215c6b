"""Text from a language model: one token after another, each drawn from the network's next-token probabilities."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.backend import runs_eagerly, use_xla
from zoo.checks import check_whole, is_number
from zoo.data.text.special_tokens import PADDING, UNKNOWN
from zoo.data.text.vocabulary import check_tokens
from zoo.decoding.base import Decoder, read
from zoo.errors import UsageError

EXCLUDED = (PADDING, UNKNOWN)  # tokens that are never drawn
CHUNK = 16  # tokens that one call draws: a text appears in such pieces


def next_token_probabilities(
    logits: Any,
    *,
    temperature: Any = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    excluded: Sequence[int] = EXCLUDED,
) -> Any:
    """The probability of each token to be drawn, (..., vocabulary).

    Args:
        logits: (..., vocabulary).
        temperature: below 1 the likely become likelier, above 1 the unlikely do; 0 always takes the likeliest.
        top_k: only so many of the likeliest; 0 for all.
        top_p: only as many of the likeliest as have this probability together (A. Holtzman et al. 2020, the nucleus).
        excluded: tokens that are not drawn.

    >>> logits = [9.0, 9.0, np.log(5), np.log(3), np.log(2)]
    >>> ops.convert_to_numpy(next_token_probabilities(logits, top_k=2)).round(3)
    array([0.   , 0.   , 0.625, 0.375, 0.   ], dtype=float32)
    """
    scores = ops.cast(ops.convert_to_tensor(logits), "float32")
    size = scores.shape[-1]
    if len(excluded):
        scores = ops.where(np.isin(np.arange(size), [*excluded]), -np.inf, scores)
    if temperature == 0:
        top_k, temperature = 1, 1.0
    if 0 < top_k < size:
        least = ops.top_k(scores, top_k)[0][..., -1:]
        scores = ops.where(first_of(scores, least, top_k), scores, -np.inf)
    probabilities = ops.softmax(scores / temperature, axis=-1)
    if top_p < 1:
        falling = ops.flip(ops.sort(probabilities, axis=-1), axis=-1)
        before = ops.cumsum(falling, axis=-1) - falling
        count = ops.sum(ops.cast(before < top_p, "int32"), axis=-1, keepdims=True)  # the likeliest stays whatever top_p
        least = ops.take_along_axis(falling, count - 1, axis=-1)
        kept = ops.where(first_of(probabilities, least, count), probabilities, 0.0)
        probabilities = kept / ops.sum(kept, axis=-1, keepdims=True)
    return probabilities


def first_of(scores: Any, least: Any, count: Any) -> Any:
    """Where the scores are above a least one, or equal to it and, from the left, among the first `count` together."""
    above, equal = scores > least, scores == least
    left = count - ops.sum(ops.cast(above, "int32"), axis=-1, keepdims=True)
    return ops.logical_or(above, ops.logical_and(equal, ops.cumsum(ops.cast(equal, "int32"), axis=-1) <= left))


def draw(probabilities: Any, uniform: Any) -> Any:
    """The token at which the probabilities, summed from the left, pass a number from 0 to 1.

    Shapes: (batch, vocabulary) and (batch,) -> (batch,).

    >>> ops.convert_to_numpy(draw(ops.array([[0.0, 0.5, 0.0, 0.5]] * 3), ops.array([0.0, 0.6, 1.0]))).tolist()
    [1, 3, 3]
    """
    sums = ops.cumsum(probabilities, axis=-1)
    passed = sums > uniform[:, None] * sums[:, -1:] * (1 - 1e-6)  # so that one always does, whatever is rounded
    return ops.cast(ops.argmax(ops.logical_and(passed, probabilities > 0), axis=-1), "int32")


def check_sampling(temperature: float, top_k: int, length: int, seed: int, top_p: float = 1.0) -> None:
    """Raise for settings that cannot be drawn with."""
    if not is_number(top_p, 0, 1) or top_p == 0:
        raise UsageError(f"top_p is {top_p!r}; expected a number above 0 and up to 1 (all tokens)")
    check_whole("top_k", top_k, 0)
    check_whole("length", length, 1)
    check_whole("seed", seed, 0)
    if not is_number(temperature, 0, 100):
        raise UsageError(f"temperature is {temperature!r}; expected a number from 0 (always the likeliest) to 100")


def generate(
    decoder: Decoder,
    prompt: Sequence[int],
    *,
    vocabulary_size: int,
    length: int,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    excluded: Sequence[int] = EXCLUDED,
    seed: int = 0,
) -> Iterator[int]:
    """Tokens that follow a prompt, as they are drawn.

    Args:
        decoder: of a language model.
        prompt: at least one token.
        vocabulary_size: how many tokens there are.
        length: how many to generate.
        temperature, top_k, top_p, excluded: as in `next_token_probabilities`.
        seed: the same one, the same text.

    Raises:
        UsageError: for an empty prompt, a token outside the vocabulary, or settings out of range.
    """
    check_sampling(temperature, top_k, length, seed, top_p)
    if not len(prompt):
        raise UsageError("the prompt is empty; expected at least one token to continue")
    check_tokens(prompt, vocabulary_size)
    how: dict[str, Any] = dict(temperature=temperature, top_k=top_k, top_p=top_p, excluded=excluded)
    writer = Writer(decoder, max_length=len(prompt) + length, **how)
    return _written(writer, prompt, length, np.random.default_rng(seed))


def _written(writer: "Writer", prompt: Sequence[int], length: int, rng: np.random.Generator) -> Iterator[int]:
    text, left = Text(writer, np.array([prompt], "int32")), length
    while left:
        drawn = text.write(left, rng)
        left -= drawn.shape[1]
        yield from map(int, drawn[0])


def until(pieces: Iterable[str], stops: Sequence[str]) -> Iterator[str]:
    """Pieces of text up to the first of some strings, which is left out. What may be its beginning is held back.

    >>> "".join(until(["a", "b.", ".c", "d"], ["..", "x"]))
    'ab'
    """
    if not all(stops):
        raise UsageError("a text to stop at is empty; expected at least one character: leave it out")
    text, written = "", 0
    for piece in pieces:
        text += piece
        found = [place for place in (text.find(stop, max(written - len(stop), 0)) for stop in stops) if place >= 0]
        if found:
            yield text[written : min(found)]
            return
        held = max((size for stop in stops for size in range(len(stop)) if text.endswith(stop[:size])), default=0)
        yield text[written : max(len(text) - held, written)]
        written = max(len(text) - held, written)
    yield text[written:]


class Writer(keras.Model):
    """Goes through texts that grow side by side, and draws their next tokens: `CHUNK` of them in one compiled loop.

    The decoder's state stays in variables, on the device, from call to call.

    Args:
        decoder: of a language model.
        batch: how many texts.
        max_length: how long they will get.
        settings: of `next_token_probabilities`.
    """

    def __init__(self, decoder: Decoder, *, batch: int = 1, max_length: int, **settings: Any):
        super().__init__(name="writer", dtype="float32")
        self.decoder, self.model, self.settings = decoder, decoder.model, settings
        self.batch, self.max_length = batch, min(max_length, decoder.max_length or max_length)
        _, state = decoder.start(None, batch, self.max_length)
        self.packed = partial(keras.tree.pack_sequence_as, keras.tree.map_structure(lambda _: 0, state))
        self.state = [
            keras.Variable(each, dtype=keras.backend.standardize_dtype(each.dtype), trainable=False, autocast=False)
            for each in keras.tree.flatten(state)
        ]
        self.compile(jit_compile=use_xla())

    def build(self, shape: Any) -> None:
        """Nothing: the layers are the model's."""

    def call(self, inputs: dict[str, Any]) -> Any:
        memory, state = self.decoder.start(None, self.batch, self.max_length)
        if "beginning" in inputs:
            self.keep(read(self.decoder, inputs["beginning"], memory, state))
            return inputs["beginning"][:, -1]
        drawn, state = self.loop(**inputs, memory=memory)
        self.keep(state)
        return drawn

    def loop(self, last: Any, position: Any, uniform: Any, count: Any, memory: Any) -> tuple[Any, Any]:
        """Step and draw, step and draw.

        Shapes: last tokens (batch,), their position (1,), uniform numbers (CHUNK, batch), count (1,) -> tokens
        (batch, CHUNK), of which the first `count` are drawn, and the state.
        """

        def step(number: Any, last: Any, drawn: Any, *flat: Any) -> tuple[Any, ...]:
            logits, state = self.decoder.step(last, position[0] + number, memory, self.packed(flat))
            last = draw(next_token_probabilities(logits, **self.settings), ops.take(uniform, number, axis=0))
            drawn = ops.where(ops.arange(CHUNK, dtype="int32") == number, last[:, None], drawn)
            return number + 1, last, drawn, *keras.tree.flatten(state)

        first = ops.convert_to_tensor(0, "int32")
        before = [ops.convert_to_tensor(each.value) for each in self.state]
        begin = (first, last, ops.zeros((self.batch, CHUNK), "int32"), *before)
        _, _, drawn, *flat = ops.while_loop(lambda number, *_: number < count[0], step, begin)
        return drawn, flat

    def keep(self, state: Any) -> None:
        for variable, value in zip(self.state, keras.tree.flatten(state), strict=True):
            variable.assign(value)

    def read(self, tokens: np.ndarray) -> None:
        """The beginning of the texts, (batch, time), from position 0 on; time may be 0."""
        tokens = np.asarray(tokens, "int32")
        in_one_pass = hasattr(self.decoder, "read") and runs_eagerly()  # once: it would take longer to compile
        if in_one_pass or not tokens.shape[1]:
            memory, state = self.decoder.start(None, self.batch, self.max_length)
            self.keep(read(self.decoder, ops.convert_to_tensor(tokens), memory, state) if tokens.shape[1] else state)
        else:
            self.predict_on_batch({"beginning": tokens})

    def write(self, last: np.ndarray, position: int, uniform: np.ndarray) -> np.ndarray:
        """The tokens that follow the last ones (batch,), by uniform numbers (n, batch), n <= CHUNK: (batch, n)."""
        count = len(uniform)
        padded = np.pad(uniform, [(0, CHUNK - count), (0, 0)])
        whole = {"position": np.full(1, position, "int32"), "count": np.full(1, count, "int32")}
        drawn = self.predict_on_batch({"last": np.asarray(last, "int32"), "uniform": padded, **whole})
        return np.asarray(drawn)[:, :count]


class Text:
    """Texts that grow side by side, (batch, time).

    Where the decoder has no position left, it starts again from the later half of the texts.

    Args:
        writer: that goes through them.
        tokens: their beginnings, (batch, time); the last of each is read when the next is drawn.
    """

    def __init__(self, writer: Writer, tokens: np.ndarray):
        self.writer, self.tokens, self.first = writer, tokens, 0
        self.start()

    def start(self) -> None:
        """Read what is there, or as much of its end as there are positions for."""
        longest = self.writer.max_length
        while self.tokens.shape[1] - self.first > longest:
            self.first += longest - longest // 2
        self.writer.read(self.tokens[:, self.first : -1])

    def write(self, length: int, rng: np.random.Generator) -> np.ndarray:
        """The next tokens, (batch, n), n <= length."""
        position = self.tokens.shape[1] - self.first - 1  # of the last token
        if position == self.writer.max_length:
            self.start()
            position = self.tokens.shape[1] - self.first - 1
        count = min(length, CHUNK, self.writer.max_length - position)
        drawn = self.writer.write(self.tokens[:, -1], position, rng.random((count, self.writer.batch), "float32"))
        self.tokens = np.concatenate([self.tokens, drawn], axis=1)
        return drawn
