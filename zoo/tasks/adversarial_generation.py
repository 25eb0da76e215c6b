"""Examples drawn from noise by a network that learned against another, which told them from real ones."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from zoo import losses, plots
from zoo.data.image.arrays import AnyTargets
from zoo.metrics import generation as metrics
from zoo.records import Card
from zoo.tasks._generation import DrawingTask, noise_of
from zoo.tasks._judge import Judge, flat, judge_of_images
from zoo.tasks.base import Evaluation, Network, Sample
from zoo.trainers.adversarial import AdversarialTrainer, halves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger("zoo")

MOST_EXAMPLES = 10_000  # that are drawn and compared, for a distance
MOST_PAIRED = 2_000  # for distances of all from all: precision, recall, the nearest training example
WATCHED = 256  # examples that are drawn after each epoch
COLLAPSED, COLLAPSE_STEPS = 0.2, 200  # spread below which, and steps after which, it is said
PLOTTED = 12


class GeneratorData(AnyTargets):
    """Real examples. None are held out while training: a loss on them says nothing of what is drawn."""

    @classmethod
    def holds_out(cls, card: Card) -> bool:
        return False

    def model_options(self) -> dict[str, Any]:
        return {"input_shape": self.shape}


@dataclass(frozen=True)
class Drawn:
    """What was drawn, beside real examples; all as the network has them."""

    examples: np.ndarray
    real: np.ndarray  # of the split
    untrained: np.ndarray
    nearest: np.ndarray  # the training example next to each of the first ones


class AdversarialGeneration(DrawingTask):
    metric = "frechet_distance"
    minimize = True
    advice = "more epochs (--epochs), another seed or a lower learning rate may help"
    data_module = GeneratorData

    def loss(self) -> keras.Loss:
        return losses.Adversarial()

    def trainer(self, network: Network, data: GeneratorData) -> tuple[Network, GeneratorData]:
        """The two halves against each other."""
        return replace(network, model=AdversarialTrainer(network.model)), data

    def callbacks(self, network: Network, data: GeneratorData) -> list[keras.callbacks.Callback]:
        return [CollapseWatch(data)]

    def evaluate(self, network: Network, data: GeneratorData, split: str) -> Evaluation:
        """How far what is drawn is from a split: as many examples, of the recipe's seed, by the features of a judge.

        The judge of images with classes is a LeNet-5 that learns them from the training set (always the same one);
        without classes it is principal components, and vectors are compared as they are.
        """
        real, labels = (each[:MOST_EXAMPLES] for each in data.arrays(split))
        train = data.arrays("train")[0]
        judge = judge_of(data, real, labels)
        drawn = self._scaled(network, data, len(real))
        few = slice(0, MOST_PAIRED)
        real_features, features = judge.features(real), judge.features(drawn)
        precision, recall = metrics.precision_recall(real_features[few], features[few])
        rows, distances = metrics.nearest_distance(flat(drawn[few]), flat(train))
        usual = metrics.nearest_distance(flat(real[few]), flat(train))[1]
        some = train[np.random.default_rng(0).permutation(len(train))[: len(real)]]
        found = {
            "frechet_distance": metrics.frechet_distance(features, real_features),
            "real_distance": metrics.frechet_distance(judge.features(some), real_features),
            "precision": precision,
            "recall": recall,
            "nearest_ratio": float(np.median(distances) / max(np.median(usual), 1e-12)),
        }
        found["loss"] = found["frechet_distance"]
        notes = [f"compared by {judge.name}", "nearest_ratio: 1 where the training set is as far as from new real ones"]
        if judge.probabilities is not None:
            p = judge.probabilities(drawn)
            found["classifier_score"] = metrics.classifier_score(p)
            found["real_score"] = metrics.classifier_score(judge.probabilities(real))
            found["classes"] = float(
                (np.bincount(p.argmax(1), minlength=p.shape[1]) >= 0.2 * len(p) / p.shape[1]).sum()
            )
            found["judge_accuracy"] = judge.accuracy
        elif data.class_names:
            modes, within = metrics.coverage(drawn, real, np.asarray(labels))
            found |= {"modes": float(modes), "within": within}
        untrained = self._scaled(Network.untrained(self, data), data, len(real))
        return Evaluation(found, labels, Drawn(drawn, real, untrained, train[rows[:PLOTTED]]), tuple(notes))

    def baselines(self, data: GeneratorData) -> dict[str, float]:
        """The distance of what a network draws that has learned nothing. ("real_distance", that of training examples,
        is no baseline but a limit: what draws better has learned them by heart.)"""
        real, labels = (each[:MOST_EXAMPLES] for each in data.arrays("test"))
        judge = judge_of(data, real, labels)
        untrained = self._scaled(Network.untrained(self, data), data, len(real))
        return {"untrained": metrics.frechet_distance(judge.features(untrained), judge.features(real))}

    def plots(self, data: GeneratorData, evaluation: Evaluation) -> dict[str, Figure | None]:
        found: Drawn = evaluation.outputs
        if len(data.shape) == 3:
            few = slice(0, PLOTTED)
            rows = [found.real[few], found.untrained[few], found.examples[few], found.nearest]
            white = max(data.high, 1e-6)
            images = [np.clip(data.scaling.undo(row) / white, 0, 1) for row in rows]
            titles = ["real", "untrained", "drawn", "the training image nearest to each"]
            return {"drawn.png": plots.sheets(images, titles)}
        if len(data.shape) == 1 and data.shape[0] >= 2:
            clouds = {"real": found.real, "untrained": found.untrained, "drawn": found.examples}
            return {"drawn.png": plots.clouds({name: data.scaling.undo(x)[:, :2] for name, x in clouds.items()})}
        return {}

    def sample(self, card: Card, head: str = "") -> Sample:
        real = np.float32(head == "real")
        return Sample(lambda rng, shape: np.full(shape, real), lambda _: math.log(2), tolerance=1.0)

    def noise_size(self, network: Network) -> int:
        return int(halves(network.model)[0].input_shape[-1])

    def draw(self, network: Network, noise: np.ndarray) -> np.ndarray:
        return np.asarray(keras.ops.convert_to_numpy(halves(network.model)[0](noise, training=False)))

    def _scaled(self, network: Network, data: GeneratorData, count: int) -> np.ndarray:
        """So many drawn examples, scaled as the network has them."""
        return self.scaled(network, noise_of(data.recipe.seed, count, self.noise_size(network)))


class CollapseWatch(keras.callbacks.Callback):
    """How far drawn examples lie apart, as a part of how far real ones do, by epoch; a collapse is told once."""

    def __init__(self, data: GeneratorData):
        super().__init__()
        self.data, self.steps, self.told = data, 0, False

    def on_train_begin(self, logs: Any = None) -> None:
        batch = next(iter(self.data.batches("train").as_numpy_iterator()))[0]
        self.usual = spread(batch[:WATCHED])

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.steps += 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        noise = noise_of(0, WATCHED, self.model.noise_size)
        drawn = keras.ops.convert_to_numpy(self.model.generator(noise, training=False))
        logs["spread"] = spread(drawn) / max(self.usual, 1e-12)
        if logs["spread"] < COLLAPSED and self.steps >= COLLAPSE_STEPS and not self.told:
            self.told = True
            log.warning(collapse(logs["spread"]))


def collapse(found: float) -> str:
    """What there is to tell when all that is drawn is alike.

    >>> collapse(0.031)
    'what is drawn is nearly alike (3.1 % of the distance that real examples have): mode collapse; train with another seed or a lower learning_rate'
    """  # noqa: E501
    return (
        f"what is drawn is nearly alike ({100 * found:.1f} % of the distance that real examples have): mode collapse; "
        "train with another seed or a lower learning_rate"
    )


def spread(x: np.ndarray) -> float:
    """The mean distance between two examples."""
    x = flat(x)
    return float(np.linalg.norm(x - np.roll(x, len(x) // 2, axis=0), axis=1).mean()) if len(x) > 1 else 0.0


def judge_of(data: GeneratorData, real: np.ndarray, labels: Any) -> Judge:
    """By what examples of this data are compared; made once."""
    if getattr(data, "judge", None) is None:
        data.judge = _judge(data, real, labels)  # type: ignore[attr-defined]
    return data.judge  # type: ignore[attr-defined]


def _judge(data: GeneratorData, real: np.ndarray, labels: Any) -> Judge:
    if len(data.shape) != 3:
        return Judge("the numbers themselves", flat)
    return judge_of_images(*data.arrays("train"), len(data.class_names), real, labels)
