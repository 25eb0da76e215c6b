"""What holds a classifier back, by hand-made errors."""

import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.metrics.diagnosis import ADVICE, CAUSES, diagnose, error_table

COLUMNS = [  # errors in per cent of people and on the sets, and what is wrong
    ({"human": 0.9, "training": 1, "test": 11}, {"variance"}),
    ({"human": 0.9, "training": 15, "test": 16}, {"bias"}),
    ({"human": 0.9, "training": 15, "test": 30}, {"bias", "variance"}),
    ({"human": 0.9, "training": 0.5, "test": 1}, set()),
    ({"human": 1, "training": 8, "test": 10}, {"bias"}),
    ({"human": 7.5, "training": 8, "test": 10}, {"variance"}),
    ({"training": 1, "validation": 9, "target": 10}, {"variance"}),
    ({"training": 1, "validation": 1.5, "target": 10}, {"mismatch"}),
    ({"training": 10, "validation": 11, "target": 12}, {"bias"}),
    ({"training": 10, "validation": 11, "target": 20}, {"bias", "mismatch"}),
    ({"training": 1, "validation": 1, "test": 9}, {"over-tuning"}),
    ({"training": 1, "validation": 1, "target": 1, "target test": 9}, {"over-tuning"}),
]


@pytest.mark.parametrize(("errors", "causes"), COLUMNS)
def test_each_column_has_its_cause(errors, causes):
    found = diagnose({name: error / 100 for name, error in errors.items()})
    assert set(found.holds_back) == causes == set(found.advice)


def test_the_rises_add_up_and_each_has_its_cause():
    found = diagnose({"human": 0.04, "training": 0.07, "validation": 0.1, "target": 0.12, "target test": 0.12})
    assert [round(100 * gap.size) for gap in found.gaps] == [3, 3, 2, 0]
    assert [gap.cause for gap in found.gaps] == ["bias", "variance", "mismatch", "over-tuning"]
    assert sum(gap.size for gap in found.gaps) == pytest.approx(0.12 - 0.04)


def test_the_order_of_the_dictionary_does_not_matter():
    errors = {"training": 0.01, "validation": 0.09, "target": 0.3, "human": 0.0}
    assert diagnose(errors) == diagnose(dict(reversed(errors.items())))


def test_a_rise_that_may_be_chance_does_not_count():
    errors = {"training": 0.0, "validation": 0.04}
    assert diagnose(errors).holds_back == ("variance",)
    assert diagnose(errors, {"training": 1000, "validation": 25}).holds_back == ()
    assert diagnose(errors, {"training": 1000, "validation": 2500}).holds_back == ("variance",)


def test_the_interval_of_a_rise_by_hand():
    """Two rates of 8 in 98 and 1 in 98, with one right and one wrong example more: .09 and .02 of 100."""
    gap = diagnose({"training": 1 / 98, "validation": 8 / 98}, {"training": 98, "validation": 98}).gaps[1]
    assert gap.margin == pytest.approx(1.96 * np.sqrt(0.02 * 0.98 / 100 + 0.09 * 0.91 / 100))


@pytest.mark.parametrize(
    ("errors", "says"),
    [
        ({"training": 1.5}, "the training error is 1.5; expected an error rate from 0 to 1"),
        ({"training": float("nan")}, "expected an error rate"),
        ({"test": 0.1}, "there is no training error among test"),
        ({"training": 0.1, "dev": 0.1}, "there is no set to diagnose by 'dev'"),
    ],
)
def test_errors_that_are_none_are_one_line(errors, says):
    with pytest.raises(UsageError, match=says):
        diagnose(errors)


def test_there_is_advice_for_each_cause():
    assert set(CAUSES.values()) == set(ADVICE)


def test_kinds_of_errors_may_overlap():
    wrong = np.ones(100, bool)
    kinds = {name: np.zeros(100, bool) for name in ("dog", "big cat", "blurred")}
    kinds["dog"][:8], kinds["big cat"][8:51], kinds["blurred"][39:] = True, True, True
    rows = error_table(wrong, kinds)
    assert [(row["kind"], row["errors"]) for row in rows] == [("blurred", 61), ("big cat", 43), ("dog", 8)]
    assert sum(row["share"] for row in rows) == pytest.approx(1.12)


def test_wrong_labels_among_the_errors_are_taken_out_of_the_error():
    [row] = error_table(np.arange(1000) < 100, {"wrong label": np.arange(1000) < 6})
    assert row["error_without"] == 0.094


def test_no_errors_at_all():
    [row] = error_table(np.zeros(4, bool), {"a": np.ones(4, bool)})
    assert row == {"kind": "a", "examples": 4, "errors": 0, "share": 0.0, "error_without": 0.0}
