"""What a classifier predicts for one input, as a record."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

NAMED_CLASSES = 5  # in a line


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
        return f"{self.input}: {', '.join(named)}{looks}"

    def as_dict(self) -> dict[str, Any]:
        """As plain data, with its `top` classes."""
        shares = zip(self.labels[: self.top], self.probabilities)
        return {
            "input": self.input,
            "predictions": [{"label": label, "probability": round(float(share), 6)} for label, share in shares],
            **({"explanation": str(self.explanation)} if self.explanation else {}),
        }

    def as_row(self) -> dict[str, str]:
        """As a row of a table, with its `top` classes."""
        row = {"input": self.input}
        for number, (label, share) in enumerate(zip(self.labels[: self.top], self.probabilities), start=1):
            row |= {f"label_{number}": label, f"probability_{number}": f"{share:.6f}"}
        return row


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
    names: Sequence[str], logits: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str], top: int
) -> list[Prediction]:
    """A record for each input, from (inputs, outputs) logits and (inputs, classes) probabilities."""
    found = []
    for name, outputs, row in zip(names, logits, probabilities):
        order = np.argsort(-row, kind="stable")
        found.append(Prediction(name, tuple(class_names[each] for each in order), row[order], outputs, top=top))
    return found
