"""Photographs that come with scikit-learn, as data sets of (content, style) pairs."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.data.builtin.embedded import Embedded, tfds

CREDIT = "china.jpg by danielbuechele and flower.jpg by vultilion (Flickr), CC BY 2.0, as scikit-learn carries them"


def photographs() -> tuple[np.ndarray, np.ndarray]:
    """A temple (427, 640, 3) and a flower of the same size."""
    from sklearn.datasets import load_sample_image

    return load_sample_image("china.jpg"), load_sample_image("flower.jpg")


def pair(content_shape: tuple[int, ...], style_shape: tuple[int, ...], description: str) -> dict[str, Any]:
    """What `_info` says of such a data set."""
    return dict(
        description=f"{description} ({CREDIT}).",
        features=tfds.features.FeaturesDict(
            {
                "content": tfds.features.Image(shape=content_shape, dtype=np.uint8),
                "style": tfds.features.Image(shape=style_shape, dtype=np.uint8),
            }
        ),
        supervised_keys=("content", "style"),
        disable_shuffling=True,
    )


class StylePair(Embedded):
    """One pair: the temple is to be painted like the flower."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        size = (427, 640, 3)
        return self.dataset_info_from_configs(**pair(size, size, "A photograph, and one whose style it is to take"))

    def examples(self) -> tuple[np.ndarray, np.ndarray]:
        china, flower = photographs()
        return china[None], flower[None]

    def rows(self, x: np.ndarray, y: np.ndarray) -> Mapping[str, Any]:
        return {"train": [0]}


class PhotoTiles(Embedded):
    """Tiles of the temple, each beside the flower, whose style it is to take.

    Three rows of five tiles of 128 x 128 pixels; the last column, which no other tile overlaps, is held out.
    """

    VERSION = tfds.core.Version("1.0.0")
    SIDE, COLUMNS = 128, 5

    def _info(self) -> tfds.core.DatasetInfo:
        tile = (self.SIDE, self.SIDE, 3)
        return self.dataset_info_from_configs(
            **pair(tile, tile, "Tiles of a photograph, and the middle of one whose style they are to take")
        )

    def examples(self) -> tuple[np.ndarray, np.ndarray]:
        china, flower = photographs()
        side = self.SIDE
        tiles = [
            china[top : top + side, left : left + side]
            for top in range(0, len(china) - side + 1, side)
            for left in range(0, self.COLUMNS * side, side)
        ]
        middle = flower[20:404:3, 128:512:3]  # (128, 128, 3)
        return np.stack(tiles), np.stack([middle] * len(tiles))

    def rows(self, x: np.ndarray, y: np.ndarray) -> Mapping[str, Any]:
        column = np.arange(len(x)) % self.COLUMNS
        last = np.flatnonzero(column == self.COLUMNS - 1)
        return {"train": np.flatnonzero(column < self.COLUMNS - 1), "validation": last[:1], "test": last[1:]}
