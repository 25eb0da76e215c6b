"""Whether one thing is there, the box around it, and what it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from keras import ops
from scipy.special import expit

from zoo import plots
from zoo.boxes.overlap import clip, iou
from zoo.boxes.rows import corners
from zoo.data.image.boxes import BoxDataModule
from zoo.decoding.detections import Suppression
from zoo.errors import UsageError
from zoo.metrics.detection import Detections
from zoo.records import Card
from zoo.tasks.base import Evaluation, Network, Sample
from zoo.tasks.object_detection import PLOTTED, ObjectDetection, one_thing, truths_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GOOD = 0.9  # IoU from which on a box counts as found


class Localization(ObjectDetection):
    """Boxes are read, drawn and predicted as those of detectors; they are measured one by one."""

    metric = "iou90"
    other_metrics = ("mean_iou", "class_accuracy", "presence_accuracy")

    def check_network(self, network: Network, data: BoxDataModule) -> None:
        """Raise where an image holds several things."""
        if data.most > 1:
            raise UsageError(
                f"an image of {data.source.name} has {data.most} boxes; {network.card.name} tells of one: take "
                "yolo_grid"
            )

    def evaluate(self, network: Network, data: BoxDataModule, split: str) -> Evaluation:
        """Of the images that show a thing, the part whose box overlaps it by .9, and whose class is right; of all
        images, the part of which it is rightly said whether they do."""
        things, rows, losses = list[np.ndarray](), list[np.ndarray](), list[float]()
        for x, true in data.batches(split).as_numpy_iterator():
            rows.append(network.predict_batch(x))
            losses += [float(network.loss(true, rows[-1]))] * len(x)
            things.append(true)
        truth = np.concatenate(things)[:, 0]
        boxes, classes, present = told(np.concatenate(rows))
        there, each = truth[:, 4] >= 0, ious(boxes, truth[:, :4])[truth[:, 4] >= 0]
        metrics = {
            "loss": float(np.mean(losses)),
            "iou90": float(np.mean(each >= GOOD)),
            "mean_iou": float(np.mean(each)),
            "class_accuracy": float(np.mean(classes[there] == truth[there, 4])),
            "presence_accuracy": float(np.mean((present > 0.5) == there)),
        }
        shown = self.decode(np.concatenate(rows), score=0.5, iou=0.5)
        counted = f"{int(there.sum()):,} boxes in {len(truth):,} images"
        return Evaluation(metrics, truths_of(np.concatenate(things)), shown, measured_on=counted)

    def decode(self, rows: np.ndarray, score: float, iou: float) -> list[Detections]:
        """One box of one class, or none; p_c is its score."""
        Suppression(score=score, iou=iou)  # which refuses what are no fractions
        found = [Detections(*(part[None] for part in each)) for each in zip(*told(rows))]
        return [
            Detections(each.boxes[keep], each.classes[keep], each.scores[keep])
            for each, keep in ((each, each.scores > score) for each in found)
        ]

    def baselines(self, data: BoxDataModule) -> dict[str, float]:
        """Always the mean box of the training set."""
        train, test = (np.concatenate([*data.targets(split)]) for split in ("train", "test"))
        train, test = (each[each[:, 4] >= 0, :4] for each in (train, test))
        return {"mean box": float(np.mean(ious(np.broadcast_to(train.mean(0), test.shape), test) >= GOOD))}

    def plots(self, data: BoxDataModule, evaluation: Evaluation) -> dict[str, Figure | None]:
        """Test images with the box that was found, and training images as augmented."""
        truths, found = evaluation.targets[:PLOTTED], evaluation.outputs[:PLOTTED]
        images = data.inputs_at("test", np.arange(len(truths))) / (255 if data.high > 1 else 1)
        boxes = plots.boxes_on([*np.clip(images, 0, 1)], found, data.class_names, truths)
        return {"boxes.png": boxes, "augmented.png": self.augmented(data)}

    def sample(self, card: Card, head: str = "") -> Sample:
        """One thing in each image: that it is there, its class, and a box that is off by about a half."""
        return Sample(one_thing, lambda size: math.log(2) + math.log(size - 9) + 2.0, tolerance=3.0)


def told(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of rows (images, 1, 9 + classes) the boxes (images, 4), the classes and p_c (images,)."""
    logits = rows[:, 0, 8:].astype("float64")
    present = expit(np.logaddexp.reduce(logits[:, 1:], axis=1) - logits[:, 0])
    return ops.convert_to_numpy(clip(corners(rows[:, 0, :4]))), logits[:, 1:].argmax(1), present


def ious(boxes: np.ndarray, truths: np.ndarray) -> np.ndarray:
    """IoU of each box with its own truth: (n, 4), (n, 4) to (n,)."""
    return ops.convert_to_numpy(iou(boxes.astype("float64"), truths.astype("float64")))
