"""Two sets of images that nobody paired: a folder of the user's own, and batches with as many of either."""

import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.base import SPLITS
from zoo.data.epochs import shuffled, with_draws
from zoo.data.image import pipeline
from zoo.data.image.arrays import AnyTargets
from zoo.data.image.cache import example_bytes
from zoo.data.image.dividing import ImageFile, by_owner, by_record, digest_of, examples_of
from zoo.data.image.files import ENDINGS
from zoo.data.image.folder import ImageFolder
from zoo.data.image.jpeg import Size
from zoo.data.image.listing import subfolders
from zoo.data.image.reading import opened
from zoo.data.sources import Source
from zoo.data.split_record import SplitRecord
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError, some, unknown
from zoo.records import Card

log = logging.getLogger("zoo")

SIDES = ("a", "b")
SEPARATOR = "/"  # between the set and the class of an image, where it has one
WANTED = "trainA/ and trainB/ with images, perhaps testA/ and testB/"
FEWEST = 3  # images of a set: one for each split


def side_of(name: str) -> str:
    """The set that a class of examples is of.

    >>> side_of("a"), side_of("b/7")
    ('a', 'b')
    """
    return name.partition(SEPARATOR)[0]


class UnpairedFolder(ImageFolder):
    """``DATA/trainA``, ``DATA/trainB``, and perhaps ``testA`` and ``testB``, ``valA`` and ``valB``, of images.

    The layout of Zhu 2017. Images may lie in sub-folders; where all of both sets do, those are their classes, by which
    translations are judged. Without test folders a fifth of each set is held out to test, and a tenth to validate.
    """

    def __init__(self, path: Path, *, cover: Size | None = None):
        self.path, self.name, self.at_least = path, str(path), cover
        if not path.is_dir():
            raise UsageError(f"{path} is no folder; expected one with {WANTED}")
        missing = [f"train{side.upper()}/" for side in SIDES if not self._files("train", side)]
        if missing:
            found = some([f"{name}/" for name in subfolders(path)] or ["no folders"])
            raise UsageError(f"{path} has no images in {' and '.join(missing)}; expected {WANTED}; it holds {found}")

    def _files(self, split: str, side: str) -> list[Path]:
        """The images of a set."""
        wanted = {f"{word}{side}" for word in ({"validation": ("val", "validation")}.get(split, (split,)))}
        found = [self.path / name for name in subfolders(self.path) if name.casefold() in wanted]
        files = [file for folder in found for file in folder.rglob("*")]
        return sorted(
            each for each in files if each.is_file() and each.suffix.lower() in ENDINGS and each.name[0] != "."
        )

    @cached_property
    def images(self) -> list[ImageFile]:
        found = [(path, side, split) for split in SPLITS for side in SIDES for path in self._files(split, side)]
        depths = {len(path.relative_to(self.path).parts) for path, *_ in found}
        named = min(depths) > 2  # trainA/7/0001.png
        split_here = not any(split != "train" for *_, split in found)
        return [
            ImageFile(
                path,
                f"{side}{SEPARATOR}{path.relative_to(self.path).parts[1]}" if named else side,
                digest_of(path),
                "" if split_here else split,
            )
            for path, side, split in found
        ]

    def load(self) -> Source:
        """Look at every image, leave out those that cannot be read, split the others and open them."""
        images = self._readable()
        for side in SIDES:
            count = len({each.digest for each in images if side_of(each.label) == side})
            if count < FEWEST:
                raise UsageError(
                    f"the set {side} of {self.path} has {count} different images that can be read; expected at least "
                    f"{FEWEST}, better hundreds"
                )
        return self._of(by_owner(images, self.path, FEWEST), tuple(sorted({each.label for each in images})))

    def load_by(self, record: SplitRecord) -> Source:
        """As `load`, with the splits and the classes of a run, whatever has changed since."""
        return self._of(by_record(self._readable(), record, self.path), record.class_names)

    def _of(self, splits: Mapping[str, list[ImageFile]], names: tuple[str, ...]) -> Source:
        counts = ", ".join(
            f"{sum(side_of(each.label) == side for each in splits[split])} {split} {side}"
            for split in SPLITS
            for side in SIDES
        )
        log.info(f"{self.path}: {counts}")
        ordered = {
            split: sorted(images, key=lambda each: (each.label, each.digest)) for split, images in splits.items()
        }

        def split(text: str) -> Any:
            if text not in ordered:
                raise unknown(f"split of {self.path}", text, ordered)
            images = ordered[text]
            return opened(
                [each.path for each in images], [names.index(each.label) for each in images], 3, self.at_least
            )

        return Source(self.name, names, split, examples=examples_of(ordered, self.path))


