"""One of two classes, by one logit."""

import math

import keras

from zoo.data.image.arrays import BinaryDataModule
from zoo.records import Card
from zoo.tasks.base import Sample
from zoo.tasks.image_classification import ImageClassification


class BinaryClassification(ImageClassification):
    data_module = BinaryDataModule
    folder = None

    def units(self, classes: int, loss: keras.Loss) -> tuple[int, ...]:
        return (1,)

    def loss(self) -> keras.Loss:
        return keras.losses.BinaryCrossentropy(from_logits=True)

    def keras_metrics(self) -> list[keras.Metric]:
        return [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)]

    def sample(self, card: Card, head: str = "") -> Sample:
        return Sample(
            lambda rng, shape: rng.integers(0, 2, shape).astype("int32"),
            lambda classes: math.log(2),
            tolerance=0.8,  # one neuron over 30 inputs starts with logits of standard deviation 1.4
        )
