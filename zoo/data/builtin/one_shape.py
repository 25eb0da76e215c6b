"""One shape, or none, over a texture, as in `zoo.data.builtin.shapes`. Generated."""

import numpy as np

from zoo.data.builtin.embedded import tfds
from zoo.data.builtin.shapes import Shapes, random_box

EMPTY = 0.2  # of the images


class OneShape(Shapes):
    """A disc, a bar or a wedge upon a texture, or nothing: 32x32 pixels."""

    VERSION = tfds.core.Version("1.0.0")
    SIZE, SIDES, COUNTS = 32, (14, 28), {"train": 5000, "validation": 300, "test": 400}
    DESCRIPTION = "A disc, a bar or a wedge of 14 to 28 pixels, or nothing, over a part of a photograph; 32x32 pixels."

    def scene(self, rng: np.random.Generator) -> tuple[np.ndarray, list[np.ndarray]]:
        boxes = [random_box(rng, self.SIZE, self.SIDES)] if rng.random() >= EMPTY else []
        return rng.integers(3, size=len(boxes)), boxes
