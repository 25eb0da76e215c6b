"""From the logits of the next token to a text: `base` steps through a network, `sampling` and `beam_search` choose."""
