"""Siamese networks: images become points, and what shows the same thing lies close together.

J. Bromley, I. Guyon, Y. LeCun, E. Säckinger and R. Shah, "Signature Verification using a 'Siamese' Time Delay Neural
Network", NIPS 1993: two networks with the same weights, one distance.
R. Hadsell, S. Chopra and Y. LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006: pairs and
the contrastive loss.
Y. Taigman, M. Yang, M. Ranzato and L. Wolf, "DeepFace: Closing the Gap to Human-Level Performance in Face
Verification", CVPR 2014: the weighted absolute difference (section 4.3) and the chi-square similarity (section 4.2).
F. Schroff, D. Kalenichenko and J. Philbin, "FaceNet: A Unified Embedding for Face Recognition and Clustering", CVPR
2015: unit length, triplets (section 3).

A classifier answers only with classes it has seen. A network that compares can be asked about people who were not
born when it was trained. All three networks here share one tower, any image classifier of the zoo: its last layer,
which would give `num_classes` logits, gives the `dimensions` of a point instead, scaled to length 1.

    siamese           an image                        -> its point; triplets are found among the images of a batch
    siamese_pairs     two images                     -> how alike they are
    triplet_inputs    anchor, positive and negative    -> their three points

Several images go through the tower as one batch, laid end to end and taken apart again behind it. So each layer is
called once, the weights are shared because there is but one set of them, and the network stays flat.
"""

import keras
from keras import layers, ops

from zoo import factory, registry
from zoo.errors import UsageError, unknown
from zoo.records import Card, Expected, Input, Recipe, replace
from zoo.registry import register

SMALL = {"tower": "resnet20", "tower_options": {"blocks": (1, 1, 1), "width": 12}}  # 8 layers
DEMO = Recipe(
    name="demo",
    dataset="glyphs:1.0.0",
    model=SMALL,
    data_options={"per_class": 4},
    epochs=12,
    batch_size=64,
    learning_rate=3e-3,
    schedule="cosine",
)
MNIST = replace(
    DEMO,
    name="mnist",
    dataset="mnist:3.0.1",
    train="train[:55000]",
    validation="train[55000:]",
    data_options={"per_class": 12, "held_out": {"validation": (5, 6), "test": (7, 8, 9)}},
    batch_size=60,
    epochs=3,
)
FASHION_MNIST = replace(MNIST, name="fashion_mnist", dataset="fashion_mnist:3.0.1")
OMNIGLOT = replace(
    DEMO,
    name="omniglot",
    dataset="omniglot:3.0.0",
    train="train",
    validation="train",
    test="test",
    data_options={"per_class": 4, "held_out": {"validation": 0.15}},
    preprocess={"resize": (28, 28)},
    epochs=30,
)
LFW = replace(
    DEMO,
    name="lfw",
    dataset="lfw:0.1.1",
    train="train",
    validation="train",
    test="train",
    data_options={"per_class": 4, "held_out": {"validation": 0.15, "test": 0.25}, "leave_out_small": True},
    preprocess={"resize": (56, 46)},
    augment={"shift": 3, "flip": True},
    epochs=30,
)
# Identities of one's own, of which there are fewer than in LFW: more epochs, of fewer batches each.
FOLDER = replace(LFW, name="folder", dataset="", train="train", validation="validation", test="test", epochs=100)
RECIPES = (DEMO, MNIST, FASHION_MNIST, OMNIGLOT, LFW, FOLDER)

TINY = {"input_shape": (12, 12, 1), "tower": "lenet5", "dimensions": 8}
SIAMESE = Card(
    task="metric_learning",
    summary="an image to a point of unit length; trained with triplets found in the batch",
    params=272_944,
    non_trainable_params=1_376,
    paper="Schroff, Kalenichenko & Philbin 2015, CVPR, section 3",
    deviations=(
        "any classifier of the zoo in place of the paper's two networks; 64 dimensions in place of 128",
        "where no negative is semi-hard, the farthest one, so that no anchor is silent",
        "tens of classes in a batch in place of thousands of faces",
    ),
    inputs=(Input("image", (28, 28, 1), holds="pixels, standardised by the training set"),),
    preprocessing="standardise",
    recipes=(
        replace(DEMO, expected=Expected("recall@1", 0.90, "worst of 5 seeds: results/demo.csv")),
        *RECIPES[1:],
        replace(DEMO, name="demo_n_pair", loss="n_pair"),
        replace(DEMO, name="demo_hard", loss="triplet_hard", epochs=4),  # collapses: to be seen once
    ),
    tiny=TINY,
    tutorial="16_face_verification.py",
)


