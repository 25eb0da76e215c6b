"""A turned wedge over a texture, and where its corners are. Generated."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.data.builtin.embedded import Embedded, tfds
from zoo.data.builtin.photographs import CREDIT
from zoo.data.builtin.shapes import FINE, colour_upon, texture

MOST = np.radians(60)  # that it is turned, to either side
CORNERS = np.array([[0.0, -1.0], [-0.6, 1.0], [0.6, 1.0]])  # of one that stands upright: the tip, left and right


class TurnedWedges(Embedded):
    """A wedge upon a texture, turned by up to 60 degrees, and its three landmarks: the tip, the left foot and the right
    one, across and down as fractions of the image. 32x32 pixels."""

    VERSION = tfds.core.Version("1.0.0")
    SIZE, COUNTS = 32, {"train": 2400, "validation": 200, "test": 400}
    HALF = (6.0, 12.0)  # of its height, in pixels

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="A turned wedge over a part of a photograph, and its three corners; 32x32 pixels. Generated "
            f"({CREDIT}).",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(self.SIZE, self.SIZE, 3), dtype=np.uint8),
                    "points": tfds.features.Tensor(shape=(len(CORNERS), 2), dtype=np.float32),
                }
            ),
            supervised_keys=("image", "points"),
        )

    def examples(self) -> tuple[np.ndarray, np.ndarray]:
        images, points = list[np.ndarray](), list[np.ndarray]()
        for split, count in self.COUNTS.items():
            rng = np.random.default_rng([47, len(images)])
            for _ in range(count):
                corners = self.corners(rng)
                images.append(self.drawn(rng, corners, split == "test"))
                points.append((corners / self.SIZE).astype("float32"))
        return np.stack(images), np.stack(points)

    def corners(self, rng: np.random.Generator) -> np.ndarray:
        """Of a wedge that is in the image as a whole: (3, 2), in pixels."""
        angle, half = rng.uniform(-MOST, MOST), rng.uniform(*self.HALF)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        found = half * CORNERS @ turn
        return found - found.min(0) + rng.uniform(0, self.SIZE - np.ptp(found, axis=0))

    def drawn(self, rng: np.random.Generator, corners: np.ndarray, test: bool) -> np.ndarray:
        """The image, (height, width, 3) uint8, with grain."""
        image, part = texture(rng, self.SIZE, test), covered(corners, self.SIZE)
        image += part[..., None] * (colour_upon(rng, image[part > 0]) - image)
        return np.clip(image + rng.normal(scale=4, size=image.shape), 0, 255).astype("uint8")

    def rows(self, x: Any, y: Any) -> Mapping[str, np.ndarray]:
        ends = np.cumsum([*self.COUNTS.values()])
        return {split: np.arange(end - count, end) for (split, count), end in zip(self.COUNTS.items(), ends)}


def covered(corners: np.ndarray, size: int) -> np.ndarray:
    """Which part of each pixel a triangle (3, 2) of pixels covers: (size, size), 0 to 1.

    >>> covered(np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]]), 2).tolist()  # the half at the upper left
    [[1.0, 0.625], [0.625, 0.0]]
    """
    fine = (np.arange(FINE * size) + 0.5) / FINE
    sides = [
        (end[0] - start[0]) * (fine[:, None] - start[1]) - (end[1] - start[1]) * (fine[None] - start[0])
        for start, end in zip(corners, np.roll(corners, -1, axis=0))
    ]  # of each edge, on which side of it a point is
    inside = np.all([side >= 0 for side in sides], axis=0) | np.all([side <= 0 for side in sides], axis=0)
    return inside.reshape(size, FINE, size, FINE).mean((1, 3))
