"""What features are worth to whoever gets labels later: the classes of the nearest examples, and of a linear model.

Features are vectors, (examples, dim), of whatever made them: a network, the pixels themselves.
"""

import numpy as np

NEIGHBOURS = 5  # that vote
UNIFORMITY = 2.0  # the t of Wang & Isola's Gaussian


def knn_accuracy(train: np.ndarray, labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray) -> float:
    """The fraction of test examples whose class most of the nearest training examples have, by the cosine.

    >>> train, test = np.eye(3)[[0, 0, 0, 1, 1, 1]], np.eye(3)[:2]
    >>> knn_accuracy(train, np.array([4, 4, 4, 7, 7, 7]), test, np.array([4, 7]))
    1.0
    """
    from sklearn.neighbors import KNeighborsClassifier

    nearest = KNeighborsClassifier(min(NEIGHBOURS, len(train)), metric="cosine")
    return float(nearest.fit(train, labels).score(test, test_labels))


def probe_accuracy(train: np.ndarray, labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray) -> float:
    """The accuracy of a linear probe: logistic regression on standardised features.

    >>> x, y = np.array([[0.0, 1.0], [0.0, 2.0], [1.0, 1.0], [1.0, 2.0]]), np.array([0, 0, 1, 1])
    >>> probe_accuracy(x, y, x, y)
    1.0
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return float(probe.fit(train, labels).score(test, test_labels))


def alignment(views: np.ndarray) -> float:
    """How far apart the two views of an image lie: the mean of the squared distances (Wang & Isola 2020, section 4.1).

    Args:
        views: embeddings of length 1, (2 x images, dim), the two of an image one behind the other.

    >>> alignment(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]))
    1.0
    """
    return float(np.mean(np.sum(np.square(views[::2] - views[1::2]), axis=1)))


def uniformity(embeddings: np.ndarray) -> float:
    """How evenly embeddings of length 1 lie on their sphere: the logarithm of the mean of exp(-2 |a - b|^2) over all
    pairs, 0 where all are one point, the lower the evener (Wang & Isola 2020, section 4.1).

    >>> uniformity(np.array([[1.0, 0.0], [1.0, 0.0]])), uniformity(np.array([[1.0, 0.0], [-1.0, 0.0]]))
    (0.0, -8.0)
    """
    products = embeddings @ embeddings.T
    squared = np.maximum(2.0 - 2.0 * products[np.triu_indices(len(embeddings), 1)], 0.0)
    return float(np.log(np.mean(np.exp(-UNIFORMITY * squared))))
