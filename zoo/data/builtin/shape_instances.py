"""Shapes over textures, as in `zoo.data.builtin.shapes`, with a box and a mask of each. Generated."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from zoo.data.builtin.embedded import tfds
from zoo.data.builtin.photographs import CREDIT
from zoo.data.builtin.shape_masks import coverage
from zoo.data.builtin.shapes import CLASSES, Shapes


class ShapeInstances(Shapes):
    """One to four shapes upon a texture, their boxes, and of each pixel which of them it shows, if any: 64x64 pixels.

    A pixel is of a shape if at least half of it is covered; of two that overlap, the one in front.
    """

    VERSION = tfds.core.Version("1.0.0")
    SEED, SIZE, COUNTS = 29, 64, {"train": 1500, "validation": 150, "test": 300}
    SIDES, MOST, COVERED = (14, 36), 4, 0.35

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="One to four discs, bars and wedges of 14 to 36 pixels over a part of a photograph, with their "
            f"boxes and masks; 64x64 pixels. Generated ({CREDIT}).",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(self.SIZE, self.SIZE, 3), dtype=np.uint8),
                    "objects": tfds.features.Sequence(
                        {"bbox": tfds.features.BBoxFeature(), "label": tfds.features.ClassLabel(names=CLASSES)}
                    ),
                    "instances": tfds.features.Tensor(shape=(self.SIZE, self.SIZE), dtype=np.uint8),
                }
            ),
            supervised_keys=("image", "objects"),
        )

    def target(self, kinds: np.ndarray, boxes: list[np.ndarray]) -> Any:
        """The objects and, for each pixel, the number of its object from 1 on, or 0."""
        return super().target(kinds, boxes), self.instances(kinds, boxes)

    def instances(self, kinds: np.ndarray, boxes: list[np.ndarray]) -> np.ndarray:
        shown = np.zeros((self.SIZE, self.SIZE), "uint8")
        for number, (kind, box) in enumerate(zip(kinds, boxes), start=1):
            shown[coverage(int(kind), box, self.SIZE) >= 0.5] = number
        return shown

    def _generate_examples(self, x: Any, y: Any, rows: Any) -> Iterator[tuple[int, dict[str, Any]]]:
        for row in rows:
            yield int(row), {"image": x[row], "objects": y[row][0], "instances": y[row][1]}
