"""Images with boxes and masks of things: the data module of networks that tell each thing's pixels."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.data.image.boxes import COLUMNS, BoxDataModule, as_rows, padded
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError

SIDE = 56  # places of a mask over the whole of its box, down and across


class InstanceDataModule(BoxDataModule):
    """Images, and of each thing what `BoxDataModule` has and its mask, 56 x 56 over the whole of its box: (batch, most,
    6 + 56 * 56).

    Examples have "image", "objects" and, for each pixel, the number of its object from 1 on, or 0: "instances"
    (height, width). So a pixel is of one thing.
    """

    def read(self, split: str) -> Any:
        """Images with the targets of `BoxDataModule.read` and "masks" (height, width, 1)."""
        tf = tensorflow()
        examples = self.source.features(split) if self.source.features else None
        if examples is None or not {"image", "objects", "instances"} <= set(examples.element_spec):
            raise UsageError(
                f"{self.source.name} does not say which pixels show its things; expected image, objects and instances"
            )

        most = self.most  # counted before the graph below is made

        def pair(each: Mapping[str, Any]) -> tuple[Any, Any]:
            image, things = padded(each["image"], each["objects"], most)
            return image, {**things, "masks": tf.cast(each["instances"], tf.int32)[..., None]}

        return examples.map(pair)

    def as_rows(self, x: Any, things: Mapping[str, Any]) -> tuple[Any, Any]:
        tf = tensorflow()
        _, rows = as_rows(x, things)
        masks = masks_of(things["masks"][..., 0], rows[..., :4], SIDE)
        most = rows.shape[1]
        return x, tf.concat([rows, tf.reshape(masks, (-1, most, SIDE * SIDE))], axis=-1)


def masks_of(numbers: Any, boxes: Any, side: int) -> Any:
    """Which places of its box each thing fills: (batch, height, width) numbers of things from 1 on, and their boxes
    (batch, n, 4), to (batch, n, side, side) of 0 and 1. A place is as the pixel that it lies in.

    >>> tf = tensorflow()
    >>> shown = tf.constant([[[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]])
    >>> masks_of(shown, tf.constant([[[0.0, 0.0, 0.5, 0.5]]]), 2)[0, 0].numpy().astype(int).tolist()
    [[1, 0], [1, 1]]
    """
    tf = tensorflow()
    count = boxes.shape[1]
    batch, height, width = tf.unstack(tf.shape(numbers))
    sides = tf.cast(tf.stack([width, height, width, height]), tf.float32)
    left, top, right, bottom = tf.unstack(tf.reshape(boxes, (-1, 4)) * sides, axis=-1)  # (batch * n,) each, in pixels
    down, across = (bottom - top) / (2.0 * side), (right - left) / (2.0 * side)  # half a place
    ends = tf.stack([top + down, left + across, bottom - down, right - across], axis=-1) + 0.5  # with a border of one
    last = tf.cast(tf.stack([height, width, height, width]) + 1, tf.float32)  # TensorFlow's measure of such an image
    owner = tf.repeat(tf.range(batch), count)
    images = tf.cast(tf.pad(numbers, [[0, 0], [1, 1], [1, 1]], "SYMMETRIC"), tf.float32)[..., None]
    found = tf.image.crop_and_resize(images, ends / last, owner, (side, side), "nearest")
    found = tf.reshape(tf.round(found), (-1, count, side, side))
    own = tf.cast(tf.range(1, count + 1), tf.float32)[:, None, None]
    return tf.cast(found == own, tf.float32)


def shown(rows: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Which pixels of an image things show, of rows (n, 6 + side * side): (n, height, width) bool; exact for things of
    up to as many pixels as their masks have places."""
    side = round((rows.shape[-1] - COLUMNS) ** 0.5)
    found = np.zeros((len(rows), *size), bool)
    for here, row in zip(found, rows):
        (left, top, right, bottom), mask = row[:4] * np.tile(size[::-1], 2), row[COLUMNS:].reshape(side, side)
        places = []
        for start, end, pixels in ((top, bottom, size[0]), (left, right, size[1])):
            place = np.floor((np.arange(pixels) + 0.5 - start) / max(end - start, 1e-6) * side).astype(int)
            places.append((np.clip(place, 0, side - 1), (place >= 0) & (place < side)))
        (down, rows_in), (across, columns_in) = places
        here[:] = (mask[down][:, across] > 0.5) & rows_in[:, None] & columns_in[None]
    return found
