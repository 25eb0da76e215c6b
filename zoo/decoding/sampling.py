"""Writing: one token after another, each drawn from what the network says comes next.

A family of language models may define ``stepper(model)`` in its file: an object with ``start(batch) -> state`` and
``step(tokens, state) -> (logits, state)``, tokens (batch,) and logits (batch, vocabulary), which keeps what it needs of
the past in its state. A family that does not is asked about everything written so far, again for each token.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from zoo import registry
from zoo.checks import check_whole
from zoo.data.text.vocabulary import check_tokens
from zoo.errors import UsageError

NEVER = (0, 1)  # padding and the unknown token: nothing that can be written


class WholeText:
    """Any model of (batch, time) tokens to (batch, time, vocabulary) logits, asked about all of the text each time."""

    def __init__(self, model):
        self.model = model
        self.longest = model.inputs[0].shape[1]  # None: any

    def start(self, batch=1):
        return np.zeros((batch, 0), "int32")

    def step(self, tokens, state):
        text = np.concatenate([state, np.asarray(tokens, "int32")[:, None]], axis=1)
        if self.longest is None:
            return self.model.predict_on_batch(text)[:, -1], text
        text = text[:, -self.longest :]
        window = np.pad(text, [(0, 0), (0, self.longest - text.shape[1])])  # what comes after is not looked at
        return self.model.predict_on_batch(window)[:, text.shape[1] - 1], text


def decoder_of(model, name: str):
    """`model` one token at a time: as its family does it, or else by `WholeText`."""
    return getattr(registry.module_of(name), "stepper", WholeText)(model)


def probabilities(logits: np.ndarray, *, temperature: float = 1.0, top_k: int = 0, never: Sequence[int] = NEVER):
    """The chance of each token to be drawn.

    Args:
        logits: (vocabulary,).
        temperature: below 1 the likely become likelier, above 1 the unlikely do; 0 always takes the likeliest.
        top_k: only so many of the likeliest; 0 for all.
        never: tokens that are not drawn.

    >>> probabilities([9.0, 9.0, np.log(5), np.log(3), np.log(2)], top_k=2)
    array([0.   , 0.   , 0.625, 0.375, 0.   ])
    """
    scores = np.array(logits, "float64")
    scores[list(never)] = -np.inf
    if temperature == 0:
        top_k, temperature = 1, 1.0
    if 0 < top_k < len(scores):
        kept = np.argsort(-scores, kind="stable")[:top_k]  # the first of equals, and so no more than `top_k`
        scores = np.where(np.isin(np.arange(len(scores)), kept), scores, -np.inf)
    powers = np.exp((scores - scores.max()) / temperature)
    return powers / powers.sum()


def check_sampling(temperature, top_k, length, seed) -> None:
    """Raise for settings that cannot be drawn with."""
    whole = {"top_k": (top_k, 0), "length": (length, 1), "seed": (seed, 0)}
    for name, (value, least) in whole.items():
        check_whole(name, value, least)
    if isinstance(temperature, bool) or not isinstance(temperature, (int, float)) or not 0 <= temperature <= 100:
        raise UsageError(f"temperature is {temperature!r}; expected a number from 0 (always the likeliest) to 100")


def generate(
    steps, prompt: Sequence[int], *, vocabulary_size: int, length: int, temperature=1.0, top_k=0, seed=0
) -> Iterator[int]:
    """Tokens that follow a prompt, as they are drawn.

    Args:
        steps: from `stepper`.
        prompt: at least one token.
        vocabulary_size: how many tokens there are.
        length: how many to write.
        temperature, top_k: as in `probabilities`.
        seed: the same one, the same text.

    Raises:
        UsageError: for an empty prompt, a token outside the vocabulary, or settings out of range.
    """
    check_sampling(temperature, top_k, length, seed)
    if not len(prompt):
        raise UsageError("the prompt is empty; expected at least one token to go on from")
    check_tokens(prompt, vocabulary_size)
    return _drawn(steps, prompt, length, temperature, top_k, np.random.default_rng(seed))


def _drawn(steps, prompt, length, temperature, top_k, rng):
    state = steps.start(1)
    for token in prompt:
        logits, state = steps.step([token], state)
    for left in range(length, 0, -1):
        chances = probabilities(logits[0], temperature=temperature, top_k=top_k)
        token = int(rng.choice(len(chances), p=chances))
        yield token
        if left > 1:
            logits, state = steps.step([token], state)
