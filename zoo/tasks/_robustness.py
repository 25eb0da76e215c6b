"""How well a classifier of images holds where its pixels are moved: by chance, and against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.checks import check_whole, is_number
from zoo.errors import UsageError, unknown
from zoo.introspection import attacks
from zoo.introspection.attacks import METHODS
from zoo.metrics.classification import probabilities

if TYPE_CHECKING:
    from zoo.data.image.arrays import ArrayDataModule
    from zoo.tasks.base import Network

EPSILONS = (0.01, 0.02, 0.05, 0.1, 0.2)
EXAMPLES = 1000
SHOWN = 5  # images in the picture
TOLERANCE = 1e-3  # of pixels that were scaled and are scaled back

Images = tuple[list[np.ndarray], list[str]]  # of 0 to 1, and what they are taken for


@dataclass(frozen=True)
class Robustness:
    """The accuracy by how far each pixel may move."""

    rows: tuple[Mapping[str, float], ...]  # epsilon, noise, fgsm, pgd; the first is of what nobody moved
    examples: int
    test_examples: int  # of which those are some
    pixels: tuple[float, float]  # their range; epsilon is a part of it
    picture: Path | None = None


def check_settings(epsilons: Sequence[float], methods: Sequence[str], steps: int, examples: int) -> None:
    """Raise for what no attack can be made with."""
    for epsilon in epsilons:
        if not is_number(epsilon, 0) or not 0 < epsilon <= 1:
            raise UsageError(f"epsilon is {epsilon!r}; expected parts of the range of the pixels, above 0 and up to 1")
    if not epsilons:
        raise UsageError("there is no epsilon; expected parts of the range of the pixels, as in 0.05, 0.1")
    for method in methods:
        if method not in METHODS:
            raise unknown("attack", method, METHODS)
    check_whole("steps", steps)
    check_whole("examples", examples)


@dataclass(frozen=True)
class Trial:
    """Test images that are moved, and a network that is asked about them."""

    network: Network
    data: ArrayDataModule
    x: np.ndarray  # scaled
    y: np.ndarray
    steps: int
    seed: int

    @property
    def pixels(self) -> tuple[float, float]:
        """The range of the pixels before they were scaled: 0 to 255, 0 to 1, or wider where the images are."""
        found = self.data.scaling.undo(self.x)
        low, high = 0.0, 255.0 if self.data.high > 1 else 1.0
        return min(low, np.floor(found.min() + TOLERANCE)), max(high, np.ceil(found.max() - TOLERANCE))

    @property
    def limits(self) -> dict[str, np.ndarray]:
        """That range as the network has it, by channel."""
        channels = (1,) * len(self.data.shape) + self.data.shape[-1:]
        ends = [np.asarray(self.data.scaling(np.full(channels, end, "float32"))) for end in self.pixels]
        return {"low": np.minimum(*ends), "high": np.maximum(*ends)}

    def moved(self, name: str, epsilon: float) -> np.ndarray:
        """The images, each pixel moved by a part of its range: by "noise", "fgsm" or "pgd"."""
        settings: Any = {"epsilon": epsilon * (self.limits["high"] - self.limits["low"]), **self.limits}
        if name == "noise":
            return attacks.random_signs(self.x, seed=self.seed, **settings)
        settings |= {"head": self.network.main or None}
        if name == "fgsm":
            return attacks.fgsm(self.network.model, self.x, self.y, **settings)
        return attacks.pgd(self.network.model, self.x, self.y, steps=self.steps, seed=self.seed, **settings)

    def answers(self, x: np.ndarray) -> np.ndarray:
        """The likeliest classes."""
        return probabilities(self.network.predict(x)).argmax(-1)

    def shown(self, x: np.ndarray) -> Images:
        """The first of some images, as they are drawn; of a clip, the frame in the middle."""
        low, high = self.pixels
        images = (self.data.scaling.undo(x[:SHOWN]) - low) / (high - low)
        still = images[:, images.shape[1] // 2] if images.ndim == 5 else images
        return [*np.clip(still, 0, 1)], [self.data.class_names[each] for each in self.answers(x[:SHOWN])]


def measure(
    network: Network,
    data: ArrayDataModule,
    epsilons: Sequence[float],
    *,
    methods: Sequence[str],
    steps: int,
    examples: int,
    seed: int,
) -> tuple[Robustness, dict[str, Images]]:
    """The accuracy on the test set by epsilon; and, by a title, a few images of the first that halves it."""
    if len(data.shape) < 3:
        raise UsageError(
            f"{network.card.name} was trained on vectors of {data.shape[0]} numbers; `zoo attack` moves the pixels of "
            "images: expected a run of a classifier of images"
        )
    x, y, count = chosen(network, data, examples, seed)
    trial, names = Trial(network, data, x, y, steps, seed), ("noise", *[each for each in METHODS if each in methods])
    epsilons = sorted({*map(float, epsilons)})
    untouched = float(np.mean(trial.answers(x) == y))
    rows, shown = [{"epsilon": 0.0, **dict.fromkeys(names, untouched)}], {"as they are": trial.shown(x)}
    for epsilon in epsilons:
        moved = {name: trial.moved(name, epsilon) for name in names}
        accuracy = {name: float(np.mean(trial.answers(moved[name]) == y)) for name in names}
        rows.append({"epsilon": epsilon, **accuracy})
        if len(shown) == 1 and (min(accuracy.values()) <= untouched / 2 or epsilon == epsilons[-1]):
            shown |= {f"{name_in_words(name)}, epsilon {epsilon:g}": trial.shown(moved[name]) for name in names}
    return Robustness(tuple(rows), len(x), count, trial.pixels), shown


def chosen(network: Network, data: ArrayDataModule, most: int, seed: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Test images (examples, ...), scaled, and their classes (examples,), at random; and how many there are in all."""
    targets = data.targets("test")
    if isinstance(targets, Mapping):
        targets = targets[network.main]
    rows = np.sort(np.random.default_rng(seed).permutation(len(targets))[:most])
    parts, start = [], 0
    for x, _ in data.batches("test").as_numpy_iterator():
        parts.append(x[rows[(rows >= start) & (rows < start + len(x))] - start])
        start += len(x)
    return np.concatenate(parts), np.asarray(targets)[rows].reshape(-1).astype(int), len(targets)


def name_in_words(name: str) -> str:
    """Of what moves the pixels.

    >>> name_in_words("noise"), name_in_words("pgd")
    ('random signs', 'PGD')
    """
    return {"noise": "random signs"}.get(name, name.upper())
