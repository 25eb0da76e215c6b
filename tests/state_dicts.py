"""The state dicts of torchvision's and timm's networks: names and shapes as recorded, numbers by rule.

`benchmarks/torchvision_parity.py` records them, with what those networks compute from such numbers.
"""

import gzip
import json
import math
from pathlib import Path

import numpy as np

RECORDED = Path(__file__).parent / "recorded" / "torchvision.json.gz"
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def recorded():
    """By name: the network here, its options, the shape of an image, the keys with their shapes, and the outputs."""
    return json.loads(gzip.decompress(RECORDED.read_bytes()))


def numbers(shapes, gain):
    """An array for each (key, shape), drawn by its place: kernels by their inputs, scales and variances near 1."""
    state = {}
    for place, (key, shape) in enumerate(shapes):
        noise = np.random.default_rng(place).normal(size=shape)
        ending = key.rpartition(".")[2]
        if ending == "num_batches_tracked":
            state[key] = np.array(7, "int64")
        elif ending == "running_var" or (ending == "weight" and len(shape) == 1) or ending in ("layer_scale", "gamma"):
            state[key] = (1.0 + 0.5 * np.tanh(noise)).astype("float32")
        elif ending in ("bias", "running_mean", "in_proj_bias"):
            state[key] = (0.1 * noise).astype("float32")
        else:
            state[key] = (noise * math.sqrt(gain / math.prod(shape[1:]))).astype("float32")
    return state


def images(shape, count=2):
    return np.random.default_rng(0).normal(size=(count, *shape)).astype("float32")
