"""Several questions about one image, answered by one network: multi-task learning.

R. Caruana, "Multitask Learning", Machine Learning 28, 1997: tasks that are learned side by side, on one hidden layer,
show each other what is worth seeing.

The questions are answered by yes or no (attributes: even? smiling?), and any number of them may be true, so each has a
logit and a sigmoid of its own. All else they share. The body is any image classifier of the zoo, whose last layer gives
a logit for each attribute in place of each class; what makes it another network is what those logits mean, and so the
loss, `zoo.losses.MaskedBinaryCrossentropy`: the sum over the attributes, without those that are not known.
"""

from collections.abc import Mapping
from typing import Any

import keras

from zoo.checks import check_whole
from zoo.models._tower import tower_of
from zoo.recipes.multi_task import ATTRIBUTE_FOLDER, CELEB_A, DEMO
from zoo.records import Card, Input
from zoo.registry import register


@register(
    Card(
        task="multi_task",
        summary="any image classifier, with a yes or no to each of several questions in place of one class",
        params=61_281,
        paper="Caruana 1997, Machine Learning 28; the body: LeCun 1998",
        deviations=(
            "the questions share every layer but the last one; Caruana's share the first and only hidden one",
            "cross-entropy of what is known in place of the squared error of all",
        ),
        inputs=(Input("image", (28, 28, 1), holds="pixels, standardised by the training set"),),
        preprocessing="standardise",
        recipes=(DEMO, CELEB_A, ATTRIBUTE_FOLDER),
        tiny={"input_shape": (12, 12, 1), "tower": "lenet5"},
        tutorial="24_multi_task.py",
    )
)
def multi_task(
    *, input_shape: tuple[int | None, ...] = (28, 28, 1), num_classes: int = 5, tower: str = "lenet5",
    tower_options: Mapping[str, Any] | None = None, name: str = "multi_task",
) -> keras.Model:  # fmt: skip
    """A tower with one logit for each attribute (Caruana 1997, Figure 2).

    Args:
        input_shape: (height, width, channels).
        num_classes: how many attributes, from 1 on.
        tower: name of an image classifier.
        tower_options: options of its builder, a dictionary; not `input_shape` and `num_classes`.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, attributes) logits; each for
        itself through a sigmoid is the probability of yes.

    Raises:
        UsageError: for a tower that is no image classifier of the zoo, options that it does not have, or no attribute.

    >>> multi_task(tower="resnet20", num_classes=40).output_shape
    (None, 40)
    """
    check_whole("num_classes", num_classes)
    body, logits = tower_of(tower, tower_options, input_shape, num_classes)
    return keras.Model(body.input, logits, name=name)
