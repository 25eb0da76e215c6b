"""What is done to images and their targets: once to each example (`PREPROCESS`), or anew to each batch (`AUGMENT`).

Each step takes inputs and targets together and gives both back, so that boxes and masks follow their image
(`zoo.data.image.geometry`); all other targets stay as they are. An augmentation gets a seed of its own for each batch,
and each image of the batch its own random numbers.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from zoo.checks import is_interval, is_number, is_whole
from zoo.data.image import colours
from zoo.data.image.affine import affine, check_affine
from zoo.data.image.geometry import (
    Tensor,
    central_window,
    followed,
    letterbox_size,
    letterbox_window,
    mirrored,
    through,
    unchanged,
)
from zoo.data.tensors import numpy_dtype, tensorflow
from zoo.data.video import frames
from zoo.errors import UsageError

Pair = tuple[Tensor, Any]  # inputs and targets
Size = tuple[int, int]  # height, width
GREY = 128  # of 255, around what does not fill its frame


# Once to each example: an image (height, width, channels) or a clip (time, height, width, channels)


def resize(x: Tensor, y: Any, size: Size) -> Pair:
    """Bilinear to (height, width)."""
    tf = tensorflow()

    y = followed(y, x, boxes=unchanged, masks=lambda masks: tf.image.resize(masks, size, "nearest"))
    return tf.image.resize(x, size), y


def pad(x: Tensor, y: Any, size: Size) -> Pair:
    """Zeros (black) all around, up to (height, width); what is larger is cut to its middle."""
    tf = tensorflow()

    def cut(images: Tensor) -> Tensor:
        return tf.image.resize_with_crop_or_pad(images, *size)

    return cut(x), followed(y, x, boxes=through(central_window(tf.shape(x)[-3:-1], size)), masks=cut)


def cover(x: Tensor, y: Any, size: Size) -> Pair:
    """Shrink or stretch an image, its sides in proportion, until it just covers (height, width); cut off the rest."""
    tf = tensorflow()

    sides = tf.cast(tf.shape(x)[-3:-1], tf.float32)
    scale = tf.reduce_max(tf.constant(size, tf.float32) / sides)
    wanted = tf.maximum(tf.cast(tf.math.ceil(sides * scale - 1e-3), tf.int32), size)

    def cut(images: Tensor, **how: Any) -> Tensor:
        return tf.image.resize_with_crop_or_pad(tf.image.resize(images, wanted, **how), *size)

    y = followed(y, x, boxes=through(central_window(wanted, size)), masks=lambda masks: cut(masks, method="nearest"))
    return of_its_kind(cut(x, antialias=True), x), y


def letterbox(x: Tensor, y: Any, size: Size) -> Pair:
    """Shrink or stretch an image, its sides in proportion, until it just fits into (height, width); grey all around."""
    return fitted(x, y, size, GREY)


def fitted(x: Tensor, y: Any, size: Size, around: int) -> Pair:
    """`letterbox`, with another grey around."""
    tf = tensorflow()

    before = tf.shape(x)[-3:-1]
    wanted, free = letterbox_size(before, size)

    def fit(images: Tensor, fill: int, **how: Any) -> Tensor:
        images = tf.image.resize(images, wanted, **how)
        return tf.image.pad_to_bounding_box(images - fill, free[0], free[1], *size) + fill

    y = followed(
        y, x, boxes=through(letterbox_window(before, size)), masks=lambda masks: fit(masks, 0, method="nearest")
    )
    return of_its_kind(fit(x, around, antialias=True), x), y


def of_its_kind(found: Tensor, x: Tensor) -> Tensor:
    """What was made of `x` by real numbers, in whole ones if `x` has such: a byte a colour in the cache."""
    tf = tensorflow()

    return tf.saturate_cast(tf.round(found), x.dtype) if numpy_dtype(x.dtype).kind in "iu" else found


def ink(x: Tensor, y: Any, size: Size) -> Pair:
    """What is drawn on an image, light on dark, cut to its own box and fitted into (height, width): so MNIST frames its
    digits (LeCun 1998, section III-A), whatever their size, their place, the paper and the pen were.

    Paper is what the edge of the image is, ink what differs from it by a quarter of the contrast or more.
    """
    tf = tensorflow()

    larger = tf.maximum(1, -(-2 * max(size) // tf.reduce_min(tf.shape(x)[:2])))  # the box is found between pixels
    values = tf.image.resize(tf.cast(x, tf.float32), larger * tf.shape(x)[:2])  # (height, width, channels)
    low, high = tf.reduce_min(values), tf.reduce_max(values)
    edge = tf.concat([values[0], values[-1], values[:, 0], values[:, -1]], 0)
    values = tf.where(2.0 * tf.reduce_mean(edge) > low + high, high - values, values - low)
    values *= tf.where(high > 1.0, 255.0, 1.0) / tf.maximum(high - low, 1e-3)
    drawn = tf.reduce_any(values > 0.25 * tf.reduce_max(values), axis=-1)  # (height, width)
    (top, bottom), (left, right) = (extent(tf.reduce_any(drawn, axis=axis)) for axis in (1, 0))
    before = tf.cast(tf.shape(values)[:2], tf.float32)
    window = tf.cast(tf.stack([left, top, right, bottom]), tf.float32) / tf.gather(before, [1, 0, 1, 0])

    def cut(images: Tensor) -> Tensor:
        return tf.repeat(tf.repeat(images, larger, 0), larger, 1)[top:bottom, left:right]

    y = followed(y, x, boxes=through(window), masks=cut)
    framed, y = fitted(values[top:bottom, left:right], y, size, 0)
    return of_its_kind(framed, x), y


def extent(marked: Tensor) -> tuple[Tensor, Tensor]:
    """Where the marked ones of a row (length,) begin and end; the whole row if there are none.

    >>> [int(each) for each in extent(tensorflow().constant([False, True, True, False]))]
    [1, 3]
    """
    tf = tensorflow()

    length = tf.shape(marked)[0]
    places = tf.range(length)
    start, end = tf.reduce_min(tf.where(marked, places, length)), tf.reduce_max(tf.where(marked, places + 1, 0))
    return tf.where(end > 0, start, 0), tf.where(end > 0, end, length)


# Anew to each batch: images (batch, height, width, channels)


def shift(x: Tensor, y: Any, seed: Tensor, pixels: int) -> Pair:
    """Move each image of a batch by up to `pixels` in both directions; what comes in is black."""
    tf = tensorflow()

    batch, height, width, _ = tf.unstack(tf.shape(x))
    down, right = tf.unstack(
        tf.random.stateless_uniform((2, batch), seed, maxval=2 * pixels + 1, dtype=tf.int32)
    )  # (batch,) each: where the image's corner is in the padded image

    def moved(images: Tensor) -> Tensor:
        padded = tf.pad(images, [[0, 0], [pixels, pixels], [pixels, pixels], [0, 0]])
        rows = tf.gather(padded, down[:, None] + tf.range(height), axis=1, batch_dims=1)
        return tf.gather(rows, right[:, None] + tf.range(width), axis=2, batch_dims=1)

    left = tf.cast((right - pixels) / width, tf.float32)
    top = tf.cast((down - pixels) / height, tf.float32)
    window = tf.stack([left, top, left + 1.0, top + 1.0], axis=1)  # (batch, 4)
    return moved(x), followed(y, x, boxes=through(window), masks=moved)


def flip(x: Tensor, y: Any, seed: Tensor, option: bool | str) -> Pair:
    """Mirror each image of a batch left to right with probability 1/2; where `option` is "both", top to bottom too,
    with another coin: for what has no up and down, under a microscope or from above."""
    tf = tensorflow()

    for axis in (0, 1) if option == "both" else (0,):  # across, then down
        chosen = seed if axis == 0 else tf.convert_to_tensor(seed) + [0, 1]
        x, y = flipped(x, y, tf.random.stateless_uniform((tf.shape(x)[0], 1, 1, 1), chosen) < 0.5, axis)
    return x, y


def flipped(x: Tensor, y: Any, coin: Tensor, axis: int) -> Pair:
    """The images whose `coin` (batch, 1, 1, 1) is true mirrored: left to right, or with axis 1 top to bottom."""
    tf = tensorflow()

    def turned(images: Tensor) -> Tensor:
        return tf.where(coin, images[:, ::-1] if axis else images[:, :, ::-1], images)

    y = followed(y, x, boxes=lambda boxes: tf.where(coin[..., 0], mirrored(boxes, axis), boxes), masks=turned)
    return turned(x), y


def crop(x: Tensor, y: Any, seed: Tensor, area: tuple[float, float]) -> Pair:
    """Stretch a random part of each image of a batch to full size: a fraction of its area between the two of `area`,
    its sides in a proportion between 3:4 and 4:3 (Szegedy 2015, section 6)."""
    tf = tensorflow()

    batch, height, width, _ = tf.unstack(tf.shape(x))
    fraction, shape, down, right = tf.unstack(tf.random.stateless_uniform((4, batch), seed))
    fraction = area[0] + fraction * (area[1] - area[0])
    proportion = tf.exp((2.0 * shape - 1.0) * np.float32(np.log(4 / 3)))
    tall, wide = tf.minimum(tf.sqrt(fraction / proportion), 1.0), tf.minimum(tf.sqrt(fraction * proportion), 1.0)
    top, left = down * (1.0 - tall), right * (1.0 - wide)
    parts = tf.stack([top, left, top + tall, left + wide], axis=1)

    def cropped(images: Tensor, method: str = "bilinear") -> Tensor:
        return tf.image.crop_and_resize(images, parts, tf.range(batch), (height, width), method)

    def start(offset: Tensor, side: Tensor, pixels: Tensor) -> Tensor:
        """TensorFlow measures a part from the middle of the first pixel to that of the last; boxes, edge to edge."""
        pixels = tf.cast(pixels, tf.float32)
        return ((pixels - 1.0) * offset + 0.5 * (1.0 - side)) / pixels

    left, top = start(left, wide, width), start(top, tall, height)
    window = tf.stack([left, top, left + wide, top + tall], axis=1)  # (batch, 4)
    return cropped(x), followed(y, x, boxes=through(window), masks=lambda masks: cropped(masks, "nearest"))


def stroke(x: Tensor, y: Any, seed: Tensor, probability: float) -> Pair:
    """Draw what is light in each image of a batch with another pen: a pixel broader on each side with this probability,
    finer with the same."""
    tf = tensorflow()

    pen = tf.random.stateless_uniform((tf.shape(x)[0], 1, 1, 1), seed)

    def of_neighbours(best: Callable[..., Tensor]) -> Tensor:
        """The best of each pixel and the eight around it."""
        found = x
        for axis in (1, 2):
            places = tf.range(tf.shape(x)[axis])
            before, after = tf.maximum(places - 1, 0), tf.minimum(places + 1, places[-1])
            found = best(best(tf.gather(found, before, axis=axis), tf.gather(found, after, axis=axis)), found)
        return found

    finer = tf.where(pen > 1.0 - probability, of_neighbours(tf.minimum), x)
    return tf.where(pen < probability, of_neighbours(tf.maximum), finer), y


PREPROCESS: Mapping[str, Callable[..., Pair]] = {  # (input, target, option) -> (input, target)
    "resize": resize,
    "pad": pad,
    "cover": cover,
    "letterbox": letterbox,
    "ink": ink,
    "frames": frames.frames,
    "loop": frames.loop,
}
AUGMENT: Mapping[str, Callable[..., Pair]] = {  # (inputs, targets, seed, option) -> (inputs, targets)
    "shift": frames.for_clips(shift),
    "flip": frames.for_clips(flip),
    "crop": frames.for_clips(crop),
    "affine": frames.for_clips(affine),
    "stroke": frames.for_clips(stroke),
    "colour": colours.colour,
    "grey": colours.grey,
    "jitter": frames.jitter,
}


TAKES: Mapping[str, tuple[Callable[[Any], bool], str]] = {  # what an option has to be, and how that is said
    "shift": (lambda option: is_whole(option, 0), "pixels, a whole number of at least 0"),
    "flip": (lambda option: isinstance(option, bool) or option == "both", "True, or 'both' for top to bottom too"),
    "crop": (lambda option: is_interval(option, 0, 1) and option[0] > 0, "two fractions of the area, (0.6, 1.0)"),
    "stroke": (lambda option: is_number(option, 0, 0.5), "a probability from 0 to 0.5"),
    "colour": (lambda option: is_number(option, 0, 1), "a strength from 0 to 1"),
    "grey": (lambda option: is_number(option, 0, 1), "a probability from 0 to 1"),
    "jitter": (is_whole, "frames, a whole number of at least 1"),
}


def check_augment(augment: Mapping[str, Any]) -> None:
    """Raise unless the augmentations of a recipe take their options; Keras's layers say for themselves.

    >>> check_augment({"crop": 0.6})
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: augment crop is 0.6; expected two fractions of the area, (0.6, 1.0)
    """
    for word, option in augment.items():
        if word == "affine":
            check_affine(option)
        elif word in TAKES and not TAKES[word][0](option):
            raise UsageError(f"augment {word} is {option!r}; expected {TAKES[word][1]}")
