"""By how many quarters each image was turned, without labels."""

from __future__ import annotations

import math

import keras
import numpy as np

from zoo.data.image.unlabelled import RotatedImages
from zoo.records import Card
from zoo.tasks._self_supervision import SelfSupervision
from zoo.tasks.base import Network, Sample, class_ids


class RotationPrediction(SelfSupervision):
    """`accuracy` is that of the four turns, whose baseline is 0.25."""

    data_module = RotatedImages

    def loss(self) -> keras.Loss:
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def keras_metrics(self) -> list[keras.Metric]:
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def pretext(self, network: Network, data: RotatedImages, split: str) -> dict[str, float]:
        turns, logits = data.targets(split), network.predict(data.batches(split))
        return {"loss": float(network.loss(turns, logits)), "accuracy": float(np.mean(logits.argmax(1) == turns))}

    def chance(self, data: RotatedImages) -> float:
        return 0.25

    def sample(self, card: Card, head: str = "") -> Sample:
        return Sample(class_ids, math.log, tolerance=1.0)
