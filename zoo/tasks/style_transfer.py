"""A photograph in the style of another image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from zoo import losses, plots
from zoo.data.image import files as image_files
from zoo.data.image.style_pairs import StylePairDataModule
from zoo.errors import UsageError
from zoo.records import Card
from zoo.tasks.base import Evaluation, Network, Sample, Task, Trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST_SIDE = 1024  # pixels, of a prediction
PLOTTED_EXAMPLES = 4


class StyleTransfer(Task):
    metric = "style_ratio"
    minimize = True
    data_module = StylePairDataModule

    def loss(self) -> keras.Loss:
        return losses.Perceptual()

    def check_network(self, network: Network, data: StylePairDataModule) -> None:
        """Raise for a VGG, layers or weights that there are not."""
        network.loss.maps  # noqa: B018  built, and kept

    def evaluate(self, network: Network, data: StylePairDataModule, split: str) -> Evaluation:
        """How far each image is from the style, as a fraction of how far its photograph was; and from the
        photograph."""
        targets, images = data.pairs(split), network.predict(data.batches(split))
        found, photographs = (terms_of(network.loss, targets, each) for each in (images, targets[:, 0]))
        weights = network.loss.term_weights
        metrics = {
            "loss": float(sum(weights[term] * found[term].mean() for term in weights)),
            "style_ratio": float((found["style"] / photographs["style"]).mean()),
            "content_error": float(found["content"].mean()),
        }
        return Evaluation(metrics, targets, images)

    def baselines(self, data: StylePairDataModule) -> dict[str, float]:
        """The style's colours alone: each channel of the photograph shifted and stretched to the style's mean and
        deviation (Reinhard 2001, in RGB). The photograph as it is has the ratio 1."""
        loss = losses.get(data.card.loss, **data.recipe.loss_options)
        targets = data.pairs("test")
        photographs, styles = targets[:, 0], targets[:, 1]
        coloured = np.clip(in_the_colours(photographs, styles), 0, 1)
        style = [terms_of(loss, targets, images)["style"] for images in (coloured, photographs)]
        return {"the style's colours alone": float((style[0] / style[1]).mean())}

    def plots(self, data: StylePairDataModule, evaluation: Evaluation) -> dict[str, Figure | None]:
        """Photograph, style and what became of them, a row for each of the first examples."""
        rows = [(*both, image) for both, image in zip(evaluation.targets[:PLOTTED_EXAMPLES], evaluation.outputs)]
        return {"styled.png": plots.gallery(rows, ("photograph", "style", "result"))}

    def sample(self, card: Card, head: str = "") -> Sample:
        def one_colour(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
            """A photograph, to keep, and a style, to take: both one plain colour, so that some image is right."""
            return np.full((shape[0], 2, *shape[1:]), rng.uniform(0.75, 0.9, 3), "float32")

        # Content and five times the style, each relative to what is wanted.
        return Sample(one_colour, lambda classes: 6.0, tolerance=6.0)

    def predict(self, trained: Trained, paths: Sequence[str], folder: Path | None) -> list[str]:
        """Each image in the style that the network was trained on, written beside its name into the folder."""
        card = trained.network.card
        inputs = [given.name for given in card.inputs]
        if inputs == ["image", "style"]:
            raise UsageError(
                f"{card.name} takes a photograph and a style together; from Python: "
                'zoo.inference.api.reopen(RUN).network.model({"image": ..., "style": ...}), '
                "or zoo stylize PHOTOGRAPH STYLE"
            )
        if inputs != ["image"]:
            raise UsageError(
                f"{card.name} learned the images it was trained on and answers no others: zoo stylize PHOTOGRAPH STYLE"
            )
        if folder is None:
            raise UsageError("an image in a new style needs a place; name a folder for it: folder=")
        photographs = [image_files.read(path) for path in paths]
        folder.mkdir(parents=True, exist_ok=True)
        lines = []
        for path, photograph in zip(paths, photographs):
            size = image_files.limited(photograph.size, LONGEST_SIDE, path)
            image = np.asarray(photograph.resize(tuple(side // 4 * 4 for side in size)), "float32")[None] / 255
            file = image_files.free_name(folder / f"{Path(path).stem}-styled.png")
            image_files.write(trained.network.predict(image)[0], file)
            lines.append(f"{path}: {file}")
        return lines


def terms_of(loss: losses.Perceptual, targets: np.ndarray, images: np.ndarray) -> dict[str, np.ndarray]:
    """The terms of a perceptual loss, a number for each image; one image at a time, for the memory's sake."""
    found = [loss.terms(targets[row : row + 1], images[row : row + 1]) for row in range(len(targets))]
    return {
        term: np.concatenate([keras.ops.convert_to_numpy(keras.ops.stop_gradient(each[term])) for each in found])
        for term in loss.term_weights
    }


def in_the_colours(photographs: np.ndarray, styles: np.ndarray) -> np.ndarray:
    """Photographs with the mean and deviation of each channel of the styles, (..., height, width, 3)."""
    axes = (-3, -2)
    mean, std = photographs.mean(axes, keepdims=True), photographs.std(axes, keepdims=True)
    normalized = (photographs - mean) / np.maximum(std, 1e-6)
    return normalized * styles.std(axes, keepdims=True) + styles.mean(axes, keepdims=True)
