"""Inference: predictions, metrics, texts and images from finished runs and from published weights."""

from zoo.deprecated import renamed

NAMES = ("compare", "evaluate", "generate", "predict", "reopen", "search", "translate")  # of the module of version 0.1

__getattr__ = renamed(__name__, {name: f"zoo.inference.api.{name}" for name in NAMES})
