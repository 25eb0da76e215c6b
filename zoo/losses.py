"""Losses that Keras does not ship."""

from functools import partial

import keras
from keras import ops

from zoo.errors import UsageError, unknown


@keras.saving.register_keras_serializable("zoo")
class Perceptron(keras.Loss):
    """The perceptron criterion max(0, -t z), t = +1 for class 1 and -1 for class 0.

    Its gradient is Rosenblatt's rule: a wrong example (t z < 0) adds t x to the weights, a right one
    nothing. (Rosenblatt 1958; as a loss, Bishop 2006, section 4.1.7.)

    Shapes: labels (batch, 1) or (batch,) of 0 and 1, predictions (batch, 1), any real number.

    >>> float(Perceptron()([[1], [0]], [[-2.0], [-3.0]]))  # the first is wrong by 2, the second right
    1.0
    """

    def call(self, y_true, y_pred):
        y_pred = ops.convert_to_tensor(y_pred)
        signs = 2.0 * ops.reshape(ops.cast(y_true, y_pred.dtype), ops.shape(y_pred)) - 1.0
        return ops.mean(ops.relu(-signs * y_pred), axis=-1)  # relu: of max(0, .) the backends differ in the slope at 0


# Losses that teach distances. They learn from comparisons: `y_true` says which pictures of the batch show one and the
# same thing, `y_pred` holds what the network made of them, and no class has an output of its own.

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

    d is the squared Euclidean distance, A an anchor, P another picture of its class, N one of another class. The
    triplets are formed among the pictures of a batch: it has to hold several classes, and several pictures of each
    (`zoo.data.identities`). A batch without a triplet has the loss 0.

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


# Of pictures, by what they show: Gatys, Ecker & Bethge 2016


def gram_matrix(maps):
    """Which maps are active together, wherever that is.

    (batch, height, width, channels) -> (batch, channels, channels).
    G_ij is the mean over the positions of map i times map j. So it is symmetric, positive semi-definite, the same in
    whatever order the positions come, and pictures of two sizes can be compared.

    >>> gram_matrix([[[[1.0, 2.0], [3.0, 0.0]]]]).tolist()  # two positions: (1 + 9) / 2, (2 + 0) / 2, (4 + 0) / 2
    [[[5.0, 1.0], [1.0, 2.0]]]
    """
    maps = ops.convert_to_tensor(maps)
    batch, height, width, channels = ops.shape(maps)
    rows = ops.reshape(maps, (batch, height * width, channels))
    return ops.matmul(ops.transpose(rows, (0, 2, 1)), rows) / ops.cast(height * width, rows.dtype)


def relative_error(wanted, found):
    """The squared error for each example, over the squares of what is wanted: 0 is right, 1 is as good as nothing.

    (batch, ...) twice -> (batch,). Where nothing is wanted (all zeros), the mean squared error itself.

    >>> relative_error([[3.0, 4.0]], [[3.0, 0.0]]).tolist()  # 16 / 25
    [0.64...]
    """
    wanted, found = ops.convert_to_tensor(wanted), ops.convert_to_tensor(found)
    axes = tuple(range(1, len(wanted.shape)))
    size = ops.mean(ops.square(wanted), axis=axes)
    return ops.mean(ops.square(found - wanted), axis=axes) / ops.where(size > 0, size, 1.0)


def total_variation(pictures):
    """How much neighbouring pixels differ: the mean of their squared differences, down plus across.

    (batch, height, width, channels) -> (batch,). (Mahendran & Vedaldi 2015, section 3, with beta = 2.)

    >>> total_variation([[[[0.0], [1.0]], [[0.0], [3.0]]]]).tolist()  # down (0 + 4) / 2, across (1 + 9) / 2
    [7.0]
    """
    pictures = ops.convert_to_tensor(pictures)
    down = ops.square(pictures[:, 1:] - pictures[:, :-1])
    across = ops.square(pictures[:, :, 1:] - pictures[:, :, :-1])
    return ops.mean(down, axis=(1, 2, 3)) + ops.mean(across, axis=(1, 2, 3))


# Whose maps are compared: with trained filters those of Gatys 2016, section 3; untrained ones tell less and less apart
# from layer to layer, and are asked for the first blocks only.
TRAINED = {
    "content_layer": "block4_conv2",
    "style_layers": ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1"),
}
UNTRAINED = {"content_layer": "block2_conv2", "style_layers": ("block1_conv1", "block2_conv1", "block3_conv1")}


