"""Images: from files and arrays to batches."""
