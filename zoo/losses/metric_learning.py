"""Losses that teach distances.

They learn from comparisons: `y_true` says which images of the batch show one and the same thing, `y_pred` holds what
the network made of them, and no class has an output of its own.
"""

import keras
from keras import ops

from zoo.errors import UsageError, unknown

FARTHEST = 1e9  # beyond every distance: what cannot be chosen


def squared_distances(embeddings):
    """|a - b|^2 between all rows: (batch, dimensions) -> (batch, batch).

    >>> ops.convert_to_numpy(squared_distances(ops.array([[1.0, 0.0], [0.0, 1.0]]))).tolist()
    [[0.0, 2.0], [2.0, 0.0]]
    """
    lengths = ops.sum(ops.square(embeddings), axis=1)
    products = ops.matmul(embeddings, ops.transpose(embeddings))
    return ops.relu(lengths[:, None] + lengths[None, :] - 2.0 * products)  # rounding may leave less than 0


def relations(labels):
    """Who is whose: two (batch, batch) tables of booleans, "another of the same class" and "of another class".

    >>> same, other = relations(ops.array([3, 3, 5]))
    >>> ops.convert_to_numpy(same).astype(int).tolist(), ops.convert_to_numpy(other).astype(int).tolist()
    ([[0, 1, 0], [1, 0, 0], [0, 0, 0]], [[0, 0, 1], [0, 0, 1], [1, 1, 0]])
    """
    labels = ops.reshape(labels, (-1,))
    equal = ops.equal(labels[:, None], labels[None, :])
    itself = ops.cast(ops.eye(ops.shape(labels)[0]), "bool")
    return ops.logical_and(equal, ops.logical_not(itself)), ops.logical_not(equal)


def mean_where(values, chosen):
    """The mean of the chosen values; 0 where none is chosen."""
    chosen = ops.cast(chosen, values.dtype)
    return ops.sum(values * chosen) / ops.maximum(ops.sum(chosen), 1.0)


def nearest_to(distances, allowed):
    """In each row the smallest of the allowed distances; `FARTHEST` where none is allowed."""
    return ops.min(ops.where(allowed, distances, FARTHEST), axis=-1)


def farthest_from(distances, allowed):
    """In each row the largest of the allowed distances; `-FARTHEST` where none is allowed."""
    return ops.max(ops.where(allowed, distances, -FARTHEST), axis=-1)


# How triplets are chosen: (distances, same, other: (batch, batch) each, margin) -> the mean loss of the chosen ones.


def all_triplets(distances, same, other, margin):
    """Every (anchor, positive, negative) of the batch whose loss is not yet 0 (Hermans 2017, "batch all")."""
    losses = ops.relu(distances[:, :, None] - distances[:, None, :] + margin)  # (anchor, positive, negative)
    valid = ops.logical_and(same[:, :, None], other[:, None, :])
    return mean_where(losses, ops.logical_and(valid, losses > 0.0))


def hard_triplets(distances, same, other, margin):
    """For each anchor its farthest positive and its nearest negative (Hermans 2017, "batch hard")."""
    losses = ops.relu(farthest_from(distances, same) - nearest_to(distances, other) + margin)  # (anchor,)
    return mean_where(losses, ops.logical_and(ops.any(same, axis=1), ops.any(other, axis=1)))


def semi_hard_triplets(distances, same, other, margin):
    """For each anchor and positive the nearest negative that is farther than the positive (Schroff 2015, section 3.2).

    Where no negative is farther, the farthest there is.
    """
    beyond = ops.logical_and(other[:, None, :], distances[:, None, :] > distances[:, :, None])
    nearest = nearest_to(distances[:, None, :], beyond)  # (anchor, positive)
    negative = ops.where(ops.any(beyond, axis=2), nearest, farthest_from(distances, other)[:, None])
    losses = ops.relu(distances - negative + margin)
    return mean_where(losses, ops.logical_and(same, ops.any(other, axis=1)[:, None]))


def random_triplets(distances, same, other, margin):
    """For each anchor and positive one negative whatever its distance: the next one in the batch after the positive.

    The order of a batch is random, so the next negative is a random one. (Random numbers inside a loss would need a
    state that no backend keeps for it.)
    """
    batch = ops.shape(distances)[0]
    places = ops.arange(batch)
    steps = (places[None, :] - places[:, None]) % batch  # (positive, negative): how far on, with a return to the start
    steps = ops.where(other[:, None, :], steps[None, :, :], batch)  # (anchor, positive, negative)
    negative = ops.take_along_axis(distances, ops.argmin(steps, axis=2), axis=1)  # (anchor, positive)
    losses = ops.relu(distances - negative + margin)
    return mean_where(losses, ops.logical_and(same, ops.any(other, axis=1)[:, None]))


