"""Data sets that come with the zoo's dependencies, as genuine tfds builders: no network, no download.

After ``import zoo.data`` they are names like any other in tfds:

    tfds.load("digits", split="train[:100]", with_info=True)
"""

from collections.abc import Mapping

import numpy as np

from zoo.data.builtin.embedded import Embedded, tfds


class Digits(Embedded):
    """1,797 handwritten digits of 13 people, 8x8 pixels, from scikit-learn: the test part of UCI's set."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="1,797 handwritten digits by 13 people, as scikit-learn carries them (the test part of UCI's "
            "set, whose training part is by 30 others): 8x8 pixels in 17 grey levels (stretched here to 0..255). Split "
            "70/10/20 at random, stratified by digit; who wrote which is not recorded.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(8, 8, 1), dtype=np.uint8),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://archive.ics.uci.edu/dataset/80",
            citation="E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning "
            "Repository, 1998",
        )

    def examples(self) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.datasets import load_digits

        digits = load_digits()
        images = np.round(digits.images * (255 / 16)).astype("uint8")
        return images[..., np.newaxis], digits.target


class BreastCancer(Embedded):
    """569 tumours, 30 measurements each, from scikit-learn: malignant or benign."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="569 breast tumours: 30 measurements of cell nuclei each, malignant (0) or benign (1), as "
            "scikit-learn carries them. Split 70/10/20 at random, stratified by class.",
            features=tfds.features.FeaturesDict(
                {
                    "features": tfds.features.Tensor(shape=(30,), dtype=np.float32),
                    "label": tfds.features.ClassLabel(names=["malignant", "benign"]),
                }
            ),
            supervised_keys=("features", "label"),
            homepage="https://archive.ics.uci.edu/dataset/17",
            citation="W. Wolberg, O. Mangasarian, N. Street and W. Street, Breast Cancer Wisconsin (Diagnostic), UCI "
            "Machine Learning Repository, 1993",
        )

    def examples(self) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.datasets import load_breast_cancer

        table = load_breast_cancer()
        return table.data.astype("float32"), table.target


class DailyViews(Embedded):
    """Five years of a channel's daily views, generated: a weekly and a yearly rhythm, a slow rise and noise.

    2017-2020 (1,461 days) to learn from, the last 100 of them to validate on, and 2021 to test on. An
    example is seven days and the day that follows. The numbers are made by the program below; they are
    nobody's views.
    """

    VERSION = tfds.core.Version("1.1.0")
    LAGS = 7
    DAYS = (("train", 1361), ("validation", 100), ("test", 365))

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="Generated: daily views of a channel in thousands, 2017 to 2021; seven days and the day that "
            "follows. Split by time: train and validation from 2017-2020, test 2021.",
            features=tfds.features.FeaturesDict(
                {
                    "week": tfds.features.Tensor(shape=(self.LAGS,), dtype=np.float32),
                    "views": tfds.features.Tensor(shape=(), dtype=np.float32),
                }
            ),
            supervised_keys=("week", "views"),
            disable_shuffling=True,  # days stay in their order
        )

    def examples(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(2017)
        day = np.arange(sum(days for _, days in self.DAYS))
        rhythm = np.array([0.9, 0.7, 0.4, 0.2, -0.4, -1.2, -0.6])[day % 7]  # fewest at the end of the week
        trend = 1.0 * np.sin(2 * np.pi * day / 365.25) + 2.0 * day / len(day)
        noise = np.zeros(len(day))
        for t in day[1:]:  # what is unusual today is half as unusual tomorrow
            noise[t] = 0.5 * noise[t - 1] + rng.normal(scale=0.25)
        views = (4.0 * np.exp(0.2 * (rhythm + trend + noise))).astype("float32")
        weeks = np.lib.stride_tricks.sliding_window_view(views, self.LAGS)[:-1]
        return weeks, views[self.LAGS :]

    def rows(self, x: np.ndarray, y: np.ndarray) -> Mapping[str, np.ndarray]:
        ends = np.cumsum([days for _, days in self.DAYS]) - self.LAGS  # the first days have no week before them
        starts = [0, *ends[:-1]]
        return {split: np.arange(start, end) for (split, _), start, end in zip(self.DAYS, starts, ends)}
