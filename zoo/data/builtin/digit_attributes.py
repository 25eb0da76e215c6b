"""Five yes/no questions about each of scikit-learn's digits."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.data.builtin.embedded import tfds
from zoo.data.builtin.tables import Digits

ATTRIBUTES: Mapping[str, tuple[int, ...]] = {  # the digits of which each is true
    "above_four": (5, 6, 7, 8, 9),
    "closed_loop": (0, 6, 8, 9),  # a 4 is open as often as not
    "even": (0, 2, 4, 6, 8),
    "multiple_of_three": (0, 3, 6, 9),
    "prime": (2, 3, 5, 7),
}


class DigitAttributes(Digits):
    """Scikit-learn's 1,797 digits, and for each whether it is even, prime, above four, ...; no digit by itself."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="The 1,797 handwritten digits of scikit-learn with five attributes each, in the form of "
            f"celeb_a: {', '.join(ATTRIBUTES)}. Split as digits are.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(8, 8, 1), dtype=np.uint8),
                    "attributes": tfds.features.FeaturesDict(
                        {name: tfds.features.Tensor(shape=(), dtype=np.bool_) for name in ATTRIBUTES}
                    ),
                }
            ),
            supervised_keys=("image", "attributes"),
        )

    def examples(self) -> tuple[np.ndarray, np.ndarray]:
        images, digits = super().examples()
        rows = [{name: bool(digit in those) for name, those in ATTRIBUTES.items()} for digit in digits]
        return images, np.array(rows)

    def rows(self, x: Any, y: Any) -> Mapping[str, Any]:
        _, digits = super().examples()
        return super().rows(x, digits)
