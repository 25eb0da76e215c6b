"""Shapes over textures: discs, bars and wedges drawn upon parts of photographs, with the boxes around them. Generated.

The textures are parts of the two photographs that come with scikit-learn. Those of the test images are cut from the
right quarter of each, which no other image shows.
"""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.data.builtin.embedded import Embedded, tfds
from zoo.data.builtin.photographs import CREDIT, photographs

CLASSES = ("disc", "bar", "wedge")
FINE = 4  # each pixel is drawn as 4 x 4, so that edges are soft and boxes exact to a quarter of a pixel
CONTRAST = 64  # of 255, in one colour at least, between a shape and what is behind it
HELD_OUT = 0.75  # of the width of a photograph: from there on it is for tests


cached_photographs = functools.cache(photographs)


def texture(rng: np.random.Generator, size: int, test: bool) -> np.ndarray:
    """A square part of a photograph, of one to three times the size, shrunk and mirrored: (size, size, 3) float32."""
    photo = cached_photographs()[rng.integers(2)]
    border = int(HELD_OUT * photo.shape[1])
    step = rng.integers(1, 3 if test else 4)
    low, high = (border, photo.shape[1]) if test else (0, border)
    top, left = rng.integers(photo.shape[0] - step * size), rng.integers(low, high - step * size + 1)
    part = photo[top : top + step * size, left : left + step * size].astype("float32")
    part = part.reshape(size, step, size, step, 3).mean((1, 3))
    return part[:, :: rng.choice([-1, 1])]


def inside(kind: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether points are in a shape that fills the square from -1 to 1 from edge to edge."""
    if kind == 0:
        return x**2 + y**2 <= 1
    if kind == 1:
        return (abs(x) <= 1) & (abs(y) <= 1)
    return (abs(x) <= (y + 1) / 2) & (y <= 1)


def colour_upon(rng: np.random.Generator, background: np.ndarray) -> np.ndarray:
    """A colour, (3,), that is seen upon a part of an image (..., 3)."""
    while True:
        colour = rng.uniform(0, 255, 3)
        if abs(colour - background.reshape(-1, 3).mean(0)).max() >= CONTRAST:
            return colour


def draw(image: np.ndarray, kind: int, box: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a shape into a box of the image: left, top, right, bottom in pixels, of which FINE make one."""
    size = len(image)
    first, last = np.floor(box[:2] / FINE).astype(int), np.ceil(box[2:] / FINE).astype(int)
    first, last = np.maximum(first, 0), np.minimum(last, size)
    columns, rows = (np.arange(FINE * a, FINE * b) + 0.5 for a, b in zip(first, last))
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    covered = inside(kind, (columns[None] - middle[0]) / half[0], (rows[:, None] - middle[1]) / half[1])
    part = covered.reshape(last[1] - first[1], FINE, last[0] - first[0], FINE).mean((1, 3))[..., None]
    here = image[first[1] : last[1], first[0] : last[0]]
    here += part * (colour_upon(rng, here) - here)


def random_box(rng: np.random.Generator, size: int, sides: tuple[int, int]) -> np.ndarray:
    """A box in the image, its sides drawn evenly in their logarithms, in quarters of a pixel."""
    low, high = (float(each) for each in np.log(sides))
    side = np.round(FINE * np.exp(rng.uniform(low, high, 2))).astype(int)
    corner = np.array([rng.integers(FINE * size - each + 1) for each in side])
    return np.concatenate([corner, corner + side])


def overlap(box: np.ndarray, others: list[np.ndarray]) -> float:
    """The largest part of the smaller of two boxes that they have in common."""
    found = [0.0]
    for other in others:
        common = np.maximum(np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2]), 0).prod()
        found.append(common / min((each[2:] - each[:2]).prod() for each in (box, other)))
    return max(found)


def picture(rng: np.random.Generator, size: int, kinds: np.ndarray, boxes: list[np.ndarray], test: bool) -> np.ndarray:
    """Shapes over a texture, uint8, with grain; the first are covered by the later ones."""
    image = texture(rng, size, test)
    for kind, box in zip(kinds, boxes):
        draw(image, kind, box, rng)
    return np.clip(image + rng.normal(scale=4, size=image.shape), 0, 255).astype("uint8")


class Shapes(Embedded):
    """One to five discs, bars and wedges upon a texture, small and large, some of them overlapping: 64x64 pixels."""

    VERSION = tfds.core.Version("1.0.0")
    SEED, SIZE, COUNTS = 23, 64, {"train": 3000, "validation": 300, "test": 400}
    SIDES, MOST, COVERED = (8, 32), 5, 0.35  # pixels; shapes; of the smaller of two, how much they may have in common
    DESCRIPTION = "One to five discs, bars and wedges of 8 to 32 pixels over a part of a photograph; 64x64 pixels."

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description=f"{self.DESCRIPTION} Generated ({CREDIT}).",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(self.SIZE, self.SIZE, 3), dtype=np.uint8),
                    "objects": tfds.features.Sequence(
                        {"bbox": tfds.features.BBoxFeature(), "label": tfds.features.ClassLabel(names=CLASSES)}
                    ),
                }
            ),
            supervised_keys=("image", "objects"),
        )

    def scene(self, rng: np.random.Generator) -> tuple[np.ndarray, list[np.ndarray]]:
        """The classes and the boxes of an image, those behind first."""
        count, boxes = rng.integers(1, self.MOST + 1), list[np.ndarray]()
        while len(boxes) < count:
            box = random_box(rng, self.SIZE, self.SIDES)
            if overlap(box, boxes) <= self.COVERED:
                boxes.append(box)
        return rng.integers(3, size=count), boxes

    def examples(self) -> tuple[Any, Any]:
        images, targets = list[np.ndarray](), []
        for split, count in self.COUNTS.items():
            rng = np.random.default_rng([self.SEED, len(images)])
            for _ in range(count):
                kinds, boxes = self.scene(rng)
                images.append(picture(rng, self.SIZE, kinds, boxes, split == "test"))
                targets.append(self.target(kinds, boxes))
        return images, targets

    def target(self, kinds: np.ndarray, boxes: list[np.ndarray]) -> Any:
        """The objects of an image."""
        parts = [box / (FINE * self.SIZE) for box in boxes]
        return [
            {"bbox": tfds.features.BBox(top, left, bottom, right), "label": CLASSES[kind]}
            for kind, (left, top, right, bottom) in zip(kinds, parts)
        ]

    def rows(self, x: Any, y: Any) -> Mapping[str, np.ndarray]:
        ends = np.cumsum([*self.COUNTS.values()])
        return {split: np.arange(end - count, end) for (split, count), end in zip(self.COUNTS.items(), ends)}
