"""Files of images, divided into splits: by their contents, by their owner, or as they were for a run."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo.data.base import SPLITS
from zoo.data.split_record import Example, SplitRecord
from zoo.errors import UsageError, some

log = logging.getLogger("zoo")

SPLIT_FRACTIONS = {"test": 0.2, "validation": 0.1}  # of each class; the rest trains
EVERYTHING = "all"  # what stands for the class of an image that has none, or many


@dataclass(frozen=True)
class ImageFile:
    """A file of a class, in its owner's split if there is one. Two files with one `digest` are the same image."""

    path: Path
    label: str
    digest: str
    split: str = ""


def by_content(images: list[ImageFile], fractions: Mapping[str, float]) -> dict[str, list[ImageFile]]:
    """A fraction of each class for each split, at least one image; the rest is "train". Copies stay together."""
    split_of: dict[str, str] = {}  # by digest
    for label in sorted({image.label for image in images}):
        digests = sorted({image.digest for image in images if image.label == label})  # an order as good as drawn
        for split, fraction in fractions.items():
            count = max(1, round(fraction * len(digests)))
            split_of |= dict.fromkeys(digests[:count], split)
            digests = digests[count:]
        split_of |= dict.fromkeys(digests, "train")
    splits: dict[str, list[ImageFile]] = {split: [] for split in ("train", *reversed([*fractions]))}
    for image in images:
        splits[split_of[image.digest]].append(image)
    return splits


def by_owner(images: list[ImageFile], name: Path, fewest: int) -> dict[str, list[ImageFile]]:
    """The splits of their owner; where there is no test or validation set, a part of the others is held out.

    Raises:
        UsageError: where some images are in a split and others are not, or a split is left without any.
    """
    named = {each.split for each in images}
    if "" in named and len(named) > 1:
        lost = [each.path.name for each in images if not each.split]
        raise UsageError(f"{name}: {len(lost)} images are in no split, others are; name one for {some(lost)}")
    splits = {split: [each for each in images if each.split == split] for split in SPLITS}
    missing = {split: fraction for split, fraction in SPLIT_FRACTIONS.items() if not splits[split]}
    splits |= by_content(splits["train"] or [each for each in images if not each.split], missing)
    if empty := [split for split in SPLITS if not splits[split]]:
        raise UsageError(f"{name} has no images for {', '.join(empty)}; expected at least {fewest} images")
    return splits


def by_record(images: list[ImageFile], record: SplitRecord, name: Path) -> dict[str, list[ImageFile]]:
    """The splits of a run, whatever has changed since: what is new is left out, or tested where all that is unseen is.

    Raises:
        UsageError: where nothing is left to measure on.
    """
    known = {each.sha256: each.split for each in record.examples}
    splits: dict[str, list[ImageFile]] = {split: [] for split in SPLITS}
    new = []
    for image in images:
        split = known.get(image.digest) or ("test" if record.unseen and image.split in ("", "test") else None)
        if split is None:
            new.append(image.path.name)
        else:
            splits[split].append(image)
    if new:
        log.warning(f"left out {len(new)} images of {name} that are new since the run was trained: {some(new)}")
    if not splits["test"]:
        raise UsageError(f"{name} holds none of the images that the run was tested on; name those: --data")
    return splits


def examples_of(splits: Mapping[str, list[ImageFile]], root: Path) -> tuple[Example, ...]:
    """What a run keeps of its images."""
    return tuple(
        Example(split, each.label, each.digest, each.path.relative_to(root).as_posix())
        for split, images in splits.items()
        for each in images
    )


def digest_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
