"""Images in files: read upright and without transparency, within a limit of size, written whole or not at all.

With Pillow alone: nothing heavy is imported.
"""

import contextlib
import glob
import logging
import os
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.image.jpeg import Size
from zoo.errors import UsageError, first_line

MAX_PIXELS = 100_000_000  # of an image, 300 MB in memory: a file of a few kB may hold any number of one colour
MIN_SIDE = 16  # pixels, for the VGG that compares images: four pools halve it to one
SUFFIXES = (".png", ".jpg", ".jpeg")  # that are written
ENDINGS = (
    ".jpg",
    ".jpeg",
    ".png",
    ".webp",
    ".bmp",
    ".gif",
    ".tif",
    ".tiff",
    ".avif",
    ".heic",
    ".heif",
)  # that are read
ORIENTATION, LYING = 0x0112, (5, 6, 7, 8)  # of EXIF, and where it says that the image lies on its side
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


def read(path: str | os.PathLike[str], at_least: Size | None = None) -> Any:
    """An image file as a PIL image in RGB, upright; what was taken for granted is said in the log.

    Raises:
        UsageError: if there is none, or it cannot be read.
    """
    image, notes = decoded(path, at_least)
    for note in notes:
        log.info(f"{path} {note}")
    return image.convert("RGB")


def pixels(raw: Any, channels: int, at_least: Size | None = None) -> np.ndarray:
    """An image file, or what else `taken` takes, as (height, width, channels) of 0 to 255, upright, without a word: 1
    channel is grey, 3 are RGB. `at_least` as in `decoded`.

    Raises:
        UsageError: if there is none, or it cannot be read.
    """
    return in_channels(decoded(raw, at_least)[0] if isinstance(raw, str | os.PathLike) else taken(raw), channels)


def in_channels(image: Any, channels: int) -> np.ndarray:
    """A PIL image as (height, width, channels), uint8."""
    array = np.asarray(in_mode(image, "L" if channels == 1 else "RGB"))
    return array[..., np.newaxis] if channels == 1 else array


def in_mode(image: Any, mode: str) -> Any:
    """A PIL image in that mode; itself, not a copy, where it is in it."""
    return image if image.mode == mode else image.convert(mode)


def decoded(path: str | os.PathLike[str], at_least: Size | None = None) -> tuple[Any, tuple[str, ...]]:
    """An image file as a PIL image in mode L or RGB, upright, and what had to be taken for granted about it.

    Transparent places become white, sixteen bits eight; of an animation it is the first image. The notes say so, each
    as the end of a sentence that begins with the file's name. Of a JPEG that has twice, four or eight times
    (height, width) `at_least` on both sides, it is a half, a quarter or an eighth: what is to be shrunk anyway.

    Raises:
        UsageError: if there is none, or it cannot be read.
    """
    from PIL import ImageOps

    path = Path(path)
    if path.suffix.lower() in (".heic", ".heif"):
        _register_heif(path)
    notes = []
    try:
        with opened(path) as file:
            if getattr(file, "n_frames", 1) > 1:
                notes.append("holds several images; the first is taken")
            if at_least and file.format == "JPEG":
                lies = file.getexif().get(ORIENTATION, 1) in LYING
                file.draft(None, at_least if lies else at_least[::-1])
            file.load()
            ImageOps.exif_transpose(file, in_place=True)  # cameras note which way they were held
            image: Any = file
    except UsageError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise UsageError(f"{path} is cut off or damaged ({first_line(error)}); expected a whole image") from None
    image, more = _in_plain_mode(image)
    return image, (*notes, *more)


def taken(raw: Any, at_least: Size | None = None) -> Any:
    """A path, a PIL image or an array as a PIL image in RGB, upright; of a path, `at_least` as in `decoded`.

    An array is (height, width) or (height, width, channels), of grey, RGB or RGB with opacity: integers of 0 to 255, or
    fractions of 0 to 1.

    Raises:
        UsageError: for anything else.

    >>> taken(np.full((2, 3), 0.5)).getpixel((0, 0))
    (128, 128, 128)
    """
    from PIL import Image, ImageOps

    if isinstance(raw, str | os.PathLike):
        return read(raw, at_least)
    if not hasattr(raw, "getbands"):
        raw = Image.fromarray(_bytes_of(np.asarray(raw)))
    return _in_plain_mode(ImageOps.exif_transpose(raw))[0].convert("RGB")


def _bytes_of(array: np.ndarray) -> np.ndarray:
    """An array of an image as uint8, (height, width) or (height, width, 3 or 4)."""
    axes_fit = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (1, 3, 4))
    if not axes_fit or array.dtype.kind not in "uifb" or not array.size:
        raise UsageError(
            f"an array of {array.dtype} and shape {array.shape} was given; expected an image (height, width), or "
            "(height, width, channels) with 1, 3 or 4 of them"
        )
    values = array * 255.0 if array.dtype.kind in "fb" and array.max() <= 1 else array
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 255):
        raise UsageError("the values of an image lie outside of 0 to 255; expected integers of these, or 0 to 1")
    values = np.round(values).astype("uint8")
    return values[..., 0] if values.shape[2:] == (1,) else values


def expanded(inputs: Iterable[str | os.PathLike[str]]) -> list[str]:
    """The paths, with the images of a folder and its sub-folders in its place, and those that a pattern fits in its.

    Raises:
        UsageError: for a folder without images, or a pattern that fits nothing.
    """
    found: list[str] = []
    for each in map(str, inputs):
        path = Path(each)
        if path.is_dir():
            files = sorted(
                str(file) for file in path.rglob("*")
                if file.suffix.lower() in ENDINGS and not file.name.startswith(".") and file.is_file()
            )  # fmt: skip
        elif not path.exists() and any(sign in each for sign in "*?["):
            files = sorted(file for file in glob.glob(each, recursive=True) if Path(file).is_file())
        else:
            files = [each]
        if not files:
            what = "has no images in it" if path.is_dir() else "fits no file"
            raise UsageError(f"{each} {what}; expected images ({', '.join(ENDINGS)})")
        found += files
    return found


def _in_plain_mode(image: Any) -> tuple[Any, list[str]]:
    """A PIL image in mode L or RGB, and what had to be taken for granted."""
    from PIL import Image

    notes = []
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):  # grey in more than eight bits
        image, note = _in_eight_bits(image)
        notes.append(note)
    grey = image.mode in ("1", "L", "LA")
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        alpha: Any = image.getchannel("A")
        if alpha.getextrema()[0] < 255:
            notes.append("is transparent in places; they are taken as white")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return in_mode(image, "L" if grey else "RGB"), notes


def _in_eight_bits(image: Any) -> tuple[Any, str]:
    """A grey image of 16 or 32 bits, or of fractions, in eight bits, and what was taken as white."""
    from PIL import Image

    values = np.asarray(image, "float64")
    usual: tuple[int, ...] = (1, 255) if image.mode == "F" else (65535,)
    white = next((each for each in usual if values.max() <= each), values.max())
    grey = Image.fromarray((np.clip(values / white, 0, 1) * 255).astype("uint8"))
    return grey, f"has more than eight bits a pixel; 0 is taken as black, {white:g} as white"


def _register_heif(path: Path) -> None:
    try:
        import pillow_heif
    except ImportError:
        raise UsageError(f"{path} needs a package to be read: pip install pillow-heif; or save it as JPEG") from None
    pillow_heif.register_heif_opener()


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
