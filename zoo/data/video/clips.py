"""Clips: the data module of video networks, from arrays, a tfds data set or the files of a user's own.

Files are read by PyAV, the bindings of FFmpeg's libraries (``pip install av``): it decodes in the process and tells how
many frames there are before it decodes one. GIFs are read by Pillow, which matplotlib brings along.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from zoo.data.base import SPLITS
from zoo.data.image.arrays import ArrayDataModule
from zoo.data.sources import Source
from zoo.data.tensors import numpy_dtype, tensorflow
from zoo.data.video import frames
from zoo.data.video.files import LUMA_WEIGHTS, check_length, probe, read_clip
from zoo.errors import UsageError
from zoo.records import Card, Recipe


class VideoDataModule(ArrayDataModule):
    """Clips (time, height, width, channels): from arrays, from a tfds data set of videos, or from files.

    Of the recipe, `preprocess` says with ``frames`` how many are taken of a whole video, and with ``resize`` their
    size. `augment` may have ``jitter: k``: the network sees one frame of every k, a random one in training, the middle
    one elsewhere. The augmentations of images do the same to all frames of a clip.
    """

    @classmethod
    def adapt(cls, card: Card, recipe: Recipe, source: Source) -> Self:
        cls(card, recipe, source).check_files()
        data = super().adapt(card, recipe, source)
        length, *rest = data.shape
        data.shape = (length // data.stride, *rest)  # of what the network takes
        return data

    @property
    def stride(self) -> int:
        """Of so many frames that are read, the network sees one."""
        return self.recipe.augment.get("jitter", 1)

    def batches(self, split: str, *, training: bool = False) -> Any:
        dataset = super().batches(split, training=training)
        if training or self.stride == 1:
            return dataset
        return dataset.map(lambda x, y: frames.every(x, y, self.stride))

    def encode(self, raws: Sequence[str]) -> np.ndarray:
        """(clips, time, height, width, channels), scaled, from the paths of videos."""
        clips = np.stack([self.show(path) for path in raws])
        return np.asarray(self.scaling(clips / np.float32(1 if self.high > 1 else 255)))

    def show(self, path: str) -> np.ndarray:
        """The frames of a file that the network sees, uint8 (time, height, width, channels)."""
        length, height, width, channels = self.shape
        clip = read_clip(path, frames=length, size=(height, width), loop=self._repeat)
        return clip if channels == 3 else np.round(clip @ LUMA_WEIGHTS)[..., np.newaxis].astype("uint8")

    @property
    def _repeat(self) -> bool:
        return self.loop or "loop" in self.recipe.preprocess

    def check_files(self) -> None:
        """Raise where a file of a folder is too short, or where files differ in size and are not brought to one."""
        if not self._holds_paths:
            return
        taken = self.recipe.preprocess.get("frames")
        shapes: dict[tuple[int, ...], str] = {}  # each with the first file that has it
        for split in SPLITS:
            for name, _ in self.source.split(getattr(self.recipe, split)).as_numpy_iterator():
                path = name.decode()
                found = probe(path)
                check_length(path, found.frames, taken and taken // self.stride, self._repeat)
                shapes.setdefault((found.frames,) * (not taken) + (found.height, found.width), path)
        if len(shapes) > 1 and not (taken and "resize" in self.recipe.preprocess):
            (a, one), (b, other), *_ = [("x".join(map(str, shape)), path) for shape, path in shapes.items()]
            raise UsageError(
                f"the clips of {self.source.name} differ in size: {one} is {a}, {other} {b}; expected one size: "
                "take a recipe that resizes"
            )

    @property
    def _holds_paths(self) -> bool:
        spec = self.source.split(self.recipe.train).element_spec
        return not isinstance(spec, dict) and numpy_dtype(spec[0].dtype).kind == "O"

    def read(self, split: str) -> Any:
        """(clip, label) pairs, whatever the source has: arrays, a dictionary with a video in it, or paths."""
        tf = tensorflow()
        examples = self.source.split(split)
        if isinstance(examples.element_spec, dict):
            video = next((key for key, spec in examples.element_spec.items() if len(spec.shape) == 4), None)
            if video is None or "label" not in examples.element_spec:
                raise UsageError(
                    f"{self.source.name} has {', '.join(examples.element_spec)}; expected a video and its label"
                )
            return examples.map(lambda row: (row[video], row["label"]))
        if not self._holds_paths:
            return examples
        preprocess = self.recipe.preprocess
        first = probe(next(examples.as_numpy_iterator())[0].decode())
        count = preprocess.get("frames", first.frames)
        size = tuple(preprocess.get("resize", (first.height, first.width)))

        def decode(path: bytes) -> np.ndarray:
            return read_clip(path.decode(), frames=count, size=size, min_frames=count // self.stride, loop=self._repeat)

        def decoded(path: Any, label: Any) -> tuple[Any, Any]:
            clip = tf.numpy_function(decode, [path], tf.uint8, stateful=False)
            return tf.ensure_shape(clip, (count, *size, 3)), label

        return examples.map(decoded, num_parallel_calls=tf.data.AUTOTUNE)