@register(SIAMESE)
def siamese(*, input_shape=(28, 28, 1), tower="resnet20", tower_options=None, dimensions=64, name="siamese"):
    """FaceNet's arrangement: a tower, and its output scaled to unit length (Schroff 2015, Figure 2).

    Args:
        input_shape: (height, width, channels).
        tower: an image classifier of the zoo.
        tower_options: options of its builder, a dictionary; not `input_shape` and `num_classes`.
        dimensions: of a point.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, dimensions) of length 1.

    Raises:
        UsageError: for a tower that is no image classifier of the zoo, or options that it does not have.

    >>> siamese(tower="lenet5", dimensions=16).output_shape
    (None, 16)
    """
    body, logits = tower_of(tower, tower_options, input_shape, dimensions)
    return keras.Model(body.input, unit_length(logits), name=name)


@register(
    replace(
        SIAMESE,
        summary="two images to how alike they are, by one of three heads",
        params=273_009,
        paper="Bromley 1993, NIPS; heads: Taigman 2014, CVPR, sections 4.2 and 4.3; Hadsell 2006, CVPR",
        deviations=(
            "any classifier of the zoo as the tower, and unit length before every head",
            "chi-square divides by |f| + |f'| in place of f + f', which for features of any sign may be 0 or negative",
            "the head learns together with the tower; DeepFace trains a support vector machine on a finished one",
        ),
        inputs=(
            Input("first", (28, 28, 1), holds="pixels, standardised by the training set"),
            Input("second", (28, 28, 1), holds="pixels, standardised by the training set"),
        ),
        loss="binary_crossentropy",
        recipes=(
            *RECIPES,
            replace(DEMO, name="demo_chi_square", model={**SMALL, "head": "chi_square"}),
            replace(DEMO, name="demo_distance", model={**SMALL, "head": "distance"}, loss="contrastive"),
        ),
    )
)
def siamese_pairs(
    *, input_shape=(28, 28, 1), tower="resnet20", tower_options=None, dimensions=64, head="absolute",
    name="siamese_pairs",
):  # fmt: skip
    """Two images through one tower, and a head that says how alike the points f and f' are.

        absolute     b + sum_k w_k |f_k - f'_k|                        logit; trained with binary cross-entropy
        chi_square   b + sum_k w_k (f_k - f'_k)^2 / (|f_k| + |f'_k|)   logit; likewise
        distance     - sum_k (f_k - f'_k)^2                            nothing to learn; `zoo.losses.Contrastive`

    Args:
        input_shape: (height, width, channels).
        tower: an image classifier of the zoo.
        tower_options: options of its builder, a dictionary; not `input_shape` and `num_classes`.
        dimensions: of a point.
        head: "absolute", "chi_square" or "distance".
        name: of the returned model.

    Returns:
        A `keras.Model`: {"first", "second"}, each (batch, height, width, channels), to (batch, 1); more is more alike.

    Raises:
        UsageError: for a head that does not exist, and where `siamese` raises.

    >>> model = siamese_pairs(head="distance", tower="lenet5")
    >>> image = ops.ones((1, 28, 28, 1))
    >>> float(model({"first": image, "second": image})[0, 0]) == 0
    True
    """
    if head not in DIFFERENCES:
        raise unknown("head", head, DIFFERENCES)
    inputs, points = points_of(("first", "second"), tower, tower_options, input_shape, dimensions)
    alike = Difference(head, name="difference", dtype="float32")(points)
    if head != "distance":
        alike = layers.Dense(1, name="same", dtype="float32")(alike)
    return alone(inputs, alike, name)


@register(
    replace(
        SIAMESE,
        summary="anchor, positive and negative to their points; the data chooses the triplets",
        paper="Schroff, Kalenichenko & Philbin 2015, CVPR, equation 1",
        deviations=(
            "triplets as they come, without regard to how hard they are",
            "any classifier of the zoo as the tower; 64 dimensions in place of 128",
        ),
        inputs=(
            Input("anchor", (28, 28, 1), holds="pixels, standardised by the training set"),
            Input("positive", (28, 28, 1), holds="another image of the anchor's class"),
            Input("negative", (28, 28, 1), holds="an image of another class"),
        ),
        loss="explicit_triplet",
        recipes=RECIPES,
    )
)
def triplet_inputs(
    *, input_shape=(28, 28, 1), tower="resnet20", tower_options=None, dimensions=64, name="triplet_inputs"
):
    """Three images through one tower, for data that says who is anchor, positive and negative.

    Args:
        input_shape: (height, width, channels).
        tower: an image classifier of the zoo.
        tower_options: options of its builder, a dictionary; not `input_shape` and `num_classes`.
        dimensions: of a point.
        name: of the returned model.

    Returns:
        A `keras.Model`: {"anchor", "positive", "negative"}, each (batch, height, width, channels), to
        (batch, 3, dimensions), in that order.

    Raises:
        UsageError: where `siamese` raises.

    >>> triplet_inputs(tower="lenet5", dimensions=16).output_shape
    (None, 3, 16)
    """
    inputs, points = points_of(("anchor", "positive", "negative"), tower, tower_options, input_shape, dimensions)
    return alone(inputs, points, name)


