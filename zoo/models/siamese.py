"""Siamese networks: images become embeddings, and what shows the same thing lies close together.

J. Bromley, I. Guyon, Y. LeCun, E. Säckinger and R. Shah, "Signature Verification using a 'Siamese' Time Delay Neural
Network", NIPS 1993: two networks with the same weights, one distance.
R. Hadsell, S. Chopra and Y. LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006: pairs and
the contrastive loss.
Y. Taigman, M. Yang, M. Ranzato and L. Wolf, "DeepFace: Closing the Gap to Human-Level Performance in Face
Verification", CVPR 2014: the weighted chi-square similarity and the weighted absolute difference.
F. Schroff, D. Kalenichenko and J. Philbin, "FaceNet: A Unified Embedding for Face Recognition and Clustering", CVPR
2015: unit length, triplets (section 3).

A classifier answers only with classes it has seen. A network that compares can be asked about people who were not
born when it was trained. All three networks here share one tower, any image classifier of the zoo: its last layer,
which would give `num_classes` logits, gives the `dimensions` of an embedding instead, scaled to length 1.

    siamese           an image                         -> its embedding; triplets are mined in the batch
    siamese_pairs     two images                       -> their similarity
    triplet_inputs    anchor, positive and negative    -> their three embeddings

Several images go through the tower as one batch, laid end to end and taken apart again behind it. So each layer is
called once, the weights are shared because there is but one set of them, and the network stays flat.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import KerasTensor, layers, ops

from zoo.errors import unknown
from zoo.models._tower import tower_of
from zoo.recipes.siamese import RECIPES
from zoo.records import Card, Input, replace
from zoo.registry import register

# The inputs


def rebuilt(inputs: Mapping[str, KerasTensor], outputs: KerasTensor, name: str) -> keras.Model:
    """The network from inputs to outputs, made anew: its layers forget that the tower had an input of its own."""
    return keras.Model.from_config(keras.Model([*inputs.values()], outputs, name=name).get_config())


def unit_length(x: KerasTensor) -> KerasTensor:
    return layers.UnitNormalization(name="embedding", dtype="float32")(x)  # (batch, dimensions)


def embeddings_of(
    names: Sequence[str], tower: str, tower_options: Mapping[str, Any] | None, input_shape: tuple[int | None, ...],
    dimensions: int,
) -> tuple[dict[str, KerasTensor], KerasTensor]:  # fmt: skip
    """Inputs of these names, and the embeddings of their images: (batch, number of inputs, dimensions)."""
    inputs = {name: keras.Input(input_shape, name=name) for name in names}
    images = layers.Concatenate(axis=0, name="together")([inputs[name] for name in names])  # (inputs x batch, h, w, c)
    body, logits = tower_of(tower, tower_options, input_shape, dimensions)
    logits = keras.Model(body.input, logits).call(images)  # `call`, so that the layers join the graph one by one
    return inputs, Apart(len(names), name="apart", dtype="float32")(unit_length(logits))


@keras.saving.register_keras_serializable("zoo")
class Apart(layers.Layer):
    """Takes apart what `Concatenate(axis=0)` joined: (parts x batch, dimensions) -> (batch, parts, dimensions).

    >>> ops.convert_to_numpy(Apart(2)(ops.array([[1.0], [2.0], [3.0], [4.0]]))).tolist()
    [[[1.0], [3.0]], [[2.0], [4.0]]]
    """

    def __init__(self, parts: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.parts = parts

    def call(self, x: Any) -> Any:
        return ops.transpose(ops.reshape(x, (self.parts, -1, x.shape[-1])), (1, 0, 2))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (shape[0] and shape[0] // self.parts, self.parts, shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "parts": self.parts}


# How two embeddings differ: (batch, dimensions) twice -> (batch, dimensions), or (batch, 1).
DIFFERENCES: Mapping[str, Callable[[Any, Any], Any]] = {
    "absolute": lambda f, g: ops.abs(f - g),
    # At most |f| + |g|, so the little that keeps 0 / 0 away changes nothing else.
    "chi_square": lambda f, g: ops.square(f - g) / (ops.abs(f) + ops.abs(g) + 1e-6),
    "distance": lambda f, g: -ops.sum(ops.square(f - g), axis=-1, keepdims=True),
}


@keras.saving.register_keras_serializable("zoo")
class Difference(layers.Layer):
    """The difference between two embeddings, by the rule of a head: a name of `DIFFERENCES`.

    Shapes: (batch, 2, dimensions) -> (batch, dimensions), or (batch, 1) for "distance".

    >>> float(Difference("distance")(ops.array([[[1.0, 0.0], [0.0, 2.0]]]))[0, 0])
    -5.0
    """

    def __init__(self, head: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.head = head

    def call(self, embeddings: Any) -> Any:
        return DIFFERENCES[self.head](embeddings[:, 0], embeddings[:, 1])

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (shape[0], 1 if self.head == "distance" else shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "head": self.head}


# The networks

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
    recipes=RECIPES["siamese"],
    tiny=TINY,
    tutorial="16_face_verification.py",
)


@register(SIAMESE)
def siamese(
    *, input_shape: tuple[int | None, ...] = (28, 28, 1), tower: str = "resnet20",
    tower_options: Mapping[str, Any] | None = None, dimensions: int = 64, name: str = "siamese",
) -> keras.Model:  # fmt: skip
    """FaceNet's arrangement: a tower, and its output scaled to unit length (Schroff 2015, Figure 2).

    Args:
        input_shape: (height, width, channels).
        tower: name of an image classifier.
        tower_options: options of its builder, a dictionary; not `input_shape` and `num_classes`.
        dimensions: length of an embedding.
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
        paper="Bromley 1993, NIPS; heads: Taigman 2014, CVPR; Hadsell 2006, CVPR",
        deviations=(
            "any classifier of the zoo as the tower, and unit length before every head",
            "chi-square divides by |f| + |f'|: DeepFace's f + f', whose features are never negative, might be 0 here",
            "every head learns with the whole tower; DeepFace's chi-square is a support vector machine on a finished "
            "network, and its absolute difference trains the two topmost layers",
        ),
        inputs=(
            Input("first", (28, 28, 1), holds="pixels, standardised by the training set"),
            Input("second", (28, 28, 1), holds="pixels, standardised by the training set"),
        ),
        loss="binary_crossentropy",
        recipes=RECIPES["siamese_pairs"],
    )
)
def siamese_pairs(
    *, input_shape: tuple[int | None, ...] = (28, 28, 1), tower: str = "resnet20",
    tower_options: Mapping[str, Any] | None = None, dimensions: int = 64, head: str = "absolute",
    name: str = "siamese_pairs",
) -> keras.Model:  # fmt: skip
    """Two images through one tower, and a head for the similarity of their embeddings f and f'.

        absolute     b + sum_k w_k |f_k - f'_k|                        logit; trained with binary cross-entropy
        chi_square   b + sum_k w_k (f_k - f'_k)^2 / (|f_k| + |f'_k|)   logit; likewise
        distance     - sum_k (f_k - f'_k)^2                            nothing to learn; `zoo.losses.Contrastive`

    Args:
        input_shape: (height, width, channels).
        tower: name of an image classifier.
        tower_options: options of its builder, a dictionary; not `input_shape` and `num_classes`.
        dimensions: length of an embedding.
        head: "absolute", "chi_square" or "distance".
        name: of the returned model.

    Returns:
        A `keras.Model`: {"first", "second"}, each (batch, height, width, channels), to (batch, 1) similarities.

    Raises:
        UsageError: for a head that does not exist, and where `siamese` raises.

    >>> model = siamese_pairs(head="distance", tower="lenet5")
    >>> image = ops.ones((1, 28, 28, 1))
    >>> abs(float(model({"first": image, "second": image})[0, 0])) < 1e-5
    True
    """
    if head not in DIFFERENCES:
        raise unknown("head", head, DIFFERENCES)
    inputs, embeddings = embeddings_of(("first", "second"), tower, tower_options, input_shape, dimensions)
    similarity = Difference(head, name="difference", dtype="float32")(embeddings)
    if head != "distance":
        similarity = layers.Dense(1, name="same", dtype="float32")(similarity)  # (batch, 1)
    return rebuilt(inputs, similarity, name)


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
        head=("logits", "predictions"),  # of the tower
        recipes=RECIPES["triplet_inputs"],
    )
)
def triplet_inputs(
    *, input_shape: tuple[int | None, ...] = (28, 28, 1), tower: str = "resnet20",
    tower_options: Mapping[str, Any] | None = None, dimensions: int = 64, name: str = "triplet_inputs",
) -> keras.Model:  # fmt: skip
    """Three images through one tower, for data that says who is anchor, positive and negative.

    Args:
        input_shape: (height, width, channels).
        tower: name of an image classifier.
        tower_options: options of its builder, a dictionary; not `input_shape` and `num_classes`.
        dimensions: length of an embedding.
        name: of the returned model.

    Returns:
        A `keras.Model`: {"anchor", "positive", "negative"}, each (batch, height, width, channels), to
        (batch, 3, dimensions), in that order.

    Raises:
        UsageError: where `siamese` raises.

    >>> triplet_inputs(tower="lenet5", dimensions=16).output_shape
    (None, 3, 16)
    """
    names = ("anchor", "positive", "negative")
    inputs, embeddings = embeddings_of(names, tower, tower_options, input_shape, dimensions)
    return rebuilt(inputs, embeddings, name)
