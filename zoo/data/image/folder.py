"""A folder of the user's own images, one sub-folder for each class or a table of labels, read by Pillow."""

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from zoo.data.base import SPLITS
from zoo.data.image.dividing import SPLIT_FRACTIONS, ImageFile, by_content, digest_of
from zoo.data.image.files import ENDINGS, TOO_MANY_PIXELS
from zoo.data.image.jpeg import Size
from zoo.data.image.listing import TABLE, Found, from_rows, labels_of, listed, sound
from zoo.data.image.reading import look, opened
from zoo.data.loaders import rows_of
from zoo.data.sources import Source
from zoo.data.split_record import Example, SplitRecord
from zoo.errors import UsageError, some, unknown

log = logging.getLogger("zoo")

IN_MEMORY = "<arrays>"  # in place of the path of a folder: see zoo.data.arrays
MIN_IMAGES = 3  # of a class: one for each split
FEW_IMAGES = 10  # of a class: with fewer, its metrics mean little


class ImageFolder:
    """``PHOTOS/<class>/<image>.jpg``, split here; or ``PHOTOS/<split>/<class>/<image>.jpg``, split by its owner.

    Images may lie in sub-folders of their class. In place of folders for the classes, ``PHOTOS/labels.csv`` may name
    the files, with columns path and label, and perhaps split.

    A photograph that has twice the size of `cover`, to which its images are brought, is read at a half of its own, or
    at a quarter or an eighth.

    Without splits of their own, 70 % of each class train, 10 % validate and 20 % test, by the content of the
    files: an image and its copies lie in one split, in every run and under any file names, and an image that is added
    moves one other at most from each split to the next. Owners' splits are called train, test and validation (val,
    valid, dev); what is missing of the last two is held out of the training set.
    """

    KIND = "images"
    ENDINGS: tuple[str, ...] = ENDINGS
    found: list[Found] | None = None  # where a table names them
    at_least: Size | None = None  # of large photographs what is read

    def __init__(self, path: Path, *, cover: Size | None = None):
        self.path, self.name, self.at_least = path, str(path), cover
        if not (path / TABLE).is_file() and len(found := labels_of(path)) < 2:
            raise UsageError(
                f"{path} has {len(found)} sub-folders; expected one for each class, at least 2, with {self.KIND} "
                f"({', '.join(self.ENDINGS)}) in them"
            )

    @classmethod
    def of_table(cls, table: Any, *, cover: Size | None = None) -> Self:
        """The files that a table of pandas or Polars names, with columns path and label, and perhaps split.

        Raises:
            UsageError: if it has no such columns, or none of its files is there.
        """
        found = from_rows(rows_of(table), "the table", Path.cwd())
        if not found:
            raise UsageError("the table names no file that is there; expected paths, from this folder on or whole")
        folder = cls.__new__(cls)
        folder.at_least = cover
        folder.name, folder.found = IN_MEMORY, [each._replace(path=each.path.absolute()) for each in found]
        folder.path = Path(os.path.commonpath([each.path.parent for each in folder.found]))
        return folder

    def sha256(self) -> str:
        """Of the images and their classes, so that a run can be told from one on other images."""
        lines = sorted(f"{image.label} {image.digest}" for image in self.images)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def load(self) -> Source:
        """Look at every image, leave out those that cannot be read, split the others and open them."""
        images = self._sound()
        self._check_classes(images)
        splits = self._owners(images) if images[0].split else by_content(images, SPLIT_FRACTIONS)
        return self._opened(self._told(splits), tuple(self.labels))

    def load_by(self, record: SplitRecord) -> Source:
        """As `load`, with the splits and the classes of a run, whatever has changed since."""
        images = self._sound()
        splits: dict[str, list[ImageFile]] = {split: [] for split in SPLITS}
        found = [self._example(image, image.split) for image in images]
        for image, then in zip(images, record.place(found, self.name, self.KIND)):
            if then is not None:
                splits[then.split].append(replace(image, label=then.label))
        return self._opened(self._told(splits), record.class_names)

    def _told(self, splits: dict[str, list[ImageFile]]) -> dict[str, list[ImageFile]]:
        counts = ", ".join(f"{len(images)} {split}" for split, images in splits.items())
        total = sum(map(len, splits.values()))
        log.info(f"{self.path}: {len(self.labels)} classes, {total} {self.KIND} ({counts})")
        return splits

    def _opened(self, splits: Mapping[str, list[ImageFile]], labels: tuple[str, ...]) -> Source:
        ordered = {
            split: sorted(images, key=lambda each: (each.label, each.digest)) for split, images in splits.items()
        }

        def split(text: str) -> Any:
            if text not in ordered:
                raise unknown(f"split of {self.path}", text, ordered)
            return self._open(ordered[text], labels)

        examples = tuple(self._example(image, split) for split, images in ordered.items() for image in images)
        return Source(self.name, labels, split, examples=examples)

    def _open(self, images: list[ImageFile], labels: tuple[str, ...]) -> Any:
        """A ``tf.data.Dataset`` of what a network learns from, one example each, and its class."""
        numbers = [labels.index(image.label) for image in images]
        return opened([image.path for image in images], numbers, 3, self.at_least)

    def _example(self, image: ImageFile, split: str) -> Example:
        return Example(split, image.label, image.digest, image.path.relative_to(self.path).as_posix())

    @cached_property
    def images(self) -> list[ImageFile]:
        """Every file that says by its ending that it is an image, with the digest of its bytes."""
        if self.found is None:
            files = listed(self.path, self.ENDINGS, self.KIND)
        else:
            files = sound(self.found, self.path, self.ENDINGS, self.KIND)
        with ThreadPoolExecutor() as pool:
            digests = pool.map(lambda each: digest_of(each.path), files)
            return [ImageFile(path, label, digest, split) for (path, label, split), digest in zip(files, digests)]

    @cached_property
    def labels(self) -> list[str]:
        """The names of the classes, sorted."""
        return sorted({image.label for image in self.images})

    def _look(self, image: ImageFile) -> tuple[str, ...]:
        """What has to be taken for granted about an image; raises where it cannot be read."""
        return look(image.path)

    def _owners(self, images: list[ImageFile]) -> dict[str, list[ImageFile]]:
        splits = {split: [image for image in images if image.split == split] for split in SPLITS}
        for split in ("test", "validation"):
            if not splits[split]:
                held = by_content(splits["train"], {split: SPLIT_FRACTIONS[split]})
                splits |= {"train": held["train"], split: held[split]}
                log.info(f"{self.path} has no {split} set: {len(held[split])} {self.KIND} of train are held out")
        straddling = {each.digest for each in splits["train"]} & {each.digest for each in splits["test"]}
        if straddling:
            log.warning(
                f"{len(straddling)} {self.KIND} of {self.path}/test are in train as well: "
                "the test metrics will be too good"
            )
        return splits

    def _sound(self) -> list[ImageFile]:
        """The images that can be read, of one class each; the others are named."""
        if len(self.labels) < 2:
            raise UsageError(f"{self.path} has {self.KIND} of {len(self.labels)} classes; expected at least 2")
        images = self._readable()
        labels: dict[str, set[str]] = {}
        for image in images:
            labels.setdefault(image.digest, set()).add(image.label)
        ambiguous = [image for image in images if len(labels[image.digest]) > 1]
        images = [image for image in images if len(labels[image.digest]) == 1]
        self._leave_out(ambiguous, "lie under two classes")
        return images

    def _check_classes(self, images: list[ImageFile]) -> None:
        """Raise where a class has too few different images to be learned, and say where it has few."""
        counts = Counter({label: 0 for label in self.labels})
        counts.update(label for _, label in {(image.digest, image.label) for image in images})
        label, count = min(counts.items(), key=lambda each: each[1])
        if count < MIN_IMAGES:
            raise UsageError(
                f"the class {label} of {self.path} has {count} different {self.KIND} that can be read; expected at "
                f"least {MIN_IMAGES}, better {FEW_IMAGES}: add some or remove its folder"
            )
        if count < FEW_IMAGES:
            log.warning(f"the class {label} has {count} {self.KIND} only: what is measured on it will be rough")

    def _readable(self) -> list[ImageFile]:
        """The images that can be read; what had to be taken for granted is said in one line for all."""

        def notes_of(image: ImageFile) -> tuple[str, ...] | None:
            try:
                return self._look(image)
            except UsageError as error:
                if "pip install" in str(error) or TOO_MANY_PIXELS in str(error):
                    raise
                return None

        with ThreadPoolExecutor() as pool:
            found = dict(zip(self.images, pool.map(notes_of, self.images)))
        self._leave_out([image for image, notes in found.items() if notes is None], "cannot be read")
        for note in sorted({note for notes in found.values() for note in notes or ()}):
            names = [image.path.relative_to(self.path) for image, notes in found.items() if note in (notes or ())]
            log.info(f"each of {len(names)} {self.KIND} of {self.path} {note} ({some(names)})")
        return [image for image, notes in found.items() if notes is not None]

    def _leave_out(self, images: list[ImageFile], why: str) -> None:
        if images:
            names = some([image.path.relative_to(self.path) for image in images])
            log.warning(f"left out {len(images)} {self.KIND} of {self.path} that {why}: {names}")
