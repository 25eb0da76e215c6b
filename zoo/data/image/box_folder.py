"""A folder of the user's own images with boxes around what is in them."""

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.base import SPLITS
from zoo.data.image import annotations, yolo_annotations
from zoo.data.image.annotations import Annotated
from zoo.data.image.dividing import EVERYTHING, ImageFile, by_owner, by_record, digest_of, examples_of
from zoo.data.image.files import pixels
from zoo.data.sources import Source
from zoo.data.split_record import SplitRecord
from zoo.data.tensors import check_tensorflow, tensorflow
from zoo.errors import UsageError, some, unknown

log = logging.getLogger("zoo")

FEWEST = 3  # images: one for each split


class BoxFolder:
    """Images with Pascal VOC's XML, COCO's JSON or YOLO's text files, found by what lies in the folder.

    Splits of the owner's are kept: lists in ``ImageSets/Main``, the names of folders or of JSON files. Of what is
    missing, images are held out of the training set by the content of their files, 20 % to test and 10 % to validate.
    """

    def __init__(self, path: Path):
        check_tensorflow("images with boxes are read")
        self.path, self.name = path, str(path)
        if not path.is_dir():
            raise UsageError(f"{path} is no folder; expected one of images and the files that say what is in them")
        reader_of(path)

    @cached_property
    def found(self) -> tuple[list[Annotated], list[str]]:
        """The images that can be read, and the classes that occur."""
        kind, sound, names, notes = read(self.path)
        for line in notes.lines():
            log.warning(f"{self.path}: {line}")
        there = Counter(thing.label for each in sound for thing in each.things)
        if not there or len(sound) < FEWEST:
            raise UsageError(
                f"{self.path} ({kind}) has {len(sound)} images with {sum(there.values())} boxes; expected at least "
                f"{FEWEST} images, and a box"
            )
        if absent := [name for name in names if not there[name]]:
            log.warning(f"{self.path}: no box of {some(absent)}; left out of the classes")
        kept = [name for name in names if there[name]]
        told = ", ".join(f"{there[name]} {name}" for name in kept[:10])
        log.info(f"{self.path}: {kind}, {len(sound)} images, {sum(there.values())} boxes ({told})")
        return sound, kept

    def sha256(self) -> str:
        """Of the images and their boxes."""
        things = {each.path: each.things for each in self.found[0]}
        lines = sorted(f"{each.digest} {each.split} {things[each.path]}" for each in self.images)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def load(self) -> Source:
        _, names = self.found
        splits = by_owner(self.images, self.path, FEWEST)
        taught = {thing.label for image in splits["train"] for thing in self._annotated[image.path].things}
        if untaught := {*names} - taught:
            raise UsageError(f"{self.path} has no box of {some(sorted(untaught))} to train on, only elsewhere")
        return self._opened(splits, names)

    def load_by(self, record: SplitRecord) -> Source:
        """As `load`, with the splits and the classes of a run, whatever has changed since."""
        return self._opened(by_record(self.images, record, self.path), record.class_names)

    def _opened(self, splits: Mapping[str, list[ImageFile]], names: Sequence[str]) -> Source:
        counts = ", ".join(f"{len(splits[split])} {split}" for split in SPLITS)
        log.info(f"{self.path}: {counts}")
        if unknown_boxes := Counter(
            thing.label
            for images in splits.values()
            for image in images
            for thing in self._annotated[image.path].things
            if thing.label not in names
        ):
            log.warning(
                f"{self.path}: {unknown_boxes.total()} boxes are of {some(sorted(unknown_boxes))}, which the run does "
                f"not know; left out"
            )

        def split(text: str) -> Any:
            if text not in splits:
                raise unknown(f"split of {self.path}", text, splits)
            return opened([self._annotated[image.path] for image in splits[text]], names)

        return Source(self.name, tuple(names), split, examples=examples_of(splits, self.path))

    @cached_property
    def _annotated(self) -> Mapping[Path, Annotated]:
        return {each.path: each for each in self.found[0]}

    @cached_property
    def images(self) -> list[ImageFile]:
        """Those of `found`, with the digests of their files: copies of an image stay in one split."""
        return [ImageFile(each.path, EVERYTHING, digest_of(each.path), each.split) for each in self.found[0]]


Reader = Callable[[Path, annotations.Images, annotations.Notes], tuple[list[Annotated], list[str]]]


def reader_of(root: Path) -> tuple[str, Reader]:
    """The format of a folder, by what lies in it.

    Raises:
        UsageError: if none does.
    """
    if next(annotations.coco_files(root), None):
        return "COCO", annotations.coco
    if next(annotations.xml_files(root), None):
        return "Pascal VOC", annotations.voc
    if any((root / name).is_file() for name in yolo_annotations.CLASS_FILES):
        return "YOLO", yolo_annotations.yolo
    raise UsageError(
        f"{root} holds no boxes; expected Pascal VOC's XML files, COCO's JSON, or YOLO's text files with data.yaml"
    )


def read(root: Path) -> tuple[str, list[Annotated], Sequence[str], annotations.Notes]:
    """The format of a folder, its images and things, its classes, and what was left out."""
    notes = annotations.Notes()
    kind, reader = reader_of(root)
    found, names = reader(root, annotations.Images(root), notes)
    return kind, found, names, notes


def opened(images: list[Annotated], names: Sequence[str]) -> Any:
    """A ``tf.data.Dataset`` of images (height, width, 3), uint8, and their objects of `names`, as tfds has them."""
    tf = tensorflow()
    images = [replace(each, things=tuple(it for it in each.things if it.label in names)) for each in images]
    flat = [thing for each in images for thing in each.things]
    sizes = np.array([each.size for each in images for _ in each.things], "float64").reshape(-1, 2)
    boxes = np.array([thing.box for thing in flat], "float64").reshape(-1, 4) / np.tile(sizes, 2)
    lengths = np.array([len(each.things) for each in images], "int64")

    def ragged(values: np.ndarray) -> Any:
        return tf.RaggedTensor.from_row_lengths(values, lengths)

    objects = {
        "bbox": ragged(boxes[:, [1, 0, 3, 2]].astype("float32")),
        "label": ragged(np.array([names.index(thing.label) for thing in flat], "int64")),
        "is_crowd": ragged(np.array([thing.crowd for thing in flat], bool)),
        "is_difficult": ragged(np.array([thing.difficult for thing in flat], bool)),
    }

    def read(path: Any, things: Any) -> tuple[Any, Any]:
        image = tf.numpy_function(lambda file: pixels(file.decode(), 3), [path], tf.uint8, stateful=False)
        return tf.ensure_shape(image, (None, None, 3)), things

    files = tf.data.Dataset.from_tensor_slices(([str(each.path) for each in images], objects))
    return files.map(read, num_parallel_calls=tf.data.AUTOTUNE)
