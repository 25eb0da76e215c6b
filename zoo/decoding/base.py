"""One way to step through any network that predicts the next token.

A family's file may define ``decoder(model)``, which returns a `Decoder`: an object that goes through the trained
network one position at a time and keeps what it needs of the past, so that a step costs what one token costs. A family
that does not is run over the whole text again for each token, by `WholeText`. Where a decoder can take several
positions in one pass, it has a method ``read(tokens, memory, state)`` besides; `read` is for all of them.
"""

from typing import Any, Protocol

import keras
from keras import ops

from zoo import registry


class Decoder(Protocol):
    """A trained network, one position at a time.

    A memory is fixed for each source (what the encoder made of it), a state changes from step to step; both are nested
    structures of tensors with the batch axis first. The methods use `keras.ops` alone, so that they can be compiled.

    Attributes:
        model: the network whose weights the steps use.
        max_length: how many positions there are; None for any number.
    """

    model: keras.Model
    max_length: int | None

    def start(self, source: Any, batch: Any, max_length: int) -> tuple[Any, Any]:
        """Before the first token.

        Args:
            source: (batch, S) tokens that the encoder reads, or None for a language model.
            batch: how many texts are decoded side by side.
            max_length: how many steps will be taken at most.

        Returns:
            The memory and the first state.
        """
        ...

    def step(self, tokens: Any, position: Any, memory: Any, state: Any) -> tuple[Any, Any]:
        """Tokens (batch,) at a position -> logits of those that follow (batch, vocabulary), and the next state."""
        ...


def read(decoder: Decoder, tokens: Any, memory: Any, state: Any) -> Any:
    """The state after the first tokens of a text, (batch, T): in one pass by the decoder's own `read`, or step by step.

    Args:
        decoder: of a language model.
        tokens: (batch, T), from position 0 on.
        memory, state: from the decoder's start.
    """
    if hasattr(decoder, "read"):
        return decoder.read(tokens, memory, state)

    def step(position: Any, *flat: Any) -> tuple[Any, ...]:
        token = ops.take(tokens, position, axis=1)
        _, after = decoder.step(token, position, memory, keras.tree.pack_sequence_as(state, flat))
        return position + 1, *keras.tree.flatten(after)

    time = ops.shape(tokens)[1]
    first = ops.convert_to_tensor(0, "int32")
    _, *flat = ops.while_loop(lambda position, *_: position < time, step, (first, *keras.tree.flatten(state)))
    return keras.tree.pack_sequence_as(state, flat)


class WholeText:
    """The decoder of any model of (batch, time) tokens, or of ``{"source", "target"}``, to (batch, time, vocabulary)
    logits: all of the text each time.

    The state is the text so far. A model of a fixed length sees the last tokens of a longer text.
    """

    max_length: int | None = None

    def __init__(self, model: keras.Model):
        self.model = model
        text = next((each for each in model.inputs if each.name == "target"), model.inputs[0])
        self.window = text.shape[1]  # None: any length

    def start(self, source: Any, batch: Any, max_length: int) -> tuple[Any, Any]:
        memory: dict[str, Any] = {} if source is None else {"source": source}
        return memory, ops.zeros((batch, self.window or max_length), "int32")

    def read(self, tokens: Any, memory: Any, state: Any) -> Any:
        return ops.slice_update(state, (0, 0), tokens[:, -state.shape[1] :])

    def step(self, tokens: Any, position: Any, memory: Any, state: Any) -> tuple[Any, Any]:
        window = state.shape[1]
        last = ops.minimum(position, window - 1)
        text = ops.where(position < window, state, ops.roll(state, -1, axis=1))  # (batch, window)
        text = ops.where(ops.arange(window) == last, tokens[:, None], text)  # what comes after is not attended to
        logits = self.model({**memory, "target": text} if memory else text)  # (batch, window, vocabulary)
        return ops.take(logits, last, axis=1), text


def decoder_of(model: keras.Model, name: str) -> Decoder:
    """The decoder of a model: its family's own, or else `WholeText`.

    Args:
        model: the trained network.
        name: of it in the zoo, or of a user's own under ``@register``; its file may define ``decoder(model)``.
    """
    return getattr(registry.module_of(name), "decoder", WholeText)(model)
