"""Texts: from files to batches of token ids."""
