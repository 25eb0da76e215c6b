"""Views of one image near each other and far from those of all others, without labels."""

from __future__ import annotations

import logging
import math
from typing import Any

import keras
import numpy as np

from zoo import losses
from zoo.data.image.unlabelled import TwoViews
from zoo.metrics import features
from zoo.metrics.retrieval import embedding_std
from zoo.records import Card
from zoo.tasks._self_supervision import SelfSupervision
from zoo.tasks.base import Network, Sample

log = logging.getLogger("zoo")

COLLAPSED_STD = 0.05  # of the embeddings: below it all are one point
COLLAPSE_STEPS = 100  # of training, before which that may be
SPREAD_OVER = 2000  # embeddings whose pairs `uniformity` goes through


class ContrastivePretraining(SelfSupervision):
    """`accuracy`: of the views of a batch, how many have the other view of their image for the nearest one.

    The loss and the accuracy depend on the `batch_size`, for all other views are negatives. `alignment` and
    `uniformity` are those of T. Wang and P. Isola, "Understanding Contrastive Representation Learning through Alignment
    and Uniformity on the Hypersphere", ICML 2020, arXiv:2005.10242.
    """

    data_module = TwoViews

    def loss(self) -> keras.Loss:
        return losses.NTXent()

    def callbacks(self, network: Network, data: Any) -> list[keras.callbacks.Callback]:
        return [*super().callbacks(network, data), CollapseWatch(network, data)]

    def pretext(self, network: Network, data: TwoViews, split: str) -> dict[str, float]:
        embeddings = network.predict(data.batches(split))
        size = 2 * data.recipe.batch_size
        batches = [embeddings[start : start + size] for start in range(0, len(embeddings), size)]
        lengths = [len(batch) for batch in batches]
        costs = [float(network.loss(np.arange(len(batch)) // 2, batch)) for batch in batches]
        correct = [float(pairs_found(batch)) for batch in batches]
        return {
            "loss": float(np.average(costs, weights=lengths)),
            "accuracy": float(np.average(correct, weights=lengths)),
            "alignment": features.alignment(embeddings),
            "uniformity": features.uniformity(embeddings[::2][:SPREAD_OVER]),
            "embedding_std": embedding_std(embeddings),
        }

    def chance(self, data: TwoViews) -> float:
        return 1 / (2 * min(data.recipe.batch_size, data.examples["test"]) - 1)

    def sample(self, card: Card, head: str = "") -> Sample:
        # A view among the 31 others of a batch of 32, all as likely: the loss is asked for at that size.
        return Sample(lambda rng, shape: (np.arange(shape[0]) // 2).astype("int32"), lambda size: math.log(31), 1.0)


def pairs_found(embeddings: np.ndarray) -> float:
    """The fraction of views whose nearest other view is that of the same image.

    Args:
        embeddings: of length 1, (2 x images, dim), the two views of an image one behind the other.

    >>> pairs_found(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [0.6, 0.8]]))
    0.5
    """
    cosines = embeddings @ embeddings.T
    np.fill_diagonal(cosines, -np.inf)
    return float(np.mean(cosines.argmax(1) == np.arange(len(embeddings)) ^ 1))


class CollapseWatch(keras.callbacks.Callback):
    """After each epoch, the deviation of the embeddings of validation images; a collapse is told once, with a cure."""

    def __init__(self, network: Network, data: TwoViews):
        super().__init__()
        self.network, self.data, self.steps, self.told = network, data, 0, False

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.steps += 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        views, _ = next(iter(self.data.batches("validation").as_numpy_iterator()))
        embeddings = keras.ops.convert_to_numpy(self.network.model(views, training=False))
        logs["val_embedding_std"] = embedding_std(embeddings)
        if logs["val_embedding_std"] < COLLAPSED_STD and self.steps >= COLLAPSE_STEPS and not self.told:
            self.told = True
            log.warning(collapse(logs["val_embedding_std"]))


def collapse(std: float) -> str:
    """What there is to tell when all embeddings are one point.

    >>> collapse(0.0004)
    'all images have become one point (standard deviation 0.0004): lower learning_rate, or the temperature of the loss'
    """
    return (
        f"all images have become one point (standard deviation {std:.4f}): lower learning_rate, or the temperature of "
        "the loss"
    )
