"""Images that are as they should be, to notice those that are not: strangers are kept out of training and validation.

A folder of good images, and nothing else, is enough. What is strange may be known as well, for measuring: folders of
other names beside those of the training set, or a class of a data set that is held out.
"""

import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from zoo.checks import is_number
from zoo.data.base import SPLITS
from zoo.data.image import transforms
from zoo.data.image.arrays import AnyTargets
from zoo.data.image.dividing import ImageFile, digest_of
from zoo.data.image.files import ENDINGS
from zoo.data.image.folder import ImageFolder
from zoo.data.image.jpeg import Size
from zoo.data.image.listing import TABLE, from_folders, labels_of, listed
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError, some, unknown

log = logging.getLogger("zoo")

GOOD = "good"  # the class of images that lie in no sub-folder
SCORES = ("mean", "peak")


def loose_images(folder: Path) -> list[Path]:
    """The images of a folder that lie in no sub-folder."""
    files = (each for each in folder.iterdir() if each.is_file())
    return sorted(each for each in files if each.suffix.lower() in ENDINGS and each.name[0] != ".")


class GoodFolder(ImageFolder):
    """``GOOD/<image>.jpg``, good ones all; or ``ALL/train/good``, ``ALL/test/good`` and ``ALL/test/scratched``.

    The second layout is that of P. Bergmann et al., "MVTec AD", CVPR 2019: classes that are not in train are strange.
    Sub-folders of any other names are classes, as in `ImageFolder`; ``--option strange=NAME`` says which are strange.
    """

    def __init__(self, path: Path, *, cover: Size | None = None):
        self.path, self.name, self.at_least = path, str(path), cover
        if not (path / TABLE).is_file() and not labels_of(path) and not self._loose:
            raise UsageError(f"{path} holds no {self.KIND}; expected good ones ({', '.join(self.ENDINGS)}) in it")

    @cached_property
    def _loose(self) -> list[Path]:
        """Images that lie in no sub-folder."""
        return loose_images(self.path)

    @cached_property
    def images(self) -> list[ImageFile]:
        if (self.path / TABLE).is_file():
            return super().images
        if not labels_of(self.path):
            return [ImageFile(path, GOOD, digest_of(path)) for path in self._loose]
        found = [each for each in from_folders(self.path) if each.path.suffix.lower() in ENDINGS]
        if {each.split for each in found} == {""}:  # what is wrong with the others is said there
            found = listed(self.path, ENDINGS, self.KIND)
        return [ImageFile(path, label, digest_of(path), split) for path, label, split in found]

    def _sound(self) -> list[ImageFile]:
        """The images that can be read; one class is enough."""
        return self._readable()

    def _check_classes(self, images: list[ImageFile]) -> None:
        """Raise where there are too few good images to learn from, to choose a threshold, and to test."""
        good = {image.digest for image in images if image.split in ("", "train")}
        if len(good) < 20:
            raise UsageError(
                f"{self.path} has {len(good)} different good {self.KIND} that can be read; expected at least 20, "
                "better 200"
            )


class GoodImages(AnyTargets):
    """Images and vectors of which those of strange classes are for testing only.

    Words of the preprocessing, beside those of images: ``strange``, a class (or its number) or several; "" for those
    that the training set has not. ``false_alarms``, the fraction of good ones that may be reported: the threshold is
    chosen on the validation set for it. ``score``: ``"mean"``, the mean error of all pixels; ``"peak"``, the largest of
    its means over a window, for small faults in large images.
    """

    own: ClassVar[tuple[str, ...]] = ("strange", "false_alarms", "score")
    preprocess: ClassVar[Mapping[str, Any]] = {**transforms.PREPROCESS, **dict.fromkeys(own, lambda value: value)}

    @classmethod
    def check_recipe(cls, card: Any, recipe: Any) -> None:
        super().check_recipe(card, recipe)
        rate, score = recipe.preprocess.get("false_alarms", 0.05), recipe.preprocess.get("score", "mean")
        if not is_number(rate, 0, 1) or not 0 < rate < 1:
            raise UsageError(f"false_alarms is {rate!r}; expected a fraction above 0 and below 1, as 0.05")
        if score not in SCORES:
            raise unknown("score", score, SCORES)

    @property
    def false_alarms(self) -> float:
        return float(self.recipe.preprocess.get("false_alarms", 0.05))

    @property
    def score(self) -> str:
        return str(self.recipe.preprocess.get("score", "mean"))

    @property
    def image_steps(self) -> Mapping[str, Any]:
        return {word: option for word, option in self.recipe.preprocess.items() if word not in self.own}

    @cached_property
    def strange(self) -> tuple[int, ...]:
        """The numbers of the strange classes.

        Raises:
            UsageError: for a class that there is not, or where all are strange.
        """
        given, names = self.recipe.preprocess.get("strange", ""), list(self.source.class_names)
        wanted = [] if given in ("", None) else list(given) if isinstance(given, list | tuple) else [given]
        for each in wanted:
            if str(each) not in names:
                raise unknown(f"class of {self.source.name}", str(each), names)
        found = {names.index(str(each)) for each in wanted}
        if not wanted and self.source.examples:  # of a folder: what train has not
            known = {each.label for each in self.source.examples if each.split == SPLITS[0]}
            found = {number for number, name in enumerate(names) if name not in known}
        if names and len(found) == len(names):
            raise UsageError(f"all classes of {self.source.name} are strange ({some(names)}); expected a good one")
        return tuple(sorted(found))

    def read(self, split: str) -> Any:
        examples = super().read(split)
        if split == self.recipe.test or not self.strange:
            return examples
        tf = tensorflow()
        strange = tf.constant(self.strange, "int64")
        kept = examples.filter(lambda x, y: tf.reduce_all(tf.cast(y, "int64") != strange))
        count = sum(1 for _ in kept)
        if not count:
            raise UsageError(f"the split {split} of {self.source.name} holds strange examples only; expected good ones")
        return kept.apply(tf.data.experimental.assert_cardinality(count))

    def is_strange(self, labels: Any) -> np.ndarray:
        """Of the labels of a split, whether each is of a strange class."""
        return np.isin(np.asarray(labels), self.strange) if self.strange else np.zeros(len(labels), bool)
