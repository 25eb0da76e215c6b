"""Yes or no to each of several questions about an image, by one network."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import keras
import numpy as np
from scipy.special import expit

from zoo import losses
from zoo.data.image.attribute_folder import AttributeFolder
from zoo.data.image.attributes import AttributeDataModule
from zoo.errors import UsageError, some
from zoo.introspection import attribution, grad_cam
from zoo.metrics import multi_task as metrics
from zoo.metrics.multi_task import UNKNOWN
from zoo.plots import multi_task as figures
from zoo.records import Card
from zoo.tasks._answering import says_probabilities
from zoo.tasks._classification import names_of
from zoo.tasks.base import Evaluation, Network, Sample, Task, Trained
from zoo.tasks.image_classification import explained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASELINE_NUMBERS = 10**8  # in a data set, times attributes, beyond which no baseline is fitted: minutes


@dataclass(frozen=True, eq=False)
class Answers:
    """What a network answers about one input: the probability of yes, by the attribute.

    >>> print(Answers("a.png", ("smiling", "hat"), np.array([0.1, 0.9]), np.array([-2.2, 2.2])))
    a.png: smiling 10.0%, hat 90.0%
    >>> print(Answers("a.png", ("smiling", "hat"), np.array([0.1, 0.9]), np.array([-2.2, 2.2]), top=1))
    a.png: hat 90.0%
    """

    input: str  # its file, or "image 3" of those without one
    attributes: tuple[str, ...]
    probabilities: np.ndarray  # (attributes,), each of them by itself: they do not add up to 1
    logits: np.ndarray  # (attributes,)
    explanation: Path | None = None  # the picture of where it looks
    top: int | None = None  # only so many, the likeliest first; None: all, in their order

    @property
    def shown(self) -> dict[str, float]:
        """The probabilities that are told."""
        order = np.argsort(-self.probabilities, kind="stable")[: self.top] if self.top else range(len(self.attributes))
        return {self.attributes[each]: float(self.probabilities[each]) for each in order}

    def __str__(self) -> str:
        looks = f"\n  where it looks: {self.explanation}" if self.explanation else ""
        return f"{self.input}: " + ", ".join(f"{name} {share:.1%}" for name, share in self.shown.items()) + looks

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "input": self.input,
            "attributes": {name: round(share, 6) for name, share in self.shown.items()},
            **({"explanation": str(self.explanation)} if self.explanation else {}),
        }

    def as_row(self) -> dict[str, str]:
        """As a row of a table with a column for each attribute, in the form of `labels.csv`."""
        return {
            "file": self.input,
            **{name: f"{share:.6f}" for name, share in zip(self.attributes, self.probabilities)},
        }


class MultiTask(Task):
    metric = "mean_auc"
    other_metrics = ("worst_auc", "accuracy")
    data_module = AttributeDataModule
    folder: ClassVar[Callable[..., Any] | None] = AttributeFolder
    gives_records: ClassVar[bool] = True

    def loss(self) -> keras.Loss:
        return losses.get("masked_binary_crossentropy")

    def targets(self, x: Any, y: Any, heads: Sequence[str]) -> Any:
        return y["attributes"]

    def check_network(self, network: Network, data: AttributeDataModule) -> None:
        """Raise unless there is a logit for each attribute."""
        found, wanted = network.model.output.shape[1:], (len(data.class_names),)
        if tuple(found) != wanted:
            raise UsageError(
                f"{network.card.name} gives {'x'.join(map(str, found))} numbers; expected {wanted[0]}, a logit for "
                f"each attribute of {data.source.name}"
            )

    def answering(self, network: Network, data: AttributeDataModule) -> keras.Model:
        """To probabilities: of each attribute."""
        return says_probabilities(super().answering(network, data), apart=True)

    def evaluate(self, network: Network, data: AttributeDataModule, split: str) -> Evaluation:
        """AUC and accuracy, means over the attributes; the accuracy says something beside the base rate only."""
        found = super().evaluate(network, data, split)
        auc = metrics.areas(found.targets, found.outputs)
        notes = [
            f"accuracy {found.metrics['accuracy']:.4f} where the commoner answer to each is right in "
            f"{found.metrics['base_rate']:.4f}"
        ]
        if unmeasured := [name for name, area in zip(data.class_names, auc) if not math.isfinite(area)]:
            notes.append(f"no AUC of {some(unmeasured)}: one answer only in {split}")
        known = int((found.targets != UNKNOWN).sum())
        return dataclasses.replace(found, notes=tuple(notes), measured_on=f"{known:,} answers of {len(auc)} attributes")

    def scores(self, targets: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
        return metrics.scores(targets, outputs)

    def baselines(self, data: AttributeDataModule) -> dict[str, float]:
        """Any order of the examples; and a logistic regression of the pixels for each attribute by itself."""
        from sklearn.linear_model import LogisticRegression

        found = {"chance": 0.5}
        if data.num_values * len(data.class_names) > BASELINE_NUMBERS:
            return found
        (x, y), (x_test, y_test) = data.arrays("train"), data.arrays("test")
        x, x_test = x.reshape(len(x), -1), x_test.reshape(len(x_test), -1)
        logits = np.zeros(y_test["attributes"].shape)
        for number, answers in enumerate(y["attributes"].T):
            known = answers != UNKNOWN
            model = LogisticRegression(C=0.01, max_iter=300).fit(x[known], answers[known])
            logits[:, number] = model.decision_function(x_test)
        return {**found, "logistic regression": metrics.scores(y_test["attributes"], logits)["mean_auc"]}

    def plots(self, data: AttributeDataModule, evaluation: Evaluation) -> dict[str, Figure | None]:
        names, answers, logits = data.class_names, evaluation.targets, evaluation.outputs
        return {
            "attributes.png": figures.attributes(names, answers, logits),
            "precision_recall.png": figures.precision_recall(names, answers, logits),
        }

    def tables(self, data: AttributeDataModule, evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
        """How well each attribute is told; and the wrong answers, the most confident first."""
        return {
            "attributes.csv": by_attribute(data.class_names, evaluation.targets, evaluation.outputs),
            "mistakes.csv": mistakes(data, evaluation),
        }

    def sample(self, card: Card, head: str = "") -> Sample:
        return Sample(
            lambda rng, shape: rng.integers(0, 2, shape).astype("int32"),
            lambda attributes: attributes * math.log(2),
            tolerance=1.5,
        )

    def predict(
        self, trained: Trained, paths: Sequence[str], folder: Path | None, explain: str | None = None
    ) -> list[str]:
        """The probability of each attribute of each image; in `folder`, where the likeliest was seen, if asked for."""
        found = self.predictions(trained, paths, trained.data.encode(paths), folder, explain)
        return [line for each in found for line in str(each).splitlines()]

    def predictions(
        self,
        asked: Trained,
        names: Sequence[str],
        inputs: np.ndarray,
        folder: Path | None,
        explain: str | None = None,
        top: int | None = None,
    ) -> list[Answers]:
        """A record for each encoded image, (images, height, width, channels)."""
        model, data = asked.network.model, asked.data
        if explain == "gradcam":
            grad_cam.map_layer(model)  # which raises where there is none
        logits = asked.network.predict(inputs)
        yes = expit(logits.astype("float64"))
        attributes = tuple(data.class_names)
        found = [Answers(name, attributes, *row, top=top) for name, row in zip(names, zip(yes, logits))]
        if folder is None or not explain:
            return found
        images, best = data.scaling.undo(inputs), yes.argmax(-1)
        heats = attribution.heatmaps(model, inputs, best, explain, head=None)
        titles = [f"{attributes[number]} {each.probabilities[number]:.0%}" for each, number in zip(found, best)]
        return explained(found, images, heats, titles, folder, explain)


def by_attribute(names: Sequence[str], answers: np.ndarray, logits: np.ndarray) -> list[dict[str, Any]]:
    """A row for each attribute, over its known answers: AUC, accuracy beside the base rate, precision and recall."""
    from sklearn.metrics import precision_recall_fscore_support

    columns = zip(metrics.areas(answers, logits), metrics.accuracies(answers, logits), metrics.base_rates(answers))
    rows = []
    for name, truth, found, (auc, accuracy, base) in zip(names, answers.T, logits.T, columns):
        known = truth != UNKNOWN
        precision, recall, f1, _ = precision_recall_fscore_support(
            truth[known] == 1, found[known] >= 0, average="binary", zero_division=0
        )
        values = {
            "auc": auc,
            "accuracy": accuracy,
            "base_rate": base,
            "precision": precision,
            "recall": recall,
            "f1": f1,
        }
        counts = {"examples": int(known.sum()), "yes": int((truth == 1).sum())}
        rows.append({"attribute": name, **{word: f"{value:.4f}" for word, value in values.items()}, **counts})
    return rows


def mistakes(data: AttributeDataModule, evaluation: Evaluation) -> list[dict[str, Any]]:
    """The known answers of the test set that were not given, the surest first: wrong labels are near the top."""
    answers, logits = evaluation.targets, evaluation.outputs
    files = names_of(data, "test", len(answers))
    wrong = np.argwhere((answers != UNKNOWN) & ((logits >= 0) != (answers == 1)))
    order = np.argsort(-np.abs(logits[tuple(wrong.T)]), kind="stable")
    return [
        {
            "file" if files else "example": files[row] if files else int(row),
            "attribute": data.class_names[number],
            "answer": int(answers[row, number]),
            "probability": f"{expit(float(logits[row, number])):.4f}",
        }
        for row, number in wrong[order]
    ]
