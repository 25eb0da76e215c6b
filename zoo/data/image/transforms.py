"""zoo.data.image.transforms."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from zoo.data.video import frames
from zoo.errors import UsageError, first_line


def resize(x, size):
    """Bilinear to (height, width). Rank 3: one image."""
    import tensorflow as tf

    return tf.image.resize(x, size)


def pad(x, size):
    """Zeros (black) all around, up to (height, width)."""
    import tensorflow as tf

    return tf.image.resize_with_crop_or_pad(x, *size)


def cover(x, size):
    """Shrink or stretch an image, its sides in proportion, until it just covers (height, width); cut off the rest."""
    import tensorflow as tf

    sides = tf.cast(tf.shape(x)[:2], tf.float32)
    scale = tf.reduce_max(tf.constant(size, tf.float32) / sides)
    wanted = tf.maximum(tf.cast(tf.math.ceil(sides * scale - 1e-3), tf.int32), size)
    stretched = tf.image.resize(x, wanted, antialias=True)
    cut = tf.image.resize_with_crop_or_pad(stretched, *size)
    return tf.saturate_cast(tf.round(cut), x.dtype) if x.dtype.is_integer else cut  # a byte a colour in the cache


def shift(x, seed, pixels):
    """Move each image of a batch by up to `pixels` in both directions; what comes in is black."""
    import tensorflow as tf

    batch, height, width, _ = tf.unstack(tf.shape(x))
    padded = tf.pad(x, [[0, 0], [pixels, pixels], [pixels, pixels], [0, 0]])
    down, right = tf.unstack(
        tf.random.stateless_uniform((2, batch), seed, maxval=2 * pixels + 1, dtype=tf.int32)
    )  # (batch,) each
    rows = tf.gather(padded, down[:, None] + tf.range(height), axis=1, batch_dims=1)
    return tf.gather(rows, right[:, None] + tf.range(width), axis=2, batch_dims=1)


def flip(x, seed, _):
    """Mirror each image of a batch left to right with probability 1/2."""
    import tensorflow as tf

    coin = tf.random.stateless_uniform((tf.shape(x)[0], 1, 1, 1), seed) < 0.5
    return tf.where(coin, x[:, :, ::-1], x)


def crop(x, seed, area):
    """Stretch a random part of each image of a batch to full size: a share of its area between the two of `area`,
    its sides in a proportion between 3:4 and 4:3 (Szegedy 2015, section 6)."""
    import tensorflow as tf

    batch, height, width, _ = tf.unstack(tf.shape(x))
    share, shape, down, right = tf.unstack(tf.random.stateless_uniform((4, batch), seed))
    share = area[0] + share * (area[1] - area[0])
    proportion = tf.exp((2.0 * shape - 1.0) * np.float32(np.log(4 / 3)))
    tall, wide = tf.minimum(tf.sqrt(share / proportion), 1.0), tf.minimum(tf.sqrt(share * proportion), 1.0)
    top, left = down * (1.0 - tall), right * (1.0 - wide)
    boxes = tf.stack([top, left, top + tall, left + wide], axis=1)
    return tf.image.crop_and_resize(x, boxes, tf.range(batch), (height, width))


PREPROCESS: Mapping[str, Callable] = {  # (example, option) -> example
    "resize": resize,
    "pad": pad,
    "cover": cover,
    "frames": frames.frames,
    "loop": frames.loop,
}
AUGMENT: Mapping[str, Callable] = {  # (batch, seed, option) -> batch
    "shift": frames.for_clips(shift),
    "flip": frames.for_clips(flip),
    "crop": frames.for_clips(crop),
    "jitter": frames.jitter,
}
# Layers of Keras that change the images of a batch and not their labels, with their own options. They cost more.
AUGMENT_LAYERS = (
    "AugMix", "AutoContrast", "Equalization", "RandAugment", "RandomBrightness", "RandomColorJitter", "RandomContrast",
    "RandomErasing", "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomPerspective", "RandomRotation",
    "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom",
)  # fmt: skip


def keras_layer(word: str, option: Mapping[str, Any], seed: int):
    """A layer of Keras that augments images of 0 to 255."""
    import keras

    kind = getattr(keras.layers, word)
    try:
        return kind(**option, seed=seed)
    except (TypeError, ValueError) as error:
        raise UsageError(f"keras.layers.{word} cannot be made with {dict(option)}: {first_line(error)}") from None
