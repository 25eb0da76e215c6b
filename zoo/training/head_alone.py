"""The head of a network alone, on features of its frozen body that are computed once.

While only the head learns, the body makes the same of the same image in every epoch. So each image goes through it
once, and its mirror image too where the recipe flips; the other augmentations wait for the epochs in which the body
learns. A pass over the features costs next to nothing, so an epoch has as many passes as make `STEPS`: the head has
learned what it can before the body moves, which would otherwise follow the errors of a head that knows nothing
(Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution", section 4).
"""

import dataclasses
import logging
import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from zoo.data.base import DataModule
from zoo.data.batching import Batches
from zoo.introspection import graph
from zoo.optimizers import finetuning
from zoo.records import Recipe
from zoo.tasks.base import Network, Task

log = logging.getLogger("zoo")

STEPS = 100  # of an epoch, at least
MOST_BYTES = 2**30  # of features


class Features(DataModule):
    """Features of the examples of a data module, in place of its inputs.

    Args:
        data: whose targets these have.
        views: by split, the features of each view of an example, (views, examples, features).
        targets: by split.
    """

    def __init__(self, data: DataModule, views: Mapping[str, np.ndarray], targets: Mapping[str, Any]):
        super().__init__(data.card, data.recipe, data.source)
        self.views, self.labels = views, targets
        self.examples = {split: each.shape[1] for split, each in views.items()}
        self.passes = math.ceil(STEPS / self.steps)  # over the training set, in an epoch

    @classmethod
    def check_recipe(cls, card: Any, recipe: Recipe) -> None:
        """Done, by the data module that these are features of."""

    def targets(self, split: str) -> Any:
        return self.labels[split]

    def batches(self, split: str, *, training: bool = False) -> Batches:
        """Training: each pass takes every example once, in one of its views."""
        views, targets, size = self.views[split], self.labels[split], self.recipe.batch_size
        count = views.shape[1]
        epochs = self.begin() if training else None

        def make(rows: tuple[np.ndarray, np.ndarray]) -> Any:
            return views[rows], keras.tree.map_structure(lambda each: each[rows[1]], targets)

        def groups() -> list[tuple[np.ndarray, np.ndarray]]:
            if epochs is None:
                order, seen = np.arange(count), np.zeros(count, int)
            else:
                rng = epochs.rng()
                order = np.concatenate([rng.permutation(count) for _ in range(self.passes)])
                seen = rng.integers(len(views), size=len(order))
            return [(seen[start : start + size], order[start : start + size]) for start in range(0, len(order), size)]

        return Batches(make, groups, epochs)


def on_features(trainer: Network, network: Network, data: Any) -> tuple[Network, Features] | None:
    """The head as a network of its own, which shares its layers, and the features that it learns from.

    Args:
        trainer: what is fitted.
        network: that is trained, its body frozen.
        data: as the network takes it.

    Returns:
        None where the body has to see every batch: of a network with several outputs, or whose head takes more than a
        vector, or which something watches while it learns.
    """
    model = network.model
    parts = None if trainer.model is not model or network.heads else split(model)
    if parts is None or type(network.task).callbacks is not Task.callbacks or not data.holds_out(network.card):
        return None
    body, head = parts
    if sum(data.examples.values()) * body.output.shape[-1] * 4 > MOST_BYTES or body.losses:
        return None
    looking = dataclasses.replace(network, model=body)
    views = {"train": [data.batches("train")], "validation": [data.batches("validation")]}
    if data.recipe.augment.get("flip"):
        views["train"] += [data.batches("train").map(lambda x, y: (x[..., ::-1, :], y))]
    found = {name: np.stack([looking.predict(each) for each in batches]) for name, batches in views.items()}
    features = Features(data, found, {name: data.targets(name) for name in found})
    log.info(
        f"the head alone: {found['train'].shape[-1]:,} features of each example are computed once; an epoch is "
        f"{features.passes} passes over them"
    )
    return dataclasses.replace(network, model=head), features


def split(model: Any) -> tuple[keras.Model, keras.Model] | None:
    """The body, from the input to a vector, and the head behind it with its Dropout; None where there is no such place.

    >>> import zoo
    >>> body, head = split(zoo.build("lenet5", dropout=0.3))
    >>> body.output.shape, [layer.name for layer in head.layers][1:]
    ((None, 84), ['dropout', 'logits'])
    """
    layers = finetuning.head(model)
    if not layers or not hasattr(model.output, "shape"):
        return None
    calls = [(inputs, outputs) for layer, inputs, outputs in graph.calls(model) if layer in layers]
    inside = {id(tensor) for _, outputs in calls for tensor in outputs}
    entering = {id(tensor): tensor for inputs, _ in calls for tensor in inputs if id(tensor) not in inside}
    if len(entering) != 1:
        return None
    (place,) = entering.values()
    while isinstance(before := graph.producer(place), keras.layers.Dropout):
        place = before.input
    if len(place.shape) != 2 or place.shape[-1] is None:
        return None
    body = keras.Model(model.input, place, name=f"{model.name}_body")
    if {*layers} & {*body.layers}:  # they share their weights, as embeddings do
        return None
    return body, keras.Model(place, model.output, name=f"{model.name}_head")
