"""Losses that teach distances.

They learn from comparisons: `y_true` tells which images of the batch show one and the same thing, `y_pred` holds what
the network made of them, and no class has an output of its own.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import ops

from zoo.checks import is_number
from zoo.errors import UsageError, unknown

EXCLUDED = 1e9  # a distance beyond every other, for what must not be chosen


def squared_distances(embeddings: Any) -> Any:
    """|a - b|^2 between all rows: (batch, dimensions) -> (batch, batch).

    >>> ops.convert_to_numpy(squared_distances(ops.array([[1.0, 0.0], [0.0, 1.0]]))).tolist()
    [[0.0, 2.0], [2.0, 0.0]]
    """
    lengths = ops.sum(ops.square(embeddings), axis=1)
    products = ops.matmul(embeddings, ops.transpose(embeddings))
    return ops.relu(lengths[:, None] + lengths[None, :] - 2.0 * products)  # rounding may leave less than 0


def relations(labels: Any) -> tuple[Any, Any]:
    """Two (batch, batch) masks: "another example of the same class" (positives) and "of another class" (negatives).

    >>> same, other = relations(ops.array([3, 3, 5]))
    >>> ops.convert_to_numpy(same).astype(int).tolist(), ops.convert_to_numpy(other).astype(int).tolist()
    ([[0, 1, 0], [1, 0, 0], [0, 0, 0]], [[0, 0, 1], [0, 0, 1], [1, 1, 0]])
    """
    labels = ops.reshape(labels, (-1,))
    equal = ops.equal(labels[:, None], labels[None, :])
    diagonal = ops.cast(ops.eye(ops.shape(labels)[0]), "bool")
    return ops.logical_and(equal, ops.logical_not(diagonal)), ops.logical_not(equal)


def masked_mean(values: Any, mask: Any) -> Any:
    """The mean of the values where the mask is true; 0 where it is nowhere."""
    mask = ops.cast(mask, values.dtype)
    return ops.sum(values * mask) / ops.maximum(ops.sum(mask), 1.0)


def masked_min(distances: Any, mask: Any) -> Any:
    """In each row the smallest distance where the mask is true; `EXCLUDED` where it is nowhere."""
    return ops.min(ops.where(mask, distances, EXCLUDED), axis=-1)


def masked_max(distances: Any, mask: Any) -> Any:
    """In each row the largest distance where the mask is true; `-EXCLUDED` where it is nowhere."""
    return ops.max(ops.where(mask, distances, -EXCLUDED), axis=-1)


# Triplet mining: (distances, positives, negatives: (batch, batch) each, margin) -> the mean loss of the triplets.


def all_triplets(distances: Any, positives: Any, negatives: Any, margin: float) -> Any:
    """Every (anchor, positive, negative) of the batch whose loss is not yet 0 (Hermans 2017, "batch all")."""
    losses = ops.relu(distances[:, :, None] - distances[:, None, :] + margin)  # (anchor, positive, negative)
    valid = ops.logical_and(positives[:, :, None], negatives[:, None, :])
    return masked_mean(losses, ops.logical_and(valid, losses > 0.0))


def hard_triplets(distances: Any, positives: Any, negatives: Any, margin: float) -> Any:
    """For each anchor its farthest positive and its nearest negative (Hermans 2017, "batch hard")."""
    losses = ops.relu(masked_max(distances, positives) - masked_min(distances, negatives) + margin)  # (anchor,)
    return masked_mean(losses, ops.logical_and(ops.any(positives, axis=1), ops.any(negatives, axis=1)))


def semi_hard_triplets(distances: Any, positives: Any, negatives: Any, margin: float) -> Any:
    """For each anchor and positive the nearest negative that is farther than the positive (Schroff 2015, section 3.2).

    Where no negative is farther, the farthest there is.
    """
    beyond = ops.logical_and(negatives[:, None, :], distances[:, None, :] > distances[:, :, None])
    nearest = masked_min(distances[:, None, :], beyond)  # (anchor, positive)
    negative = ops.where(ops.any(beyond, axis=2), nearest, masked_max(distances, negatives)[:, None])
    losses = ops.relu(distances - negative + margin)
    return masked_mean(losses, ops.logical_and(positives, ops.any(negatives, axis=1)[:, None]))


def random_triplets(distances: Any, positives: Any, negatives: Any, margin: float) -> Any:
    """For each anchor and positive one negative whatever its distance: the next one in the batch after the positive.

    The order of a batch is random, so the next negative is a random one. (Random numbers inside a loss would need a
    state that no backend keeps for it.)
    """
    batch = ops.shape(distances)[0]
    positions = ops.arange(batch)
    steps = (positions[None, :] - positions[:, None]) % batch  # (positive, negative): how far on, round the end
    steps = ops.where(negatives[:, None, :], steps[None, :, :], batch)  # (anchor, positive, negative)
    negative = ops.take_along_axis(distances, ops.argmin(steps, axis=2), axis=1)  # (anchor, positive)
    losses = ops.relu(distances - negative + margin)
    return masked_mean(losses, ops.logical_and(positives, ops.any(negatives, axis=1)[:, None]))


Mining = Callable[[Any, Any, Any, float], Any]
MINING: Mapping[str, Mining] = {
    "all": all_triplets,
    "semi_hard": semi_hard_triplets,
    "hard": hard_triplets,
    "random": random_triplets,
}


def check_margin(margin: float) -> None:
    """Raise unless the margin is above 0: at 0 or below, to map everything onto one point costs nothing."""
    if not is_number(margin, 0) or margin == 0:
        raise UsageError(f"margin is {margin!r}; expected above 0: else one point for everything has the loss 0")


@keras.saving.register_keras_serializable("zoo")
class Triplet(keras.Loss):
    """max(d(A, P) - d(A, N) + margin, 0): a positive is to be nearer than a negative, by a margin.

    d is the squared Euclidean distance, A an anchor, P another image of its class, N one of another class. The
    triplets are formed among the images of a batch: it has to hold several classes, and several images of each
    (`zoo.data.image.identities`). A batch without a triplet has the loss 0.

    Schroff, Kalenichenko & Philbin 2015 (FaceNet), equation 2; Hermans, Beyer & Leibe 2017 for "all" and "hard".
    Mining "all", "semi_hard" and "random" take memory for batch^3 numbers.

    Shapes: labels (batch,) or (batch, 1), embeddings (batch, dimensions).

    Args:
        margin: above 0. Embeddings of unit length are at most 4 apart.
        mining: "all", "semi_hard", "hard" or "random": a name of `MINING`.

    Raises:
        UsageError: for another margin or mining.

    >>> embeddings = [[0.0], [1.0], [1.5]]  # distances 1 (same), 2.25 and 0.25
    >>> float(Triplet(margin=0.5, mining="hard")([7, 7, 8], embeddings))  # anchors 0: 1 - 2.25 + .5; 1: 1 - .25 + .5
    0.625
    """

    def __init__(self, margin: float = 0.2, mining: str = "all", name: str = "triplet", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        check_margin(margin)
        if mining not in MINING:
            raise unknown("mining", mining, MINING)
        self.margin, self.mining = margin, mining

    def call(self, y_true: Any, y_pred: Any) -> Any:
        positives, negatives = relations(y_true)
        return MINING[self.mining](squared_distances(y_pred), positives, negatives, self.margin)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "margin": self.margin, "mining": self.mining}


@keras.saving.register_keras_serializable("zoo")
class ExplicitTriplet(keras.Loss):
    """The triplet loss where the data says who is anchor, positive and negative.

    Shapes: embeddings (batch, 3, dimensions) in that order; `y_true` is not used.

    Args:
        margin: above 0.

    >>> float(ExplicitTriplet(margin=0.5)([0], [[[0.0], [1.0], [1.0]]]))  # 1 - 1 + .5
    0.5
    """

    def __init__(self, margin: float = 0.2, name: str = "explicit_triplet", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        check_margin(margin)
        self.margin = margin

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_pred = ops.convert_to_tensor(y_pred)
        anchor, positive, negative = y_pred[:, 0], y_pred[:, 1], y_pred[:, 2]
        near = ops.sum(ops.square(anchor - positive), axis=1)
        far = ops.sum(ops.square(anchor - negative), axis=1)
        return ops.relu(near - far + self.margin)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "margin": self.margin}


@keras.saving.register_keras_serializable("zoo")
class Contrastive(keras.Loss):
    """d^2 for a pair of one class, max(margin - d, 0)^2 for a pair of two.

    Hadsell, Chopra & LeCun 2006, equation 4, less its factor 1/2. The network predicts -d^2, so that more means more
    alike, as with every other verification head of the zoo.

    Shapes: labels (batch, 1) or (batch,), 1 for the same class and 0 for two; predictions (batch, 1), at most 0.

    Args:
        margin: above 0; how far apart two classes are to be, as a distance and not squared.

    >>> float(Contrastive(margin=1.0)([[1], [0], [0]], [[-0.09], [-0.25], [-4.0]]))  # (.09 + .25 + 0) / 3
    0.11333...
    """

    def __init__(self, margin: float = 1.0, name: str = "contrastive", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        check_margin(margin)
        self.margin = margin

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_pred = ops.convert_to_tensor(y_pred)
        same = ops.reshape(ops.cast(y_true, y_pred.dtype), ops.shape(y_pred))
        squared = ops.relu(-y_pred)
        too_near = ops.relu(self.margin - ops.sqrt(ops.maximum(squared, 1e-12)))  # the root has no gradient at 0
        return ops.mean(same * squared + (1.0 - same) * ops.square(too_near), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "margin": self.margin}


@keras.saving.register_keras_serializable("zoo")
class NPair(keras.Loss):
    """Cross-entropy of each positive against all negatives of the batch.

    For an anchor a with a positive p and the batch's negatives n of a, and s = a . b / temperature,

        -log( exp s(a, p) / (exp s(a, p) + sum_n exp s(a, n)) ),

    averaged over all pairs (a, p). Sohn 2016, equation 6, for any number of positives; as InfoNCE, van den Oord, Li &
    Vinyals 2018, equation 4.

    Shapes: labels (batch,) or (batch, 1), embeddings (batch, dimensions) of unit length.

    Args:
        temperature: above 0; the smaller, the more the nearest negatives count.

    >>> float(NPair(temperature=1.0)([4, 4, 5], [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))  # log(1 + exp(0 - 1))
    0.3132...
    """

    def __init__(self, temperature: float = 0.1, name: str = "n_pair", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        if not is_number(temperature, 0) or temperature == 0:
            raise UsageError(f"temperature is {temperature!r}; expected above 0, as in 0.1")
        self.temperature = temperature

    def call(self, y_true: Any, y_pred: Any) -> Any:
        positives, negatives = relations(y_true)
        scores = ops.matmul(y_pred, ops.transpose(y_pred)) / self.temperature
        negative_scores = ops.logsumexp(ops.where(negatives, scores, -EXCLUDED), axis=1)  # (anchor,)
        losses = ops.softplus(negative_scores[:, None] - scores)  # log(1 + sum_n exp(s_n - s_p)): (anchor, positive)
        return masked_mean(losses, ops.logical_and(positives, ops.any(negatives, axis=1)[:, None]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "temperature": self.temperature}


@keras.saving.register_keras_serializable("zoo")
class NTXent(NPair):
    """The loss of SimCLR: which of all other views of the batch is that of the same image?

    For two views i and j of one image, s the cosine of two embeddings, and 2 N views in the batch,

        l(i, j) = -log( exp(s(i, j) / temperature) / sum_{k != i} exp(s(i, k) / temperature) ),

    averaged over all views i (Chen, Kornblith, Norouzi & Hinton 2020, arXiv:2002.05709, equation 1: "normalized
    temperature-scaled cross entropy"). No view is compared with itself. It is `NPair` where each label occurs twice,
    on embeddings of any length. A view whose image has no other view is a negative of the others, and no more.

    Shapes: the number of its image for each view, (views,) or (views, 1), in any order; embeddings (views, dimensions).

    Args:
        temperature: above 0; the smaller, the more the nearest negatives count.

    >>> views = [[2.0, 0.0], [1.0, 0.0], [0.0, 3.0], [0.0, 1.0]]  # cosines 1 in a pair, 0 between two
    >>> float(NTXent(temperature=1.0)([0, 0, 1, 1], views))  # -log(e / (e + 1 + 1))
    0.5514...
    """

    def __init__(self, temperature: float = 0.5, name: str = "nt_xent", **kwargs: Any):
        super().__init__(temperature, name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_pred = ops.convert_to_tensor(y_pred)
        return super().call(y_true, ops.normalize(y_pred, axis=-1))
