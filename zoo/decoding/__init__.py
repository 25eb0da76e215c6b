"""From the logits of the next token to a text: `base` steps through a network, `sampling` and `beam_search` choose."""

from zoo.deprecated import renamed

__getattr__ = renamed(__name__, {"Translator": "zoo.decoding.beam_search.Translator"})