# The tower.


def tower_of(tower, options, input_shape, dimensions):
    """The classifier called `tower` with `dimensions` in place of classes, and its main output before any softmax."""
    towers = registry.list_models(task="image_classification")
    if tower not in towers:
        raise unknown("tower", tower, towers)
    card, options = registry.info(tower), dict(options or {})
    if not {"input_shape", "num_classes"} <= set(card.options):
        raise UsageError(f"{tower} cannot be a tower: its images or its outputs have one size; take resnet20")
    for option in {"input_shape", "num_classes", "top"} & set(options):
        raise UsageError(f"tower_options has {option}; expected options that the siamese network leaves open: drop it")
    body = factory.build(tower, input_shape=input_shape, num_classes=dimensions, **options)
    heads = body.output
    if isinstance(heads, dict):  # auxiliary heads help classifiers only
        heads = next(output for head, output in heads.items() if head not in card.loss_weights)
    return body, heads


def alone(inputs, outputs, name):
    """The network from inputs to outputs, made anew: its layers forget that the tower had an input of its own."""
    return keras.Model.from_config(keras.Model(inputs, outputs, name=name).get_config())


def unit_length(points):
    return layers.UnitNormalization(name="embedding", dtype="float32")(points)  # (batch, dimensions)


def points_of(names, tower, tower_options, input_shape, dimensions):
    """Inputs of these names, and the points of their images: (batch, number of inputs, dimensions)."""
    inputs = {name: keras.Input(input_shape, name=name) for name in names}
    images = layers.Concatenate(axis=0, name="together")([inputs[name] for name in names])
    body, logits = tower_of(tower, tower_options, input_shape, dimensions)
    logits = keras.Model(body.input, logits).call(images)  # `call`, so that the layers join the graph one by one
    return inputs, Apart(len(names), name="apart", dtype="float32")(unit_length(logits))


@keras.saving.register_keras_serializable("zoo")
class Apart(layers.Layer):
    """What `Concatenate(axis=0)` put together: (parts x batch, dimensions) -> (batch, parts, dimensions).

    >>> ops.convert_to_numpy(Apart(2)(ops.array([[1.0], [2.0], [3.0], [4.0]]))).tolist()
    [[[1.0], [3.0]], [[2.0], [4.0]]]
    """

    def __init__(self, parts, **kwargs):
        super().__init__(**kwargs)
        self.parts = parts

    def call(self, x):
        return ops.transpose(ops.reshape(x, (self.parts, -1, x.shape[-1])), (1, 0, 2))

    def compute_output_shape(self, shape):
        return (None, self.parts, shape[-1])

    def get_config(self):
        return {**super().get_config(), "parts": self.parts}


# What two points have to do with each other: (batch, dimensions) twice -> (batch, dimensions), or (batch, 1).
DIFFERENCES = {
    "absolute": lambda f, g: ops.abs(f - g),
    # At most |f| + |g|, so the little that keeps 0 / 0 away changes nothing else.
    "chi_square": lambda f, g: ops.square(f - g) / (ops.abs(f) + ops.abs(g) + 1e-6),
    "distance": lambda f, g: -ops.sum(ops.square(f - g), axis=-1, keepdims=True),
}


@keras.saving.register_keras_serializable("zoo")
class Difference(layers.Layer):
    """The difference between two points, by the rule of a head: a name of `DIFFERENCES`.

    Shapes: (batch, 2, dimensions) -> (batch, dimensions), or (batch, 1) for "distance".

    >>> float(Difference("distance")(ops.array([[[1.0, 0.0], [0.0, 2.0]]]))[0, 0])
    -5.0
    """

    def __init__(self, head, **kwargs):
        super().__init__(**kwargs)
        self.head = head

    def call(self, points):
        return DIFFERENCES[self.head](points[:, 0], points[:, 1])

    def compute_output_shape(self, shape):
        return (shape[0], 1 if self.head == "distance" else shape[-1])

    def get_config(self):
        return {**super().get_config(), "head": self.head}
