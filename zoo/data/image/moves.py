"""Augmentations that move what is in an image: shifted, mirrored, cropped. Boxes and masks go with it.

Each draws from a seed of its own for a batch of images (batch, height, width, channels), and a number of its own for
each image. What moves by whole pixels is gathered, so that bytes stay bytes.
"""

from typing import Any, NamedTuple

import numpy as np

from zoo.data.image.geometry import Change, Tensor, followed, mirrored, through, unchanged
from zoo.data.tensors import tensorflow

Pair = tuple[Tensor, Any]  # inputs and targets


class Mirror(NamedTuple):
    """A flip that is done together with another augmentation, which gathers or samples the images anyway."""

    seed: Tensor
    first: bool  # whether it comes before the other
    axis: int = 0  # 0: left to right, 1: top to bottom

    def coin(self, x: Tensor) -> Tensor:
        """Which images of a batch are mirrored, (batch,)."""
        tf = tensorflow()

        return tf.random.stateless_uniform((tf.shape(x)[0], 1, 1, 1), self.seed)[:, 0, 0, 0] < 0.5

    def boxes(self, coin: Tensor, move: Change) -> Change:
        """What becomes of boxes that are moved as well."""
        tf = tensorflow()

        def flipped(boxes: Tensor) -> Tensor:
            return tf.where(coin[:, None, None], mirrored(boxes, self.axis), boxes)

        return (lambda boxes: move(flipped(boxes))) if self.first else (lambda boxes: flipped(move(boxes)))


def shift(x: Tensor, y: Any, seed: Tensor, pixels: int, mirror: Mirror | None = None) -> Pair:
    """Move each image of a batch by up to `pixels` in both directions; what comes in is black."""
    tf = tensorflow()

    batch, height, width, _ = tf.unstack(tf.shape(x))
    down, right = tf.unstack(
        tf.random.stateless_uniform((2, batch), seed, maxval=2 * pixels + 1, dtype=tf.int32)
    )  # (batch,) each: where the image's corner is in the padded image
    left = tf.cast((right - pixels) / width, tf.float32)
    top = tf.cast((down - pixels) / height, tf.float32)
    boxes = through(tf.stack([left, top, left + 1.0, top + 1.0], axis=1))  # (batch, 4)
    columns = right[:, None] + tf.range(width)  # (batch, width), of the padded image
    if mirror:
        coin = mirror.coin(x)
        boxes = mirror.boxes(coin, boxes)
        last = width + 2 * pixels - 1 if mirror.first else 2 * right[:, None] + width - 1
        columns = tf.where(coin[:, None], last - columns, columns)

    def moved(images: Tensor) -> Tensor:
        padded = tf.pad(images, [[0, 0], [pixels, pixels], [pixels, pixels], [0, 0]])
        rows = tf.gather(padded, down[:, None] + tf.range(height), axis=1, batch_dims=1)
        return tf.gather(rows, columns, axis=2, batch_dims=1)

    return moved(x), followed(y, x, boxes=boxes, masks=moved)


def flip(x: Tensor, y: Any, seed: Tensor, option: bool | str) -> Pair:
    """Mirror each image of a batch left to right with probability 1/2; where `option` is "both", top to bottom too,
    with another coin: for what has no up and down, under a microscope or from above."""
    x, y = flipped(x, y, seed, axis=0)
    return flipped(x, y, tensorflow().convert_to_tensor(seed) + [0, 1], axis=1) if option == "both" else (x, y)


def flipped(x: Tensor, y: Any, seed: Tensor, axis: int) -> Pair:
    """Some of the images mirrored: left to right, or with axis 1 top to bottom."""
    tf = tensorflow()

    mirror = Mirror(seed, first=True, axis=axis)
    coin, places = mirror.coin(x), tf.range(tf.shape(x)[2 - axis])
    order = tf.where(coin[:, None], places[-1] - places, places)  # (batch, width or height)

    def turned(images: Tensor) -> Tensor:
        return tf.gather(images, order, axis=2 - axis, batch_dims=1)

    return turned(x), followed(y, x, boxes=mirror.boxes(coin, unchanged), masks=turned)


def crop(x: Tensor, y: Any, seed: Tensor, area: tuple[float, float], mirror: Mirror | None = None) -> Pair:
    """Stretch a random part of each image of a batch to full size: a fraction of its area between the two of `area`,
    its sides in a proportion between 3:4 and 4:3 (Szegedy 2015, section 6)."""
    tf = tensorflow()

    batch, height, width, _ = tf.unstack(tf.shape(x))
    fraction, shape, down, right = tf.unstack(tf.random.stateless_uniform((4, batch), seed))
    fraction = area[0] + fraction * (area[1] - area[0])
    proportion = tf.exp((2.0 * shape - 1.0) * np.float32(np.log(4 / 3)))
    tall, wide = tf.minimum(tf.sqrt(fraction / proportion), 1.0), tf.minimum(tf.sqrt(fraction * proportion), 1.0)
    top, left = down * (1.0 - tall), right * (1.0 - wide)

    def start(offset: Tensor, side: Tensor, pixels: Tensor) -> Tensor:
        """TensorFlow measures a part from the middle of the first pixel to that of the last; boxes, edge to edge."""
        pixels = tf.cast(pixels, tf.float32)
        return ((pixels - 1.0) * offset + 0.5 * (1.0 - side)) / pixels

    corner = [start(left, wide, width), start(top, tall, height)]
    boxes = through(tf.stack([*corner, corner[0] + wide, corner[1] + tall], axis=1))  # (batch, 4)
    ends = left, left + wide
    if mirror:  # from right to left
        coin = mirror.coin(x)
        boxes = mirror.boxes(coin, boxes)
        other = (1.0 - ends[0], 1.0 - ends[1]) if mirror.first else ends[::-1]
        ends = tf.where(coin, other[0], ends[0]), tf.where(coin, other[1], ends[1])
    parts = tf.stack([top, ends[0], top + tall, ends[1]], axis=1)

    def cropped(images: Tensor, method: str = "bilinear") -> Tensor:
        return tf.image.crop_and_resize(images, parts, tf.range(batch), (height, width), method)

    return cropped(x), followed(y, x, boxes=boxes, masks=lambda masks: cropped(masks, "nearest"))
