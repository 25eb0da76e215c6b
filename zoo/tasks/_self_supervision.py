"""What the tasks have in common that learn from images without labels: what the features are worth afterwards."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from zoo import factory
from zoo.data.image.unlabelled import UnlabelledFolder, UnlabelledImages
from zoo.introspection.graph import last_operation, main_output
from zoo.metrics.features import knn_accuracy, probe_accuracy
from zoo.plots import embeddings as plots
from zoo.tasks.base import Evaluation, Network, Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 5000  # images of a split that features are measured on
WATCHED = 1000  # while training
SHOWN = 500  # on the map
BATCH = 256  # images that go through a network at a time


class SelfSupervision(Task):
    """A network that learns from images alone, and is judged by what its features tell of their classes.

    The labels of the training images are taken for that only when nothing more is learned: for the nearest neighbours
    and the linear probe. Where there are none, both are NaN, and the headline is the accuracy at the pretext task.
    """

    metric = "knn_accuracy"
    other_metrics = ("probe_accuracy", "accuracy")
    folder = UnlabelledFolder
    advice = "more images, more epochs or stronger augmentations may help"

    def headline(self, metrics: Mapping[str, float]) -> str:
        return self.metric if math.isfinite(metrics[self.metric]) else "accuracy"

    def callbacks(self, network: Network, data: UnlabelledImages) -> list[keras.callbacks.Callback]:
        return [Watch(network, data)] if data.has_labels else []

    def pretext(self, network: Network, data: Any, split: str) -> dict[str, float]:
        """The loss and the accuracy at the pretext task, and what else is worth knowing of it."""
        raise NotImplementedError

    def chance(self, data: Any) -> float:
        """The accuracy of a guess at the pretext task, on the test split."""
        raise NotImplementedError

    def evaluate(self, network: Network, data: UnlabelledImages, split: str) -> Evaluation:
        """The pretext task's own metrics, and what the features before its head are worth."""
        body = body_of(network.model)
        metrics = {**self.pretext(network, data, split), **worth(body, data, split)}
        return Evaluation(metrics, outputs=body)

    def baselines(self, data: UnlabelledImages) -> dict[str, float]:
        """The commonest class; and the nearest neighbours by the pixels themselves and by the untrained body. Without
        labels, a guess at the pretext task."""
        if not data.has_labels:
            return {"chance": self.chance(data)}
        labels = data.labelled("test", MOST)[1]
        beside = {name: each["knn_accuracy"] for name, each in judged_baselines(data).items()}
        return {"chance": float(np.bincount(labels).max() / len(labels)), **beside}

    def tables(self, data: UnlabelledImages, evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
        """What the features of the trained body are worth, beside those of the untrained one and the pixels."""
        if not data.has_labels:
            return {}
        found = {**judged_baselines(data), "trained": {key: evaluation.metrics[key] for key in NO_LABELS}}
        return {
            "features.csv": [
                {"features": name, **{key: f"{value:.4f}" for key, value in each.items()}}
                for name, each in found.items()
            ]
        }

    def plots(self, data: UnlabelledImages, evaluation: Evaluation) -> dict[str, Figure | None]:
        """Where test images of each class lie, by the features of the untrained body and of the trained one."""
        if not data.has_labels:
            return {}
        x, labels = data.labelled("test", SHOWN)
        maps = {"untrained": embed(untrained(data), x), "trained": embed(evaluation.outputs, x)}
        return {"map.png": plots.maps(maps, labels)}


NO_LABELS = {"knn_accuracy": math.nan, "probe_accuracy": math.nan}


def body_of(model: keras.Model) -> keras.Model:
    """What a network keeps of its pretraining: images to what its head reads, (batch, features)."""
    names = {layer.name for layer in model.layers}
    head = model.get_layer("projection_hidden") if "projection_hidden" in names else last_operation(main_output(model))
    return keras.Model(model.input, keras.tree.flatten(head.input)[0])


def embed(body: keras.Model, images: np.ndarray) -> np.ndarray:
    """Features of scaled images, (images, features); of maps their mean."""
    parts = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    found = np.concatenate([keras.ops.convert_to_numpy(body(part, training=False)) for part in parts])
    return found.reshape(len(found), -1, found.shape[-1]).mean(1)


def worth(body: keras.Model | None, data: UnlabelledImages, split: str, most: int = MOST) -> dict[str, float]:
    """How well features tell classes apart: of a body, or the pixels themselves."""
    if not data.has_labels:
        return NO_LABELS
    examples = []
    for each in ("train", split):
        x, labels = data.labelled(each, most)
        examples += [x.reshape(len(x), -1) if body is None else embed(body, x), labels]
    train, labels, test, test_labels = examples
    return {
        "knn_accuracy": knn_accuracy(train, labels, test, test_labels),
        "probe_accuracy": probe_accuracy(train, labels, test, test_labels),
    }


def untrained(data: UnlabelledImages) -> keras.Model:
    """The body as it was before its training."""
    keras.utils.set_random_seed(data.recipe.seed)
    return body_of(factory.build(data.card.name, **data.model_options(), **data.recipe.model))


@functools.lru_cache(maxsize=1)
def judged_baselines(data: UnlabelledImages) -> Mapping[str, Mapping[str, float]]:
    """What needs no training, on the test split: baselines and tables ask for the same."""
    return {"raw pixels": worth(None, data, "test"), "untrained network": worth(untrained(data), data, "test")}


class Watch(keras.callbacks.Callback):
    """After each epoch, what the features tell of the classes of some validation images."""

    def __init__(self, network: Network, data: UnlabelledImages):
        super().__init__()
        self.network, self.data = network, data

    @functools.cached_property
    def examples(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return [self.data.labelled(split, WATCHED) for split in ("train", "validation")]

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        body = body_of(self.network.model)
        (x, labels), (x_held_out, labels_held_out) = self.examples
        logs["val_knn_accuracy"] = knn_accuracy(embed(body, x), labels, embed(body, x_held_out), labels_held_out)
