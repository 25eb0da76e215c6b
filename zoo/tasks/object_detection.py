"""Boxes around things, and what they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import keras
import numpy as np

from zoo import losses, plots
from zoo.data.image import files as image_files
from zoo.data.image.box_folder import BoxFolder
from zoo.data.image.boxes import BoxDataModule
from zoo.data.image.geometry import out_of
from zoo.decoding.detections import detections, with_suppression
from zoo.decoding.instances import in_image
from zoo.metrics import detection
from zoo.metrics.detection import Detections, Truth
from zoo.records import Card
from zoo.tasks._answering import takes_unscaled
from zoo.tasks._things import Things
from zoo.tasks.base import Evaluation, Network, Sample, Task, Trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST = 0.01  # score of what is measured: precision at a high recall counts too
SHOWN = 0.3  # score of what is drawn and counted as an error
PLOTTED = 8  # images

AT_FIRST = {  # what a detector that knows nothing loses by a thing, from the length of its rows; off by about one side
    "grid_detection": lambda size: math.log(100) + math.log(size - 9) + 5.0,  # found as one of a hundred, any class
    "multibox": lambda size: 4 * math.log(size - 8) + 5.0,  # any class or none of four boxes, three of them empty
    "region_boxes": lambda size: 2.0,  # any class or none, and a little for the place: in rows of a class each
    "region_proposals": lambda size: math.log(2) + 1.0,  # something or nothing
}
PROPOSALS = "proposals"  # the output of the first of two stages: rows of something, whatever it is


class ObjectDetection(Task):
    metric = "map50"
    other_metrics: ClassVar[tuple[str, ...]] = ("map75", "map", "map_voc2007")
    data_module = BoxDataModule
    folder: ClassVar[Callable[..., Any] | None] = BoxFolder
    gives_records: ClassVar[bool] = True
    draws_all: ClassVar[bool] = True

    def loss(self) -> keras.Loss:
        return losses.GridDetection()

    def losses(self, heads: Sequence[str], chosen: keras.Loss | None) -> dict[str, keras.Loss]:
        """The first of two stages has a loss of its own."""
        found = super().losses(heads, chosen)
        return {**found, PROPOSALS: losses.RegionProposals()} if PROPOSALS in found else found

    def evaluate(self, network: Network, data: BoxDataModule, split: str) -> Evaluation:
        """Average precision over the classes, by COCO's rule and by that of VOC 2007."""
        truths, found, losses, classes = list[Truth](), list[Detections](), list[float](), len(data.class_names)
        for x, things in data.batches(split).as_numpy_iterator():  # rows of all images would not fit into memory
            rows = network.predict_batch(x)
            losses += [float(network.loss(things, rows))] * len(x)
            truths += truths_of(things)
            found += detections(rows, score=LEAST)
        by_overlap = detection.average_precision(truths, found, classes)
        voc = detection.average_precision(truths, found, classes, rule="voc2007")
        metrics = {
            "loss": float(np.mean(losses)),
            "map50": mean(by_overlap[:, 0]),
            "map75": mean(by_overlap[:, 5]),
            "map": mean(by_overlap),
            "map_voc2007": mean(voc),
        }
        count = sum(len(truth.classes) for truth in truths)
        return Evaluation(metrics, truths, found, measured_on=f"{count:,} boxes in {len(truths):,} images")

    def baselines(self, data: BoxDataModule) -> dict[str, float]:
        """Always the same: of each class of the training set, its mean box."""
        truths = truths_of(data.targets("test"))
        always = [mean_boxes(data.targets("train"), len(data.class_names))] * len(truths)
        return {"mean boxes": mean(detection.average_precision(truths, always, len(data.class_names))[:, 0])}

    def plots(self, data: BoxDataModule, evaluation: Evaluation) -> dict[str, Figure | None]:
        """Precision against recall, the kinds of errors, test images with boxes, and training images as augmented."""
        truths, found = evaluation.targets, evaluation.outputs
        lines = {name: detection.curve(truths, found, label) for label, name in enumerate(data.class_names)}
        rows = np.arange(min(PLOTTED, len(truths)))
        images = data.inputs_at("test", rows) / (255 if data.high > 1 else 1)
        shown = [[each[row] for row in rows] for each in (found, truths)]
        return {
            "precision_recall.png": plots.precision_recall(lines),
            "errors.png": plots.error_kinds(detection.error_kinds(truths, found, score=SHOWN), SHOWN),
            "boxes.png": plots.boxes_on([*np.clip(images, 0, 1)], shown[0], data.class_names, shown[1], score=SHOWN),
            "augmented.png": self.augmented(data),
        }

    def augmented(self, data: BoxDataModule) -> Figure:
        """The first images of an epoch of training, with the boxes that have moved with them."""
        x, things = next(iter(data.batches("train", training=True).as_numpy_iterator()))
        images = data.scaling.undo(np.asarray(x[:PLOTTED])) / (255 if data.high > 1 else 1)
        boxes = [Detections(each.boxes, each.classes, np.ones(len(each.classes))) for each in truths_of(things)]
        title = "as the network sees them in training"
        return plots.boxes_on(
            [*np.clip(images, 0, 1)], boxes[:PLOTTED], data.class_names, with_scores=False, title=title
        )

    def tables(self, data: BoxDataModule, evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
        """Average precision of each class; and every error of the test set, by kind."""
        truths, found = evaluation.targets, evaluation.outputs
        precisions = detection.average_precision(truths, found, len(data.class_names))
        rows = [
            {
                "class": name,
                "ap50": f"{row[0]:.4f}",
                "ap75": f"{row[5]:.4f}",
                "ap": f"{mean(row):.4f}",
                "boxes": sum(int((truth.classes == label).sum()) for truth in truths),
            }
            for label, (name, row) in enumerate(zip(data.class_names, precisions))
        ]
        errors = detection.error_kinds(truths, found, score=SHOWN)
        return {"classes.csv": rows, "errors.csv": [{"error": kind, "count": count} for kind, count in errors.items()]}

    def predict(
        self, trained: Trained, paths: Sequence[str], folder: Path | None, score: float = 0.25, iou: float = 0.5
    ) -> list[str]:
        """What is in each image, a line for each thing with its place in pixels; in `folder`, the images with boxes.

        Args:
            trained: a detector.
            paths: of images of any size.
            folder: where the pictures go; None: nowhere.
            score: things with no more than that are left out.
            iou: boxes that overlap a better one of their class by more are left out.
        """
        found = self.predictions(trained, paths, trained.data.encode(paths), folder, raw=paths, score=score, iou=iou)
        return [line for each in found for line in str(each).splitlines()]

    def predictions(
        self,
        asked: Trained,
        names: Sequence[str],
        inputs: np.ndarray,
        folder: Path | None,
        explain: str | None = None,
        top: int | None = None,
        *,
        raw: Sequence[Any],
        score: float = 0.25,
        iou: float = 0.5,
    ) -> Iterator[Things]:
        """A record for each encoded image; `raw` are the images as they were given, in whose pixels the boxes are. No
        more than `top` things each."""
        data: BoxDataModule = asked.data
        for name, given, (found, maps) in zip(names, raw, self.instances(asked.network.predict(inputs), score, iou)):
            image = image_files.pixels(given, 3)
            size, window = (image.shape[0], image.shape[1]), data.window_of(image.shape[:2])
            shown = slice(top)
            boxes = found.boxes[shown]
            things = Things(
                name,
                size,
                tuple(data.class_names[each] for each in found.classes[shown]),
                found.scores[shown],
                out_of(window, boxes) * np.tile(size[::-1], 2),
                score,
                None if maps is None else in_image(maps[shown], out_of(window, boxes, clipped=False), size),
            )  # a mask fills the whole of its box, and so also of one that is cut off at the edges
            if folder is not None and things.labels:
                things = things.drawn(image / 255, data.class_names, folder)
            yield things

    def decode(self, rows: np.ndarray, score: float, iou: float) -> list[Detections]:
        """What is left of the rows of each image."""
        return detections(rows, score=score, iou=iou)

    def instances(self, rows: np.ndarray, score: float, iou: float) -> list[tuple[Detections, np.ndarray | None]]:
        """The same, and the masks (n, side, side) inside of the boxes; None where the network has none."""
        return [(found, None) for found in self.decode(rows, score, iou)]

    def answering(self, network: Network, data: BoxDataModule) -> keras.Model:
        """To the boxes that are left."""
        return takes_unscaled(with_suppression(network.model), data)

    def sample(self, card: Card, head: str = "") -> Sample:
        """One thing in each image."""
        loss = "region_proposals" if head == PROPOSALS else card.loss or "grid_detection"
        return Sample(one_thing, AT_FIRST[loss], tolerance=6.0)


def mean(values: np.ndarray) -> float:
    """Over what could be measured; NaN where nothing could."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan


def mean_boxes(things: np.ndarray, classes: int) -> Detections:
    """Of each class its mean box in images (images, most, 6 or more), scored by how often it occurs."""
    rows = np.concatenate([*things])
    of_class = [rows[(rows[:, 4] == label) & (rows[:, 5] == 0), :4] for label in range(classes)]
    sound = [(label, boxes.mean(0), len(boxes)) for label, boxes in enumerate(of_class) if len(boxes)]
    labels, boxes, counts = (np.array(each) for each in zip(*sound))
    return Detections(boxes, labels, counts / counts.max())


def truths_of(things: np.ndarray) -> list[Truth]:
    """The things of images, (images, most, 6), without the rows that hold none."""
    return [
        Truth(rows[:, :4], rows[:, 4].astype(int), difficult=rows[:, 5] > 0)
        for rows in (each[each[:, 4] >= 0] for each in things)
    ]


def one_thing(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """For `Sample`: (batch, 2, 6), a thing and a row without one; for rows of any form."""
    classes = shape[-2] - 1 if len(shape) == 4 else shape[-1] - 9
    things = np.zeros((shape[0], 2, 6), "float32")
    centre, side = rng.uniform(0.3, 0.7, (shape[0], 2)), rng.uniform(0.2, 0.6, (shape[0], 2))
    things[:, 0, :4] = np.concatenate([centre - side / 2, centre + side / 2], axis=1)
    things[:, 0, 4], things[:, 1, 4] = rng.integers(0, classes, shape[0]), -1
    return things
