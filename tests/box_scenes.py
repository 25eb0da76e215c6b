"""Random boxes, for tests and for the program that records what torchvision makes of them."""

import gzip
import json
from pathlib import Path

import numpy as np


def scenes(count, boxes, seed=0):
    """Random boxes (count, boxes, 4) with scores, many of them equal: multiples of 1/16."""
    rng = np.random.default_rng(seed)
    corner, side = rng.random((2, count, boxes, 2))
    found = np.concatenate([corner, corner + 0.05 + 0.5 * side], axis=-1).astype("float32")
    return found, (rng.integers(1, 17, (count, boxes)) / 16).astype("float32")


def blocks(count, side=300, seed=0):
    """Images of 10 x 10 coloured squares, (count, side, side, 3) uint8."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 10, 10, 3), "uint8").repeat(side // 10, 1).repeat(side // 10, 2)


def truths(images, seed=0):
    """What is in each image: one to six boxes (left, top, right, bottom as fractions) and a class of four for each."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 7, images)
    corners = [rng.uniform(0, 0.6, (count, 2)) for count in counts]
    boxes = [np.concatenate([each, each + rng.uniform(0.05, 0.4, each.shape)], axis=1) for each in corners]
    return [each.astype("float32") for each in boxes], [rng.integers(0, 4, count) for count in counts]


def rows_of_things(boxes, labels):
    """(images, most, 6), as the data modules write what is in images."""
    found = np.full((len(boxes), max(map(len, labels)), 6), [0, 0, 0, 0, -1, 0], "float32")
    for here, box, label in zip(found, boxes, labels):
        here[: len(label), :4], here[: len(label), 4] = box, label
    return found


def regions(seed=0):
    """Maps (2, 12, 16, 3) and boxes (2, 8, 4) in places of the map, some over its edge, one outside, one empty."""
    rng = np.random.default_rng(seed)
    maps = rng.normal(size=(2, 12, 16, 3)).astype("float32")
    corners = rng.uniform(-3, 12, (2, 8, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0.5, 9, corners.shape)], axis=-1).astype("float32")
    boxes[0, 0], boxes[1, 0] = [-9, -9, -6, -6], [3, 4, 3, 4]
    return maps, boxes


def recorded(name):
    """What torchvision found, and the options of the narrow network that it is compared with."""
    record = json.loads(gzip.decompress((Path(__file__).parent / "recorded" / f"{name}.json.gz").read_bytes()))
    options = dict(num_classes=4, width=8, channels=32, units=128, proposals=record["count"])
    return record, {"input_shape": (record["side"],) * 2 + (3,), "sides": tuple(record["sides"]), **options}
