"""Images turned, leaned, stretched and moved by one map: they are sampled once, and so blurred once."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.checks import is_interval, is_number
from zoo.data.image.geometry import Tensor, followed
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError, unknown

STILL = {
    "rotation": 0.0,  # degrees, at most, to either side
    "slant": 0.0,  # pixels across for each one down, at most, to either side
    "zoom": (1.0, 1.0),  # factors of width and of height, apart, between these two; above 1 is larger
    "shift": 0.0,  # pixels, at most, in either direction
}


def check_affine(option: Any) -> None:
    """Raise unless it is an option of `affine`.

    >>> check_affine({"turn": 10})
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: there is no option of affine 'turn'; there are rotation, shift, slant, zoom
    """
    if not isinstance(option, Mapping):
        raise UsageError(f"augment affine is {option!r}; expected some of {', '.join(STILL)}: {{'rotation': 10}}")
    for word, value in option.items():
        if word not in STILL:
            raise unknown("option of affine", word, STILL)
        if word == "zoom":
            if not is_interval(value, 0.01, 100):
                raise UsageError(f"zoom of affine is {value!r}; expected two factors, (0.8, 1.25)")
        elif not is_number(value, 0):
            raise UsageError(f"{word} of affine is {value!r}; expected a number of at least 0")


def affine(x: Tensor, y: Any, seed: Tensor, option: Mapping[str, Any]) -> tuple[Tensor, Any]:
    """Stretch, lean, turn and move each image of a batch, around its middle and by random amounts up to those of
    `option` (`STILL`); bilinear, what comes in is black. A box becomes the one around it as it lies then."""
    tf = tensorflow()

    most = {**STILL, **option}
    batch, height, width, _ = tf.unstack(tf.shape(x))
    tall, wide = tf.cast(height, tf.float32), tf.cast(width, tf.float32)
    angle, lean, right, down, *draws = tf.unstack(2.0 * tf.random.stateless_uniform((6, batch, 1, 1), seed) - 1.0)
    low, high = np.log(most["zoom"]).astype("float32")
    wider, taller = (tf.exp(low + (high - low) * 0.5 * (draw + 1.0)) for draw in draws)
    angle, lean = angle * np.float32(np.radians(most["rotation"])), lean * np.float32(most["slant"])
    right, down = (each * np.float32(most["shift"]) for each in (right, down))
    # Where a point (across, down) from the middle goes: turned, of leaned, of stretched.
    sine, cosine = tf.sin(angle), tf.cos(angle)
    across_x, down_x = cosine * wider, sine * wider
    across_y, down_y = (cosine * lean - sine) * taller, (sine * lean + cosine) * taller
    area = wider * taller
    # And where each pixel of the new image comes from, (batch, height, width).
    u = tf.cast(tf.range(width), tf.float32)[None, None] + 0.5 - wide / 2.0 - right
    v = tf.cast(tf.range(height), tf.float32)[None, :, None] + 0.5 - tall / 2.0 - down
    columns = (down_y * u - across_y * v) / area + wide / 2.0 - 0.5
    rows = (across_x * v - down_x * u) / area + tall / 2.0 - 0.5

    def moved(images: Tensor, nearest: bool = False) -> Tensor:
        framed = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]])
        flat = tf.reshape(framed, (batch, (height + 2) * (width + 2), tf.shape(images)[-1]))

        def taken(row: Tensor, column: Tensor) -> Tensor:
            row, column = tf.clip_by_value(row, -1.0, tall) + 1.0, tf.clip_by_value(column, -1.0, wide) + 1.0
            return tf.gather(flat, tf.cast(row * (wide + 2.0) + column, tf.int32), axis=1, batch_dims=1)

        if nearest:
            return taken(tf.floor(rows + 0.5), tf.floor(columns + 0.5))
        top, left = tf.floor(rows), tf.floor(columns)
        lower, further = (rows - top)[..., None], (columns - left)[..., None]

        def between(row: Tensor) -> Tensor:
            one, other = (tf.cast(taken(row, column), tf.float32) for column in (left, left + 1.0))
            return (1.0 - further) * one + further * other

        return (1.0 - lower) * between(top) + lower * between(top + 1.0)

    def bounds(boxes: Tensor) -> Tensor:
        left, top, right_, bottom = (each - 0.5 for each in tf.unstack(boxes, axis=-1))  # (batch, boxes) each
        corners = [(x * wide, y * tall) for x in (left, right_) for y in (top, bottom)]
        flat = [each[..., 0] for each in (across_x, across_y, right, down_x, down_y, down)]  # (batch, 1) each
        across = tf.stack([flat[0] * x + flat[1] * y + flat[2] for x, y in corners]) / wide + 0.5
        downward = tf.stack([flat[3] * x + flat[4] * y + flat[5] for x, y in corners]) / tall + 0.5
        ends = [reduced(each, 0) for reduced in (tf.reduce_min, tf.reduce_max) for each in (across, downward)]
        return tf.clip_by_value(tf.stack(ends, axis=-1), 0.0, 1.0)

    return moved(x), followed(y, x, boxes=bounds, masks=lambda masks: moved(masks, nearest=True))
