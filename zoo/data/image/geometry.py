"""Boxes and masks that follow their image where it is cut, moved, mirrored or stretched.

Targets may be anything. Of a dictionary, two entries say where in the image something is, and follow it:

    boxes   (batch, n, 4)                       left, top, right, bottom as fractions of the image's sides, what Keras
                                                calls "rel_xyxy"; rows of zeros are padding. What leaves the image is
                                                clipped, and a box that leaves it as a whole becomes zeros
    masks   (batch, height, width[, channels])  a whole number for each pixel; what comes in from outside is 0

One example has them without the axis of the batch; clips have them with an axis of time before those of the image.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from zoo.data.tensors import tensorflow

Tensor = Any  # of TensorFlow, which is imported where it is needed
Change = Callable[[Tensor], Tensor]

BOX_FORMAT = "rel_xyxy"
SMALLEST_SIDE = 1e-6  # of a box, as a fraction of the image: below it is what rounding left over, no box


def mapped(targets: Any, *, boxes: Change, masks: Change) -> Any:
    """The targets with boxes and masks changed, if they have any."""
    if not isinstance(targets, Mapping):
        return targets
    changes = {"boxes": boxes, "masks": masks}
    return {key: changes[key](value) if key in changes else value for key, value in targets.items()}


def followed(targets: Any, images: Tensor, *, boxes: Change, masks: Change) -> Any:
    """The targets after a change of their images.

    Args:
        targets: anything.
        images: as they were, for their number of axes.
        boxes: what becomes of float32 boxes (..., n, 4); those that turn out empty become zeros.
        masks: what becomes of float32 masks (..., height, width, channels).
    """
    tf = tensorflow()

    def change_masks(given: Tensor) -> Tensor:
        given = tf.convert_to_tensor(given)
        found = tf.cast(masks(with_channels(given, images)), given.dtype)
        return found if len(given.shape) == len(images.shape) else found[..., 0]

    def change_boxes(given: Tensor) -> Tensor:
        return without_empty(boxes(tf.cast(given, tf.float32)))

    return mapped(targets, boxes=change_boxes, masks=change_masks)


def with_channels(masks: Tensor, images: Tensor) -> Tensor:
    """Masks as float32 images (..., height, width, channels): exact up to 2^24."""
    tf = tensorflow()

    return tf.cast(masks if len(masks.shape) == len(images.shape) else masks[..., tf.newaxis], tf.float32)


def unchanged(x: Tensor) -> Tensor:
    return x


def without_empty(boxes: Tensor) -> Tensor:
    """Boxes (..., n, 4), those without an area as zeros."""
    tf = tensorflow()

    sides = boxes[..., 2:] - boxes[..., :2]
    return tf.where(tf.reduce_all(sides > SMALLEST_SIDE, axis=-1, keepdims=True), boxes, 0.0)


def through(window: Tensor) -> Change:
    """What boxes become in an image that shows no more, and no less, than a window of the one before.

    Args:
        window: (4,), or (batch, 4) one for each image: left, top, right, bottom as fractions of the image before;
            below 0 and above 1 it shows what is outside.

    >>> through([0.5, 0.0, 1.0, 1.0])([[0.25, 0.0, 0.75, 0.5]]).numpy().tolist()  # the right half
    [[0.0, 0.0, 0.5, 0.5]]
    """
    tf = tensorflow()

    def change(boxes: Tensor) -> Tensor:
        here = tf.convert_to_tensor(window)
        here = here[:, tf.newaxis] if len(here.shape) == 2 else here
        corner, side = here[..., :2], here[..., 2:] - here[..., :2]
        found = (boxes - tf.concat([corner, corner], -1)) / tf.concat([side, side], -1)
        return tf.clip_by_value(found, 0.0, 1.0)

    return change


def central_window(before: Tensor, after: Tensor) -> Tensor:
    """The window that `tf.image.resize_with_crop_or_pad` shows of an image: (height, width) twice -> (4,).

    >>> central_window([4, 8], [8, 4]).numpy().tolist()
    [0.25, -0.5, 0.75, 1.5]
    """
    tf = tensorflow()

    before, after = tf.convert_to_tensor(before), tf.convert_to_tensor(after)
    offset = tf.maximum((before - after) // 2, 0) - tf.maximum((after - before) // 2, 0)
    ends = tf.stack([offset, offset + after]) / before  # (2: start and end, 2: down and across)
    return tf.cast(tf.reshape(ends[:, ::-1], (4,)), tf.float32)


def letterbox_size(before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """An image of (height, width) shrunk or stretched, its sides in proportion, until it just fits into another.

    Returns:
        Its (height, width) then, and how many pixels are free above and to the left of it: (2,) int32 each.

    >>> [np.asarray(each).tolist() for each in letterbox_size([480, 640], [416, 416])]
    [[312, 416], [52, 0]]
    """
    tf = tensorflow()

    before, after = tf.convert_to_tensor(before), tf.convert_to_tensor(after)
    scale = tf.reduce_min(tf.cast(after, tf.float64) / tf.cast(before, tf.float64))
    wanted = tf.maximum(tf.cast(tf.round(tf.cast(before, tf.float64) * scale), tf.int32), 1)
    return wanted, (tf.cast(after, tf.int32) - wanted) // 2


def letterbox_window(before: Tensor, after: Tensor) -> Tensor:
    """The window of an image that its letterbox shows: (height, width) twice -> (4,), as `through` takes it.

    >>> np.asarray(letterbox_window([320, 640], [640, 640])).tolist()
    [0.0, -0.5, 1.0, 1.5]
    """
    tf = tensorflow()

    wanted, free = letterbox_size(before, after)
    start = 0.0 - tf.cast(free, tf.float32) / tf.cast(wanted, tf.float32)
    end = start + tf.cast(after, tf.float32) / tf.cast(wanted, tf.float32)
    return tf.stack([start[1], start[0], end[1], end[0]])


def out_of(window: Any, boxes: Any, *, clipped: bool = True) -> Any:
    """The way back of `through`: boxes (..., 4) of the window as boxes of the image, `clipped` or not; arrays of NumPy.

    >>> out_of([0.5, 0.0, 1.0, 1.0], np.array([[0.0, 0.0, 0.5, 0.5]])).tolist()
    [[0.5, 0.0, 0.75, 0.5]]
    """
    window = np.asarray(window, "float64")
    corner, side = window[:2], window[2:] - window[:2]
    found = np.tile(corner, 2) + boxes * np.tile(side, 2)
    return np.clip(found, 0.0, 1.0) if clipped else found


def mirrored(boxes: Tensor, axis: int = 0) -> Tensor:
    """Boxes of an image that is mirrored left to right, or with axis 1 top to bottom.

    >>> mirrored(tensorflow().constant([0.0, 0.25, 0.5, 0.5]), axis=1).numpy().tolist()
    [0.0, 0.5, 0.5, 0.75]
    """
    tf = tensorflow()

    left, top, right, bottom = tf.unstack(boxes, axis=-1)
    ends = [left, 1.0 - bottom, right, 1.0 - top] if axis else [1.0 - right, top, 1.0 - left, bottom]
    return tf.stack(ends, axis=-1)
