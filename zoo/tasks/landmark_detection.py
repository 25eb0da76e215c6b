"""Where the landmarks of an object are: points that each image shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from zoo import plots
from zoo.data.image import files as image_files
from zoo.data.image.landmarks import LandmarkDataModule
from zoo.plots import detection as figures
from zoo.records import Card
from zoo.tasks.base import Evaluation, Network, Sample, Task, Trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLOTTED = 8  # images


class LandmarkDetection(Task):
    metric = "pixel_error"
    minimize = True
    data_module = LandmarkDataModule

    def loss(self) -> keras.Loss:
        return keras.losses.MeanAbsoluteError()

    def targets(self, x: Any, y: Any, heads: Sequence[str]) -> Any:
        return y["points"]

    def evaluate(self, network: Network, data: LandmarkDataModule, split: str) -> Evaluation:
        """How far a landmark is from its place on average, in pixels of the network's input."""
        truth, found = data.targets(split), network.predict(data.batches(split))
        metrics = {"loss": float(network.loss(truth, found)), "pixel_error": float(pixels(found, truth, data).mean())}
        counted = f"{truth.shape[0] * truth.shape[1]:,} points in {len(truth):,} images"
        return Evaluation(metrics, truth, found, measured_on=counted)

    def baselines(self, data: LandmarkDataModule) -> dict[str, float]:
        """Always the mean place of each landmark in the training set."""
        test = data.targets("test")
        mean = np.broadcast_to(data.targets("train").mean(0), test.shape)
        return {"mean places": float(pixels(mean, test, data).mean())}

    def plots(self, data: LandmarkDataModule, evaluation: Evaluation) -> dict[str, Figure | None]:
        found, truth = evaluation.outputs[:PLOTTED], evaluation.targets[:PLOTTED]
        images = data.inputs_at("test", np.arange(len(truth))) / (255 if data.high > 1 else 1)
        return {"points.png": figures.points_on([*np.clip(images, 0, 1)], found, truth)}

    def tables(self, data: LandmarkDataModule, evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
        """The errors of each landmark, in pixels: their mean, and what nine of ten do not exceed."""
        errors = pixels(evaluation.outputs, evaluation.targets, data)
        rows = enumerate(zip(errors.mean(0), np.quantile(errors, 0.9, axis=0)))
        return {
            "landmarks.csv": [
                {"landmark": number, "pixel_error": f"{mean:.4f}", "of_nine_in_ten": f"{most:.4f}"}
                for number, (mean, most) in rows
            ]
        }

    def predict(self, trained: Trained, paths: Sequence[str], folder: Path | None) -> list[str]:
        """Where each landmark of each image is, in pixels of the file; in `folder`, the images with their points."""
        lines = []
        for path, found in zip(paths, trained.network.predict(trained.data.encode(paths))):
            image = image_files.pixels(path, 3)
            height, width = image.shape[:2]
            places = (f"{number} at {x:.1f},{y:.1f}" for number, (x, y) in enumerate(found * [width, height]))
            lines.append(f"{path}: {'; '.join(places)}")
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                file = image_files.free_name(folder / f"{Path(path).stem}-points.png")
                plots.save(figures.points_on([image / 255], [found]), file)
                lines.append(f"  with its points: {file}")
        return lines

    def sample(self, card: Card, head: str = "") -> Sample:
        """Points anywhere: in the middle a quarter of the sides away on average."""
        return Sample(lambda rng, shape: rng.uniform(0, 1, shape).astype("float32"), lambda size: 0.25, tolerance=0.15)


def pixels(found: np.ndarray, truth: np.ndarray, data: LandmarkDataModule) -> np.ndarray:
    """How far points (examples, points, 2) are from where they should be, in pixels: (examples, points)."""
    height, width = data.shape[:2]
    return np.linalg.norm((found - truth) * [width, height], axis=-1)
