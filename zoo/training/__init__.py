"""A training run: planned, carried out, and kept in a folder."""
