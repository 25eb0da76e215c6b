"""What can be said of binary images without a network: a probability for each pixel, or several of those, mixed."""

import numpy as np

SMOOTHING = 1.0  # of the counts, as if one image of each kind had been seen: no pixel is impossible


class BernoulliMixture:
    """A mixture of independent pixels, by expectation maximisation.

    C. Bishop, "Pattern Recognition and Machine Learning", 2006, section 9.3.3. With one component it is each pixel by
    itself, as often as it was on.

    Args:
        x: (images, pixels) of 0 and 1.
        components: how many.
        iterations: of expectation maximisation.
        seed: of the images that the components start from.

    >>> x = np.array([[1, 1, 0, 0], [0, 0, 1, 1]] * 50)
    >>> one, two = (BernoulliMixture(x, components=count).log_likelihood(x).mean() for count in (1, 2))
    >>> round(float(one / np.log(2)), 2), round(float(two / np.log(2)), 1)  # four coins; which of two images
    (-4.0, -1.1)
    """

    def __init__(self, x: np.ndarray, *, components: int = 1, iterations: int = 30, seed: int = 0):
        x = np.asarray(x, "float64")
        rng = np.random.default_rng(seed)
        kinds = np.unique(x, axis=0)
        start = kinds[rng.choice(len(kinds), min(components, len(kinds)), replace=False)]
        self.probabilities = 0.25 + 0.5 * start if components > 1 else x.mean(0, keepdims=True)  # (components, pixels)
        self.weights = np.full(len(start), 1 / len(start))
        for _ in range(iterations if components > 1 else 1):
            joint = self._joint(x)  # (images, components)
            shares = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
            counts = shares.sum(0)
            self.weights = counts / len(x)
            self.probabilities = (shares.T @ x + SMOOTHING * x.mean(0)) / (counts[:, None] + SMOOTHING)
            self.probabilities = np.clip(self.probabilities, 0.5 / len(x), 1 - 0.5 / len(x))

    def log_likelihood(self, x: np.ndarray) -> np.ndarray:
        """Of each image, in nats: (images, pixels) -> (images,)."""
        return np.asarray(np.logaddexp.reduce(self._joint(np.asarray(x, "float64")), axis=1))

    def _joint(self, x: np.ndarray) -> np.ndarray:
        p = np.clip(self.probabilities, 1e-9, 1 - 1e-9)
        return np.asarray(x @ np.log(p).T + (1 - x) @ np.log(1 - p).T + np.log(np.maximum(self.weights, 1e-300)))
