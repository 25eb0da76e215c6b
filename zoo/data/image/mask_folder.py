"""A folder of the user's own images with a mask for each: the class of every pixel."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.base import SPLITS
from zoo.data.image.dividing import EVERYTHING, ImageFile, by_owner, by_record, digest_of, examples_of
from zoo.data.image.files import ENDINGS, opened, pixels
from zoo.data.image.listing import MEANT, subfolders
from zoo.data.image.reading import upright_size
from zoo.data.sources import Source
from zoo.data.split_record import SplitRecord
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError, some, unknown
from zoo.metrics.segmentation import IGNORED

log = logging.getLogger("zoo")

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "photos", "jpegimages")
MASK_FOLDERS = ("masks", "mask", "labels", "annotations", "segmentationclass", "trimaps", "gt", "groundtruth")
SUFFIXES = ("_mask", "-mask", "_label", "_labels", "_gt", "_seg", "_segmentation")  # of a mask's name
NAMES = "classes.txt"
FEWEST = 3  # images: one for each split
MOST_CLASSES = 255


class MaskFolder:
    """``DATA/images/NAME.jpg`` with ``DATA/masks/NAME.png``, or both folders in ``train``, ``val`` and ``test``.

    A mask has the size of its image and a number for each pixel: the index of a palette, or a grey value; 255 does not
    count. Masks of black and white have two classes, background and object. ``classes.txt`` may name the classes, one
    on a line. Masks may be called ``NAME_mask.png``, and the folders labels or annotations. Without splits of their
    own, 70 % of the images train, 10 % validate and 20 % test, by the content of the files.
    """

    def __init__(self, path: Path):
        self.path, self.name = path, str(path)
        if not path.is_dir():
            raise UsageError(f"{path} is no folder; expected one with {IMAGE_FOLDERS[0]}/ and {MASK_FOLDERS[0]}/")
        if not self._pairs_of_folders():
            raise UsageError(
                f"{path} has no folders of images and masks; expected {IMAGE_FOLDERS[0]}/ and {MASK_FOLDERS[0]}/, "
                f"or both in train/, val/ and test/"
            )

    def _pairs_of_folders(self) -> list[tuple[Path, Path, str]]:
        """Folder of images, folder of masks, split ("" where there are none)."""

        def pair(root: Path) -> tuple[Path, Path] | None:
            names = {name.casefold(): root / name for name in subfolders(root)}
            images, masks = (
                next((names[name] for name in known if name in names), None) for known in (IMAGE_FOLDERS, MASK_FOLDERS)
            )
            return (images, masks) if images and masks else None

        both = pair(self.path)
        splits = {name: MEANT[name.casefold()] for name in subfolders(self.path) if name.casefold() in MEANT}
        found = [(*inside, split) for name, split in splits.items() if (inside := pair(self.path / name))]
        if both:
            inner = {name: MEANT[name.casefold()] for name in subfolders(both[0]) if name.casefold() in MEANT}
            return [(both[0] / name, both[1] / name, split) for name, split in inner.items()] or [(*both, "")]
        return found

    @cached_property
    def mask_of(self) -> Mapping[Path, Path]:
        """The mask of each image that can be read and has one of its size; the others are named."""
        found, lost, strange = dict[Path, Path](), list[str](), list[str]()
        for images, masks, _ in self._pairs_of_folders():
            by_stem = {stem_of(each): each for each in files_in(masks)}
            for image in files_in(images):
                mask = by_stem.get(image.stem) or by_stem.get(stem_of(image))
                if mask is None:
                    lost.append(image.name)
                elif problem := mismatch(image, mask):
                    strange.append(f"{image.name} ({problem})")
                else:
                    found[image] = mask
        if lost:
            log.warning(f"left out {len(lost)} images of {self.path} without a mask: {some(lost)}")
        if strange:
            log.warning(f"left out {len(strange)} images of {self.path} whose mask does not fit: {some(strange)}")
        if len(found) < FEWEST:
            raise UsageError(f"{self.path} has {len(found)} images with a mask; expected at least {FEWEST}")
        return found

    @cached_property
    def images(self) -> list[ImageFile]:
        splits = {images: split for images, _, split in self._pairs_of_folders()}
        parents = {image: next(each for each in splits if image.is_relative_to(each)) for image in self.mask_of}
        return [ImageFile(image, EVERYTHING, digest_of(image), splits[parents[image]]) for image in self.mask_of]

    @cached_property
    def values(self) -> tuple[int, ...]:
        """The numbers that the masks hold, in order, without what does not count."""
        held = set[int]()
        for mask in self.mask_of.values():
            held.update(np.unique(numbers(mask)).tolist())
        if held == {0, IGNORED}:
            return (0, IGNORED)
        return tuple(sorted(held - {IGNORED}))

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        file = self.path / NAMES
        if file.is_file():
            names = tuple(line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip())
            if self.values != (0, IGNORED) and self.values[-1] >= len(names):
                raise UsageError(f"{file} names {len(names)} classes; a mask holds {self.values[-1]}: name them all")
            return names
        if self.values == (0, IGNORED):
            return ("background", "object")
        if self.values != tuple(range(len(self.values))):
            log.info(
                f"the masks of {self.path} hold {some([*map(str, self.values)])}: taken as {len(self.values)} classes"
            )
        return tuple(map(str, self.values))

    def sha256(self) -> str:
        """Of the images and their masks."""
        lines = sorted(f"{each.digest} {digest_of(self.mask_of[each.path])} {each.split}" for each in self.images)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def load(self) -> Source:
        """Look at every image and mask, split them and open them."""
        return self._opened(by_owner(self.images, self.path, FEWEST), self.class_names)

    def load_by(self, record: SplitRecord) -> Source:
        """As `load`, with the splits and the classes of a run, whatever has changed since."""
        return self._opened(by_record(self.images, record, self.path), record.class_names)

    def _opened(self, splits: Mapping[str, list[ImageFile]], names: tuple[str, ...]) -> Source:
        counts = ", ".join(f"{len(splits[split])} {split}" for split in SPLITS)
        log.info(f"{self.path}: {sum(map(len, splits.values()))} images ({counts}), classes {some(names)}")
        ordered = {split: sorted(images, key=lambda each: each.digest) for split, images in splits.items()}
        table = table_of(self.values, names)

        def split(text: str) -> Any:
            if text not in ordered:
                raise unknown(f"split of {self.path}", text, ordered)
            return self._examples(ordered[text], table)

        return Source(self.name, names, split, examples=examples_of(ordered, self.path))

    def _examples(self, images: Sequence[ImageFile], table: np.ndarray) -> Any:
        """A ``tf.data.Dataset`` of images (height, width, 3) and masks (height, width), both uint8."""
        tf = tensorflow()

        def read(image: Any, mask: Any) -> tuple[Any, Any]:
            x = tf.numpy_function(lambda file: pixels(file.decode(), 3), [image], tf.uint8, stateful=False)
            y = tf.numpy_function(lambda file: table[numbers(Path(file.decode()))], [mask], tf.uint8, stateful=False)
            return tf.ensure_shape(x, (None, None, 3)), tf.ensure_shape(y, (None, None))

        paths = [str(each.path) for each in images], [str(self.mask_of[each.path]) for each in images]
        return tf.data.Dataset.from_tensor_slices(paths).map(read, num_parallel_calls=tf.data.AUTOTUNE)


def table_of(values: Sequence[int], names: Sequence[str]) -> np.ndarray:
    """The class of each number that a mask may hold, (256,) uint8; 255 for what is none."""
    table = np.full(256, IGNORED, "uint8")
    if tuple(values) == (0, IGNORED):
        table[[0, IGNORED]] = 0, 1
    elif all(name.isdecimal() for name in names):  # called as they are numbered
        for number, name in enumerate(names):
            table[int(name)] = number
    else:
        table[: len(names)] = np.arange(len(names))
    return table


def numbers(path: Path) -> np.ndarray:
    """The numbers of a mask, (height, width) uint8: of a palette its indices, of grey its values.

    Raises:
        UsageError: for a file that cannot be read, or that holds colours.
    """
    with opened(path) as image:
        if image.mode == "1":
            return np.asarray(image).astype("uint8")
        found = np.asarray(image if image.mode in ("P", "L", "I;16", "I") else image.convert("RGB"))
    if found.ndim == 3:
        if (found != found[..., :1]).any():
            raise UsageError(f"the mask {path} holds colours; expected a number for each pixel: a palette, or grey")
        found = found[..., 0]
    if found.max(initial=0) > IGNORED:
        raise UsageError(f"the mask {path} holds {found.max()}; expected numbers up to {MOST_CLASSES - 1}, or 255")
    return found.astype("uint8")


def mismatch(image: Path, mask: Path) -> str:
    """What is wrong with an image and its mask, in words; "" where nothing is."""
    try:
        size = upright_size(image)
        height, width = numbers(mask).shape
    except UsageError as error:
        return "holds colours" if "colours" in str(error) else "cannot be read"
    return "" if size == (width, height) else f"{width}x{height} for {size[0]}x{size[1]}"


def stem_of(path: Path) -> str:
    """The name of a file without its ending, and without what says that it is a mask."""
    stem = path.stem
    return next((stem.removesuffix(each) for each in SUFFIXES if stem.endswith(each)), stem)


def files_in(folder: Path) -> list[Path]:
    found = folder.rglob("*") if folder.is_dir() else ()
    return sorted(each for each in found if each.suffix.lower() in ENDINGS and not each.name.startswith("."))
