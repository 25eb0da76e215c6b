"""Images with boxes: the data module of detectors."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np

from zoo.data.base import SPLITS
from zoo.data.image import transforms
from zoo.data.image.arrays import ArrayDataModule, concatenated
from zoo.data.image.geometry import letterbox_window
from zoo.data.sources import Source
from zoo.data.tensors import check_tensorflow, tensorflow
from zoo.errors import UsageError, some

COLUMNS = 6  # of a thing: left, top, right, bottom, class, and 1 where it is not to be learned from
IGNORED = ("is_difficult", "is_crowd")  # what tfds calls those
MOST = 1000  # things in an image


class BoxDataModule(ArrayDataModule):
    """Images of one size and the things in them, each a row of left, top, right and bottom as fractions, its class, and
    whether it is to be left out of training and measuring (a crowd, or marked as difficult).

    Examples are pairs of an image and its objects as tfds has them: "bbox" (n, 4) with the top first, "label" (n,), and
    perhaps "is_difficult" or "is_crowd". Batches: images, and (batch, most, 6), rows of class -1 where there are fewer.
    """

    targets_are, reduces = "anything", False
    preprocess: ClassVar[Mapping[str, Any]] = {word: transforms.PREPROCESS[word] for word in ("letterbox", "resize")}
    _most = 0

    def check_other(self, split: str) -> None:
        super().check_other(split)
        if tuple(self.source.class_names) != tuple(self.class_names):
            raise UsageError(
                f"{self.source.name} has the classes {some(self.source.class_names)}; the run tells "
                f"{some(self.class_names)} apart: give the same"
            )

    @property
    def most(self) -> int:
        """How many things an image has at most, at least 1: each is looked at once."""
        if not self._most:
            if not self.source.class_names:
                raise UsageError(
                    f"{self.source.name} does not say what its boxes are of; expected objects with a label"
                )
            for split in SPLITS:
                objects = pairs(self.source, getattr(self.recipe, split)).map(lambda image, objects: objects["label"])
                self._most = max(1, self._most, *(len(labels) for labels in objects.as_numpy_iterator()))
            if self._most > MOST:
                raise UsageError(f"an image of {self.source.name} has {self._most} boxes; expected at most {MOST}")
        return self._most

    def as_rows(self, x: Any, things: Mapping[str, Any]) -> tuple[Any, Any]:
        """A batch with its things as one array."""
        return as_rows(x, things)

    def read(self, split: str) -> Any:
        """Images with "boxes" (most, 4), "classes" and "ignored" (most,) as their targets."""
        return pairs(self.source, split).map(partial(padded, most=self.most))

    def batches(self, split: str, *, training: bool = False) -> Any:
        return super().batches(split, training=training).map(self.as_rows)

    def targets(self, split: str) -> np.ndarray:
        """The things of a split, (images, most, 6)."""
        return concatenated([self.as_rows(None, things)[1].numpy() for _, things in self._examples(split).batch(1024)])

    def window_of(self, size: tuple[int, int]) -> np.ndarray:
        """Which window of an image of (height, width) the network sees: (4,), as `out_of` takes it."""
        letterboxed = "letterbox" in self.recipe.preprocess
        return np.asarray(letterbox_window(size, self.shape[:2]) if letterboxed else WHOLE, "float64")


WHOLE = (0.0, 0.0, 1.0, 1.0)


def padded(image: Any, objects: Mapping[str, Any], most: int) -> tuple[Any, Any]:
    """Objects of tfds, which differ in number, as three arrays with a row for each of the most that an image has."""
    tf = tensorflow()
    free = most - tf.shape(objects["label"])[0]
    boxes = tf.cast(objects["bbox"], tf.float32)
    boxes = tf.pad(tf.gather(boxes, [1, 0, 3, 2], axis=1), [[0, free], [0, 0]])
    classes = tf.pad(tf.cast(objects["label"], tf.float32), [[0, free]], constant_values=-1)
    flags = [tf.cast(objects[name], tf.float32) for name in IGNORED if name in objects]
    ignored = tf.pad(tf.add_n(flags), [[0, free]]) if flags else tf.zeros_like(classes)
    return image, {
        "boxes": tf.ensure_shape(boxes, (most, 4)),
        "classes": tf.ensure_shape(classes, (most,)),
        "ignored": tf.ensure_shape(tf.minimum(ignored, 1.0), (most,)),
    }


def pairs(source: Source, text: str) -> Any:
    """Images and their objects: some data sets of tfds give them among other features."""
    check_tensorflow("images with boxes are read")
    examples = source.split(text)
    if isinstance(examples.element_spec, Mapping):
        if not {"image", "objects"} <= set(examples.element_spec):
            raise UsageError(
                f"an example of {source.name} has {', '.join(examples.element_spec)}; expected image and objects"
            )
        examples = examples.map(lambda each: (each["image"], each["objects"]))
    _, objects = examples.element_spec
    if not isinstance(objects, Mapping) or not {"bbox", "label"} <= set(objects):
        raise UsageError(f"the targets of {source.name} are no objects; expected bbox and label of each thing")
    return examples


def as_rows(x: Any, things: Mapping[str, Any]) -> tuple[Any, Any]:
    """Images, and their things as one array (batch, most, 6): those that have left the image have no class."""
    tf = tensorflow()
    boxes = tf.cast(things["boxes"], tf.float32)
    there = tf.reduce_all(boxes[..., 2:] > boxes[..., :2], axis=-1)
    classes = tf.where(there, tf.cast(things["classes"], tf.float32), -1.0)
    return x, tf.concat([boxes, classes[..., None], things["ignored"][..., None]], axis=-1)
