"""Glyphs: handwriting of an invented alphabet, generated.

For networks that are to tell classes apart which were not there when they learned.
"""

from collections.abc import Mapping

import numpy as np

from zoo.data.builtin.embedded import Embedded, tfds

CLASSES = (("train", 200), ("validation", 50), ("test", 50))
PER_CLASS = 20
SIZE = 28
STROKES, DOTS = 3, 24  # strokes of a glyph; dots that a stroke is drawn with


def prototypes(rng: np.random.Generator) -> np.ndarray:
    """The alphabet: three strokes each, a stroke being three points of a bent line: (classes, strokes, 3, 2)."""
    return rng.uniform(0.12, 0.88, (sum(count for _, count in CLASSES), STROKES, 3, 2))


def by_hand(shapes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each shape as a hand would write it: points that miss, and the whole turned, stretched, slanted and shifted."""
    count = len(shapes)
    shapes = shapes + rng.normal(scale=0.037, size=shapes.shape)
    angle, slant = rng.normal(scale=0.14, size=(2, count))
    tall, wide = np.exp(rng.normal(scale=0.1, size=(2, count)))
    turned = np.array([
        [np.cos(angle) * wide, slant - np.sin(angle) * tall],
        [np.sin(angle) * wide, np.cos(angle) * tall],
    ])  # (2, 2, glyphs)  # fmt: skip
    shift = rng.normal(scale=0.058, size=(count, 1, 1, 2))
    return np.einsum("ijn,nspj->nspi", turned, shapes - 0.5) + 0.5 + shift


def drawn(shapes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Images (glyphs, SIZE, SIZE, 1), uint8: white ink on black, pens of several widths, grain."""
    t = np.linspace(0, 1, DOTS)
    bend = np.stack([(1 - t) ** 2, 2 * t * (1 - t), t**2], axis=1)  # a quadratic Bézier curve: (dots, 3)
    dots = np.einsum("tp,nspi->nsti", bend, shapes).reshape(len(shapes), -1, 2)
    pens = np.exp(rng.normal(np.log(0.034), 0.2, len(shapes)))
    pixels = (np.arange(SIZE) + 0.5) / SIZE
    images = np.empty((len(shapes), SIZE, SIZE, 1), "uint8")
    for image, points, pen in zip(images, dots, pens):
        across = np.exp(-(((pixels - points[:, :1]) / pen) ** 2))  # (dots, SIZE)
        down = np.exp(-(((pixels - points[:, 1:]) / pen) ** 2))
        ink = np.minimum(1.0, 1.3 * (down[:, :, None] * across[:, None, :]).max(0))
        image[..., 0] = np.clip(255 * (ink + rng.normal(scale=0.08, size=ink.shape)), 0, 255)
    return images


class Glyphs(Embedded):
    """300 invented characters, 20 drawings of each, 28x28 pixels; the splits share no character.

    200 to learn from, 50 others to validate on and 50 others to test on. The drawings are made by the program above.
    """

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="Generated: 300 invented characters of three strokes, 20 drawings of each, 28x28 grey pixels. "
            "Split by character: 200 train, 50 validation, 50 test.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(SIZE, SIZE, 1), dtype=np.uint8),
                    "label": tfds.features.ClassLabel(num_classes=sum(count for _, count in CLASSES)),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def examples(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(16)
        alphabet = prototypes(rng)
        shapes = by_hand(np.repeat(alphabet, PER_CLASS, axis=0), rng)
        return drawn(shapes, rng), np.repeat(np.arange(len(alphabet)), PER_CLASS)

    def rows(self, x: np.ndarray, y: np.ndarray) -> Mapping[str, np.ndarray]:
        ends = PER_CLASS * np.cumsum([count for _, count in CLASSES])
        return {split: np.arange(end - PER_CLASS * count, end) for (split, count), end in zip(CLASSES, ends)}
