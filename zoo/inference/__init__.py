"""Inference: predictions, metrics, texts and images from finished runs and from published weights."""
