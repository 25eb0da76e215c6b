"""What clips need of the pipeline beyond what images do: choosing frames, and the same change for all of them.

Boxes (time, n, 4) and masks (time, height, width[, channels]) of a clip go with its frames; boxes without an axis of
time hold for all frames (`zoo.data.image.geometry`).
"""

from collections.abc import Callable
from typing import Any

from zoo.data.image.geometry import Tensor, mapped
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError

Pair = tuple[Tensor, Any]  # inputs and targets


# Once to each example: a clip (time, height, width, channels)


def frames(x: Tensor, y: Any, count: int) -> Pair:
    """Of a clip `count` frames: the middle one of each of as many equal parts.

    Raises:
        UsageError: if it is known to have fewer.
    """
    tf = tensorflow()

    if x.shape[0] is not None and x.shape[0] < count:
        raise UsageError(
            f"the clips have {x.shape[0]} frames; expected at least {count}: give longer ones, or repeat them (--loop)"
        )
    length = tf.shape(x)[0]
    return taken(x, y, tf.minimum((2 * tf.range(count) + 1) * length // (2 * count), length - 1))


def loop(x: Tensor, y: Any, min_frames: int) -> Pair:
    """A clip that has fewer than `min_frames` frames, repeated until it has as many."""
    tf = tensorflow()

    length = tf.shape(x)[0]
    return taken(x, y, tf.range(tf.maximum(length, min_frames)) % length)


def taken(x: Tensor, y: Any, index: Tensor) -> Pair:
    """The frames of a clip at some positions (count,), and what its targets say of them."""
    tf = tensorflow()

    def take(each: Tensor) -> Tensor:
        return tf.gather(each, index)

    return take(x), mapped(y, boxes=lambda boxes: take(boxes) if len(boxes.shape) == 3 else boxes, masks=take)


# Anew to each batch: clips (batch, time, height, width, channels)


def jitter(x: Tensor, y: Any, seed: Tensor, stride: int) -> Pair:
    """Of a batch of clips (batch, time, ...) one frame of every `stride`, a random one: (batch, time / stride, ...)."""
    tf = tensorflow()

    batch, time = tf.unstack(tf.shape(x)[:2])
    draws = tf.random.stateless_uniform((batch, time // stride), seed, maxval=stride, dtype=tf.int32)
    positions = tf.range(time // stride) * stride + draws  # (batch, time / stride)

    def take(each: Tensor) -> Tensor:
        return tf.gather(each, positions, axis=1, batch_dims=1)

    return take(x), mapped(y, boxes=lambda boxes: take(boxes) if len(boxes.shape) == 4 else boxes, masks=take)


def every(x: Tensor, y: Any, stride: int) -> Pair:
    """Of a batch of clips the middle frame of every `stride`."""

    def take(each: Tensor) -> Tensor:
        return each[:, stride // 2 :: stride]

    return take(x), mapped(y, boxes=lambda boxes: take(boxes) if len(boxes.shape) == 4 else boxes, masks=take)


def for_clips(augmentation: Callable[..., Pair]) -> Callable[..., Pair]:
    """An augmentation of images that does the same to every frame of a clip: the frames become channels."""

    def augment(x: Tensor, y: Any, seed: Tensor, option: Any, **more: Any) -> Pair:
        tf = tensorflow()

        if len(x.shape) != 5:
            return augmentation(x, y, seed, option, **more)
        original = dict[str, Any]()  # typed so for AutoGraph; boxes and masks as they came, for their shapes

        def fold_boxes(boxes: Tensor) -> Tensor:
            original["boxes"] = boxes
            return tf.reshape(boxes, (tf.shape(boxes)[0], tf.reduce_prod(tf.shape(boxes)[1:-1]), 4))

        def fold_masks(masks: Tensor) -> Tensor:
            original["masks"] = masks
            return frames_to_channels(masks)

        folded = mapped(y, boxes=fold_boxes, masks=fold_masks)
        found, folded = augmentation(frames_to_channels(x), folded, seed, option, **more)
        y = mapped(
            folded,
            boxes=lambda boxes: tf.reshape(boxes, tf.shape(original["boxes"])),
            masks=lambda masks: channels_to_frames(masks, original["masks"]),
        )
        return channels_to_frames(found, x), y

    return augment


def frames_to_channels(x: Tensor) -> Tensor:
    """(batch, time, height, width[, channels]) -> (batch, height, width, time x channels)"""
    tf = tensorflow()

    batch, time, height, width = tf.unstack(tf.shape(x)[:4])
    turned = tf.transpose(x, (0, 2, 3, 1, *range(4, len(x.shape))))
    return tf.reshape(turned, (batch, height, width, time * tf.reduce_prod(tf.shape(x)[4:])))


def channels_to_frames(folded: Tensor, like: Tensor) -> Tensor:
    """`frames_to_channels` undone: the shape of `like`."""
    tf = tensorflow()

    batch, time, height, width = tf.unstack(tf.shape(like)[:4])
    split = tf.reshape(folded, tf.concat([[batch, height, width, time], tf.shape(like)[4:]], axis=0))
    return tf.ensure_shape(tf.transpose(split, (0, 3, 1, 2, *range(4, len(like.shape)))), like.shape)


# Controls: what a network makes of clips without their motion


def shuffled_in_time(dataset: Any) -> Any:
    """The frames of each clip in a random order, the same in every call."""
    tf = tensorflow()

    def shuffle(number: Tensor, batch: Pair) -> Pair:
        x, y = batch
        order = tf.argsort(tf.random.stateless_uniform(tf.shape(x)[:2], tf.stack([0, number])), axis=1)
        return tf.gather(x, order, axis=1, batch_dims=1), y

    return dataset.enumerate().map(shuffle)


def still(dataset: Any) -> Any:
    """Each clip as its middle frame, again and again."""
    tf = tensorflow()

    def hold(x: Tensor, y: Any) -> Pair:
        time = tf.shape(x)[1]
        return tf.repeat(x[:, time // 2, tf.newaxis], time, axis=1), y

    return dataset.map(hold)
