"""A data set whose examples are divided otherwise than its recipe says, without its test set: each is a `DataSet`.

A search over settings measures on the validation set (`ValidatedOnly`), a cross-validation on each part of training and
validation set in turn (`Fold`). Both answer for the names of the splits in the recipe, so that nothing else differs.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from zoo.data.array_files import hold_out
from zoo.data.sources import DataSet, ParallelSource, Source
from zoo.data.split_record import Example
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError
from zoo.records import Recipe

INNER = 0.1  # of the examples to learn from, to stop early by


class Resplit:
    """What both have in common.

    Attributes:
        name: of the data.
        part: what is measured on, in words.
        examples: the user's own, with their splits of before: known after `load`.
    """

    part = ""

    def __init__(self, data: DataSet, recipe: Recipe):
        self.data, self.recipe, self.name = data, recipe, data.name
        self.examples: tuple[Example, ...] = ()

    def sha256(self) -> str | None:
        return self.data.sha256()

    def load(self) -> Source:
        raise NotImplementedError


class ValidatedOnly(Resplit):
    """The validation set in place of the test set, which nothing looks at."""

    part = "the validation set"

    def load(self) -> Source:
        source, recipe = self.data.load(), self.recipe
        self.examples = source.examples

        def validated(split: Callable[[str], Any]) -> Callable[[str], Any]:
            return lambda text: split(recipe.validation if text == recipe.test else text)

        kept = [each for each in source.examples if each.split != "test"]
        again = [replace(each, split="test") for each in kept if each.split == "validation"]
        found = replace(source, split=validated(source.split), examples=(*kept, *again))
        return replace(found, columns=validated(found.columns)) if isinstance(found, ParallelSource) else found


class Fold(Resplit):
    """One of so many parts of all examples that are not for testing: it is measured on, the others are learned from.

    Parts are stratified by class, and copies of an example (of the user's own data) are in one part. Where the recipe
    stops early, a tenth of what is learned from is held out for that: what is measured chooses nothing.

    Args:
        data: opened, not loaded.
        recipe: names its splits.
        number: of the part, from 0.
        count: of the parts.
        seed: by which examples are drawn.
    """

    def __init__(self, data: DataSet, recipe: Recipe, number: int, count: int, seed: int = 0):
        super().__init__(data, recipe)
        self.number, self.count, self.seed = number, count, seed
        self.part = f"fold {number + 1} of {count}"

    def load(self) -> Source:
        source, recipe = self.data.load(), self.recipe
        if isinstance(source, ParallelSource):
            raise UsageError(f"{self.name} holds pairs of texts; expected examples of classes or numbers for folds")
        self.examples = source.examples
        named = [name for name in dict.fromkeys([recipe.train, recipe.validation]) if name != recipe.test]
        parts = [source.split(name) for name in named]
        whole = parts[0] if len(parts) == 1 else parts[0].concatenate(parts[1])
        own = [each for name in named for each in source.examples if each.split == name]
        spec = whole.element_spec
        if not isinstance(spec, tuple) or len(spec) != 2 or isinstance(spec[1], dict):
            raise UsageError(f"an example of {self.name} is no input with one target; expected such examples for folds")
        targets = whole.map(lambda _, target: target)
        y = np.array([*targets.as_numpy_iterator()])
        groups = [each.sha256 for each in own] if len(own) == len(y) else []
        classes = bool(source.class_names) and y.ndim == 1  # several answers to each example are none
        held = folds(y, self.count, classes=classes, seed=self.seed, groups=groups)[self.number]
        learned, stop_by = np.setdiff1d(np.arange(len(y)), held), held
        if recipe.patience:
            (learned, _), (stop_by, _) = hold_out(learned, y[learned], INNER)
        rows = {recipe.train: learned, recipe.validation: stop_by, recipe.test: held}

        def split(text: str) -> Any:
            return taken(whole, rows[text], len(y)) if text in rows else source.split(text)

        words = {"train": learned, "validation": stop_by, "test": held} if groups else {}
        examples = [replace(own[row], split=name) for name, numbers in words.items() for row in np.sort(numbers)]
        return replace(source, split=split, examples=tuple(examples))


def folds(
    y: np.ndarray, count: int, *, classes: bool = True, seed: int = 0, groups: list[str] | None = None
) -> list[np.ndarray]:
    """The row numbers of each of `count` parts of examples with these targets.

    Args:
        y: targets, (examples, ...).
        count: of the parts.
        classes: stratify by them.
        seed: by which examples are drawn.
        groups: examples of the same one are in the same part.

    Raises:
        UsageError: for fewer than 2, or more than there are examples, or of the commonest class.

    >>> sorted(len(part) for part in folds(np.array([0, 1] * 6), 3))
    [4, 4, 4]
    >>> folds(np.array([0, 1, 0]), 4)
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: folds is 4; expected at most 3, as many as there are examples that are not for testing
    """
    from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold

    if count > len(y):
        raise UsageError(
            f"folds is {count}; expected at most {len(y)}, as many as there are examples that are not for testing"
        )
    if classes and count > (most := int(np.unique(y, return_counts=True)[1].max())):
        raise UsageError(f"folds is {count}; no class has more than {most} examples: expected at most as many folds")
    options: dict[str, Any] = {"n_splits": count, "shuffle": True, "random_state": seed}
    kind = StratifiedGroupKFold if groups else StratifiedKFold if classes else KFold
    parts = kind(**options).split(np.zeros(len(y)), y if classes else np.zeros(len(y)), groups or None)
    return [held for _, held in parts]


def taken(examples: Any, rows: np.ndarray, count: int) -> Any:
    """The examples with these numbers of a ``tf.data.Dataset`` of so many, in their order."""
    tf = tensorflow()
    mask = np.zeros(count, bool)
    mask[rows] = True
    chosen = tf.constant(mask)
    found = examples.enumerate().filter(lambda number, _: tf.gather(chosen, number)).map(lambda _, example: example)
    return found.apply(tf.data.experimental.assert_cardinality(len(rows)))
