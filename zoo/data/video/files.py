"""Videos in files: how many frames they hold, and some of these frames as an array."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from zoo.errors import UsageError, first_line

MAX_FRAME_PIXELS = 40_000_000  # 8K has 33 million: a GIF of a few kB may have any number of one colour
ENDINGS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".gif")
LUMA_WEIGHTS = np.array([0.299, 0.587, 0.114], "float32")  # of red, green and blue in a grey value: ITU-R BT.601


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
    min_frames: int | None = None,
    loop: bool = False,
) -> np.ndarray:
    """A video as an array. Only the frames that are asked for are kept, so that a long one fits into memory.

    Args:
        path: an .mp4, .avi or other file that FFmpeg reads, or a .gif.
        frames: how many, spread evenly over the whole (`frame_indices`); all of them if left out.
        size: (height, width) to bring them to.
        min_frames: how many there must be; `frames` if left out.
        loop: repeat a video that has fewer.

    Returns:
        uint8 (frames, height, width, 3), in their order.

    Raises:
        UsageError: if the file cannot be read, holds no video, or has too few frames and may not be repeated.
    """
    min_frames = min_frames or frames or 1
    with opened(path) as video:
        length = video.shape.frames
        check_length(path, length, min_frames, loop)
        wanted = frame_indices(max(length, min_frames), frames or length) % length
        needed, kept = set(wanted.tolist()), {}
        for number, image in enumerate(video.images(size or (video.shape.height, video.shape.width))):
            if number in needed:
                kept[number] = image
            if len(kept) == len(needed):
                break
        else:
            raise UsageError(f"{path} breaks off before frame {max(wanted)} of {length}; expected a whole file")
    return np.stack([kept[number] for number in wanted.tolist()])


def check_length(path: str | Path, frames: int, min_frames: int | None, loop: bool) -> None:
    """Raise if a video has fewer frames than a network takes."""
    if min_frames and frames < min_frames and not loop:
        raise UsageError(
            f"{path} has {frames} frames; expected at least {min_frames}: give a longer clip, or repeat this one "
            "(--loop)"
        )


def check_frame(path: str | Path, height: int, width: int) -> None:
    """Raise if a frame has more pixels than are decoded."""
    if height * width > MAX_FRAME_PIXELS:
        raise UsageError(
            f"{path} has frames of {height}x{width}; expected at most {MAX_FRAME_PIXELS / 1e6:.0f} million pixels: "
            "shrink it first"
        )


def frame_indices(count: int, frames: int, draw: Sequence[float] | None = None) -> np.ndarray:
    """Which of `count` frames: one from each of `frames` equal parts (Wang 2016, arXiv:1608.00859: segments).

    Args:
        count: how many there are.
        frames: how many are wanted.
        draw: a number in [0, 1) for each part, to choose at random; its middle if left out.

    Returns:
        Their numbers, (frames,) int64.

    >>> frame_indices(30, 3).tolist(), frame_indices(30, 3, draw=[0.0, 0.99, 0.5]).tolist()
    ([5, 15, 25], [0, 19, 25])
    """
    within = np.full(frames, 0.5) if draw is None else np.asarray(draw)
    return np.minimum((np.arange(frames) + within) * count // frames, count - 1).astype("int64")


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

    def __init__(self, image: Any):
        self.image = image
        check_frame(image.filename, image.height, image.width)
        self.shape = Shape(getattr(image, "n_frames", 1), image.height, image.width)

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        from PIL import Image

        with Image.open(path) as image:  # reads the header; whatever its size, no pixel is decoded yet
            yield cls(image)

    def images(self, size: tuple[int, int]) -> Iterator[np.ndarray]:
        """All frames in their order, (height, width, 3) uint8 of that size."""
        from PIL.Image import Resampling

        for number in range(self.shape.frames):
            self.image.seek(number)
            yield np.asarray(self.image.convert("RGB").resize(size[::-1], Resampling.BILINEAR))


class Video:
    """Frames by PyAV."""

    def __init__(self, path: Path, container: Any):
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
        check_frame(path, self.stream.height, self.stream.width)  # before one is decoded
        self.turns = self._turns()
        height, width = (self.stream.height, self.stream.width)[:: -1 if self.turns % 2 else 1]
        self.shape = Shape(frames, height, width)

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
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

    def images(self, size: tuple[int, int]) -> Iterator[np.ndarray]:
        """All frames in their order, (height, width, 3) uint8 of that size."""
        height, width = size[:: -1 if self.turns % 2 else 1]
        for frame in self.container.decode(self.stream):
            image = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="BILINEAR")
            yield np.rot90(image, self.turns) if self.turns else image
