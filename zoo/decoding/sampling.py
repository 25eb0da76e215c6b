"""Text from a language model: one token after another, each drawn from the network's next-token probabilities."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from zoo.checks import check_whole, is_number
from zoo.data.text.special_tokens import PADDING, UNKNOWN
from zoo.data.text.vocabulary import check_tokens
from zoo.decoding.base import Decoder
from zoo.errors import UsageError

EXCLUDED = (PADDING, UNKNOWN)  # tokens that are never drawn


def next_token_probabilities(
    logits: Sequence[float] | np.ndarray,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    excluded: Sequence[int] = EXCLUDED,
) -> np.ndarray:
    """The probability of each token to be drawn, (vocabulary,).

    Args:
        logits: (vocabulary,).
        temperature: below 1 the likely become likelier, above 1 the unlikely do; 0 always takes the likeliest.
        top_k: only so many of the likeliest; 0 for all.
        top_p: only as many of the likeliest as have this probability together (A. Holtzman et al. 2020, the nucleus).
        excluded: tokens that are not drawn.

    >>> next_token_probabilities([9.0, 9.0, np.log(5), np.log(3), np.log(2)], top_k=2)
    array([0.   , 0.   , 0.625, 0.375, 0.   ])
    """
    scores = np.array(logits, "float64")
    scores[list(excluded)] = -np.inf
    if temperature == 0:
        top_k, temperature = 1, 1.0
    if 0 < top_k < len(scores):
        kept = np.argsort(-scores, kind="stable")[:top_k]  # the first of equals, and so no more than `top_k`
        scores = np.where(np.isin(np.arange(len(scores)), kept), scores, -np.inf)
    powers = np.exp((scores - scores.max()) / temperature)
    probabilities = powers / powers.sum()
    if top_p < 1:
        order = np.argsort(-probabilities, kind="stable")
        before = np.cumsum(probabilities[order]) - probabilities[order]
        probabilities[order[before >= top_p]] = 0.0  # the likeliest stays whatever top_p is
    return probabilities / probabilities.sum()


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
        decoder: of a language model; compiled, where it is fast (`zoo.decoding.base`).
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
    text = Text(decoder, max_length=len(prompt) + length)
    how: dict[str, Any] = dict(temperature=temperature, top_k=top_k, top_p=top_p, excluded=excluded)
    draw = partial(next_token_probabilities, **how)
    return _sampled(text, prompt, length, draw, np.random.default_rng(seed))


def _sampled(
    text: "Text",
    prompt: Sequence[int],
    length: int,
    draw: Callable[[np.ndarray], np.ndarray],
    rng: np.random.Generator,
) -> Iterator[int]:
    for token in prompt:
        logits = text.append([token])
    for left in range(length, 0, -1):
        probabilities = draw(logits[0])
        token = int(rng.choice(len(probabilities), p=probabilities))
        yield token
        if left > 1:
            logits = text.append([token])


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


class Text:
    """Texts that grow by a token each, side by side, with the decoder's state after them.

    Where the decoder has no position left, it starts again from the later half of the text.

    Args:
        decoder: of a language model.
        batch: how many texts.
        max_length: how long they will get.
    """

    def __init__(self, decoder: Decoder, *, batch: int = 1, max_length: int):
        self.decoder, self.batch = decoder, batch
        self.max_length = min(max_length, decoder.max_length or max_length)
        self.restart()

    def restart(self) -> None:
        self.tokens: list[Sequence[int] | np.ndarray] = []
        self.memory, self.state = self.decoder.start(None, self.batch, self.max_length)

    def append(self, tokens: Sequence[int] | np.ndarray) -> np.ndarray:
        """Tokens (batch,) -> logits of those that follow, (batch, vocabulary)."""
        if len(self.tokens) == self.decoder.max_length:
            kept = self.tokens[len(self.tokens) - len(self.tokens) // 2 :]
            self.restart()
            for earlier in kept:
                self.append(earlier)
        logits, self.state = self.decoder.step(np.asarray(tokens, "int32"), len(self.tokens), self.memory, self.state)
        self.tokens.append(tokens)
        return logits
