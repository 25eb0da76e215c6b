"""Eight heaps of points on a ring, generated: what a network that draws has to find is known."""

import numpy as np

from zoo.data.builtin.embedded import Embedded, tfds

HEAPS, RADIUS, DEVIATION = 8, 2.0, 0.05
PER_HEAP = 1000


class RingOfGaussians(Embedded):
    """8,000 points in the plane: eight round heaps of 1,000, deviation .05, on a circle of radius 2.

    After the test of L. Metz, B. Poole, D. Pfau and J. Sohl-Dickstein, "Unrolled Generative Adversarial Networks", ICLR
    2017, appendix A, whose heaps have a deviation of .02. The label is the heap. The program below makes the points.
    """

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="Generated: 1,000 points around each of eight places on a circle of radius 2, with a deviation "
            "of .05 along either axis. Split 70/10/20 at random, stratified by place.",
            features=tfds.features.FeaturesDict(
                {
                    "point": tfds.features.Tensor(shape=(2,), dtype=np.float32),
                    "heap": tfds.features.ClassLabel(num_classes=HEAPS),
                }
            ),
            supervised_keys=("point", "heap"),
        )

    def examples(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(25)
        heap = np.repeat(np.arange(HEAPS), PER_HEAP)
        angle = 2 * np.pi * heap / HEAPS
        centres = RADIUS * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return (centres + rng.normal(scale=DEVIATION, size=centres.shape)).astype("float32"), heap
