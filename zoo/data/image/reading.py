"""Files of images as a dataset, and a look at them before: by Pillow, or what gives the same numbers in less time."""

import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.by_rows import by_rows
from zoo.data.image.files import LYING, ORIENTATION, decoded, pixels
from zoo.data.image.files import opened as header_of
from zoo.data.image.jpeg import Size, parsed, reduction
from zoo.data.tensors import tensorflow

HEADER = 2**18  # bytes, in which a camera's notes end and the image begins
BY_PILLOW = 0  # in place of a reduction


def look(path: Path) -> tuple[str, ...]:
    """What has to be taken for granted about an image file, each as the end of a sentence that begins with its name.

    Of a JPEG, or a PNG that is neither transparent nor deep, no pixel is decoded: that it is whole is seen from its
    markers, or its checksums.

    Raises:
        UsageError: if there is none, or it cannot be read.
    """
    if path.suffix.lower() in (".jpg", ".jpeg", ".png"):
        with header_of(path) as file:
            if getattr(file, "n_frames", 1) > 1:
                pass
            elif file.format == "JPEG":
                if parsed(path.read_bytes()):
                    return ()
            elif file.format == "PNG" and file.mode in ("1", "L", "P", "RGB") and "transparency" not in file.info:
                try:
                    file.verify()
                    return ()
                except (OSError, SyntaxError, ValueError):
                    pass  # Pillow may read it all the same
    return decoded(path)[1]


def upright_size(path: Path) -> tuple[int, int]:
    """(width, height) of an image as it is seen. What `look` need not decode is not decoded for this either.

    Raises:
        UsageError: if there is none, or it cannot be read.
    """
    look(path)
    with header_of(path) as file:
        size: tuple[int, int] = file.size
        return size[::-1] if file.getexif().get(ORIENTATION, 1) in LYING else size


def opened(paths: Sequence[Path], labels: Sequence[Any], channels: int, at_least: Size | None = None) -> Any:
    """A ``tf.data.Dataset`` of images (height, width, channels), uint8, and their labels, a whole number or a row of
    them each; in the order of `paths`.

    Pillow reads them, so that a network is trained on what it is later asked about: upright, on white. TensorFlow reads
    what it reads to the same numbers: JPEGs in colour that have nothing to be taken for granted.

    Args:
        paths: of the files.
        labels: of each.
        channels: 1 is grey, 3 are RGB.
        at_least: what large photographs are reduced to, as `zoo.data.image.files.decoded` does it.
    """
    tf = tensorflow()
    at_least = None if at_least is None else (at_least[0], at_least[1])  # JSON has lists

    with ThreadPoolExecutor() as pool:
        ways = [*pool.map(lambda path: way_to_read(path, at_least, path.stat().st_mtime_ns), paths)]
    if channels != 3 or not hasattr(tf, "raw_ops"):
        ways = [BY_PILLOW] * len(paths)
    used = sorted({*ways})  # what is not used is not traced

    def decode(path: Any, way: int) -> Any:
        if way == BY_PILLOW:
            return tf.numpy_function(lambda file: pixels(file.decode(), channels, at_least), [path], tf.uint8, False)
        return tf.image.decode_jpeg(tf.io.read_file(path), channels, ratio=way, dct_method="INTEGER_ACCURATE")

    def read(path: Any, label: Any, number: Any) -> tuple[Any, Any]:
        decoders = [functools.partial(decode, path, way) for way in used]
        image = tf.switch_case(number, decoders) if len(decoders) > 1 else decoders[0]()
        return tf.ensure_shape(image, (None, None, channels)), label

    names, numbers = [str(path) for path in paths], np.array([used.index(way) for way in ways], "int32")
    files = tf.data.Dataset.from_tensor_slices((names, np.array(labels, "int64"), numbers))
    return by_rows(files, read)


@functools.lru_cache(2**20)
def way_to_read(path: Path, at_least: Size | None, written: int) -> int:
    """By how much TensorFlow is to reduce a file that it reads as Pillow does; else `BY_PILLOW`.

    `written` says when the file was: of another one, the answer may be another.
    """
    with path.open("rb") as file:
        found = parsed(file.read(HEADER), header=True)
    return reduction((found.height, found.width), at_least) if found and found.plain else BY_PILLOW
