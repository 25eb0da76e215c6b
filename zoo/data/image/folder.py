"""A folder of the user's own images, one sub-folder for each class, through tfds' `ImageFolder`."""

import hashlib
import logging
import random
import tempfile
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from zoo.data.base import SPLITS
from zoo.data.sources import Source, tensorflow
from zoo.errors import UsageError, some

log = logging.getLogger("zoo")

ENDINGS = (".jpg", ".jpeg", ".png")  # what tfds' ImageFolder takes
SPLIT_FRACTIONS = {"test": 0.2, "validation": 0.1}  # of each class; the rest trains
MIN_IMAGES = 3  # of a class: one for each split
FEW_IMAGES = 10  # of a class: with fewer, its metrics mean little


@dataclass(frozen=True)
class ImageFile:
    """A file of a class. Two files with one `digest` are the same image."""

    path: Path
    label: str
    digest: str


class ImageFolder:
    """``PHOTOS/<class>/<image>.jpg``, split here; or ``PHOTOS/<split>/<class>/<image>.jpg``, split by its owner.

    Without splits of their own, 70 % of each class train, 10 % validate and 20 % test, by the content of the
    files: an image and its copies lie in one split, in every run and under any file names. Owners' splits are called
    train, test and validation; without a validation set, a tenth of the training set is held out.
    """

    KIND = "images"
    ENDINGS: tuple[str, ...] = ENDINGS

    def __init__(self, path: Path):
        self.path, self.name = path, str(path)
        self.labels = subfolders(path)
        self.own_splits = {"train", "test"} <= set(self.labels)
        if self.own_splits:
            self.labels = subfolders(path / "train")
        if len(self.labels) < 2:
            raise UsageError(
                f"{path} has {len(self.labels)} sub-folders; expected one for each class, at least 2, with {self.KIND} "
                f"({', '.join(self.ENDINGS)}) in them"
            )

    def sha256(self) -> str:
        """Of the images and their classes, so that a run can be told from one on other images."""
        lines = sorted(f"{image.label} {image.digest}" for image in self.images)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def load(self) -> Source:
        """Look at every image, leave out those that cannot be read, split the others and open them."""
        splits = self._splits()
        # tfds wants split/class/image: links in that order, to files that stay where they are.
        tree = tempfile.TemporaryDirectory(prefix="zoo-images-")
        for name, images in splits.items():
            for label in self.labels:
                (Path(tree.name) / name / label).mkdir(parents=True)
            for number, image in enumerate(sorted(images, key=lambda each: (each.label, each.digest))):
                link = Path(tree.name) / name / image.label / f"{number:06}{image.path.suffix.lower()}"
                link.symlink_to(image.path.absolute())
        builder = tfds.ImageFolder(tree.name, shape=(None, None, 3))

        def split(text: str) -> Any:
            examples = builder.as_dataset(split=text, as_supervised=True)
            examples.links = tree  # they live as long as a data set that is made from these examples
            return examples

        return Source(self.name, tuple(builder.info.features["label"].names), split)

    @cached_property
    def images(self) -> list[ImageFile]:
        """Every file that says by its ending that it is an image, with the digest of its bytes."""
        roots = [self.path / split for split in subfolders(self.path)] if self.own_splits else [self.path]
        found = [
            (file, label)
            for root in roots
            for label in subfolders(root)
            for file in sorted((root / label).iterdir())
            if file.is_file() and not file.name.startswith(".")
        ]
        files = [(file, label) for file, label in found if file.suffix.lower() in self.ENDINGS]
        if others := sorted({file.suffix.lower() or file.name for file, _ in found} - set(self.ENDINGS)):
            log.warning(
                f"left out {len(found) - len(files)} files of {self.path} that do not end in "
                f"{', '.join(self.ENDINGS)}: {some(others)}"
            )
        with ThreadPoolExecutor() as pool:
            digests = pool.map(lambda each: digest_of(each[0]), files)
            return [ImageFile(file, label, digest) for (file, label), digest in zip(files, digests)]

    def _readable(self, image: ImageFile) -> bool:
        tf = tensorflow()
        try:
            return tf.io.decode_image(image.path.read_bytes(), channels=3).ndim == 3  # 4: an animation
        except tf.errors.OpError:
            return False

    def _splits(self) -> dict[str, list[ImageFile]]:
        images = self._sound()
        if not self.own_splits:
            splits = by_content(images, SPLIT_FRACTIONS)
        else:
            splits = {split: [] for split in SPLITS}
            for image in images:
                split = image.path.relative_to(self.path).parts[0]
                if split not in splits:
                    raise UsageError(f"{self.path} has the split {split}; expected train, test and perhaps validation")
                splits[split].append(image)
            if not splits["validation"]:
                held = by_content(splits["train"], {"validation": 0.1})
                splits |= {"train": held["train"], "validation": held["validation"]}
            straddling = {each.digest for each in splits["train"]} & {each.digest for each in splits["test"]}
            if straddling:
                log.warning(
                    f"{len(straddling)} {self.KIND} of {self.path}/test are in train as well: "
                    "the test metrics will be too good"
                )
        log.info(
            f"{self.path}: {len(self.labels)} classes, {len(images)} {self.KIND} ("
            + ", ".join(f"{len(each)} {split}" for split, each in splits.items())
            + ")"
        )
        return splits

    def _sound(self) -> list[ImageFile]:
        """The images that can be read, of one class each; the others are named."""
        with ThreadPoolExecutor() as pool:
            sound = list(pool.map(self._readable, self.images))
        broken = [image for image, good in zip(self.images, sound) if not good]
        images = [image for image, good in zip(self.images, sound) if good]
        labels: dict[str, set[str]] = {}
        for image in images:
            labels.setdefault(image.digest, set()).add(image.label)
        ambiguous = [image for image in images if len(labels[image.digest]) > 1]
        images = [image for image in images if len(labels[image.digest]) == 1]
        for left_out, why in ((broken, "cannot be read"), (ambiguous, "lie under two classes")):
            if left_out:
                names = some([image.path.relative_to(self.path) for image in left_out])
                log.warning(f"left out {len(left_out)} {self.KIND} of {self.path} that {why}: {names}")
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
        return images


def by_content(images: list[ImageFile], fractions: Mapping[str, float]) -> dict[str, list[ImageFile]]:
    """A fraction of each class for each split, at least one image; the rest is "train". Copies stay together."""
    split_of: dict[str, str] = {}  # by digest
    for label in sorted({image.label for image in images}):
        digests = sorted({image.digest for image in images if image.label == label})
        random.Random(label).shuffle(digests)
        for split, fraction in fractions.items():
            count = max(1, round(fraction * len(digests)))
            split_of |= dict.fromkeys(digests[:count], split)
            digests = digests[count:]
        split_of |= dict.fromkeys(digests, "train")
    splits: dict[str, list[ImageFile]] = {split: [] for split in ("train", *reversed([*fractions]))}
    for image in images:
        splits[split_of[image.digest]].append(image)
    return splits


def digest_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def subfolders(path: Path) -> list[str]:
    """The names of the folders in a folder, sorted, without hidden ones."""
    return sorted(each.name for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))
