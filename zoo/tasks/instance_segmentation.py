"""Boxes around things, what they are, and which pixels show them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import keras
import numpy as np

from zoo import losses, plots
from zoo.data.image.boxes import BoxDataModule
from zoo.data.image.instance_folder import InstanceFolder
from zoo.data.image.instances import SIDE, InstanceDataModule, shown
from zoo.decoding.instances import in_image, instances, with_instances
from zoo.errors import UsageError
from zoo.metrics import detection
from zoo.metrics.detection import Detections, Truth
from zoo.plots.segmentation import coloured
from zoo.records import Card
from zoo.tasks._answering import takes_unscaled
from zoo.tasks.base import Evaluation, Network, Sample
from zoo.tasks.object_detection import PLOTTED, ObjectDetection, mean, mean_boxes, one_thing, truths_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

IOU = 0.5  # of `zoo.layers.mask_rows.MaskBoxes`
MASKS = "masks"  # the output of the third stage: rows of `zoo.boxes.masks`


class InstanceSegmentation(ObjectDetection):
    """Measured, drawn and predicted by masks; boxes beside them as those of detectors."""

    metric = "mask_map50"
    other_metrics = ("mask_map75", "mask_map", "map50", "map75", "map")
    data_module = InstanceDataModule
    folder: ClassVar[Callable[..., Any] | None] = InstanceFolder

    def losses(self, heads: Sequence[str], chosen: keras.Loss | None) -> dict[str, keras.Loss]:
        """The third stage has a loss of its own, as the first has."""
        found = super().losses(heads, chosen)
        return {**found, MASKS: losses.RegionMasks()} if MASKS in found else found

    def evaluate(self, network: Network, data: BoxDataModule, split: str) -> Evaluation:
        """Average precision over the classes by COCO's rule, of masks and of boxes. Masks are compared in the images
        as the network sees them."""
        size = (data.shape[0], data.shape[1])
        truths, found, overlaps, values = list[Truth](), list[Detections](), list[np.ndarray](), list[float]()
        for x, things in data.batches(split).as_numpy_iterator():
            rows = network.predict_batch(x)
            values += [float(network.loss(things, rows))] * len(x)
            truths += truths_of(things)
            for each, (here, masks) in zip(things, instances(rows)):
                found.append(here)
                true = shown(each[each[:, 4] >= 0], size)
                overlaps.append(mask_overlaps(in_image(masks, here.boxes, size), true))
        classes = len(data.class_names)
        by_mask = detection.average_precision(truths, found, classes, given=overlaps)
        by_box = detection.average_precision(truths, found, classes)
        metrics = {"loss": float(np.mean(values))}
        for kind, each in (("mask_map", by_mask), ("map", by_box)):
            metrics |= {f"{kind}50": mean(each[:, 0]), f"{kind}75": mean(each[:, 5]), kind: mean(each)}
        count = sum(len(truth.classes) for truth in truths)
        return Evaluation(metrics, truths, found, measured_on=f"{count:,} masks in {len(truths):,} images")

    def baselines(self, data: BoxDataModule) -> dict[str, float]:
        """Always the same: of each class of the training set, its mean box, full."""
        size, targets = (data.shape[0], data.shape[1]), data.targets("test")
        always = mean_boxes(data.targets("train"), len(data.class_names))
        full = in_image(np.ones((len(always.boxes), 28, 28)), always.boxes, size)
        overlaps = [mask_overlaps(full, shown(each[each[:, 4] >= 0], size)) for each in targets]
        truths = truths_of(targets)
        found = detection.average_precision(truths, [always] * len(truths), len(data.class_names), given=overlaps)
        return {"mean boxes": mean(found[:, 0])}

    def plots(self, data: BoxDataModule, evaluation: Evaluation) -> dict[str, Figure | None]:
        """What a detector has, and training images with their masks."""
        x, things = next(iter(data.batches("train", training=True).as_numpy_iterator()))
        images = np.clip(data.scaling.undo(np.asarray(x[:PLOTTED])) / (255 if data.high > 1 else 1), 0, 1)
        drawn = [coloured(image, shown(each, image.shape[:2]), each[:, 4]) for image, each in zip(images, things)]
        return {**super().plots(data, evaluation), "masks.png": plots.gallery([drawn[:4], drawn[4:]])}

    def instances(self, rows: np.ndarray, score: float, iou: float) -> list[tuple[Detections, np.ndarray | None]]:
        """What is found in each image, and the masks inside of the boxes. The network itself has left out doubles."""
        if iou != IOU:
            raise UsageError(f"iou is {iou!r}; expected {IOU}, by which this network has chosen what gets a mask")
        return [*instances(rows, score)]

    def answering(self, network: Network, data: BoxDataModule) -> keras.Model:
        """To the things that are found, each with the mask inside of its box."""
        return takes_unscaled(with_instances(network.model), data)

    def sample(self, card: Card, head: str = "") -> Sample:
        """One thing in each image, that fills its box."""
        if head == MASKS:
            return Sample(one_full_thing, lambda size: math.log(2), tolerance=1.0)
        return super().sample(card, head)


def mask_overlaps(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """IoU of masks (n, height, width) and (m, height, width): (n, m)."""
    a, b = (each.reshape(len(each), math.prod(each.shape[1:])).astype("float32") for each in (found, true))
    common = a @ b.T
    union = a.sum(1)[:, None] + b.sum(1)[None] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def one_full_thing(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """For `Sample`: (batch, 2, 6 + side * side), for rows (batch, n, side, side, 7 + classes)."""
    things = one_thing(rng, (shape[0], 1, shape[-1] + 2))
    return np.concatenate([things, np.ones((*things.shape[:2], SIDE * SIDE), "float32")], axis=-1)
