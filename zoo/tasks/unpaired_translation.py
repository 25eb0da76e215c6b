"""Images of one set turned into the other's, learned from two sets that nobody paired."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from zoo import losses, plots
from zoo.data.image import files as image_files
from zoo.data.image.files import free_name
from zoo.data.image.unpaired import SIDES, UnpairedFolder, UnpairedImages
from zoo.errors import UsageError
from zoo.metrics import generation as metrics
from zoo.records import Card
from zoo.tasks._judge import Judge, judge_of_images
from zoo.tasks.base import Evaluation, Network, Sample, Task, Trained
from zoo.trainers.unpaired import UnpairedTrainer, parts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLOTTED = 10
BATCH = 64  # images that are translated at a time
OTHER = {"a": "b", "b": "a"}
Translations = Mapping[str, np.ndarray]  # by the set that they were translated into


@dataclass(frozen=True)
class Translated:
    """What became of a split; all as the network has them."""

    real: Translations  # by the set that they are of
    images: Translations
    untrained: Translations
    back: Translations  # by the set that they are of: there and back


class UnpairedTranslation(Task):
    metric = "label_accuracy"
    advice = (
        "the losses do not say which image becomes which: a smaller cycle_weight, more epochs or another seed may help"
    )
    data_module = UnpairedImages
    folder = UnpairedFolder

    def losses(self, heads: Sequence[str], chosen: keras.Loss | None) -> dict[str, keras.Loss]:
        """Of the logits the adversarial loss, of the images there and back their distance."""
        of_logits, distance = chosen or losses.CycleAdversarial(), keras.losses.MeanAbsoluteError()
        return {head: distance if head.startswith("cycle") else of_logits for head in heads}

    def trainer(self, network: Network, data: UnpairedImages) -> tuple[Network, UnpairedImages]:
        """The generators against the discriminators."""
        return replace(network, model=UnpairedTrainer(network.model)), data

    def evaluate(self, network: Network, data: UnpairedImages, split: str) -> Evaluation:
        """Whether a translated image is still of its class, and looks like those of the other set.

        Where the images have classes, a LeNet-5 for each set learns them from the set's training images alone. It is
        asked about what was translated into its set: `label_accuracy` is the mean over both directions, and
        `real_accuracy` that on real images of the set, a limit. `frechet_distance` compares translated and real images
        by its features (without classes, by principal components), `untranslated_distance` images that were left as
        they are. `cycle_error` is the mean distance of an image from itself there and back, as a part of the range of
        its pixels; left as it is an image would have none. `change` is how far a translation is from what it was.
        """
        real, numbers = both(data, split)
        judges = judges_of(data, real, numbers)
        found = translations(network, real)
        back = translations(network, found)
        distances = {
            word: float(np.mean([distance(judges[to], images[to], real[to]) for to in SIDES]))
            for word, images in (("frechet_distance", found), ("untranslated_distance", swapped(real)))
        }
        errors = {
            "cycle_error": float(np.mean([np.abs(back[side] - real[side]).mean() for side in SIDES]) / 2),
            "change": float(np.mean([np.abs(found[OTHER[side]] - real[side]).mean() for side in SIDES]) / 2),
        }
        notes = tuple(f"{side} is judged by {judges[side].name}" for side in SIDES)
        measured = {"loss": errors["cycle_error"], "label_accuracy": math.nan, **distances, **errors}
        if data.classes:
            measured |= {f"label_accuracy_{to}": right(judges[to], found[to], numbers[OTHER[to]]) for to in SIDES}
            measured["label_accuracy"] = (measured["label_accuracy_a"] + measured["label_accuracy_b"]) / 2
            measured["real_accuracy"] = (judges["a"].accuracy + judges["b"].accuracy) / 2
        untrained = translations(Network.untrained(self, data), real)
        return Evaluation(measured, numbers, Translated(real, found, untrained, back), notes)

    def baselines(self, data: UnpairedImages) -> dict[str, float]:
        """What the same judges say of images that were left as they are, and of what an untrained network makes."""
        if not data.classes:
            return {}
        real, numbers = both(data, "test")
        judges = judges_of(data, real, numbers)
        images = {"untranslated": swapped(real), "untrained": translations(Network.untrained(self, data), real)}
        return {
            name: float(np.mean([right(judges[to], each[to], numbers[OTHER[to]]) for to in SIDES]))
            for name, each in images.items()
        }

    def plots(self, data: UnpairedImages, evaluation: Evaluation) -> dict[str, Figure | None]:
        found: Translated = evaluation.outputs
        rows, titles = [], []
        for side in SIDES:
            to = OTHER[side]
            rows += [found.real[side], found.untrained[to], found.images[to], found.back[side]]
            titles += [f"{side}, as they are", f"translated into {to} by an untrained network", f"translated into {to}"]
            titles.append(f"and back into {side}")
        return {"translated.png": plots.sheets([shown(data, row[:PLOTTED]) for row in rows], titles)}

    def sample(self, card: Card, head: str = "") -> Sample:
        if head.startswith("cycle"):
            return Sample(lambda rng, shape: np.full(shape, 0.5, "float32"), lambda _: 0.5, tolerance=0.25)
        real = np.float32(head.startswith("real"))
        return Sample(lambda rng, shape: np.full(shape, real), lambda _: float(real), tolerance=0.5)

    def predict(
        self, trained: Trained, paths: Sequence[str], folder: Path | None, *, to: str | None = None
    ) -> list[str]:
        """Each image translated into the other set, written beside its name into the folder; into both without `to`."""
        if folder is None:
            raise UsageError("a translated image needs a place; name a folder for it: folder=")
        if to is not None and to not in SIDES:
            raise UsageError(f"to is {to!r}; expected the set that images are translated into, a or b")
        data: UnpairedImages = trained.data
        images = data.encode(paths)
        found = translations(trained.network, {side: images for side in SIDES})
        folder.mkdir(parents=True, exist_ok=True)
        lines = []
        for number, path in enumerate(paths):
            for side in SIDES if to is None else (to,):
                file = free_name(folder / f"{Path(path).stem}-to-{side}.png")
                image = shown(data, found[side][number])
                image_files.write(image[..., 0] if image.shape[-1] == 1 else image, file)
                lines.append(f"{path}: into {side}, {file}")
        return lines


def both(data: UnpairedImages, split: str) -> tuple[Translations, Mapping[str, np.ndarray]]:
    """The images and the numbers of the classes of either set."""
    found = {side: data.side(split, side) for side in SIDES}
    return {side: x for side, (x, _) in found.items()}, {side: y for side, (_, y) in found.items()}


def translations(network: Network, images: Translations) -> dict[str, np.ndarray]:
    """The images of a translated into b and the other way round, by the set that they are translated into."""
    to_a, to_b, *_ = parts(network.model)
    return {to: predicted(model, images[OTHER[to]]) for to, model in (("a", to_a), ("b", to_b))}


def predicted(model: keras.Model, x: np.ndarray) -> np.ndarray:
    found = [model(x[start : start + BATCH], training=False) for start in range(0, len(x), BATCH)]
    return np.concatenate([keras.ops.convert_to_numpy(each) for each in found])


def swapped(images: Translations) -> dict[str, np.ndarray]:
    """Images that are taken for those of the other set as they are."""
    return {to: images[OTHER[to]] for to in SIDES}


def right(judge: Judge, images: np.ndarray, numbers: np.ndarray) -> float:
    """The part of the images that a judge says are of their class."""
    return float((judge.probabilities(images).argmax(1) == numbers).mean())


def distance(judge: Judge, images: np.ndarray, real: np.ndarray) -> float:
    return metrics.frechet_distance(judge.features(images), judge.features(real))


def shown(data: UnpairedImages, images: np.ndarray) -> np.ndarray:
    """An image, or several, of 0 to 1."""
    return np.clip(data.scaling.undo(images) / max(data.high, 1e-6), 0, 1)


def judges_of(data: UnpairedImages, real: Translations, numbers: Mapping[str, np.ndarray]) -> dict[str, Judge]:
    """The judge of each set, learned from its training images; made once."""
    if getattr(data, "judges", None) is None:
        x, y = both(data, "train")
        judges = {
            side: judge_of_images(x[side], y[side], len(data.classes), real[side], numbers[side]) for side in SIDES
        }
        data.judges = judges  # type: ignore[attr-defined]
    return data.judges  # type: ignore[attr-defined]
