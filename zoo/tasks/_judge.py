"""What images are compared by: the features of a LeNet-5 that has learned their classes, or principal components."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from zoo import factory
from zoo.backend import random_states_kept
from zoo.metrics import classification

STEPS, BATCH = 600, 128  # of the LeNet-5 whose features are compared
COMPONENTS = 32  # of PCA, where there are no classes
SMALLEST_SIDE = 12  # pixels, for a LeNet-5


@dataclass(frozen=True)
class Judge:
    """What examples are compared by."""

    name: str
    features: Any  # examples -> (examples, size)
    probabilities: Any = None  # examples -> (examples, classes), of a classifier
    accuracy: float = math.nan  # of that, on the split


def flat(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), -1)


def judge_of_images(x: np.ndarray, y: Any, num_classes: int, real: np.ndarray, labels: Any) -> Judge:
    """A judge that learns from training images, always the same one.

    Args:
        x: scaled images of the training set (examples, height, width, channels).
        y: the number of the class of each; what it is does not matter with fewer than two classes.
        num_classes: how many there are.
        real: images of a split that its accuracy is measured on.
        labels: their classes.
    """
    if num_classes < 2 or min(x.shape[1:3]) < SMALLEST_SIDE:
        from sklearn.decomposition import PCA

        axes = PCA(min(COMPONENTS, *flat(x).shape), svd_solver="randomized", random_state=0).fit(flat(x))
        return Judge(f"{axes.n_components_} principal components", lambda x: axes.transform(flat(x)))
    with random_states_kept():
        keras.utils.set_random_seed(0)
        model = factory.build("lenet5", input_shape=x.shape[1:], num_classes=num_classes)
        steps = -(-len(x) // BATCH)
        epochs = max(1, round(STEPS / steps))
        rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * steps)
        model.compile(
            keras.optimizers.Adam(rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        model.fit(x, np.asarray(y), batch_size=BATCH, epochs=epochs, verbose=0)
    features = keras.Model(model.input, model.get_layer("f6").output)

    def probabilities(x: np.ndarray) -> np.ndarray:
        return classification.probabilities(model.predict(x, verbose=0))

    accuracy = float((probabilities(real).argmax(1) == np.asarray(labels)).mean())
    return Judge(
        f"a LeNet-5 ({accuracy:.1%} of the real ones right)",
        lambda x: np.asarray(features.predict(x, verbose=0)),
        probabilities,
        accuracy,
    )
