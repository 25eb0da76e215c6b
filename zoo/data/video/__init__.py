"""Clips: from files to batches."""
