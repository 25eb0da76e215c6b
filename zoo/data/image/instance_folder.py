"""A folder of the user's own images with a box and a mask for each thing in them."""

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.image import box_folder
from zoo.data.image.annotations import Annotated
from zoo.data.image.box_folder import BoxFolder, opened
from zoo.data.image.coco_masks import drawn, numbered
from zoo.data.image.dividing import ImageFile
from zoo.data.sources import Source
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError, some


class InstanceFolder(BoxFolder):
    """Images with COCO's JSON, whose annotations have a "segmentation": polygons or run lengths.

    All else is as in `BoxFolder`. What is a crowd needs no mask; another thing without one is refused.
    """

    def __init__(self, path: Path):
        super().__init__(path)
        kind, _ = box_folder.reader_of(path)
        if kind != "COCO":
            raise UsageError(f"{path} ({kind}) has boxes and no masks; expected COCO's JSON with segmentation")

    @cached_property
    def found(self) -> tuple[list[Annotated], list[str]]:
        sound, names = super().found
        without = Counter(
            each.path.name for each in sound for thing in each.things if thing.mask is None and not thing.crowd
        )
        if without:
            raise UsageError(
                f"{self.path}: {without.total()} things have no segmentation ({some(sorted(without))}); expected "
                "polygons or counts for each: take a network for boxes, or leave them out"
            )
        return sound, names

    def sha256(self) -> str:
        """Of the images, their boxes and their masks."""
        masks = sorted(f"{each.path.name} {[thing.mask for thing in each.things]}" for each in self.found[0])
        return hashlib.sha256("\n".join([super().sha256(), *masks]).encode()).hexdigest()

    def _opened(self, splits: Mapping[str, list[ImageFile]], names: Sequence[str]) -> Source:
        source = super()._opened(splits, names)

        def features(text: str) -> Any:
            tf = tensorflow()
            images = [self._annotated[image.path] for image in splits[text]]

            def numbers(place: Any) -> Any:
                found = tf.numpy_function(lambda at: shown(images[at], names), [place], tf.int32, stateful=False)
                return tf.ensure_shape(found, (None, None))

            places = tf.data.Dataset.range(len(images)).map(numbers, num_parallel_calls=tf.data.AUTOTUNE)
            both = tf.data.Dataset.zip((opened(images, names), places))
            return both.map(lambda pair, shown: {"image": pair[0], "objects": pair[1], "instances": shown})

        return dataclasses.replace(source, features=features)


def shown(image: Annotated, names: Sequence[str]) -> np.ndarray:
    """For each pixel the number of its thing from 1 on, of those of `names`, or 0: (height, width) int32."""
    nothing = np.zeros(image.size[::-1], bool)
    things = [each for each in image.things if each.label in names]
    masks = [nothing if each.mask is None else drawn(each.mask, image.size, image.path.name) for each in things]
    return numbered([*masks, nothing])
