"""Images with a mask: the class of each pixel."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from zoo.data.base import SPLITS
from zoo.data.image.arrays import ArrayDataModule
from zoo.data.sources import Source
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError
from zoo.metrics.segmentation import IGNORED
from zoo.records import Card, Recipe

MASK_FEATURES = ("segmentation_mask", "mask")  # as data sets of tfds call them


class MaskDataModule(ArrayDataModule):
    """Images, and for each pixel the number of its class: targets {"masks": (batch, height, width)}, 255 where it does
    not count.

    Of data sets whose masks have no names for their numbers, the recipe's `data_options` tell the names of the
    ``classes`` and the number of the first, ``lowest``.
    """

    targets_are, reduces = "anything", False
    data_options = ("classes", "lowest")
    pixels: Mapping[str, np.ndarray]  # by split, how many each class has; known after `adapt`

    @classmethod
    def adapt(cls, card: Card, recipe: Recipe, source: Source) -> Self:
        data = super().adapt(card, recipe, source)
        data.class_names = tuple(recipe.data_options.get("classes", source.class_names))
        if len(data.class_names) < 2:
            raise UsageError(f"the masks of {source.name} have the classes {data.class_names}; expected at least 2")
        data.pixels = {split: data._count(split) for split in SPLITS}
        return data

    def model_options(self) -> dict[str, Any]:
        return {**super().model_options(), "num_classes": len(self.class_names)}

    def read(self, split: str) -> Any:
        """(image, {"masks": (height, width)}), one example each."""
        tf = tensorflow()
        examples, lowest = self._pairs(split), int(self.recipe.data_options.get("lowest", 0))

        def in_classes(image: Any, mask: Any) -> tuple[Any, Any]:
            mask = mask[..., 0] if mask.shape.rank == 3 else mask
            numbers = tf.cast(mask, tf.int32)
            return image, {"masks": tf.where(numbers == IGNORED, IGNORED, numbers - lowest)}

        return examples.map(in_classes)

    def _pairs(self, split: str) -> Any:
        """(image, mask): as the source has them, or from the features that tfds calls so."""
        if self.source.features is None:
            return self.source.split(split)
        examples = self.source.features(split)
        mask = next((name for name in MASK_FEATURES if name in examples.element_spec), None)
        if mask is None or "image" not in examples.element_spec:
            raise UsageError(
                f"an example of {self.source.name} has {', '.join(examples.element_spec)}; expected image and "
                f"{' or '.join(MASK_FEATURES)}"
            )
        return examples.map(lambda each: (each["image"], each[mask]))

    def _count(self, split: str) -> np.ndarray:
        """Pixels of each class.

        Raises:
            UsageError: for a number that is no class and not 255, or where nothing counts.
        """
        counts = np.zeros(256, "int64")
        for _, targets in self._examples(split).batch(self.recipe.batch_size).as_numpy_iterator():
            numbers = targets["masks"]
            if numbers.min() < 0 or numbers.max() > IGNORED:
                raise UsageError(
                    f"a mask of {self.source.name} ({split}) holds {numbers.min()} to {numbers.max()}; expected "
                    f"numbers of classes from 0, and {IGNORED} for what does not count"
                )
            counts += np.bincount(numbers.ravel(), minlength=256)
        classes = len(self.class_names)
        if beyond := np.flatnonzero(counts[classes:IGNORED]).tolist():
            raise UsageError(
                f"a mask of {self.source.name} ({split}) holds {beyond[0] + classes}; expected 0 to {classes - 1}, "
                f"one of {', '.join(self.class_names)}, and {IGNORED} for what does not count"
            )
        if not counts[:classes].any():
            raise UsageError(f"no pixel of the masks of {self.source.name} ({split}) counts: all are {IGNORED}")
        return counts[:classes]

    def check_other(self, split: str) -> None:
        super().check_other(split)
        self._count(split)

    def targets(self, split: str) -> np.ndarray:
        """The masks of a split, (examples, height, width)."""
        return super().targets(split)["masks"]
