"""What all tasks have in common that find the class of something."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from zoo import plots
from zoo.data.base import DataModule
from zoo.data.example_tags import tagged
from zoo.errors import UsageError, some
from zoo.losses import MaskedCrossentropy
from zoo.metrics import classification, diagnosis
from zoo.metrics.diagnosis import Diagnosis
from zoo.records import Card
from zoo.tasks._answering import says_probabilities
from zoo.tasks._predictions import NAMED_CLASSES
from zoo.tasks.base import Evaluation, Network, Sample, Task, Trained, class_ids

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger("zoo")


class Classification(Task):
    metric = "accuracy"
    counts_examples = True

    def check_network(self, network: Network, data: DataModule) -> None:
        """Raise unless the main output has as many logits as there are classes; other `scores` may take others."""
        classes, output = len(data.class_names), network.model.output
        output = output[network.main] if network.heads else output
        if type(self).scores is not Classification.scores or not classes or not hasattr(output, "shape"):
            return
        expected, found = self.units(classes, network.loss), output.shape[-1]
        if found is not None and found not in expected:
            raise UsageError(
                f"{network.card.name} has {found} output{'s' if found != 1 else ''}; expected "
                f"{' or '.join(map(str, expected))} for the {classes} classes of {data.source.name}: "
                "give its last layer as many"
            )

    def units(self, classes: int, loss: keras.Loss) -> tuple[int, ...]:
        """How many logits the main output may have."""
        takes_numbers = isinstance(loss, (keras.losses.SparseCategoricalCrossentropy, MaskedCrossentropy))
        return (classes,) if classes != 2 or takes_numbers else (2, 1)  # one logit z stands for the pair (0, z)

    def loss(self) -> keras.Loss:
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def keras_metrics(self) -> list[keras.Metric]:
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def answering(self, network: Network, data: Any) -> keras.Model:
        """To the probabilities of the classes."""
        return says_probabilities(super().answering(network, data))

    def scores(self, targets: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
        return classification.scores(targets, outputs)

    def plots(self, data: Any, evaluation: Evaluation) -> dict[str, Figure | None]:
        return {
            "confusion.png": plots.confusion(data, evaluation),
            "calibration.png": plots.calibration(data, evaluation),
        }

    def tables(self, data: Any, evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
        rows = by_class(data, evaluation)
        if unseen := [row["class"] for row in rows if row["examples"] and float(row["recall"]) == 0]:
            log.warning(f"not one test example of {some(unseen)} was recognised (recall 0)")
        return {"classes.csv": rows}

    def diagnose(
        self,
        trained: Trained,
        *,
        human: float = 0.0,
        target: DataModule | None = None,
        tags: Mapping[str, list[str]] | None = None,
    ) -> Diagnosis:
        """Its errors from set to set, and those on the target set, or else the validation set, by class and tag.

        Args:
            trained: with its data set.
            human: error rate of people.
            target: the data that it is meant for: their test set.
            tags: of examples of the set that is looked at, by file or number.
        """
        network, data = trained.network, trained.data
        sets = {"training": (data, "train"), "validation": (data, "validation"), "test": (data, "test")}
        if target is not None:
            sets["target"] = (target, "test")
        found = {name: network.judge(module, split) for name, (module, split) in sets.items()}
        errors = {"human": human} | {name: 1.0 - each.metrics[self.metric] for name, each in found.items()}
        told = diagnosis.diagnose(errors, {name: len(each.targets) for name, each in found.items()})

        looked_at = "target" if target is not None else "validation"
        (module, split), evaluation = sets[looked_at], found[looked_at]
        predicted = classification.probabilities(evaluation.outputs).argmax(-1)
        wrong, names = predicted != evaluation.targets, data.class_names
        kinds = {name: evaluation.targets == number for number, name in enumerate(names)}
        by_tag = {}
        if tags:
            numbers = [str(row) for row in range(len(wrong))]
            by_tag = tagged(tags, names_of(module, split, len(wrong)) or numbers, f"the {looked_at} set")
        return replace(
            told,
            looked_at=looked_at,
            by_class=diagnosis.error_table(wrong, kinds),
            by_tag=diagnosis.error_table(wrong, by_tag),
            mistakes=mistakes(module, evaluation, split),
        )

    def sample(self, card: Card, head: str = "") -> Sample:
        if card.loss == "hinge":  # of scores that are all 0
            return Sample(class_ids, lambda classes: 1.0, tolerance=1.0)
        return Sample(class_ids, math.log, tolerance=1.0)


def likeliest(
    probabilities: np.ndarray, class_names: Sequence[str], most: int = NAMED_CLASSES
) -> tuple[np.ndarray, str]:
    """The likeliest classes (most,), and their names with probabilities in words."""
    best = np.argsort(-probabilities, kind="stable")[:most]
    return best, ", ".join(f"{class_names[each]} {probabilities[each]:.1%}" for each in best)


def names_of(data: DataModule, split: str, count: int) -> list[str]:
    """What the examples of a split are called, in their order: their files, where they have some; else no names."""
    files = [example.file for example in data.source.examples if example.split == getattr(data.recipe, split)]
    return files if len(files) == count else []


def mistakes(data: DataModule, evaluation: Evaluation, split: str = "test") -> list[dict[str, Any]]:
    """Every example of a split that was predicted wrongly, the most confident first: wrong labels are near the top."""
    by_class = classification.probabilities(evaluation.outputs)
    predicted, confidence = by_class.argmax(-1), by_class.max(-1)
    files = names_of(data, split, len(predicted))
    wrong = np.flatnonzero(predicted != evaluation.targets)
    return [
        {
            "file" if files else "example": files[row] if files else int(row),
            "class": data.class_names[evaluation.targets[row]],
            "predicted": data.class_names[predicted[row]],
            "confidence": f"{confidence[row]:.4f}",
        }
        for row in wrong[np.argsort(-confidence[wrong], kind="stable")]
    ]


def by_class(data: DataModule, evaluation: Evaluation) -> list[dict[str, Any]]:
    """Precision, recall, F1 and count of each class, a row each."""
    from sklearn.metrics import precision_recall_fscore_support

    predicted = classification.probabilities(evaluation.outputs).argmax(-1)
    labels = range(len(data.class_names))
    columns = precision_recall_fscore_support(evaluation.targets, predicted, labels=labels, zero_division=0)
    return [
        {"class": name, "precision": f"{p:.4f}", "recall": f"{r:.4f}", "f1": f"{f:.4f}", "examples": int(count)}
        for name, p, r, f, count in zip(data.class_names, *columns)
    ]
