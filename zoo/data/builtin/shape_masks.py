"""Shapes over textures, as in `zoo.data.builtin.shapes`, and the class of each pixel. Generated."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.data.builtin.embedded import Embedded, tfds
from zoo.data.builtin.photographs import CREDIT
from zoo.data.builtin.shapes import CLASSES, FINE, colour_upon, inside, overlap, random_box, texture


class ShapeMasks(Embedded):
    """One to four discs, bars and wedges upon a texture, and of each pixel whether it shows one: 64x64 pixels.

    A pixel is of a shape if at least half of it is covered; of two that overlap, the one in front.
    """

    VERSION = tfds.core.Version("1.0.0")
    SIZE, COUNTS = 64, {"train": 1200, "validation": 150, "test": 300}
    SIDES, MOST, COVERED = (12, 40), 4, 0.4  # pixels; shapes; of the smaller of two, what they may have in common

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="Discs, bars and wedges over a part of a photograph, and a mask. 64x64 pixels. Generated "
            f"({CREDIT}).",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(self.SIZE, self.SIZE, 3), dtype=np.uint8),
                    "segmentation_mask": tfds.features.LabeledImage(
                        labels=["background", *CLASSES], shape=(self.SIZE, self.SIZE, 1), dtype=np.uint8
                    ),
                }
            ),
            supervised_keys=("image", "segmentation_mask"),
        )

    def examples(self) -> tuple[np.ndarray, np.ndarray]:
        images, masks = list[np.ndarray](), list[np.ndarray]()
        for split, count in self.COUNTS.items():
            rng = np.random.default_rng([31, len(images)])
            for _ in range(count):
                image, mask = self.scene(rng, split == "test")
                images.append(image)
                masks.append(mask[..., None])
        return np.stack(images), np.stack(masks)

    def scene(self, rng: np.random.Generator, test: bool) -> tuple[np.ndarray, np.ndarray]:
        """An image (height, width, 3) and its mask (height, width), both uint8."""
        image, mask = texture(rng, self.SIZE, test), np.zeros((self.SIZE, self.SIZE), "uint8")
        boxes = list[np.ndarray]()
        for _ in range(rng.integers(1, self.MOST + 1)):
            box = random_box(rng, self.SIZE, self.SIDES)
            if overlap(box, boxes) > self.COVERED:
                continue
            boxes.append(box)
            kind = int(rng.integers(len(CLASSES)))
            part = coverage(kind, box, self.SIZE)
            image += part[..., None] * (colour_upon(rng, image[part > 0]) - image)
            mask[part >= 0.5] = kind + 1
        return np.clip(image + rng.normal(scale=4, size=image.shape), 0, 255).astype("uint8"), mask

    def rows(self, x: Any, y: Any) -> Mapping[str, np.ndarray]:
        ends = np.cumsum([*self.COUNTS.values()])
        return {split: np.arange(end - count, end) for (split, count), end in zip(self.COUNTS.items(), ends)}


def coverage(kind: int, box: np.ndarray, size: int) -> np.ndarray:
    """Which part of each pixel a shape covers that fills a box of quarters of a pixel: (size, size), 0 to 1."""
    fine = np.arange(FINE * size) + 0.5
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    covered = inside(kind, (fine[None] - middle[0]) / half[0], (fine[:, None] - middle[1]) / half[1])
    return covered.reshape(size, FINE, size, FINE).mean((1, 3))
