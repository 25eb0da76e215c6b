"""What is done to images and their targets: once to each example (`PREPROCESS`), or anew to each batch (`AUGMENT`).

Each step takes inputs and targets together and gives both back, so that boxes and masks follow their image
(`zoo.data.image.geometry`); all other targets stay as they are. An augmentation gets a seed of its own for each batch,
and each image of the batch its own random numbers.
"""

from collections.abc import Callable, Mapping
from typing import Any

from zoo.checks import is_interval, is_number, is_whole
from zoo.data.image import colours
from zoo.data.image.affine import affine, check_affine
from zoo.data.image.geometry import (
    Tensor,
    central_window,
    followed,
    letterbox_size,
    letterbox_window,
    through,
    unchanged,
)
from zoo.data.image.moves import Mirror, crop, flip, shift
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

    def cut(masks: Tensor) -> Tensor:
        return tf.image.resize_with_crop_or_pad(tf.image.resize(masks, wanted, "nearest"), *size)

    y = followed(y, x, boxes=through(central_window(wanted, size)), masks=cut)
    return of_its_kind(middle_resized(x, wanted, size), x), y


def middle_resized(x: Tensor, wanted: Tensor, size: Size) -> Tensor:
    """Of images (..., height, width, channels) resized to `wanted`, smoothed where they shrink, the middle: float32.

    TensorFlow computes no more than that, from the pixels that the middle is made of.
    """
    tf = tensorflow()

    if not hasattr(tf, "raw_ops"):
        return tf.image.resize_with_crop_or_pad(tf.image.resize(x, wanted, antialias=True), *size)
    scale = tf.cast(wanted, tf.float32) / tf.cast(tf.shape(x)[-3:-1], tf.float32)
    start = tf.cast((wanted - size) // 2, tf.float32)
    reach = tf.maximum(1.0, 1.0 / scale) + 1.0  # of the smoothing, in pixels of `x`
    first = tf.maximum(tf.cast(start / scale - reach, tf.int32), 0)
    last = tf.cast((start + size) / scale + reach, tf.int32) + 1
    x = x[..., first[0] : last[0], first[1] : last[1], :]
    found = tf.raw_ops.ScaleAndTranslate(
        images=x[tf.newaxis] if len(x.shape) == 3 else x,
        size=size,
        scale=scale,
        translation=tf.cast(first, tf.float32) * scale - start,
        kernel_type="triangle",
    )
    return found[0] if len(x.shape) == 3 else found


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

    return tf.cast(tf.round(found), x.dtype) if numpy_dtype(x.dtype).kind in "iu" else found


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
JOINED = ({"flip", "shift"}, {"flip", "crop"})  # augmentations that are done in one


def steps(augment: Mapping[str, Any], others: Mapping[str, Callable[..., Pair]] = {}) -> list[Callable[..., Pair]]:
    """Augmentations as steps (inputs, targets, seed of the batch) -> (inputs, targets), each with a seed of its own. A
    flip next to a shift or a crop is one step with it, and costs nothing there; what comes out is the same.

    Args:
        augment: options of `AUGMENT`, or of `others`.
        others: augmentations that are made already, of inputs, targets and a seed.
    """
    words = [*augment]
    numbers = [number for number, word in enumerate(words) if augment[word] is not False]
    found = list[Callable[..., Pair]]()

    def step(number: int, flip_at: int | None) -> Callable[..., Pair]:
        word = words[number]

        def apply(x: Tensor, y: Any, draw: Tensor) -> Pair:
            seed = draw + [number, 0]
            if word in others:
                return others[word](x, y, seed)
            with_flip = {} if flip_at is None else {"mirror": Mirror(draw + [flip_at, 0], first=flip_at < number)}
            return AUGMENT[word](x, y, seed, augment[word], **with_flip)

        return apply

    while numbers:
        number, flip_at = numbers.pop(0), None
        if numbers and {words[number], words[numbers[0]]} in JOINED and augment["flip"] != "both":
            number, flip_at = sorted((number, numbers.pop(0)), key=lambda each: words[each] == "flip")
        found.append(step(number, flip_at))
    return found


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