@keras.saving.register_keras_serializable("zoo")
class Perceptual(keras.Loss):
    """What a picture shows, compared with one photograph, and its texture, compared with another's.

        content_weight * content + style_weight * style + variation_weight * total variation

    content: the relative error of the maps of one layer of a VGG. style: the mean over some layers of the relative
    error of their Gram matrices. (Gatys 2016, equations 1 to 7, whose two sums of squares are divided by constants of
    the layer; divided by what is wanted, they are of one size for each layer, for trained filters and untrained.)

    Shapes: y_true (batch, 2, height, width, 3), the photograph and the style, or whatever after `hold`; y_pred (batch,
    height, width, 3); all of 0 to 1.

    Args:
        content_weight, style_weight, variation_weight: of the three terms.
        content_layer, style_layers: of the VGG; each style layer has the same say. Left out: `TRAINED`, or `UNTRAINED`.
        extractor, weights, preprocessing, width, pooling, filter_seed: which VGG; see `zoo.extractor.extractor`. It is
            untrained unless `weights` says otherwise.

    Raises:
        UsageError: for a weight below 0, or a VGG, layer or weights that there are not.
    """

    def __init__(
        self,
        content_weight=1.0,
        style_weight=5.0,
        variation_weight=1.0,
        content_layer=None,
        style_layers=None,
        extractor="vgg16",
        weights="",
        preprocessing="",
        width=0.25,
        pooling="average",
        filter_seed=0,
        name="perceptual",
        reduction="sum_over_batch_size",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        layers = TRAINED if weights else UNTRAINED
        content_layer, style_layers = content_layer or layers["content_layer"], style_layers or layers["style_layers"]
        self.settings = dict(
            content_weight=content_weight, style_weight=style_weight, variation_weight=variation_weight,
            content_layer=content_layer, style_layers=tuple(style_layers), extractor=extractor, weights=str(weights),
            preprocessing=preprocessing, width=width, pooling=pooling, filter_seed=filter_seed,
        )  # fmt: skip
        self.term_weights = {term: self.settings[f"{term}_weight"] for term in ("content", "style", "variation")}
        for term, weight in self.term_weights.items():
            if not 0 <= weight < float("inf"):
                raise UsageError(f"{term}_weight is {weight!r}; expected a number of at least 0")
        from zoo.extractor import extractor as front  # the VGGs, which no other loss needs

        self.maps = front(
            extractor,
            layers=(content_layer, *self.settings["style_layers"]),
            weights=str(weights),
            preprocessing=preprocessing,
            width=width,
            pooling=pooling,
            seed=filter_seed,
        )
        self.held = None

    def describe(self, pictures):
        """Content maps and Gram matrices of pictures (batch, height, width, 3)."""
        content, *styles = self.maps(pictures)
        return content, [gram_matrix(maps) for maps in styles]

    def hold(self, content, styles, shares=None):
        """Compare with these pictures from now on, whatever `y_true` says: their maps are computed once.

        Args:
            content: (height, width, 3).
            styles: of any sizes; their Gram matrices are blended.
            shares: of each style in the blend; equal ones if left out.
        """
        shares = [1 / len(styles)] * len(styles) if shares is None else [each / sum(shares) for each in shares]
        grams = [self.describe(ops.convert_to_tensor(style[None]))[1] for style in styles]
        blend = [sum(share * gram for share, gram in zip(shares, layer)) for layer in zip(*grams)]
        wanted = self.describe(ops.convert_to_tensor(content[None]))[0]
        self.held = [ops.stop_gradient(each) for each in (wanted, *blend)]
        return self

    def terms(self, y_true, pictures):
        """The three terms without their weights, (batch,) each, by name."""
        content, grams = self.describe(pictures)
        if self.held is not None:
            wanted, *wanted_grams = self.held
        else:
            batch, _, *size = ops.shape(y_true)
            maps, grams_of_both = self.describe(ops.reshape(y_true, (2 * batch, *size)))
            wanted, wanted_grams = maps[::2], [each[1::2] for each in grams_of_both]
        errors = [relative_error(a, b) for a, b in zip(wanted_grams, grams)]
        return {
            "content": relative_error(wanted, content),
            "style": sum(errors) / len(errors),
            "variation": total_variation(pictures),
        }

    def call(self, y_true, y_pred):
        terms = self.terms(y_true, y_pred)
        return sum(weight * terms[term] for term, weight in self.term_weights.items() if weight)

    def get_config(self):
        return {**super().get_config(), **self.settings}


LOSSES = {
    "perceptron": Perceptron,
    "binary_crossentropy": partial(keras.losses.BinaryCrossentropy, from_logits=True),
    "triplet_all": Triplet,
    "triplet_semi_hard": partial(Triplet, mining="semi_hard"),
    "triplet_hard": partial(Triplet, mining="hard"),
    "triplet_random": partial(Triplet, mining="random"),
    "explicit_triplet": ExplicitTriplet,
    "contrastive": Contrastive,
    "n_pair": NPair,
    "perceptual": Perceptual,
}


def get(name, **options):
    """The loss of that name, as a card writes it, with its options, as a recipe does."""
    if name not in LOSSES:
        raise unknown("loss", name, LOSSES)
    return LOSSES[name](**options)
