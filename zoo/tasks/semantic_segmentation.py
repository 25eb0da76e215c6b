"""A class for each pixel of an image."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import keras
import numpy as np

from zoo import losses, plots
from zoo.data.image import files as image_files
from zoo.data.image.files import free_name
from zoo.data.image.mask_folder import MaskFolder
from zoo.data.image.masks import MaskDataModule
from zoo.errors import UsageError
from zoo.metrics import segmentation
from zoo.metrics.segmentation import IGNORED
from zoo.plots import segmentation as figures
from zoo.records import Card
from zoo.tasks._answering import says_probabilities
from zoo.tasks.base import Evaluation, Network, Sample, Task, Trained, class_ids

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 6  # images in the figure
COLOUR_PIXELS = 50_000  # of the training set, from which the baseline learns


@dataclass(frozen=True)
class Segmented:
    """What was predicted for the first images, and how pixels of each class (row) were taken (column) in all."""

    masks: np.ndarray
    table: np.ndarray


class SemanticSegmentation(Task):
    metric = "mean_iou"
    other_metrics = ("pixel_accuracy",)
    data_module = MaskDataModule
    folder: ClassVar[Callable[..., Any] | None] = MaskFolder

    def loss(self) -> keras.Loss:
        return losses.get("pixel_crossentropy")

    def targets(self, x: Any, y: Any, heads: Sequence[str]) -> Any:
        return y["masks"]

    def check_network(self, network: Network, data: MaskDataModule) -> None:
        """Raise unless there are logits for every pixel and every class."""
        found, wanted = tuple(network.model.output.shape[1:]), (*data.shape[:2], len(data.class_names))
        if any(size not in (None, expected) for size, expected in zip(found, wanted)) or len(found) != 3:
            hint = ": padding=same" if "padding" in network.card.options else ""
            raise UsageError(
                f"{network.card.name} gives {'x'.join(map(str, found))}; expected {'x'.join(map(str, wanted))}, "
                f"a logit for each pixel and class{hint}"
            )

    def answering(self, network: Network, data: MaskDataModule) -> keras.Model:
        """To probabilities: of the classes, pixel by pixel."""
        return says_probabilities(super().answering(network, data))

    def evaluate(self, network: Network, data: MaskDataModule, split: str) -> Evaluation:
        """Mean IoU over the pixels of the whole split. The loss is the mean over the images."""
        classes = len(data.class_names)
        table, total, count = np.zeros((classes, classes), "int64"), 0.0, 0
        masks, first = list[np.ndarray](), list[np.ndarray]()
        for x, targets in data.batches(split).as_numpy_iterator():
            logits = network.model.predict_on_batch(x)
            truth, predicted = targets["masks"], logits.argmax(-1)
            table += segmentation.confusion(truth, predicted, classes)
            total, count = total + float(network.loss(truth, logits)) * len(x), count + len(x)
            if sum(map(len, masks)) < SHOWN:
                masks.append(truth)
                first.append(predicted)
        found = Segmented(np.concatenate(first)[:SHOWN], table)
        metrics = {"loss": total / count, **segmentation.scores(table)}
        pixels = f"{int(table.sum()):,} pixels of {count:,} images"
        return Evaluation(metrics, np.concatenate(masks)[:SHOWN], found, measured_on=pixels)

    def baselines(self, data: MaskDataModule) -> dict[str, float]:
        """Always the commonest class; and each pixel by its colour alone, by a logistic regression."""
        from sklearn.linear_model import LogisticRegression

        commonest = np.zeros((len(data.class_names),) * 2, "int64")
        commonest[:, data.pixels["train"].argmax()] = data.pixels["test"]
        found = {"commonest class": segmentation.scores(commonest)["mean_iou"]}
        rng = np.random.default_rng(0)
        colours, classes = list[np.ndarray](), list[np.ndarray]()
        share = COLOUR_PIXELS / max(data.pixels["train"].sum(), 1)
        for x, targets in data.batches("train").as_numpy_iterator():
            chosen = (rng.random(targets["masks"].shape) < share) & (targets["masks"] != IGNORED)
            colours.append(x[chosen])
            classes.append(targets["masks"][chosen])
        learned = np.concatenate(classes)
        if len(np.unique(learned)) < 2:
            return found
        model = LogisticRegression(max_iter=200).fit(polynomial(np.concatenate(colours)), learned)
        table = np.zeros_like(commonest)
        for x, targets in data.batches("test").as_numpy_iterator():
            predicted = model.predict(polynomial(x.reshape(-1, x.shape[-1])))
            table += segmentation.confusion(targets["masks"], predicted, len(table))
        return {**found, "colour alone": segmentation.scores(table)["mean_iou"]}

    def plots(self, data: MaskDataModule, evaluation: Evaluation) -> dict[str, Figure | None]:
        images = data.inputs_at("test", np.arange(len(evaluation.targets)))
        images = images / (255 if data.high > 1 else 1)
        images = np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images
        each = segmentation.intersection_over_union(evaluation.outputs.table)
        there = np.isfinite(each)
        names = [name for name, known in zip(data.class_names, there) if known]
        return {
            "masks.png": figures.masks([*images], evaluation.targets, evaluation.outputs.masks, data.class_names),
            "ious.png": figures.ious(names, each[there], evaluation.metrics["mean_iou"]),
        }

    def tables(self, data: MaskDataModule, evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
        table = evaluation.outputs.table
        each = segmentation.intersection_over_union(table)
        rows = zip(data.class_names, each, table.sum(1), table.sum(0))
        return {
            "classes.csv": [
                {"class": name, "iou": f"{iou:.4f}", "pixels": int(true), "predicted": int(said)}
                for name, iou, true, said in rows
            ]
        }

    def sample(self, card: Card, head: str = "") -> Sample:
        return Sample(one_class_each, math.log, tolerance=1.0)

    def predict(self, trained: Trained, paths: Sequence[str], folder: Path | None) -> list[str]:
        """The share of each class in each image; in `folder`, the mask as a PNG, and the image with it."""
        data: MaskDataModule = trained.data
        found = trained.network.predict(data.encode(paths)).argmax(-1)
        lines = []
        for path, mask in zip(paths, found):
            shares = np.bincount(mask.ravel(), minlength=len(data.class_names)) / mask.size
            order = [each for each in np.argsort(-shares, kind="stable") if shares[each] > 0]
            lines.append(f"{path}: " + ", ".join(f"{data.class_names[each]} {shares[each]:.1%}" for each in order))
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                image = image_files.pixels(path, 3)
                whole = enlarged(mask, image.shape[:2])
                file = free_name(folder / f"{Path(path).stem}-mask.png")
                image_files.write(whole / 255, file)  # the numbers as they are
                shown = free_name(folder / f"{Path(path).stem}-overlay.png")
                plots.save(plots.gallery([[image / 255, figures.tinted(image / 255, whole)]], width=3.2), shown)
                lines.append(f"  the number of the class of each pixel: {file}; over the image: {shown}")
        return lines


def one_class_each(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """For `Sample`: all pixels of an image, (batch, height, width), are of one class."""
    return np.broadcast_to(class_ids(rng, (shape[0], 1, 1, shape[-1])), shape[:-1]).copy()


def polynomial(colours: np.ndarray) -> np.ndarray:
    """Colours (n, channels), their squares and products."""
    products = [colours[:, [i]] * colours[:, i:] for i in range(colours.shape[1])]
    return np.concatenate([colours, *products], axis=1)


def enlarged(mask: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """A mask at another size, each pixel that of the nearest one."""
    rows, columns = ((np.arange(n) + 0.5) * have / n for n, have in zip(size, mask.shape))
    return mask[rows.astype(int)[:, None], columns.astype(int)]
