"""What holds a classifier back, from its errors on several sets: bias, variance, over-tuning or mismatch.

Each set differs from the one before it in one thing, so that what the error rises by has one cause (A. Ng, "Machine
Learning Yearning", 2018, chapters 20 to 29 and 40 to 43):

    human         what can be had at all
    training      the same examples that it learned from            -> bias (avoidable: above the human error)
    validation    others of the same kind                           -> variance
    test          likewise, which nothing was chosen by             -> over-tuning (to the validation set)
    target        those that it is meant for                        -> mismatch (of the data)
    target test   likewise, which nothing was chosen by             -> over-tuning (to the target set)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zoo.checks import check_whole, is_number
from zoo.errors import UsageError, unknown

if TYPE_CHECKING:
    import numpy as np

CAUSES = {  # of the rise at a set, in the order of the sets
    "training": "bias", "validation": "variance", "test": "over-tuning", "target": "mismatch",
    "target test": "over-tuning",
}  # fmt: skip
SETS = ("human", *CAUSES)
LEAST = 0.01  # a rise that is worth a thought: one point
SHARE = 0.5  # of the largest rise, from which another one counts beside it
ADVICE: Mapping[str, tuple[str, ...]] = {  # what to try next, the cheapest first
    "bias": (
        "train longer, or with another rate or optimizer: --epochs, --learning-rate, `zoo tune`",
        "take a larger network, or another architecture: `zoo list`",
        "regularise less (weight decay, dropout, augmentation)",
    ),
    "variance": (
        "get more data, or make more of what there is: augmentation, pretrained weights (--weights)",
        "regularise: weight decay, dropout, early stopping",
        "take a smaller network, or another architecture",
    ),
    "over-tuning": (
        "a larger validation set; fewer choices by it; a new one once it is worn out",
        "`zoo train --folds 5` measures on all that is not tested",
    ),
    "mismatch": (
        "look at errors on the target set by hand: what is different there? (--tags)",
        "make the training data look like the target: collect, imitate by augmentation, generate",
        "put a part of the target examples into the training set, and keep the rest to measure on",
    ),
}


@dataclass(frozen=True)
class Gap:
    """How much the error rises from one set to the next."""

    cause: str  # a key of `ADVICE`
    before: str
    at: str  # of `SETS`
    size: float  # of error rates
    margin: float  # of its 95 % interval, to either side; 0 where nobody counted


@dataclass(frozen=True)
class Diagnosis:
    """The errors of a classifier by set, and what follows from them."""

    errors: Mapping[str, float]  # by set, in the order of `SETS`
    gaps: tuple[Gap, ...]
    holds_back: tuple[str, ...]  # causes, the largest first; none where it is as good as can be seen
    looked_at: str = ""  # the set that the tables below are of
    by_class: Sequence[Mapping[str, Any]] = ()
    by_tag: Sequence[Mapping[str, Any]] = ()
    mistakes: Sequence[Mapping[str, Any]] = field(default=(), repr=False)

    @property
    def advice(self) -> dict[str, tuple[str, ...]]:
        """What to try next, by cause."""
        return {cause: ADVICE[cause] for cause in self.holds_back}


def diagnose(errors: Mapping[str, float], examples: Mapping[str, int] = {}, *, least: float = LEAST) -> Diagnosis:
    """What the error rises by from set to set, and which rises hold the classifier back: those of at least half the
    largest one, if they are larger than `least` and than chance.

    Args:
        errors: error rates, 0 to 1, by set: "training" and some of the other `SETS`. Without "human" that is 0; without
            "validation" the rise from training to test is variance.
        examples: how many each was counted on, where that is known; the margin of a rise is that of the difference of
            two rates (A. Agresti and B. Caffo, The American Statistician 54, 2000).
        least: what is too little to matter.

    Raises:
        UsageError: for another set, a rate that is none, or no training error.

    >>> diagnose({"human": 0.009, "training": 0.01, "test": 0.11}).holds_back
    ('variance',)
    >>> diagnose({"training": 0.01, "validation": 0.015, "target": 0.10}).holds_back
    ('mismatch',)
    >>> [(gap.cause, round(gap.size, 3)) for gap in diagnose({"human": 0.075, "training": 0.08, "test": 0.1}).gaps]
    [('bias', 0.005), ('variance', 0.02)]
    """
    for name, rate in errors.items():
        if name not in SETS:
            raise unknown("set to diagnose by", name, SETS)
        check_rate(f"the {name} error", rate)
    if "training" not in errors:
        raise UsageError(f"there is no training error among {', '.join(errors)}; bias and variance are told by it")
    for name, count in examples.items():
        check_whole(f"examples of {name}", count)
    found = {"human": 0.0} | {name: float(errors[name]) for name in SETS if name in errors}
    names, causes = list(found), CAUSES if "validation" in found else {**CAUSES, "test": "variance"}
    gaps = tuple(
        Gap(causes[at], before, at, found[at] - found[before], margin(found, examples, before, at))
        for before, at in itertools.pairwise(names)
    )
    enough = max(least, SHARE * max(gap.size for gap in gaps)) - 1e-12
    large = [gap for gap in gaps if gap.size >= enough and gap.size > gap.margin]
    causes_found = [gap.cause for gap in sorted(large, key=lambda gap: -gap.size)]
    return Diagnosis(found, gaps, tuple(dict.fromkeys(causes_found)))


def check_rate(name: str, value: Any) -> None:
    """Raise unless that is an error rate.

    >>> check_rate("human", 5)
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: human is 5; expected an error rate from 0 to 1 (0.01 is 1 %)
    """
    if not is_number(value, 0, 1):
        raise UsageError(f"{name} is {value!r}; expected an error rate from 0 to 1 (0.01 is 1 %)")


def margin(errors: Mapping[str, float], examples: Mapping[str, int], *sets: str) -> float:
    """Half the 95 % interval of the difference of two error rates, one right and one wrong example added to each."""
    variance = 0.0
    for name in sets:
        if count := examples.get(name, 0):
            rate = (errors[name] * count + 1) / (count + 2)
            variance += rate * (1 - rate) / (count + 2)
    return 1.96 * math.sqrt(variance)


def error_table(wrong: np.ndarray, kinds: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """The errors by kind, most errors first. Kinds may overlap: then the shares add up to more than one.

    Args:
        wrong: whether each example was predicted wrongly, (examples,).
        kinds: by name, whether each example is of that kind, (examples,).

    Returns:
        For each kind: how many examples, how many errors, their share of all errors, and `error_without`: the error
        rate of the whole set, were all errors of this kind gone. That is the most that work on this kind can give.

    >>> import numpy as np
    >>> wrong, blurred = np.array([True, True, False, False]), np.array([True, False, True, False])
    >>> error_table(wrong, {"blurred": blurred})
    [{'kind': 'blurred', 'examples': 2, 'errors': 1, 'share': 0.5, 'error_without': 0.25}]
    """
    rows = []
    for kind, among in kinds.items():
        errors = int((wrong & among).sum())
        share = errors / max(int(wrong.sum()), 1)
        without = (int(wrong.sum()) - errors) / len(wrong)
        rows.append(
            {"kind": kind, "examples": int(among.sum()), "errors": errors, "share": share, "error_without": without}
        )
    return sorted(rows, key=lambda row: -row["errors"])
