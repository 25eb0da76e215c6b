"""What a classifier predicts for one input, as a record."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

NAMED_CLASSES = 5  # in a line
UNKNOWN = "don't know"
COLUMNS = ("rejected", "score", "threshold")  # of a table, where it was asked whether to reject


@dataclass(frozen=True)
class Verdict:
    """Whether an example is like what a classifier knows, by a score that is the larger the stranger it is.

    >>> print(Verdict(0.61, 0.25, by="softmax", rate=0.05))
    softmax score 0.61, known up to 0.25 (which rejects 5.0% of known ones)
    """

    score: float
    threshold: float
    by: str  # of `zoo.metrics.novelty.SCORES`
    rate: float  # of known examples that are rejected

    @property
    def rejected(self) -> bool:
        """So is a score that is no number."""
        return not self.score <= self.threshold

    def __str__(self) -> str:
        limit = f"known up to {self.threshold:.4g} (which rejects {self.rate:.1%} of known ones)"
        return f"{self.by} score {self.score:.4g}, {limit}"

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "rejected": self.rejected,
            "score": self.score,
            "threshold": self.threshold,
            "reject_score": self.by,
            "reject": self.rate,
        }


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a network predicts for one input. `print` shows it as the command line does.

    >>> print(Prediction("a.png", ("cat", "dog"), np.array([0.9, 0.1]), np.array([2.2, 0.0])))
    a.png: cat 90.0%, dog 10.0%
    """

    input: str  # its file, or "image 3" of those without one
    labels: tuple[str, ...]  # all classes, the likeliest first
    probabilities: np.ndarray  # (classes,), of `labels`
    logits: np.ndarray  # (outputs,), as the network gives them: in the order of the run's classes
    explanation: Path | None = None  # the picture of where it looks
    top: int = NAMED_CLASSES  # classes that are named in its line
    verdict: Verdict | None = None  # where it was asked whether to reject

    @property
    def rejected(self) -> bool | None:
        """Whether it is like none of the classes; None where that was not asked."""
        return self.verdict.rejected if self.verdict else None

    @property
    def score(self) -> float | None:
        """How strange it is; likewise."""
        return self.verdict.score if self.verdict else None

    @property
    def threshold(self) -> float | None:
        """From which score on it is rejected; likewise."""
        return self.verdict.threshold if self.verdict else None

    @property
    def label(self) -> str:
        """The likeliest class."""
        return self.labels[0]

    @property
    def probability(self) -> float:
        """Of the likeliest class."""
        return float(self.probabilities[0])

    def __str__(self) -> str:
        named = (f"{label} {share:.1%}" for label, share in zip(self.labels[: self.top], self.probabilities))
        looks = f"\n  where it looks: {self.explanation}" if self.explanation else ""
        return f"{self.input}: {judged(', '.join(named), self.verdict)}{looks}"

    def as_dict(self) -> dict[str, Any]:
        """As plain data, with its `top` classes."""
        shares = zip(self.labels[: self.top], self.probabilities)
        return {
            "input": self.input,
            "predictions": [{"label": label, "probability": round(float(share), 6)} for label, share in shares],
            **(self.verdict.as_dict() if self.verdict else {}),
            **({"explanation": str(self.explanation)} if self.explanation else {}),
        }

    def as_row(self) -> dict[str, str]:
        """As a row of a table, with its `top` classes."""
        row = {"input": self.input}
        for number, (label, share) in enumerate(zip(self.labels[: self.top], self.probabilities), start=1):
            row |= {f"label_{number}": label, f"probability_{number}": f"{share:.6f}"}
        if self.verdict:
            row |= {name: str(value) for name, value in self.verdict.as_dict().items() if name in COLUMNS}
        return row


def judged(named: str, verdict: Verdict | None) -> str:
    """What a line says of the likeliest classes, and of whether it is any of them.

    >>> print(judged("cat 57.0%", Verdict(0.43, 0.25, by="softmax", rate=0.05)))
    don't know; at best cat 57.0%: softmax score 0.43, known up to 0.25 (which rejects 5.0% of known ones)
    """
    if verdict is None:
        return named
    return f"{UNKNOWN}; at best {named}: {verdict}" if verdict.rejected else f"{named}: {verdict}"


@dataclass(frozen=True)
class Refusal:
    """An input that could not be read, and why."""

    input: str
    error: str

    def __str__(self) -> str:
        return self.error

    def as_dict(self) -> dict[str, Any]:
        return {"input": self.input, "error": self.error}


def predictions_of(
    names: Sequence[str],
    logits: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    top: int,
    verdicts: Sequence[Verdict | None],
) -> list[Prediction]:
    """A record for each input, from (inputs, outputs) logits and (inputs, classes) probabilities."""
    found = []
    for name, outputs, row, verdict in zip(names, logits, probabilities, verdicts):
        order = np.argsort(-row, kind="stable")
        labels = tuple(class_names[each] for each in order)
        found.append(Prediction(name, labels, row[order], outputs, top=top, verdict=verdict))
    return found
