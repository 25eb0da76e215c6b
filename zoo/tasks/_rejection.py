"""A classifier that may answer "I don't know": how strange examples are to it, and from where on it names no class.

How strange the held-out examples of known classes are is measured once; whatever rate of them may be rejected, the
threshold follows from that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from zoo.errors import UsageError
from zoo.introspection.penultimate import penultimate
from zoo.metrics import novelty
from zoo.metrics.novelty import Gaussians
from zoo.tasks import _anomaly as anomaly
from zoo.tasks._predictions import Verdict
from zoo.tasks.base import Network

MAX_FEATURES = 8192  # whose covariance is inverted: a quarter of a minute, and .5 GB


@dataclass(frozen=True)
class Known:
    """How strange held-out examples of known classes are by a score, and what the score itself has learned."""

    by: str  # of `novelty.SCORES`
    scores: np.ndarray  # (validation examples,)
    gaussians: Gaussians | None = None  # of mahalanobis

    @classmethod
    def measure(cls, network: Network, data: Any, by: str) -> Self:
        """On the validation set of a data module; class means and covariance are those of the training set.

        Raises:
            UsageError: where the network has no such score.
        """
        if by != "mahalanobis":
            return cls(by, SCORES[by](network.predict(data.batches("validation"))))
        body = body_of(network)
        labels = data.targets("train")
        labels = labels[network.main] if isinstance(labels, Mapping) else labels
        gaussians = Gaussians.fit(body.predict(data.batches("train")), labels)
        return cls(by, gaussians.mahalanobis(body.predict(data.batches("validation"))), gaussians)


SCORES = {"softmax": novelty.softmax_score, "energy": novelty.energy}  # that logits are enough for


@dataclass(frozen=True)
class Rejector:
    """Tells which examples a classifier has no class for, so that a part `rate` of known ones is rejected."""

    network: Network
    known: Known
    rate: float

    @property
    def threshold(self) -> float:
        """The score above which an example is rejected."""
        return anomaly.threshold(self.known.scores, self.rate)

    @cached_property
    def body(self) -> Network:
        return body_of(self.network)

    def scores(self, inputs: Any, logits: np.ndarray) -> np.ndarray:
        """How strange examples are: (examples, ...) inputs and what the network made of them to (examples,)."""
        if self.known.gaussians is not None:
            return self.known.gaussians.mahalanobis(self.body.predict(inputs))
        return SCORES[self.known.by](logits)

    def __call__(self, inputs: Any, logits: np.ndarray) -> list[Verdict]:
        """A verdict on each example."""
        limit = self.threshold
        return [Verdict(float(each), limit, by=self.known.by, rate=self.rate) for each in self.scores(inputs, logits)]


def body_of(network: Network) -> Network:
    """A network that gives its features before the logits, (examples, features).

    Raises:
        UsageError: where it has none, or too many.
    """
    model = penultimate(network.model, head=network.main or None)
    if (size := model.output.shape[-1]) is None or size > MAX_FEATURES:
        raise UsageError(
            f"{network.card.name} has {size:,} features before its logits; the mahalanobis score takes at most "
            f"{MAX_FEATURES:,}: take softmax or energy"
        )
    return replace(network, model=model, losses={"": network.loss})


def verdicts(rejector: Rejector | None, inputs: Any, logits: np.ndarray) -> list[Verdict | None]:
    """Of each example, where somebody asked for one."""
    return [None] * len(logits) if rejector is None else [*rejector(inputs, logits)]