MINING = {"all": all_triplets, "semi_hard": semi_hard_triplets, "hard": hard_triplets, "random": random_triplets}


def check_margin(margin):
    """Raise unless the margin is above 0: at 0 or below, to map everything onto one point costs nothing."""
    if not margin > 0:
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

    def __init__(self, margin=0.2, mining="all", name="triplet", **kwargs):
        super().__init__(name=name, **kwargs)
        check_margin(margin)
        if mining not in MINING:
            raise unknown("mining", mining, MINING)
        self.margin, self.mining = margin, mining

    def call(self, y_true, y_pred):
        return MINING[self.mining](squared_distances(y_pred), *relations(y_true), self.margin)

    def get_config(self):
        return {**super().get_config(), "margin": self.margin, "mining": self.mining}


@keras.saving.register_keras_serializable("zoo")
class ExplicitTriplet(keras.Loss):
    """The triplet loss where the data says who is anchor, positive and negative.

    Shapes: embeddings (batch, 3, dimensions) in that order; `y_true` is not looked at.

    Args:
        margin: above 0.

    >>> float(ExplicitTriplet(margin=0.5)([0], [[[0.0], [1.0], [1.0]]]))  # 1 - 1 + .5
    0.5
    """

    def __init__(self, margin=0.2, name="explicit_triplet", **kwargs):
        super().__init__(name=name, **kwargs)
        check_margin(margin)
        self.margin = margin

    def call(self, y_true, y_pred):
        y_pred = ops.convert_to_tensor(y_pred)
        anchor, positive, negative = y_pred[:, 0], y_pred[:, 1], y_pred[:, 2]
        near = ops.sum(ops.square(anchor - positive), axis=1)
        far = ops.sum(ops.square(anchor - negative), axis=1)
        return ops.relu(near - far + self.margin)

    def get_config(self):
        return {**super().get_config(), "margin": self.margin}


@keras.saving.register_keras_serializable("zoo")
class Contrastive(keras.Loss):
    """d^2 for a pair of one class, max(margin - d, 0)^2 for a pair of two.

    Hadsell, Chopra & LeCun 2006, equation 4, less its factor 1/2. The network says -d^2, so that more means more
    alike, as with every other verification head of the zoo.

    Shapes: labels (batch, 1) or (batch,), 1 for the same class and 0 for two; predictions (batch, 1), at most 0.

    Args:
        margin: above 0; how far apart two classes are to be, as a distance and not squared.

    >>> float(Contrastive(margin=1.0)([[1], [0], [0]], [[-0.09], [-0.25], [-4.0]]))  # (.09 + .25 + 0) / 3
    0.11333...
    """

    def __init__(self, margin=1.0, name="contrastive", **kwargs):
        super().__init__(name=name, **kwargs)
        check_margin(margin)
        self.margin = margin

    def call(self, y_true, y_pred):
        y_pred = ops.convert_to_tensor(y_pred)
        same = ops.reshape(ops.cast(y_true, y_pred.dtype), ops.shape(y_pred))
        squared = ops.relu(-y_pred)
        short = ops.relu(self.margin - ops.sqrt(ops.maximum(squared, 1e-12)))  # the root has no slope at 0
        return ops.mean(same * squared + (1.0 - same) * ops.square(short), axis=-1)

    def get_config(self):
        return {**super().get_config(), "margin": self.margin}


@keras.saving.register_keras_serializable("zoo")
class NPair(keras.Loss):
    """Which of these is mine? Cross-entropy of each positive against all negatives of the batch.

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

    def __init__(self, temperature=0.1, name="n_pair", **kwargs):
        super().__init__(name=name, **kwargs)
        if not temperature > 0:
            raise UsageError(f"temperature is {temperature!r}; expected above 0, as in 0.1")
        self.temperature = temperature

    def call(self, y_true, y_pred):
        same, other = relations(y_true)
        scores = ops.matmul(y_pred, ops.transpose(y_pred)) / self.temperature
        negatives = ops.logsumexp(ops.where(other, scores, -FARTHEST), axis=1)  # (anchor,)
        losses = ops.softplus(negatives[:, None] - scores)  # log(1 + sum_n exp(s_n - s_p)): (anchor, positive)
        return mean_where(losses, ops.logical_and(same, ops.any(other, axis=1)[:, None]))

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature}
