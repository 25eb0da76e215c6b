"""From the logits of the next token to a text."""
