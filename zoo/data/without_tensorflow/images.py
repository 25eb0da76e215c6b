"""Images as ``tf.image`` changes them: (..., height, width, channels)."""

from typing import Any

import numpy as np

Size = Any  # height, width

LUMA = np.array([0.2989, 0.587, 0.114], "float32")  # of red, green and blue in a grey value


def resize(x: Any, size: Size, method: str = "bilinear", antialias: bool = False) -> np.ndarray:
    """To (height, width): bilinear float32, or the nearest pixel as it is."""
    x = np.asarray(x)
    height, width = (int(side) for side in size)
    if method == "nearest":
        rows, columns = nearest(x.shape[-3], height), nearest(x.shape[-2], width)
        return x[..., rows[:, None], columns, :]
    *before, tall, wide, channels = x.shape
    weights = triangle_weights if antialias else lerp_weights
    flat = x.astype("float32").reshape(*before, tall, wide * channels)
    flat = np.matmul(weights(tall, height), flat).reshape(*before, height, wide, channels)
    turned = np.moveaxis(flat, -3, -2).reshape(*before, wide, height * channels)
    turned = np.matmul(weights(wide, width), turned).reshape(*before, width, height, channels)
    return np.ascontiguousarray(np.moveaxis(turned, -3, -2))


def nearest(before: int, after: int) -> np.ndarray:
    """Which pixel each of so many takes."""
    place = (np.arange(after, dtype="float32") + np.float32(0.5)) * np.float32(before / after)
    return np.minimum(np.floor(place).astype(int), before - 1)


def lerp_weights(before: int, after: int) -> np.ndarray:
    """(after, before): each pixel is taken from the two whose middles it lies between."""
    place = (np.arange(after, dtype="float32") + np.float32(0.5)) * np.float32(before / after) - np.float32(0.5)
    low = np.floor(place)
    fraction = place - low
    weights, rows = np.zeros((after, before), "float32"), np.arange(after)
    np.add.at(weights, (rows, np.maximum(low, 0).astype(int)), 1 - fraction)
    np.add.at(weights, (rows, np.minimum(np.ceil(place), before - 1).astype(int)), fraction)
    return weights


def triangle_weights(before: int, after: int) -> np.ndarray:
    """(after, before): each pixel is a mean of those below a triangle as wide as two of its own, at least two."""
    scale = before / after
    middle = (np.arange(after) + 0.5) * scale
    distance = np.abs(np.arange(before) + 0.5 - middle[:, None]) / max(scale, 1.0)
    weights = np.maximum(1 - distance, 0)
    return (weights / weights.sum(1, keepdims=True)).astype("float32")


def resize_with_crop_or_pad(x: Any, height: int, width: int) -> np.ndarray:
    """The middle, or zeros all around; the odd pixel is at the end."""
    x = np.asarray(x)
    for axis, after in ((-3, int(height)), (-2, int(width))):
        before = x.shape[axis]
        start, above = max((before - after) // 2, 0), max((after - before) // 2, 0)
        x = x[(..., slice(start, start + min(before, after)), *[slice(None)] * (-axis - 1))]
        paddings = [(0, 0)] * x.ndim
        paddings[axis] = (above, max(after - before, 0) - above)
        x = np.pad(x, paddings)
    return x


def pad_to_bounding_box(x: Any, top: int, left: int, height: int, width: int) -> np.ndarray:
    """Zeros around an image whose corner comes to a place."""
    below, right = int(height) - int(top) - np.shape(x)[-3], int(width) - int(left) - np.shape(x)[-2]
    return np.pad(x, [(0, 0)] * (np.ndim(x) - 3) + [(int(top), below), (int(left), right), (0, 0)])


def crop_and_resize(x: Any, boxes: Any, box_indices: Any, crop_size: Size, method: str = "bilinear") -> np.ndarray:
    """A part of each image, (top, left, bottom, right) as fractions from the middle of the first pixel to that of the
    last, stretched to a size: (boxes, height, width, channels) float32. What lies outside is 0."""
    x, boxes = np.asarray(x, "float32")[box_indices], np.asarray(boxes, "float32")
    for axis, (start, end), after in ((1, (0, 2), crop_size[0]), (2, (1, 3), crop_size[1])):
        before, after = x.shape[axis], int(after)
        step = (boxes[:, end] - boxes[:, start]) * np.float32(before - 1) / np.float32(max(after - 1, 1))
        place = boxes[:, start, None] * np.float32(before - 1) + step[:, None] * np.arange(after, dtype="float32")
        if after == 1:
            place = (boxes[:, start, None] + boxes[:, end, None]) * np.float32(0.5 * (before - 1))
        inside = (place >= 0) & (place <= before - 1)
        place = np.clip(place, 0, before - 1)
        size = (len(x), *[1] * (axis - 1), after, *[1] * (3 - axis))
        if method == "nearest":
            found = taken(x, np.floor(place + np.float32(0.5)).astype(int), axis)
        else:
            low = np.floor(place).astype(int)
            fraction = (place - low).astype("float32").reshape(size)
            one, other = taken(x, low, axis), taken(x, np.minimum(low + 1, before - 1), axis)
            found = one + (other - one) * fraction
        x = found * inside.reshape(size)
    return x.astype("float32")


def taken(x: np.ndarray, places: np.ndarray, axis: int) -> np.ndarray:
    """Rows or columns of each image of a batch, by numbers (batch, count)."""
    return np.take_along_axis(x, places.reshape(len(x), *[1] * (axis - 1), -1, *[1] * (3 - axis)), axis)


def rgb_to_grayscale(x: Any) -> np.ndarray:
    x = np.asarray(x)
    if x.dtype.kind == "f":
        return (x @ LUMA.astype(x.dtype))[..., np.newaxis]
    white = np.float32(np.iinfo(x.dtype).max)
    grey = (x.astype("float32") / white) @ LUMA
    return np.clip(grey * (white + np.float32(0.5)), 0, white)[..., np.newaxis].astype(x.dtype)


def grayscale_to_rgb(x: Any) -> np.ndarray:
    return np.repeat(x, 3, axis=-1)
