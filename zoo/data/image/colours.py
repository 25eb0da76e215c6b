"""Augmentations that change what light falls on an image and leave everything in its place: boxes and masks stay.

They take images (batch, height, width, channels) and clips (batch, time, height, width, channels), all frames of a
clip alike, of 0..255 or 0..1, and give float32 of the same range.
"""

from typing import Any

from zoo.data.image.geometry import Tensor
from zoo.data.tensors import tensorflow

Pair = tuple[Tensor, Any]  # inputs and targets
UNTOUCHED = 0.2  # of the images (Chen 2020)


def colour(x: Tensor, y: Any, seed: Tensor, strength: float) -> Pair:
    """Change the saturation, the contrast and the brightness of each image of a batch, each by a factor of its own
    between 1 - strength and 1 + strength; a fifth of the images stay as they are.

    T. Chen and others, "A Simple Framework for Contrastive Learning of Visual Representations", ICML 2020, appendix A,
    without the change of hue. What becomes lighter than white is white. Grey images have no saturation to change.
    """
    tf = tensorflow()

    x = tf.cast(x, tf.float32)
    white = tf.where(tf.reduce_max(x) > 1.0, 255.0, 1.0)
    saturation, contrast, brightness, chosen = tf.unstack(draws(x, seed, 4))
    saturation, contrast, brightness = (1 + strength * (2 * each - 1) for each in (saturation, contrast, brightness))
    light = luma(x)
    mean = tf.reduce_mean(light, axis=tuple(range(1, len(x.shape))), keepdims=True)
    changed = light + saturation * (x - light)
    changed = brightness * (mean + contrast * (changed - mean))
    return tf.where(chosen < UNTOUCHED, x, tf.clip_by_value(changed, 0.0, white)), y


def grey(x: Tensor, y: Any, seed: Tensor, probability: float) -> Pair:
    """Take the colours out of each image of a batch with this probability; it keeps its channels."""
    tf = tensorflow()

    x = tf.cast(x, tf.float32)
    return tf.where(draws(x, seed, 1)[0] < probability, luma(x) + tf.zeros(tf.shape(x)), x), y


def draws(x: Tensor, seed: Tensor, count: int) -> Tensor:
    """So many numbers of 0 to 1 for each image, (count, batch, 1, ..., 1)."""
    tf = tensorflow()

    return tf.random.stateless_uniform((count, tf.shape(x)[0], *[1] * (len(x.shape) - 1)), seed)


def luma(x: Tensor) -> Tensor:
    """How light each pixel is, (..., 1); of other images than those in colour they themselves."""
    return tensorflow().image.rgb_to_grayscale(x) if x.shape[-1] == 3 else x
