"""Images that a network learns from without their labels: turned four ways, or in two views each.

Labels may be there all the same. They are for measuring alone: how well what was learned tells the classes apart.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.epochs import Epochs, shuffled, with_draws
from zoo.data.image import pipeline
from zoo.data.image.arrays import AnyTargets, ArrayDataModule
from zoo.data.image.dividing import ImageFile, digest_of
from zoo.data.image.folder import ImageFolder
from zoo.data.image.good_images import loose_images
from zoo.data.image.jpeg import Size
from zoo.data.image.listing import TABLE, labels_of
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError
from zoo.records import Card, Recipe

NO_CLASS = "unlabelled"  # of images that lie in no sub-folder
MIN_IMAGES = 30  # without labels, in all


class UnlabelledFolder(ImageFolder):
    """``IMAGES/<image>.jpg``; or any folder that `ImageFolder` opens, whose classes are for measuring alone."""

    def __init__(self, path: Path, *, cover: Size | None = None):
        self.path, self.name, self.at_least = path, str(path), cover
        if not (path / TABLE).is_file() and not labels_of(path) and not loose_images(path):
            raise UsageError(f"{path} holds no {self.KIND}; expected some ({', '.join(self.ENDINGS)}) in it")

    @property
    def _has_classes(self) -> bool:
        return self.found is not None or (self.path / TABLE).is_file() or bool(labels_of(self.path))

    @cached_property
    def images(self) -> list[ImageFile]:
        if self._has_classes:
            return super().images
        return [ImageFile(path, NO_CLASS, digest_of(path)) for path in loose_images(self.path)]

    def _sound(self) -> list[ImageFile]:
        return super()._sound() if self._has_classes else self._readable()

    def _check_classes(self, images: list[ImageFile]) -> None:
        if self._has_classes:
            super()._check_classes(images)
        elif (count := len({image.digest for image in images})) < MIN_IMAGES:
            raise UsageError(
                f"{self.path} has {count} different {self.KIND} that can be read; expected at least {MIN_IMAGES}, "
                "better thousands"
            )


class UnlabelledImages(AnyTargets):
    """Images whose labels no batch shows; `labelled` has them, where there are any."""

    @property
    def has_labels(self) -> bool:
        """Whether the examples have classes, at least two."""
        return len(self.source.class_names) > 1

    def model_options(self) -> dict[str, Any]:
        return {"input_shape": self.shape}

    def labelled(self, split: str, most: int) -> tuple[np.ndarray, np.ndarray]:
        """The first images of a split as they are, at most so many: scaled inputs (n, height, width, channels), and
        their classes (n,)."""
        inputs, labels, count = [], [], 0
        for x, y in ArrayDataModule.batches(self, split).as_numpy_iterator():
            inputs.append(x)
            labels.append(y)
            count += len(x)
            if count >= most:
                break
        return np.concatenate(inputs)[:most], np.concatenate(labels)[:most]


# Rotations


def four_turns(x: Any, _: Any = None) -> tuple[Any, Any]:
    """Each image turned by 0, 90, 180 and 270 degrees to the left, and by how many quarters.

    Shapes: (batch, side, side, channels) -> (4 x batch, side, side, channels), (4 x batch,); the four of an image stand
    one behind the other.

    >>> x, turns = four_turns(np.arange(4).reshape(1, 2, 2, 1))
    >>> np.asarray(x)[..., 0].tolist(), np.asarray(turns).tolist()
    ([[[0, 1], [2, 3]], [[1, 3], [0, 2]], [[3, 2], [1, 0]], [[2, 0], [3, 1]]], [0, 1, 2, 3])
    """
    tf = tensorflow()
    turned = tf.transpose(x, [0, 2, 1, 3])
    four = tf.stack([x, turned[:, ::-1], x[:, ::-1, ::-1], turned[:, :, ::-1]], axis=1)  # (batch, 4, side, side, c)
    rows = tf.shape(four)[0]
    numbers = tf.range(4 * rows, dtype=tf.int32) % 4
    return tf.reshape(four, [-1, *four.shape[2:]]), numbers


class RotatedImages(UnlabelledImages):
    """Every image in its four turns, all in one batch (Gidaris 2018, section 2.2): four times the `batch_size`."""

    def batches(self, split: str, *, training: bool = False) -> Any:
        return super().batches(split, training=training).map(four_turns)

    def _check_data(self) -> None:
        super()._check_data()
        height, width, _ = self.shape_of_examples
        if height != width:
            raise UsageError(
                f"the images of {self.source.name} are {height}x{width}, and {width}x{height} when they are turned; "
                f"expected equal sides: preprocess them, --image-size {min(height, width)}"
            )

    @property
    def shape_of_examples(self) -> tuple[int, ...]:
        return self.summaries["train"].shape


# Views


class TwoViews(UnlabelledImages):
    """Two views of each image, augmented by chance: twice the `batch_size`, the two of an image one behind the other.

    The target of a view is the number of its image in the batch. Validation and test have views too, the same each
    time.
    """

    @classmethod
    def check_recipe(cls, card: Card, recipe: Recipe) -> None:
        super().check_recipe(card, recipe)
        if not recipe.augment:
            raise UsageError(
                f"the recipe {recipe.name} of {card.name} has no augment, and two views of an image would be the same; "
                "expected some change: --augment crop=0.3,1"
            )

    def batches(self, split: str, *, training: bool = False) -> Any:
        tf = tensorflow()
        examples, size = self._examples(split), self.recipe.batch_size
        buffer = pipeline.shuffle_buffer(examples)
        epochs = self.begin() if training else Epochs(self.recipe.seed, anew=False)

        def epoch(seeds: Any) -> Any:
            ordered = shuffled(examples, buffer, seeds) if training else examples
            return with_draws(ordered.batch(size).map(twice), seeds[1])

        batched = epochs.dataset(epoch)
        count = int(examples.cardinality())
        if count >= 0:
            batched = batched.apply(tf.data.experimental.assert_cardinality(-(-count // size)))
        return pipeline.finished(batched, scaling=self.scaling, augment=self.recipe.augment)


def twice(x: Any, _: Any = None) -> tuple[Any, Any]:
    """Each image two times, one behind the other, and its number.

    >>> x, numbers = twice(np.array([[5.0], [7.0]]))
    >>> np.asarray(x).tolist(), np.asarray(numbers).tolist()
    ([[5.0], [5.0], [7.0], [7.0]], [0, 0, 1, 1])
    """
    tf = tensorflow()
    both = tf.repeat(x, 2, axis=0)
    return both, tf.range(tf.shape(both)[0], dtype=tf.int32) // 2
