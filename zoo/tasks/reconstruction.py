"""The input itself, through a code of few numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from zoo import plots, registry
from zoo.data.image.arrays import ArrayDataModule
from zoo.data.image.files import free_name
from zoo.data.image.folder import ImageFolder
from zoo.records import Card
from zoo.tasks.base import Evaluation, Network, Sample, Task, Trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASELINE_VALUES = 10**9  # numbers in a data set beyond which no baseline is computed
PLOTTED_EXAMPLES = 10


class AnyTargets(ArrayDataModule):
    """Images and vectors, whatever their targets are: none is learned from."""

    targets_are = "anything"


class Reconstruction(Task):
    metric = "mse"
    minimize = True
    data_module = AnyTargets
    folder = ImageFolder

    def loss(self) -> keras.Loss:
        return keras.losses.MeanSquaredError()

    def targets(self, x: Any, y: Any, heads: Sequence[str]) -> Any:
        return x

    def evaluate(self, network: Network, data: ArrayDataModule, split: str) -> Evaluation:
        """The mean squared error of scaled pixels, of all of a split and of each example."""
        x = data.arrays(split)[0]
        outputs = network.predict(data.batches(split))
        each = np.square(outputs - x).reshape(len(x), -1).mean(1)  # (examples,)
        return Evaluation({"loss": float(each.mean()), "mse": float(each.mean())}, x, outputs)

    def baselines(self, data: ArrayDataModule) -> dict[str, float]:
        """The mean image for all; and as many principal components as the code has numbers."""
        from sklearn.decomposition import PCA

        if data.num_values > BASELINE_VALUES:
            return {}
        x, x_test = (data.arrays(split)[0].reshape(data.examples[split], -1) for split in ("train", "test"))
        found = {"mean image": float(np.square(x_test - x.mean(0)).mean())}
        size = code_size(data)
        if size and size <= min(x.shape):
            axes = PCA(size, svd_solver="randomized", random_state=0).fit(x)
            found[f"PCA, {size} components"] = float(
                np.square(x_test - axes.inverse_transform(axes.transform(x_test))).mean()
            )
        return found

    def plots(self, data: ArrayDataModule, evaluation: Evaluation) -> dict[str, Figure | None]:
        """The first examples above what became of them."""
        if len(data.shape) != 3:
            return {}
        rows = [data.scaling.undo(each[:PLOTTED_EXAMPLES]) for each in (evaluation.targets, evaluation.outputs)]
        white = max(rows[0].max(), 1e-6)
        return {
            "reconstructions.png": plots.gallery([[shown(image / white) for image in row] for row in rows], width=1)
        }

    def sample(self, card: Card, head: str = "") -> Sample:
        return Sample(
            lambda rng, shape: rng.normal(size=shape).astype("float32"),
            lambda features: 1.0,  # the variance of the targets
            tolerance=1.0,
        )

    def predict(self, trained: Trained, paths: Sequence[str], folder: Path | None) -> list[str]:
        """The error of each image; in `folder`, the image beside what the code kept of it."""
        data: ArrayDataModule = trained.data
        x = data.encode(paths)
        outputs = trained.network.predict(x)
        lines = []
        for path, image, output in zip(paths, x, outputs):
            lines.append(f"{path}: mean squared error {np.square(output - image).mean():.4f}")
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                file = free_name(folder / f"{Path(path).stem}-reconstruction.png")
                pair = [shown(data.scaling.undo(each) / max(data.high, 1e-6)) for each in (image, output)]
                plots.save(plots.gallery([pair], ("image", "reconstruction")), file)
                lines.append(f"  what is left of it: {file}")
        return lines


def code_size(data: ArrayDataModule) -> int | None:
    """How many numbers the code of the network has, where its builder has an option for it."""
    defaults = registry.builder(data.card.name).__kwdefaults__ or {}
    return data.recipe.model.get("code_size", defaults.get("code_size"))


def shown(image: np.ndarray) -> np.ndarray:
    """(height, width, channels) with three channels, for a plot."""
    return np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image
