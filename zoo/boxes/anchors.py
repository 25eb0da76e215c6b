"""Anchors: the boxes that a detector has in every place before it sees an image, and from which it measures."""

import math
from collections.abc import Sequence

import numpy as np

from zoo.errors import UsageError


def grid_anchors(rows: int, columns: int, sizes: Sequence[tuple[float, float]]) -> np.ndarray:
    """The same anchors in every cell of a grid: (rows, columns, anchors, 4), float32.

    Centre, width and height as fractions of the image: "rel_center_xywh".

    Args:
        rows, columns: of the grid.
        sizes: (width, height) of each anchor, in cells, as the papers of YOLO write them.

    >>> grid_anchors(1, 2, [(1.0, 2.0)]).reshape(-1, 4).tolist()
    [[0.25, 0.5, 0.5, 2.0], [0.75, 0.5, 0.5, 2.0]]
    """
    y, x = np.meshgrid((np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns, indexing="ij")
    centres = np.stack([x, y], axis=-1)[:, :, None].repeat(len(sizes), axis=2)  # (rows, columns, anchors, 2)
    sides = np.broadcast_to(np.array(sizes, "float64") / [columns, rows], centres.shape)
    return np.concatenate([centres, sides], axis=-1).astype("float32")


def default_sizes(scale: float, larger: float, ratios: Sequence[float]) -> list[tuple[float, float]]:
    """The (width, height) of SSD's boxes in each place of one map, as fractions of the image; none exceeds it.

    W. Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016, section 2.2: a square of the map's own scale, one
    between it and that of the next map, and for each ratio a wide box and a tall one, both of the first one's area.

    Args:
        scale: of this map.
        larger: of the next one.
        ratios: of the longer side to the shorter.

    >>> default_sizes(0.25, 1.0, [4.0])
    [(0.25, 0.25), (0.5, 0.5), (0.5, 0.125), (0.125, 0.5)]
    """
    between = math.sqrt(scale * larger)
    sizes = [(scale, scale), (between, between)]
    for root in map(math.sqrt, ratios):
        sizes += [(scale * root, scale / root), (scale / root, scale * root)]
    return [(min(width, 1.0), min(height, 1.0)) for width, height in sizes]


def default_boxes(
    maps: Sequence[tuple[int, int]],
    steps: Sequence[tuple[float, float]],
    sizes: Sequence[Sequence[tuple[float, float]]],
    offset: float = 0.5,
) -> np.ndarray:
    """The boxes of all maps, one map after the other, in each row by row: (boxes, 4) float32, "rel_center_xywh".

    Args:
        maps: (rows, columns) of each.
        steps: (down, across) from the middle of one place to the next, as fractions of the image. With 1 / rows and 1 /
            columns, the paper's rule, a map fills the image; of maps that are rounded up, the last may lie outside.
        sizes: (width, height) of the boxes in each place of each map, as fractions of the image.
        offset: of the first middle, in steps: .5 in SSD, 0 in the published detectors of two stages.

    >>> default_boxes([(1, 2)], [(1.0, 0.5)], [[(0.5, 0.5)]]).tolist()
    [[0.25, 0.5, 0.5, 0.5], [0.75, 0.5, 0.5, 0.5]]
    """
    found = []
    for (rows, columns), (down, across), here in zip(maps, steps, sizes):
        y, x = np.meshgrid((np.arange(rows) + offset) * down, (np.arange(columns) + offset) * across, indexing="ij")
        centres = np.stack([x, y], axis=-1)[:, :, None].repeat(len(here), axis=2)  # (rows, columns, sizes, 2)
        boxes = np.concatenate([centres, np.broadcast_to(np.array(here, "float64"), centres.shape)], axis=-1)
        found.append(boxes.reshape(-1, 4))
    return np.concatenate(found).astype("float32")


def region_sizes(side: float, ratios: Sequence[float]) -> list[tuple[float, float]]:
    """The (width, height) in pixels of the boxes that a region proposal network has in each place of one map.

    S. Ren et al., "Faster R-CNN", NeurIPS 2015, section 3.1.1: boxes of one area. As in the published detectors, an
    edge is a whole number of pixels from the middle.

    Args:
        side: of the square of the same area.
        ratios: of the height to the width.

    >>> region_sizes(32, [0.5, 1.0, 2.0])
    [(46.0, 22.0), (32.0, 32.0), (22.0, 46.0)]
    """
    roots = [math.sqrt(ratio) for ratio in ratios]
    return [(2.0 * round(side / root / 2), 2.0 * round(side * root / 2)) for root in roots]


def shape_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of boxes with one centre, given by width and height: (n, 2) and (m, 2) to (n, m)."""
    common = np.minimum(a[:, None], b[None]).prod(-1)
    return common / (a.prod(-1)[:, None] + b.prod(-1)[None] - common)


def cluster_sizes(sizes: np.ndarray, count: int, *, seed: int = 0, starts: int = 10) -> np.ndarray:
    """The anchors that suit a training set: k-means of its boxes' sizes, at a distance of 1 - IoU (YOLOv2, section 2).

    Args:
        sizes: (boxes, 2), width and height in any unit.
        count: how many anchors.
        seed: of the boxes that are begun with.
        starts: as k-means ends in the next best place, so often; the best is taken.

    Returns:
        (count, 2), the smallest area first.

    Raises:
        UsageError: for fewer boxes of different sizes than anchors.

    >>> cluster_sizes(np.array([[1.0, 1.0], [1.0, 1.2], [4.0, 8.0], [4.0, 8.4]]), 2).round(2).tolist()
    [[1.0, 1.1], [4.0, 8.2]]
    """
    different = np.unique(sizes, axis=0)
    if len(different) < count:
        raise UsageError(f"{len(different)} boxes have different sizes; expected at least {count}, one for each anchor")
    rng = np.random.default_rng(seed)
    found = [clustered(sizes, first_centres(different, count, rng)) for _ in range(starts)]
    best = max(found, key=lambda centres: shape_iou(sizes, centres).max(1).mean())
    return best[np.argsort(best.prod(1))]


def first_centres(sizes: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Some of the sizes, drawn far from each other (k-means++)."""
    centres = sizes[rng.integers(len(sizes))][None]
    while len(centres) < count:
        distance = np.square(1 - shape_iou(sizes, centres).max(1))
        centres = np.concatenate([centres, sizes[rng.choice(len(sizes), p=distance / distance.sum())][None]])
    return centres


def clustered(sizes: np.ndarray, centres: np.ndarray, rounds: int = 100) -> np.ndarray:
    """The means of the sizes that are nearest to each centre, again and again until nothing moves."""
    nearest = np.full(len(sizes), -1)
    for _ in range(rounds):
        before, nearest = nearest, shape_iou(sizes, centres).argmax(1)
        if (nearest == before).all():
            break
        groups = [sizes[nearest == number] for number in range(len(centres))]
        centres = np.stack([group.mean(0) if len(group) else old for group, old in zip(groups, centres)])
    return centres
