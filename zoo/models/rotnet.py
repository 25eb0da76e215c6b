"""RotNet: which way up is it? A classifier learns to see by answering a question that needs no labels.

S. Gidaris, P. Singh and N. Komodakis, "Unsupervised Representation Learning by Predicting Image Rotations", ICLR 2018,
arXiv:1803.07728: sections 2.1 and 2.2.

    image   turned by 0, 90, 180 and 270 degrees, four inputs of one batch
    tower   any image classifier of the zoo, up to what its head reads
    head    four classes, one for each turn

Who can tell which way up a shoe is must know soles from laces. The question (the "pretext task") is forgotten
afterwards: the tower is what was to be had, and `zoo train TOWER --weights RUN` starts from it with a new head.
"""

from collections.abc import Mapping
from typing import Any

import keras

from zoo.models._tower import tower_of
from zoo.recipes.self_supervision import RECIPES
from zoo.records import Card, Input
from zoo.registry import register

TURNS = 4  # of 90 degrees


@register(
    Card(
        task="rotation_prediction",
        summary="by how many quarters an image was turned: a body that has learned without labels",
        params=269_044,
        non_trainable_params=1_376,
        paper="Gidaris, Singh & Komodakis 2018, ICLR, arXiv:1803.07728, section 2.2",
        deviations=(
            "any classifier of the zoo in place of the paper's Network in Network and AlexNet",
            "what the head reads is taken over, in place of the maps of an earlier block",
        ),
        inputs=(Input("image", (28, 28, 1), holds="pixels, standardised by the training set"),),
        preprocessing="standardise",
        recipes=RECIPES["rotnet"],
        tiny={"input_shape": (12, 12, 1), "tower": "lenet5"},
        tutorial="30_self_supervision.py",
    )
)
def rotnet(
    *, input_shape: tuple[int | None, ...] = (28, 28, 1), tower: str = "resnet20",
    tower_options: Mapping[str, Any] | None = None, name: str = "rotnet",
) -> keras.Model:  # fmt: skip
    """A tower with a head of four classes (Gidaris 2018, Figure 2).

    Args:
        input_shape: (height, width, channels); the sides are equal, for a turned image has them the other way round.
        tower: name of an image classifier.
        tower_options: options of its builder, a dictionary; not `input_shape` and `num_classes`.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, 4) logits; class k stands for
        k quarter turns to the left.

    Raises:
        UsageError: for a tower that is no image classifier of the zoo, or options that it does not have.

    >>> rotnet(tower="lenet5").output_shape
    (None, 4)
    """
    body, logits = tower_of(tower, tower_options, input_shape, TURNS)
    return keras.Model(body.input, logits, name=name)
