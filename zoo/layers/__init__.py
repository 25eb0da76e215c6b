"""Layers that more than one family needs."""

from zoo.layers.normalization import AdaptiveInstanceNormalization, BatchNormalization, LocalResponseNormalization
from zoo.layers.padding import ReflectionPadding

__all__ = ["AdaptiveInstanceNormalization", "BatchNormalization", "LocalResponseNormalization", "ReflectionPadding"]
