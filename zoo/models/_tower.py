"""An image classifier of the zoo as a tower: a network with other outputs than classes is built upon it."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import KerasTensor

from zoo import registry
from zoo.errors import UsageError, unknown


def tower_of(
    tower: str, options: Mapping[str, Any] | None, input_shape: tuple[int | None, ...], outputs: int
) -> tuple[keras.Model, KerasTensor]:
    """The classifier called `tower` with so many outputs in place of classes, and its main output before any softmax.

    Raises:
        UsageError: for a name that is no image classifier, one of a fixed size, or options that it does not have.
    """
    towers = registry.list_models(task="image_classification")
    if tower not in towers:
        raise unknown("tower", tower, towers)
    card, options = registry.info(tower), dict(options or {})
    if not {"input_shape", "num_classes"} <= set(card.options):
        raise UsageError(f"{tower} cannot be a tower: its images or its outputs have one size; take resnet20")
    for option in {"input_shape", "num_classes", "top"} & set(options):
        raise UsageError(f"tower_options has {option}; expected options that the network upon it leaves open: drop it")
    for option in options:
        if option not in card.options:
            raise unknown(f"option of {tower}", option, card.options)
    body = registry.builder(tower)(input_shape=input_shape, num_classes=outputs, **options)
    heads = body.output
    if isinstance(heads, dict):  # auxiliary heads help classifiers only
        heads = next(output for head, output in heads.items() if head not in card.loss_weights)
    return body, heads
