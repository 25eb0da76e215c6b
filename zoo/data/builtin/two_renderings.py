"""Handwritten digits as they are, and others as negatives: two sets of images that nobody paired."""

import numpy as np

from zoo.data.builtin.embedded import Embedded, tfds
from zoo.data.builtin.tables import Digits


class DigitsAndNegatives(Embedded):
    """Scikit-learn's 1,797 digits, 8x8 pixels: every other one as it is (a), the others in black on white (b).

    No digit is in both sets, so that none has its pair among them. A class is a set and a digit, "a/0" to "b/9".
    """

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="1,797 handwritten digits, as scikit-learn carries them, 8x8 grey pixels: every other one of "
            "each digit as it is, the others as negatives. Split 70/10/20 at random, stratified by set and digit.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(8, 8, 1), dtype=np.uint8),
                    "label": tfds.features.ClassLabel(
                        names=[f"{side}/{digit}" for side in "ab" for digit in range(10)]
                    ),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def examples(self) -> tuple[np.ndarray, np.ndarray]:
        images, digits = Digits.examples(self)
        negative = np.zeros(len(digits), bool)
        for digit in range(10):
            negative[np.flatnonzero(digits == digit)[1::2]] = True
        return np.where(negative[:, None, None, None], 255 - images, images), digits + 10 * negative
