"""Random boxes, for tests and for the program that records what torchvision makes of them."""

import numpy as np


def scenes(count, boxes, seed=0):
    """Random boxes (count, boxes, 4) with scores, many of them equal: multiples of 1/16."""
    rng = np.random.default_rng(seed)
    corner, side = rng.random((2, count, boxes, 2))
    found = np.concatenate([corner, corner + 0.05 + 0.5 * side], axis=-1).astype("float32")
    return found, (rng.integers(1, 17, (count, boxes)) / 16).astype("float32")
