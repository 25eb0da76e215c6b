"""From the logits of the next token to a text: `base` steps through a network, `sampling` and `beam_search` choose."""

import warnings
from typing import Any


def __getattr__(name: str) -> Any:
    """`Translator`, which version 0.1 had here."""
    if name != "Translator":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn("zoo.decoding.Translator is now zoo.decoding.beam_search.Translator", DeprecationWarning, 2)
    from zoo.decoding.beam_search import Translator

    return Translator
