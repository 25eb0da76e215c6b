"""Images as texts: a character for each pixel, so that a language model can draw.

M. Chen et al., "Generative Pretraining from Pixels", ICML 2020: a GPT that reads the pixels of an image row by row,
each one of a palette of few colours, and predicts the next.
"""

import numpy as np

from zoo.data.builtin.embedded import tfds
from zoo.data.builtin.tables import Digits

SHADES = ".:+#"  # from paper to ink
ABOVE = (3, 7, 12)  # of 16: ink that takes the next shade


def drawn(image: np.ndarray) -> str:
    """An image of values from 0 to 16 as lines of shades.

    >>> drawn(np.array([[0, 16], [5, 9]]))
    '.#\\n:+'
    """
    return "\n".join("".join(SHADES[shade] for shade in row) for row in np.digitize(image, ABOVE))


class DigitTexts(Digits):
    """Scikit-learn's 1,797 digits as texts: eight lines of eight characters, each one of four shades."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="The 1,797 handwritten digits of scikit-learn as texts, a character for each of 8 x 8 pixels "
            "and an end of each line. Split as digits are.",
            features=tfds.features.FeaturesDict(
                {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(num_classes=10)}
            ),
            supervised_keys=("text", "label"),
        )

    def examples(self) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.datasets import load_digits

        digits = load_digits()
        return np.array([drawn(image) for image in digits.images]), digits.target
