"""Clips: reading them from files, choosing frames, a folder of a user's own, and the feed of video networks.

Files are read by PyAV, the bindings of FFmpeg's libraries (``pip install av``): it decodes in the process and tells how
many frames there are before it decodes one. GIFs are read by Pillow, which matplotlib brings along.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.data.feeds import SPLITS, ArrayFeed
from zoo.data.folders import PictureFolder
from zoo.data.sources import Source, tensorflow
from zoo.errors import UsageError, first_line

ENDINGS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".gif")
GREY = np.float32([0.299, 0.587, 0.114])  # ITU-R BT.601


# Files


@dataclass(frozen=True)
class Shape:
    """What a file holds."""

    frames: int
    height: int
    width: int


def probe(path: str | Path) -> Shape:
    """The frames and the size of a video, without decoding it.

    Raises:
        UsageError: if it cannot be read or holds no video.
    """
    with opened(path) as video:
        return video.shape


def read_clip(
    path: str | Path,
    *,
    frames: int | None = None,
    size: tuple[int, int] | None = None,
    least: int | None = None,
    loop: bool = False,
) -> np.ndarray:
    """A video as an array. Only the frames that are asked for are kept, so that a long one fits into memory.

    Args:
        path: an .mp4, .avi or other file that FFmpeg reads, or a .gif.
        frames: how many, spread evenly over the whole (`spread`); all of them if left out.
        size: (height, width) to bring them to.
        least: how many there must be; `frames` if left out.
        loop: repeat a video that has fewer.

    Returns:
        uint8 (frames, height, width, 3), in their order.

    Raises:
        UsageError: if the file cannot be read, holds no video, or has too few frames and may not be repeated.
    """
    least = least or frames or 1
    with opened(path) as video:
        there = video.shape.frames
        check_length(path, there, least, loop)
        wanted = spread(max(there, least), frames or there) % there
        needed, kept = set(wanted.tolist()), {}
        for number, picture in enumerate(video.pictures(size or (video.shape.height, video.shape.width))):
            if number in needed:
                kept[number] = picture
            if len(kept) == len(needed):
                break
        else:
            raise UsageError(f"{path} breaks off before frame {max(wanted)} of {there}; expected a whole file")
    return np.stack([kept[number] for number in wanted.tolist()])


def check_length(path: str | Path, frames: int, least: int | None, loop: bool) -> None:
    """Raise if a video has fewer frames than a network takes."""
    if least and frames < least and not loop:
        raise UsageError(
            f"{path} has {frames} frames; expected at least {least}: give a longer clip, or repeat this one (--loop)"
        )


def spread(count: int, frames: int, draw: Sequence[float] | None = None) -> np.ndarray:
    """Which of `count` frames: one from each of `frames` equal parts (Wang 2016, arXiv:1608.00859: segments).

    Args:
        count: how many there are.
        frames: how many are wanted.
        draw: a number in [0, 1) for each part, to choose at random; its middle if left out.

    >>> spread(30, 3).tolist(), spread(30, 3, draw=[0.0, 0.99, 0.5]).tolist()
    ([5, 15, 25], [0, 19, 25])
    """
    draw = np.full(frames, 0.5) if draw is None else np.asarray(draw)
    return np.minimum((np.arange(frames) + draw) * count // frames, count - 1).astype("int64")


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator["Gif | Video"]:
    """A video file, open."""
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"there is no file {path}; expected a video ({', '.join(ENDINGS)})")
    kind = Gif if path.suffix.lower() == ".gif" else Video
    try:
        with kind.open(path) as video:
            yield video
    except UsageError:
        raise
    except Exception as error:  # whatever a damaged file does to a decoder
        why = getattr(error, "strerror", None) or first_line(error)
        raise UsageError(f"{path} cannot be read as a video ({why}); expected a whole file") from error


class Gif:
    """Frames by Pillow, each composed with those before it, whatever time each is to be shown for."""

    def __init__(self, image):
        self.image = image
        self.shape = Shape(getattr(image, "n_frames", 1), image.height, image.width)

    @classmethod
    @contextlib.contextmanager
    def open(cls, path):
        from PIL import Image

        with Image.open(path) as image:
            yield cls(image)

    def pictures(self, size):
        from PIL.Image import Resampling

        for number in range(self.shape.frames):
            self.image.seek(number)
            yield np.asarray(self.image.convert("RGB").resize(size[::-1], Resampling.BILINEAR))


class Video:
    """Frames by PyAV."""

    def __init__(self, path, container):
        if not container.streams.video:
            kinds = sorted({stream.type for stream in container.streams})
            if not kinds:  # a film that is cut off may have lost the list of its streams
                raise UsageError(f"{path} has no streams at all; expected a whole file")
            raise UsageError(f"{path} has no video stream, only {', '.join(kinds)}; expected a video")
        self.container, self.stream = container, container.streams.video[0]
        self.stream.thread_type = "AUTO"
        frames = self.stream.frames or self._count()
        if not frames:
            raise UsageError(f"{path} has a video stream without frames; expected a whole file")
        self.turns = self._turns()
        height, width = (self.stream.height, self.stream.width)[:: -1 if self.turns % 2 else 1]
        self.shape = Shape(frames, height, width)

    @classmethod
    @contextlib.contextmanager
    def open(cls, path):
        try:
            import av
        except ImportError:
            raise UsageError(f"PyAV is not installed; to read {path}: pip install av (GIFs need nothing)") from None
        with av.open(str(path)) as container:
            yield cls(path, container)

    def _count(self) -> int:
        """The packets of the stream, where the file's header does not tell."""
        count = sum(1 for packet in self.container.demux(self.stream) if packet.size)
        self.container.seek(0)
        return count

    def _turns(self) -> int:
        """Quarter turns, against the clock, that a telephone noted in its file: it lays its films down."""
        if "mov" not in self.container.format.name:  # the family of .mp4; others have no place for it
            return 0
        turns = next((getattr(frame, "rotation", 0) // 90 for frame in self.container.decode(self.stream)), 0)
        self.container.seek(0)
        return turns

    def pictures(self, size):
        height, width = size[:: -1 if self.turns % 2 else 1]
        for frame in self.container.decode(self.stream):
            picture = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="BILINEAR")
            yield np.rot90(picture, self.turns) if self.turns else picture


# A folder of the user's own


class ClipFolder(PictureFolder):
    """``VIDEOS/<class>/<clip>.mp4``, split here by content; or ``VIDEOS/<split>/<class>/<clip>.mp4``, by its owner.

    Examples are pairs (path, label); the feed reads the files. Clips cut from one recording are no copies of each
    other, and chance may put them on both sides: whoever has such gives the folder splits of its own.
    """

    KIND = "clips"
    ENDINGS = ENDINGS

    def load(self) -> Source:
        splits = {
            split: ([str(clip.path) for clip in clips], [self.labels.index(clip.label) for clip in clips])
            for split, clips in self._splits().items()
        }

        def split(text):
            if text not in splits:
                raise ValueError(f"it has {', '.join(splits)}")
            paths, labels = splits[text]
            return tensorflow().data.Dataset.from_tensor_slices((paths, np.array(labels, "int64")))

        return Source(self.name, tuple(self.labels), split)

    def _readable(self, picture) -> bool:
        try:
            return probe(picture.path).frames > 0
        except UsageError as error:
            if "pip install" in str(error):
                raise
            return False


# The feed


class ClipFeed(ArrayFeed):
    """Clips (time, height, width, channels): from arrays, from a tfds data set of videos, or from files.

    Of the recipe, `preprocess` says with ``frames`` how many are taken of a whole video, and with ``resize`` their
    size. `augment` may have ``jitter: k``: the network sees one frame of every k, a random one in training, the middle
    one elsewhere. The augmentations of pictures do the same to all frames of a clip.
    """

    @classmethod
    def learn(cls, card, plan, source):
        cls(card, plan, source).check_files()
        feed = super().learn(card, plan, source)
        frames, *rest = feed.shape
        feed.shape = (frames // feed.every, *rest)  # of what the network takes
        return feed

    @property
    def every(self) -> int:
        """Of so many frames that are read, the network sees one."""
        return self.plan.augment.get("jitter", 1)

    def batches(self, split, *, training=False):
        dataset = super().batches(split, training=training)
        if training or self.every == 1:
            return dataset
        return dataset.map(lambda x, y: (x[:, self.every // 2 :: self.every], y))

    def encode(self, raws: Sequence[str]) -> np.ndarray:
        """(clips, time, height, width, channels), scaled, from the paths of videos."""
        clips = np.stack([self.show(path) for path in raws])
        return self.scaling(clips / np.float32(1 if self.high > 1 else 255)).numpy()

    def show(self, path: str) -> np.ndarray:
        """The frames of a file that the network sees, uint8."""
        frames, height, width, channels = self.shape
        clip = read_clip(path, frames=frames, size=(height, width), loop=self._repeat)
        return clip if channels == 3 else np.round(clip @ GREY)[..., np.newaxis].astype("uint8")

    @property
    def _repeat(self) -> bool:
        return self.loop or "loop" in self.plan.preprocess

    def check_files(self) -> None:
        """Raise where a file of a folder is too short, or where files differ in size and are not brought to one."""
        if not self._holds_paths:
            return
        taken = self.plan.preprocess.get("frames")
        seen = {}
        for split in SPLITS:
            for name, _ in self.source.split(getattr(self.plan, split)).as_numpy_iterator():
                path = name.decode()
                found = probe(path)
                check_length(path, found.frames, taken and taken // self.every, self._repeat)
                seen.setdefault((found.frames,) * (not taken) + (found.height, found.width), path)
        if len(seen) > 1 and not (taken and "resize" in self.plan.preprocess):
            (a, one), (b, other), *_ = [("x".join(map(str, shape)), path) for shape, path in seen.items()]
            raise UsageError(
                f"the clips of {self.source.name} differ in size: {one} is {a}, {other} {b}; expected one size: "
                "take a recipe that resizes"
            )

    @property
    def _holds_paths(self) -> bool:
        spec = self.source.split(self.plan.train).element_spec
        return not isinstance(spec, dict) and spec[0].dtype.name == "string"

    def _read(self, split):
        """(clip, label) pairs, whatever the source has: arrays, a dictionary with a video in it, or paths."""
        tf = tensorflow()
        examples = self.source.split(split)
        if isinstance(examples.element_spec, dict):
            video = next((key for key, spec in examples.element_spec.items() if spec.shape.rank == 4), None)
            if video is None or "label" not in examples.element_spec:
                raise UsageError(
                    f"{self.source.name} has {', '.join(examples.element_spec)}; expected a video and its label"
                )
            return examples.map(lambda row: (row[video], row["label"]))
        if not self._holds_paths:
            return examples
        words = self.plan.preprocess
        first = probe(next(examples.as_numpy_iterator())[0].decode())
        count = words.get("frames", first.frames)
        size = tuple(words.get("resize", (first.height, first.width)))

        def decode(path):
            return read_clip(path.decode(), frames=count, size=size, least=count // self.every, loop=self._repeat)

        def read(path, label):
            clip = tf.numpy_function(decode, [path], tf.uint8, stateful=False)
            return tf.ensure_shape(clip, (count, *size, 3)), label

        return examples.map(read, num_parallel_calls=tf.data.AUTOTUNE)
