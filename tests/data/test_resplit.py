"""Data that are divided otherwise, without the test set."""

import numpy as np
import pytest

from zoo.data.arrays import Arrays
from zoo.data.resplit import Fold, ValidatedOnly, folds
from zoo.data.split_record import Example
from zoo.errors import UsageError
from zoo.records import Recipe, replace

RECIPE = Recipe("demo", "mine", epochs=1)
DATA = {  # each input is its own number
    "x_train": np.arange(30.0)[:, None], "y_train": np.arange(30) % 3,
    "x_val": np.arange(30.0, 36)[:, None], "y_val": np.arange(6) % 3,
    "x_test": np.arange(36.0, 45)[:, None], "y_test": np.arange(9) % 3,
}  # fmt: skip


def numbers(source, split):
    examples = source.split(split)
    found = [int(x[0]) for x, _ in examples.as_numpy_iterator()]
    assert len(found) == int(examples.cardinality())
    return found


@pytest.mark.parametrize("patience", [0, 3])
def test_folds_divide_all_that_is_not_for_testing(patience):
    recipe, tested = replace(RECIPE, patience=patience), []
    for number in range(4):
        source = Fold(Arrays(DATA), recipe, number, 4, seed=1).load()
        train, validation, test = (numbers(source, split) for split in ("train", "validation", "test"))
        assert not {*train} & {*test} and not {*train} & {*validation}
        assert {*train, *validation, *test} == {*range(36)}
        if patience:  # what stops the training is not what is measured
            assert not {*validation} & {*test}
        else:
            assert validation == test
        assert np.bincount(np.array(test) % 3).tolist() == [3, 3, 3]  # stratified
        tested += test
    assert sorted(tested) == [*range(36)]


def test_the_seed_decides_who_is_in_which_fold():
    def first(seed):
        return numbers(Fold(Arrays(DATA), RECIPE, 0, 4, seed).load(), "test")

    assert first(1) == first(1) != first(2)


def test_copies_are_in_one_fold():
    class Owned(Arrays):
        def load(self):
            contents = [Example(split, "a", str(n // 4), f"{n}.png") for split, n in
                        [("train", n) for n in range(30)] + [("validation", n) for n in range(30, 36)]]  # fmt: skip
            return replace(super().load(), examples=tuple(contents))

    for number in range(3):
        data = Fold(Owned(DATA), RECIPE, number, 3)
        source = data.load()
        train, test = numbers(source, "train"), numbers(source, "test")
        assert not {n // 4 for n in train} & {n // 4 for n in test}
        assert [each.file for each in source.examples if each.split == "test"] == [f"{n}.png" for n in test]
        assert len(data.examples) == 36 and data.examples[0].split == "train"  # as they were


def test_the_validation_set_stands_in_for_the_test_set():
    source = ValidatedOnly(Arrays(DATA), RECIPE).load()
    assert numbers(source, "test") == numbers(source, "validation") == [*range(30, 36)]
    assert numbers(source, "train") == [*range(30)]


def test_targets_that_are_no_classes_are_not_stratified():
    parts = folds(np.linspace(0, 1, 10), 5, classes=False)
    assert sorted(np.concatenate(parts).tolist()) == [*range(10)]


def test_several_answers_to_each_example_are_no_classes():
    """Copies stay together all the same."""
    groups = [str(number // 2) for number in range(12)]
    parts = folds(np.arange(24).reshape(12, 2) % 2, 3, classes=False, groups=groups)
    assert sorted(np.concatenate(parts).tolist()) == [*range(12)]
    assert all({number ^ 1 for number in part} == {*part} for part in map(np.ndarray.tolist, parts))


@pytest.mark.parametrize(
    ("y", "count", "says"),
    [
        (np.array([0, 1, 0]), 4, "folds is 4; expected at most 3, as many as there are examples"),
        (np.array([0, 1, 2, 3, 3]), 3, "folds is 3; no class has more than 2 examples"),
    ],
)
def test_more_folds_than_examples(y, count, says):
    with pytest.raises(UsageError, match=says):
        folds(y, count)
