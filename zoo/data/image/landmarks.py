"""Images with landmarks: points that each of them shows."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from zoo.data.image import transforms
from zoo.data.image.arrays import ArrayDataModule
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError


class LandmarkDataModule(ArrayDataModule):
    """Images, and where their landmarks are: targets {"points": (batch, points, 2)}, across and down as fractions of
    the image's sides. Arrays have them as (examples, points, 2).

    Points do not follow an image that is moved or cut: images are brought to a size alone, as a whole.
    """

    targets_are = "anything"
    augment = ()
    preprocess: ClassVar[Mapping[str, Any]] = {"resize": transforms.PREPROCESS["resize"]}

    def read(self, split: str) -> Any:
        """(image, {"points": (points, 2)}), one example each.

        Raises:
            UsageError: for targets that are no points.
        """
        tf = tensorflow()
        examples = self.source.split(split)
        spec = examples.element_spec[1]
        shape = None if isinstance(spec, Mapping) else tuple(spec.shape)
        if shape is None or len(shape) != 2 or shape[1] != 2 or not shape[0]:
            raise UsageError(
                f"a target of {self.source.name} is {spec if shape is None else f'of shape {shape}'}; expected points "
                "(points, 2): across and down as fractions of the image"
            )
        return examples.map(lambda image, points: (image, {"points": tf.cast(points, tf.float32)}))

    @property
    def num_points(self) -> int:
        return int(self._examples("train").element_spec[1]["points"].shape[0])

    def model_options(self) -> dict[str, Any]:
        return {"input_shape": self.shape, "num_points": self.num_points}

    def targets(self, split: str) -> np.ndarray:
        """The points of a split, (examples, points, 2)."""
        return super().targets(split)["points"]

    def _check_data(self) -> None:
        super()._check_data()
        for split in ("train", "validation", "test"):
            self._check_points(split)

    def check_other(self, split: str) -> None:
        super().check_other(split)
        self._check_points(split)

    def _check_points(self, split: str) -> None:
        """Raise for points that are not in their image."""
        count = 0
        for _, targets in self._examples(split).batch(1024).as_numpy_iterator():
            points = targets["points"]
            sound = ((points >= 0) & (points <= 1)).all(axis=(1, 2))
            if not sound.all():
                row = count + int(np.argmin(sound))
                raise UsageError(
                    f"a point of example {row} of {self.source.name} ({split}) is not in its image; expected fractions "
                    "from 0 to 1: divide by width and height"
                )
            count += len(points)
