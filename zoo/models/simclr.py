"""SimCLR: two views of one image are to lie close together, and the views of all others far away.

T. Chen, S. Kornblith, M. Norouzi and G. Hinton, "A Simple Framework for Contrastive Learning of Visual
Representations", ICML 2020, arXiv:2002.05709: section 2 and Figure 2.

    image        two views of each, cropped and moved by chance: inputs of one batch
    tower        any image classifier of the zoo, up to what its head reads: h
    projection   dense, ReLU, dense: z, scaled to length 1; the loss (`zoo.losses.NTXent`) compares these

What makes z alike for all views of an image has to throw away what the views changed; h before it still has it. So the
projection is dropped when the pretraining is over: `zoo train TOWER --weights RUN` starts from the tower alone.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from zoo.errors import UsageError
from zoo.introspection.graph import last_operation
from zoo.models._tower import tower_of
from zoo.models.siamese import unit_length
from zoo.recipes.self_supervision import RECIPES
from zoo.records import Card, Input
from zoo.registry import register


@register(
    Card(
        task="contrastive_pretraining",
        summary="an image to a point near that of its other views: a body that has learned without labels",
        params=281_264,
        non_trainable_params=1_376,
        paper="Chen, Kornblith, Norouzi & Hinton 2020, ICML, arXiv:2002.05709, section 2",
        deviations=(
            "any classifier of the zoo in place of ResNet-50",
            "batches of hundreds of images and Adam, in place of 4,096 and LARS",
            "views are cropped, moved and, where that leaves what they show, mirrored; no blur, and a change of colours"
            " (without the hue) in the recipe of photographs only",
        ),
        inputs=(Input("image", (28, 28, 1), holds="pixels, standardised by the training set"),),
        preprocessing="standardise",
        head=("projection_hidden", "projection"),
        recipes=RECIPES["simclr"],
        tiny={"input_shape": (12, 12, 1), "tower": "lenet5", "dimensions": 8},
        tutorial="30_self_supervision.py",
    )
)
def simclr(
    *, input_shape: tuple[int | None, ...] = (28, 28, 1), tower: str = "resnet20",
    tower_options: Mapping[str, Any] | None = None, dimensions: int = 128, name: str = "simclr",
) -> keras.Model:  # fmt: skip
    """A tower without its head, and a projection of two layers (Chen 2020, section 2.1).

    Args:
        input_shape: (height, width, channels).
        tower: name of an image classifier.
        tower_options: options of its builder, a dictionary; not `input_shape` and `num_classes`.
        dimensions: of the projection; its hidden layer has as many units as the tower gives features.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, dimensions) of length 1.

    Raises:
        UsageError: for a tower that is no image classifier of the zoo, whose head reads no vector, or options that it
            does not have.

    >>> simclr(tower="lenet5", dimensions=32).output_shape
    (None, 32)
    """
    body, logits = tower_of(tower, tower_options, input_shape, dimensions)
    features = keras.tree.flatten(last_operation(logits).input)[0]  # (batch, features), what the head reads
    if len(features.shape) != 2:
        raise UsageError(
            f"the head of {tower} reads maps, {tuple(features.shape[1:])}; expected a vector: take resnet20"
        )
    x = layers.Dense(features.shape[-1], activation="relu", name="projection_hidden")(features)
    x = layers.Dense(dimensions, name="projection")(x)
    return keras.Model(body.input, unit_length(x), name=name)
