"""Images in files: read upright and without transparency, within a limit of size, written whole or not at all.

With Pillow alone: nothing heavy is imported.
"""

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import UsageError, first_line

MAX_PIXELS = 100_000_000  # of an image, 300 MB in memory: a file of a few kB may hold any number of one colour
MIN_SIDE = 16  # pixels, for the VGG that compares images: four pools halve it to one
SUFFIXES = (".png", ".jpg", ".jpeg")
log = logging.getLogger("zoo")
TOO_MANY_PIXELS = f"more than {MAX_PIXELS / 1e6:.0f} million pixels; expected fewer: shrink it first"


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    """An image file as a PIL image of which the header was read, and no pixel.

    Raises:
        UsageError: if there is none, it is no image, or has more than `MAX_PIXELS`.
    """
    from PIL import Image, UnidentifiedImageError

    path = Path(path)
    if not path.is_file():  # nor a device or a pipe, which may have no end
        found = "is a folder" if path.is_dir() else "is no file" if path.exists() else "is not there"
        raise UsageError(f"{path} {found}; expected the file of an image (JPEG, PNG, ...)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit is ours
            file = Image.open(path)
    except Image.DecompressionBombError:
        raise UsageError(f"{path} has {TOO_MANY_PIXELS}") from None
    except UnidentifiedImageError:
        raise UsageError(f"{path} is not an image; expected a JPEG or PNG") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise UsageError(f"{path} is cut off or damaged ({first_line(error)}); expected a whole image") from None
    with file:
        if file.width * file.height > MAX_PIXELS:
            raise UsageError(f"{path} is {file.width}x{file.height}: {TOO_MANY_PIXELS}")
        yield file


def read(path: str | os.PathLike[str]) -> Any:
    """An image file as a PIL image in RGB, upright; transparent parts on white, with a line in the log.

    Raises:
        UsageError: if there is none, or it cannot be read.
    """
    from PIL import Image, ImageOps

    path = Path(path)
    try:
        with opened(path) as file:
            if getattr(file, "n_frames", 1) > 1:
                log.info(f"{path} holds {getattr(file, 'n_frames', 1)} images; the first is taken")
            image = ImageOps.exif_transpose(file)  # cameras note which way they were held
            image.load()
    except UsageError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise UsageError(f"{path} is cut off or damaged ({first_line(error)}); expected a whole image") from None
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):  # grey in more than eight bits
        values = np.asarray(image, "float64")
        usual: tuple[int, ...] = (1, 255) if image.mode == "F" else (65535,)
        white = next((each for each in usual if values.max() <= each), values.max())
        if image.mode == "F":
            low, high = values.min(), values.max()
            log.info(f"{path} holds numbers from {low:g} to {high:g}; 0 is taken as black, {white:g} as white")
        image = Image.fromarray((np.clip(values / white, 0, 1) * 255).astype("uint8"))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        alpha: Any = image.getchannel("A")
        if alpha.getextrema()[0] < 255:
            log.info(f"{path} is transparent in places; they are taken as white")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def limited(size: tuple[int, int], max_side: int, what: Any) -> tuple[int, int]:
    """(width, height) shrunk until the longer side is at most `max_side`.

    Raises:
        UsageError: if a side is shorter than `MIN_SIDE` then; `what` names the image.

    >>> limited((640, 427), 256, "china.jpg")
    (256, 171)
    """
    scale = min(1.0, max_side / max(size))
    width, height = (max(1, round(side * scale)) for side in size)
    if min(width, height) < MIN_SIDE:
        shrunk = f", {width}x{height} at a size of {max_side}" if scale < 1 else ""
        raise UsageError(
            f"{what} is {size[0]}x{size[1]} pixels{shrunk}; expected at least {MIN_SIDE} on each side: "
            "take a larger one"
        )
    return width, height


def write(image: np.ndarray, path: Path) -> None:
    """(height, width, 3) of 0 to 1 into a file, whole or not at all."""
    from PIL import Image

    pixels = Image.fromarray(np.round(255 * np.clip(image, 0, 1)).astype("uint8"))
    temporary = temporary_of(path)
    options: dict[str, Any] = {"quality": 95} if path.suffix.lower() != ".png" else {}
    try:
        pixels.save(temporary, **options)
        os.replace(temporary, path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def temporary_of(path: Path) -> Path:
    """Where an image is written before it takes its name."""
    return path.with_name(f".{path.stem}.tmp{path.suffix}")


def check_output(path: Path, *, overwrite: bool = False) -> None:
    """Raise, before any work, where an image could not be written in the end."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"the output {path} ends in {path.suffix!r}; expected {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent} for {path.name}; make it first")
    if os.path.lexists(path) and not overwrite:
        raise UsageError(f"{path} is there already and was not touched; choose another name, or say --overwrite")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; expected the name of an image to write")
    try:
        temporary_of(path).touch()
        temporary_of(path).unlink()
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror or error}); choose another") from None


def free_name(path: Path) -> Path:
    """`path`, numbered if it is there already."""
    number, found = 1, path
    while os.path.lexists(found):  # a link to nothing would be followed
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found


def read_image(path: str, channels: int) -> Any:
    """An image file as (height, width, channels) of 0 to 255.

    Raises:
        UsageError: if there is none, or it cannot be read.
    """
    import tensorflow as tf

    with opened(path):
        pass  # of a size that may be decoded
    try:
        return tf.io.decode_image(tf.io.read_file(str(path)), channels=channels, expand_animations=False)
    except tf.errors.OpError:
        raise UsageError(f"{path} cannot be read as an image; expected a JPEG, PNG, GIF or BMP file") from None


def decoded_channels(path: str | os.PathLike[str]) -> int:
    """How many numbers a pixel of an image file has, as TensorFlow decodes it; 0 where it cannot, or animates it.

    Raises:
        UsageError: if it has more than `MAX_PIXELS`.
    """
    import tensorflow as tf

    try:
        with opened(path) as file:
            if file.format == "GIF":
                return 0
    except UsageError as error:
        if TOO_MANY_PIXELS in str(error):
            raise
        return 0
    try:
        return int(tf.io.decode_image(Path(path).read_bytes(), expand_animations=False).shape[-1])
    except tf.errors.OpError:
        return 0
