"""How strange an example is to a classifier, by its logits or by the features before them: the larger, the stranger.

A classifier names one of its classes whatever it is shown. These scores tell what is like none of them:

    softmax       1 - the largest probability (D. Hendrycks and K. Gimpel, ICLR 2017, arXiv:1610.02136)
    energy        -log of the sum of exp(logits) (W. Liu et al., NeurIPS 2020, arXiv:2010.03759, section 3.1, T = 1)
    mahalanobis   the squared distance from the nearest class (K. Lee et al., NeurIPS 2018, arXiv:1807.03888,
                  section 2.1)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from zoo.checks import is_number
from zoo.errors import UsageError, unknown

SCORES = ("softmax", "energy", "mahalanobis")
DEFAULT = "mahalanobis"  # which tells strangers best on the whole: results/benchmarks/strangers.csv


def check_rate(rate: Any, name: str = "reject") -> None:
    """Raise unless that is a rate at which known examples may be rejected."""
    if not is_number(rate, 0, 1) or not 0 < rate < 1:
        raise UsageError(f"{name} is {rate!r}; expected a fraction above 0 and below 1, as 0.05")


def check_score(name: Any) -> None:
    """Raise unless there is such a score."""
    if name not in SCORES:
        raise unknown("score to reject by", name, SCORES)


def softmax_score(logits: np.ndarray) -> np.ndarray:
    """1 - the largest probability: (examples, classes) to (examples,); one logit z stands for the pair (0, z).

    It is the sum of the other probabilities, so that two examples of which a network is very sure are no ties.

    >>> softmax_score(np.log([[8.0, 1.0, 1.0]])).round(4)
    array([0.2])
    """
    if logits.shape[-1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=-1)
    ordered = np.sort(logits.astype("float64"), axis=-1)
    others = np.exp(ordered[:, :-1] - ordered[:, -1:]).sum(-1)
    return others / (1 + others)


def energy(logits: np.ndarray) -> np.ndarray:
    """-log of the sum of exp(logits): (examples, classes) to (examples,). Unlike softmax's it sees how large they are.

    Raises:
        UsageError: for one logit of two classes, of which the other one's energy is always 0.

    >>> energy(np.log([[8.0, 1.0, 1.0]])).round(4)  # -log 10
    array([-2.3026])
    """
    from scipy.special import logsumexp

    if logits.shape[-1] == 1:
        raise UsageError("energy takes a logit for each class; there is one for two: take softmax")
    return np.asarray(-logsumexp(logits.astype("float64"), axis=-1))


@dataclass(frozen=True)
class Gaussians:
    """A normal distribution of features for each class, all with one covariance.

    Where features are a linear function of each other, or never move, the inverse of the covariance is the
    pseudoinverse: what no known example has done does not count.
    """

    means: np.ndarray  # (classes, features)
    precision: np.ndarray  # (features, features), the inverse of the covariance

    @classmethod
    def fit(cls, features: np.ndarray, labels: np.ndarray) -> Self:
        """Of features (examples, features) and class numbers (examples,).

        >>> corners = np.array([[2.0, 1.0], [2.0, -1.0], [-2.0, 1.0], [-2.0, -1.0]])
        >>> Gaussians.fit(corners, np.zeros(4, int)).mahalanobis(np.array([[2.0, 0.0], [0.0, 3.0]])).round(4)
        array([1., 9.])
        """
        from sklearn.covariance import EmpiricalCovariance

        features = features.astype("float64")
        present, rows = np.unique(labels, return_inverse=True)
        means = np.stack([features[rows == row].mean(0) for row in range(len(present))])
        tied = EmpiricalCovariance(assume_centered=True).fit(features - means[rows])
        return cls(means, np.asarray(tied.precision_))

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Squared, from each class: (examples, features) to (examples, classes)."""
        centre = self.means.mean(0)  # near all of them, so that little is lost where large numbers cancel
        x, means = features.astype("float64") - centre, self.means - centre
        towards = x @ self.precision
        squares = (towards * x).sum(-1)[:, None] - 2 * towards @ means.T + ((means @ self.precision) * means).sum(-1)
        return np.asarray(np.maximum(squares, 0))

    def mahalanobis(self, features: np.ndarray) -> np.ndarray:
        """From the nearest class: (examples, features) to (examples,)."""
        return np.asarray(self.distances(features).min(-1))
