"""How near generated examples are to real ones, by features of both: as a whole, in quality and in variety."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

NEIGHBOURS = 3  # whose distance is the radius of an example's ball (Kynkäänniemi 2019, section 3.1)
WITHIN = 5.0  # deviations from the mean of a class


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """|mean difference|^2 + trace(A + B - 2 (A B)^(1/2)), the squared distance of two normal distributions.

    M. Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", NeurIPS 2017,
    equation 6. Of few examples it is too large, by less the more there are: compare sets of one size only.

    Args:
        a, b: features (examples, size), more than one example each.

    >>> x = np.random.default_rng(0).normal(size=(500, 3))
    >>> round(frechet_distance(x, x), 6), round(frechet_distance(x, x + 2), 6)
    (0.0, 12.0)
    """
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    first, second = (np.atleast_2d(np.cov(each, rowvar=False)) for each in (a, b))
    # trace (A B)^(1/2) is the sum of the singular values of A^(1/2) B^(1/2)
    overlap = np.linalg.svd(root(first) @ root(second), compute_uv=False).sum()
    means = np.square(a.mean(0) - b.mean(0)).sum()
    return float(max(means + np.trace(first) + np.trace(second) - 2 * overlap, 0.0))


def root(matrix: np.ndarray) -> np.ndarray:
    """The square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def precision_recall(real: np.ndarray, generated: np.ndarray, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """How many generated examples lie where real ones are (quality), and how many real ones where generated ones are.

    T. Kynkäänniemi, T. Karras, S. Laine, J. Lehtinen and T. Aila, "Improved Precision and Recall Metric for Assessing
    Generative Models", NeurIPS 2019, equations 1 to 3: a set is where the balls around its examples are, each as far as
    its third nearest neighbour.

    Args:
        real, generated: features (examples, size), more than `neighbours` of each.
        neighbours: k.

    >>> line = np.arange(10.0)[:, None]
    >>> precision_recall(line, line[:5] + 0.1)
    (1.0, 0.8)
    """
    return inside(generated, real, neighbours), inside(real, generated, neighbours)


def inside(examples: np.ndarray, others: np.ndarray, neighbours: int) -> float:
    """The fraction of examples that lie in the ball of one of the others."""
    radii = NearestNeighbors(n_neighbors=neighbours + 1).fit(others).kneighbors(others)[0][:, -1]  # itself is one
    found = 0
    for start in range(0, len(examples), 500):
        part = examples[start : start + 500]
        squared = (part**2).sum(1)[:, None] + (others**2).sum(1) - 2 * part @ others.T
        found += int((squared <= radii**2 * (1 + 1e-6)).any(1).sum())
    return found / len(examples)


def classifier_score(probabilities: np.ndarray) -> float:
    """exp of the mean divergence of p(class | example) from p(class): from 1 to the number of classes.

    T. Salimans et al., "Improved Techniques for Training GANs", NeurIPS 2016, section 4, with another classifier than
    Inception: high where each example is surely of one class, and all classes occur.

    >>> float(round(classifier_score(np.eye(4)), 6)), float(round(classifier_score(np.full((4, 4), 0.25)), 6))
    (4.0, 1.0)
    """
    p = np.maximum(np.asarray(probabilities, "float64"), 1e-12)
    return float(np.exp((p * (np.log(p) - np.log(p.mean(0)))).sum(1).mean()))


def coverage(examples: np.ndarray, real: np.ndarray, labels: np.ndarray) -> tuple[int, float]:
    """How many classes are met, and how many examples meet one: within five deviations of the mean of a class.

    Args:
        examples: generated vectors (examples, features).
        real, labels: of which the classes are.

    >>> real = np.array([[-1.0], [1.0], [9.0], [11.0]])
    >>> coverage(np.array([[0.5], [50.0]]), real, np.array([0, 0, 1, 1]))
    (1, 0.5)
    """
    classes = [real[labels == label] for label in np.unique(labels)]
    means = np.stack([each.mean(0) for each in classes])
    deviations = np.array([np.sqrt(each.var(0).mean()) for each in classes])  # along an axis
    distances = np.linalg.norm(examples[:, None] - means, axis=2) / np.maximum(deviations, 1e-12)
    nearest, near = distances.argmin(1), distances.min(1) <= WITHIN
    return len(np.unique(nearest[near])), float(near.mean())


def nearest_distance(examples: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of the others to each example, and how far it is: (examples,) each."""
    distances, rows = NearestNeighbors(n_neighbors=1).fit(others).kneighbors(examples)
    return rows[:, 0], distances[:, 0]