class UnpairedImages(AnyTargets):
    """Images of the sets a and b. The classes of the source are called "a" and "b", or "a/7", "b/7".

    Batches for training are {"a": (batch, ...), "b": (batch, ...)}, drawn from each set by itself; an epoch goes once
    through the larger one. The others are of single images, as `AnyTargets` makes them.
    """

    @classmethod
    def holds_out(cls, card: Card) -> bool:
        return False  # a loss on other images says nothing of what the translations are

    def _check_data(self) -> None:
        super()._check_data()
        found = {side_of(name) for name in self.source.class_names}
        if found != set(SIDES):
            raise UsageError(
                f"{self.source.name} has the classes {some(self.source.class_names or ['(none)'])}; expected two sets "
                f"of images, named a and b: digits_and_negatives:1.0.0, or a folder with {WANTED}"
            )
        for split in SPLITS:
            for side in SIDES:
                if not len(self.rows(split, side)):
                    raise UsageError(f"the split {split} of {self.source.name} holds no image of {side}; add some")

    def model_options(self) -> dict[str, Any]:
        return {"input_shape": self.shape}

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The classes of the images within their sets, as far as they are known: the same in both."""
        inside = {
            side: {name.partition(SEPARATOR)[2] for name in self.class_names if side_of(name) == side} for side in SIDES
        }
        common = inside["a"] == inside["b"] and "" not in inside["a"] and len(inside["a"]) > 1
        return tuple(sorted(inside["a"])) if common else ()

    def rows(self, split: str, side: str) -> np.ndarray:
        """The row numbers of a set in a split; looked up once."""
        if ("sides", split) not in self._prepared:
            names = np.array([side_of(name) for name in self.source.class_names])
            labels = [y for _, y in self._examples(split).batch(1024).as_numpy_iterator()]
            self._prepared["sides", split] = names[np.concatenate(labels)]
        return np.flatnonzero(self._prepared["sides", split] == side)

    def side(self, split: str, side: str) -> tuple[np.ndarray, np.ndarray]:
        """The scaled images of a set (examples, ...), and the numbers of their classes among `classes`."""
        x, labels = self.arrays(split)
        names = np.array([side_of(name) for name in self.class_names])
        inside = [name.partition(SEPARATOR)[2] for name in self.class_names]
        numbers = np.array([self.classes.index(each) if each in self.classes else -1 for each in inside])
        mine = names[labels] == side
        return x[mine], numbers[labels[mine]]

    def batches(self, split: str, *, training: bool = False) -> Any:
        if not training:
            return super().batches(split)
        tf = tensorflow()
        examples, size = self._examples(split), self.recipe.batch_size
        in_b = tf.constant([side_of(name) == "b" for name in self.source.class_names])
        in_a = tf.constant([side_of(name) == "a" for name in self.source.class_names])
        counts = [len(self.rows(split, side)) for side in SIDES]
        count = max(counts)
        of_a = self._repeated(examples.filter(lambda x, y: tf.gather(in_a, y)), counts[0], count)
        of_b = self._repeated(examples.filter(lambda x, y: tf.gather(in_b, y)), counts[1], count)

        def epoch(seeds: Any) -> Any:
            pairs = tf.data.Dataset.zip(shuffled(of_a, count, seeds), shuffled(of_b, count, seeds + 1)).batch(size)
            together = pairs.map(lambda a, b: (tf.concat([a[0], b[0]], 0), tf.concat([a[1], b[1]], 0)))
            return with_draws(together, seeds[1]) if self.recipe.augment else together

        batched = self.begin().dataset(epoch).apply(tf.data.experimental.assert_cardinality(-(-count // size)))
        done = pipeline.finished(batched, scaling=self.scaling, augment=self.recipe.augment)

        def apart(x: Any, y: Any) -> tuple[Any, Any]:
            half = tf.shape(x)[0] // 2
            return {"a": x[:half], "b": x[half:]}, y[:half]

        return done.map(apart)

    @property
    def steps(self) -> int:
        return -(-max(len(self.rows("train", side)) for side in SIDES) // self.recipe.batch_size)

    @staticmethod
    def _repeated(examples: Any, count: int, wanted: int) -> Any:
        """A set in memory if it is small, as often as it takes to be as large as the other one."""
        known = examples.apply(tensorflow().data.experimental.assert_cardinality(count))
        whole = known.cache() if count * example_bytes(known) <= pipeline.CACHE_BYTES else known
        return whole.repeat(-(-wanted // count)).take(wanted)
