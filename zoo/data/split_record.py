"""Which of the user's own examples a run was trained, validated and tested on: by their contents, and found again.

A run keeps a row for each example in ``splits.csv``. A test set that was drawn anew, from a folder in which something
has changed since, would hold what the network was trained on.
"""

import csv
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Self

from zoo.errors import UsageError, as_written, some

log = logging.getLogger("zoo")

FILE = "splits.csv"  # of a run folder
LEARNED_FROM = ("train", "validation")


@dataclass(frozen=True)
class Example:
    """One example of a user's own data. Two with one `sha256` are the same."""

    split: str  # "" where nobody has decided
    label: str
    sha256: str
    file: str  # as the user calls it, relative to the data


def rows(examples: Sequence[Example]) -> list[dict[str, str]]:
    """The rows of `FILE`."""
    return [asdict(example) for example in examples]


@dataclass(frozen=True)
class SplitRecord:
    """The examples of a run, by which data that may have changed since are split as they were then.

    Args:
        examples: those of the run.
        class_names: the classes that its network tells apart, in their order.
        unseen: measure on all that the run has not learned from, and not on its own test set alone.
    """

    examples: tuple[Example, ...]
    class_names: tuple[str, ...]
    unseen: bool = False

    @classmethod
    def read(cls, folder: Path, class_names: Sequence[str], *, unseen: bool = False) -> Self | None:
        """That of a run folder; None where the run was made from data that need none, or by an older version.

        Raises:
            UsageError: for a file that was not written by `zoo train`.
        """
        path = folder / FILE
        if not path.exists():
            return None
        try:
            with path.open(newline="", encoding="utf-8") as file:
                examples = tuple(Example(**{key: as_written(row[key]) for key in row}) for row in csv.DictReader(file))
        except (AttributeError, TypeError, ValueError, csv.Error):
            names = ", ".join(field.name for field in fields(Example))
            raise UsageError(f"{path} was not written by `zoo train`; expected the columns {names}") from None
        return cls(examples, tuple(class_names), unseen)

    @cached_property
    def _known(self) -> Mapping[str, Mapping[str, Example]]:
        """By content and split: an owner's own splits may hold one example twice."""
        known: dict[str, dict[str, Example]] = defaultdict(dict)
        for example in self.examples:
            known[example.sha256][example.split] = example
        return known

    def place(self, found: Sequence[Example], name: str, kind: str) -> list[Example | None]:
        """Each example with its split and class of then, or None where it is to be left out; what differs is logged.

        Args:
            found: the examples that are there now.
            name: of the data, and
            kind: what its examples are, for what is said of them.

        Raises:
            UsageError: if nothing is left to measure on.
        """
        names = self._names_of_then(found)
        placed = [self._placed(example, names) for example in found]
        if not any(example and example.split == "test" for example in placed):
            theirs = sorted({example.label for example in found})
            if not {names.get(label, label) for label in theirs} & {*self.class_names}:
                ours = some(self.class_names)
                raise UsageError(f"{name} has the classes {some(theirs)}; the run tells {ours} apart: give the same")
            raise UsageError(
                f"{name} holds none of the {kind} that the run was tested on"
                + (" and none that it has not learned from" if self.unseen else "")
                + "; name the data that do, or others: --data (data=)"
            )
        self._tell(found, placed, names, name, kind)
        return placed

    def _placed(self, example: Example, names: Mapping[str, str]) -> Example | None:
        known = self._known.get(example.sha256)
        if known:
            then = known.get(example.split) or next(iter(known.values()))
            return replace(example, split=then.split, label=then.label)
        label = names.get(example.label, example.label)
        if not self.unseen or label not in self.class_names or example.split in LEARNED_FROM:
            return None
        return replace(example, split="test", label=label)

    def _names_of_then(self, found: Sequence[Example]) -> dict[str, str]:
        """The classes that have another name now, by their contents: name now -> name then."""
        names: dict[str, set[str]] = defaultdict(set)
        for example in found:
            names[example.label].update(known.label for known in self._known.get(example.sha256, {}).values())
        labels = {*self.class_names, *(example.label for example in self.examples)}
        return {now: min(then) for now, then in names.items() if now not in labels and len(then) == 1}

    def _tell(
        self,
        found: Sequence[Example],
        placed: Sequence[Example | None],
        names: Mapping[str, str],
        name: str,
        kind: str,
    ) -> None:
        for now, then in names.items():
            log.info(f"the class {then} of the run is called {now} in {name} now")
        both = list(zip(found, placed))
        moved = [now.file for now, then in both if then and names.get(now.label, now.label) != then.label]
        if moved:
            log.warning(f"{len(moved)} {kind} of {name} lie under other classes than then, which count: {some(moved)}")
        present = {example.sha256 for example in found}
        tested = {each.sha256: each.file for each in self.examples if each.split == "test"}
        gone = [file for sha256, file in tested.items() if sha256 not in present]
        if gone and not (self.unseen and len(gone) == len(tested)):  # other data hold none of them
            log.warning(f"{len(gone)} of the {len(tested)} test {kind} of the run are gone: {some(gone)}")
        left_out = [now for now, then in both if then is None]
        strange = sorted({each.label for each in left_out} - {*self.class_names, *names})
        if strange:
            log.warning(f"left out the {kind} of classes that the run is not tested on: {some(strange)}")
        if new := [each.file for each in left_out if each.label not in strange]:
            why = "its owner has put into training" if self.unseen else "are new since the run was trained"
            cure = "" if self.unseen else f"; `zoo evaluate RUN --data {name}` measures on them as well"
            log.warning(f"left out {len(new)} {kind} of {name} that {why}: {some(new)}{cure}")
        learned = sum(then is not None and then.split in LEARNED_FROM for _, then in both)
        if self.unseen and learned:
            log.warning(f"left out {learned} {kind} of {name} that the run was trained or validated on")
