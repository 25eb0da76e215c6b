"""A class for each clip, by what moves in it; measured beside what a network predicts without motion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from zoo import factory, plots, registry
from zoo.data.image.arrays import ArrayDataModule
from zoo.data.video.clips import VideoDataModule
from zoo.data.video.folder import ClipFolder
from zoo.data.video.frames import shuffled_in_time, still
from zoo.metrics import classification
from zoo.optimizers import schedules
from zoo.tasks._classification import likeliest
from zoo.tasks._predictions import judged
from zoo.tasks._rejection import Rejector, verdicts
from zoo.tasks.base import Evaluation, Network, Trained
from zoo.tasks.image_classification import ImageClassification, explanation_file, seen

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRAINED_NUMBERS = 3 * 10**8  # in a data set beyond which no other network is trained for comparison
NEAREST_PRODUCTS = 10**11  # beyond which the nearest training clips are not looked for: a minute
CONTROLS = {"accuracy_shuffled_in_time": shuffled_in_time, "accuracy_still": still}


class VideoClassification(ImageClassification):
    data_module = VideoDataModule
    folder = ClipFolder
    gives_records = False

    def evaluate(self, network: Network, data: ArrayDataModule, split: str) -> Evaluation:
        """Loss and accuracy; and the accuracy of the same network on clips that have lost their motion."""
        found = super().evaluate(network, data, split)
        controls = {
            name: float(np.mean(network.predict(control(data.batches(split))).argmax(-1) == found.targets))
            for name, control in CONTROLS.items()
        }
        return Evaluation({**found.metrics, **controls}, found.targets, found.outputs)

    def baselines(self, data: ArrayDataModule) -> dict[str, float]:
        """The commonest class, the nearest training clip, and the baseline networks, trained by the same recipe."""
        if data.examples["train"] * data.examples["test"] * math.prod(data.shape) <= NEAREST_PRODUCTS:
            found = super().baselines(data)
        else:
            commonest = np.bincount(data.targets("train")).argmax()
            found = {"chance": float(np.mean(data.targets("test") == commonest))}
        if data.num_values <= TRAINED_NUMBERS:
            others = [name for name in registry.list_models(task=self.name) if registry.info(name).baseline]
            found |= {name: self._accuracy_of(name, data) for name in others if name != data.card.name}
        return found

    def _accuracy_of(self, name: str, data: ArrayDataModule) -> float:
        """The test accuracy of another network on the same data, by the same recipe."""
        recipe, card = data.recipe, registry.info(name)
        keras.utils.set_random_seed(recipe.seed)
        network = Network.of(factory.build(name, **data.model_options()), card, self)
        steps = -(-data.examples["train"] // recipe.batch_size) * recipe.epochs
        network.compile(schedules.optimizer(recipe, steps), [])
        network.model.fit(data.batches("train", training=True), epochs=recipe.epochs, verbose=0, shuffle=False)
        return float(np.mean(network.predict(data.batches("test")).argmax(-1) == data.targets("test")))

    def plots(self, data: ArrayDataModule, evaluation: Evaluation) -> dict[str, Figure | None]:
        return {**super().plots(data, evaluation), "mistakes.png": plots.clip_mistakes(data, evaluation)}

    def predict(
        self,
        trained: Trained,
        paths: Sequence[str],
        folder: Path | None,
        explain: str | None = None,
        rejector: Rejector | None = None,
    ) -> list[str]:
        """The likeliest classes of each clip; in `folder`, its frames and where and when the likeliest was seen."""
        network = trained.network
        data: VideoDataModule = trained.data
        lines = []
        read = [(data.show(path), data.encode([path])) for path in paths]  # all, before the first is answered
        for path, (frames, clip) in zip(paths, read):
            logits = network.predict(clip)
            (probabilities,), (verdict,) = classification.probabilities(logits), verdicts(rejector, clip, logits)
            best, named = likeliest(probabilities, data.class_names)
            lines.append(f"{path}: {judged(named, verdict)}")
            if folder is None:
                continue
            heat = seen(network, clip[0], int(best[0]), explain, frames.shape[:3])
            file = explanation_file(folder, path, explain)
            title = f"{data.class_names[best[0]]} {probabilities[best[0]]:.0%}"
            plots.save(plots.films([frames], [title], [heat]), file)
            lines.append(f"  where and when it looks: {file}")
        return lines
