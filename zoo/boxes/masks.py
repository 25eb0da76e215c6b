"""Masks of things, each seen inside of a box: cut out for a loss, pasted into the image for a picture.

What a network says of masks is a row for each of its boxes, (side, side, 6 + 1 + K), the numbers of the box repeated in
each place:

    box     4  left, top, right, bottom as fractions of the image
    class   1  as it was found, -1: not said, as in training, or no box
    score   1
    logits  1+K  of whether the place shows the thing, if it is of that class; the background, never asked, is the first

K. He et al., "Mask R-CNN", ICCV 2017, section 3: the class is decided elsewhere, and the maps do not compete.
"""

from typing import Any

import numpy as np
from keras import ops

from zoo.boxes.roi_align import roi_align

Tensor = Any
GEOMETRY = 6  # numbers of a row before its logits


def boxes_of(rows: Tensor) -> Tensor:
    """(batch, n, 4), left, top, right and bottom, of (batch, n, side, side, 6 + 1 + K)."""
    return rows[:, :, 0, 0, :4]


def logits_of(rows: Tensor) -> Tensor:
    """(batch, n, side, side, 1 + K), the background first."""
    return rows[..., GEOMETRY:]


def masks_within(masks: Tensor, boxes: Tensor, regions: Tensor, side: int) -> Tensor:
    """What regions show of masks that fill boxes: (batch, n, side, side), 0 outside of the box.

    Args:
        masks: (batch, n, rows, columns), each over the whole of its box.
        boxes: (batch, n, 4), left, top, right and bottom.
        regions: (batch, n, 4), in the same unit; without area: 0.
        side: of what comes out.

    >>> half = [[[[0.0, 1.0]]]]  # the right half of a box
    >>> ops.convert_to_numpy(masks_within(half, [[[0.0, 0, 2, 2]]], [[[0.0, 0, 2, 2]]], 2))[0, 0].tolist()
    [[0.125, 0.875], [0.125, 0.875]]
    """
    masks, boxes, regions = (ops.convert_to_tensor(each) for each in (masks, boxes, regions))
    rows, columns = masks.shape[2:]
    sides = ops.maximum(boxes[..., 2:] - boxes[..., :2], 1e-6)
    scale = ops.convert_to_tensor([columns, rows], "float32") / sides
    corner = ops.tile(boxes[..., :2], (1, 1, 2))
    inside = (regions - corner) * ops.tile(scale, (1, 1, 2))  # in places of the mask
    maps, each = ops.reshape(masks, (-1, rows, columns, 1)), ops.reshape(inside, (-1, 1, 4))
    found = roi_align(maps, each, size=(side, side), aligned=True)
    return ops.reshape(found, (-1, boxes.shape[1], side, side))


def pasted(mask: np.ndarray, box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask of a box in the whole image: (height, width) float32, 0 outside of the box.

    As torchvision does it: between the places bilinear, with a border of zeros, the box in whole pixels.

    Args:
        mask: (side, side), 0 to 1.
        box: left, top, right and bottom, in pixels.
        size: (height, width) of the image.

    >>> pasted(np.ones((2, 2)), np.array([1.0, 1.0, 3.0, 3.0]), (5, 5))[2].astype(float).round(1).tolist()
    [0.0, 0.7, 1.0, 0.7, 0.0]
    """
    whole = np.zeros(size, "float32")
    side = len(mask)
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * (side + 2) / side
    left, top, right, bottom = np.concatenate([middle - half, middle + half]).astype(int)
    weights = [interpolation(side + 2, max(end - start + 1, 1)) for start, end in ((top, bottom), (left, right))]
    found = weights[0] @ np.pad(np.asarray(mask, "float64"), 1) @ weights[1].T
    here = [slice(max(start, 0), min(start + len(each), n)) for start, each, n in zip((top, left), weights, size)]
    if all(each.start < each.stop for each in here):
        part = [slice(each.start - start, each.stop - start) for each, start in zip(here, (top, left))]
        whole[tuple(here)] = found[tuple(part)]
    return whole


def interpolation(before: int, after: int) -> np.ndarray:
    """What each of so many places takes of places before, bilinear: (after, before)."""
    place = np.clip((np.arange(after) + 0.5) * before / after - 0.5, 0, before - 1)
    low = np.minimum(place.astype(int), max(before - 2, 0))
    found = np.zeros((after, before))
    found[np.arange(after), low] = 1 - (place - low)
    found[np.arange(after), np.minimum(low + 1, before - 1)] += place - low
    return found
