"""Clips whose label is their motion: real images, composed by the program below. One image moves in one of 8
directions over another that stands still, leaves at one side and comes in again at the opposite one.

A single frame says nothing about the label, by construction: where the image is in the middle frame is drawn without
regard to the direction. And memory helps little: the images of the test split are those of the original's test split
(of the digits, a fifth held out), and its trajectories, a position in the middle frame with a speed, occur in no other
split. The same clip backwards is a clip of the opposite direction, four classes further.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from zoo.data.builtin.embedded import Embedded, tfds
from zoo.data.builtin.tables import Digits

DIRECTIONS = {  # name -> (rows down, columns right) for each frame at speed 1
    "east": (0, 1),
    "north-east": (-1, 1),
    "north": (-1, 0),
    "north-west": (-1, -1),
    "west": (0, -1),
    "south-west": (1, -1),
    "south": (1, 0),
    "south-east": (1, 1),
}
FRAMES = 8  # of a clip
SPLIT_FRACTIONS = {"train": 0.7, "validation": 0.1, "test": 0.2}  # of all trajectories


def moving(
    image: np.ndarray,
    size: int,
    position: Sequence[int] | np.ndarray,
    step: Sequence[int] | np.ndarray,
    frames: int = FRAMES,
) -> np.ndarray:
    """One clip: an image that wanders over a black ground, and comes in again where it has left.

    Args:
        image: (height, width, channels).
        size: height and width of the frames.
        position: (row, column) of the image's upper left corner in the middle frame, number ``frames // 2``.
        step: (rows, columns) from frame to frame.
        frames: how many.

    Returns:
        (frames, size, size, channels).

    >>> moving(np.ones((1, 1, 1), int), 4, position=(0, 2), step=(0, 1), frames=3)[..., 0, :, 0].tolist()
    [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    """
    height, width, channels = image.shape
    ground = np.zeros((size, size, channels), image.dtype)
    ground[:height, :width] = image
    times = np.arange(frames) - frames // 2
    return np.stack([np.roll(ground, np.add(position, np.multiply(step, time)), axis=(0, 1)) for time in times])


def trajectories(split: str, size: int, speeds: tuple[int, ...]) -> np.ndarray:
    """The (row, column, speed) of a split, (trajectories, 3); row and column in the middle frame. No two splits share
    one."""
    everything = np.stack(np.meshgrid(np.arange(size), np.arange(size), speeds, indexing="ij"), -1).reshape(-1, 3)
    shuffled = np.random.default_rng(0).permutation(everything)
    ends = np.round(np.cumsum([0, *SPLIT_FRACTIONS.values()]) * len(shuffled)).astype(int)
    number = list(SPLIT_FRACTIONS).index(split)
    return shuffled[ends[number] : ends[number + 1]]


def clips(
    images: np.ndarray, split: str, size: int, speeds: tuple[int, ...], each: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    """`each` clips of every image (images, height, width, channels), as pairs (key, example).

    All directions are equally frequent.
    """
    rng = np.random.default_rng(list(SPLIT_FRACTIONS).index(split))
    paths = trajectories(split, size, speeds)
    labels = rng.permutation(np.arange(len(images) * each) % len(DIRECTIONS))
    steps = np.array(list(DIRECTIONS.values()))
    for number, label in enumerate(labels.tolist()):
        *position, speed = paths[rng.integers(len(paths))]
        mover = moving(images[number // each], size, position, speed * steps[label])
        other = moving(images[rng.integers(len(images))], size, rng.integers(0, size, 2), (0, 0))
        yield number, {"clip": np.maximum(mover, other), "label": label}


def features(size: int) -> tfds.features.FeaturesDict:
    """Clips of that height and width, and their direction."""
    return tfds.features.FeaturesDict(
        {
            "clip": tfds.features.Tensor(shape=(FRAMES, size, size, 1), dtype=np.uint8, encoding="zlib"),
            "label": tfds.features.ClassLabel(names=list(DIRECTIONS)),
        }
    )


class MovingDigits(Embedded):
    """scikit-learn's handwritten digits, 8x8 pixels: one moves, one stands, in frames of 16x16. Label: where to."""

    VERSION = tfds.core.Version("1.0.0")
    SIZE, SPEEDS = 16, (1, 2)
    CLIPS = 4  # of each digit

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="Composed: scikit-learn's 1,797 handwritten digits, each moving in 8 frames of 16x16 pixels in "
            "one of 8 directions over another that stands still, 4 clips of every digit. Digits are split as in "
            "`digits`; no trajectory of the test split occurs in training, and a single frame does not tell the "
            "direction.",
            features=features(self.SIZE),
            supervised_keys=("clip", "label"),
            homepage="https://archive.ics.uci.edu/dataset/80",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        x, y = Digits.examples(self)
        return {
            split: clips(x[rows], split, self.SIZE, self.SPEEDS, self.CLIPS) for split, rows in self.rows(x, y).items()
        }


ORIGINAL = {"train": "train[:55000]", "validation": "train[55000:]", "test": "test"}  # splits of (Fashion-)MNIST


class MovingPictures(tfds.core.GeneratorBasedBuilder):
    """MNIST or Fashion-MNIST, images of 28x28 pixels: one moves, one stands, in frames of 32x32. Label: where to.

    tfds' own ``moving_mnist`` is another set: 10,000 clips to predict the next frames of, without labels.
    """

    VERSION = tfds.core.Version("1.0.0")
    SIZE, SPEEDS = 32, (1, 2, 3)
    BUILDER_CONFIGS = tuple(
        tfds.core.BuilderConfig(name=name, description=f"The images of {name}:3.0.1.")
        for name in ("mnist", "fashion_mnist")
    )

    @property
    def composed_of(self) -> tuple[str, ...]:
        """The data sets that this one is made from: they must be in the same folder, or within reach."""
        return (f"{self.builder_config.name}:3.0.1",)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description=f"Composed: the images of {self.builder_config.name}, each moving in 8 frames of 32x32 "
            "pixels in one of 8 directions over another that stands still. The test split shows the original's test "
            "images on trajectories that do not occur in training; a single frame does not tell the direction.",
            features=features(self.SIZE),
            supervised_keys=("clip", "label"),
            homepage=f"https://www.tensorflow.org/datasets/catalog/{self.builder_config.name}",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        (name,) = self.composed_of
        original = tfds.builder(name, data_dir=self._data_dir_root)
        original.download_and_prepare()
        return {split: self._generate_examples(original, split) for split in ORIGINAL}

    def _generate_examples(
        self, original: tfds.core.DatasetBuilder, split: str
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        rows = original.as_dataset(split=ORIGINAL[split], batch_size=-1)
        yield from clips(rows["image"].numpy(), split, self.SIZE, self.SPEEDS, each=1)
