"""What networks that draw examples from noise have in common: `zoo generate`, and the way from one drawing to another.

A task says how many numbers a drawing is made from (`noise_size`) and what becomes of them (`draw`).
"""

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import plots
from zoo.checks import check_whole
from zoo.data.image import files as image_files
from zoo.errors import UsageError
from zoo.tasks.base import Network, Task, Trained

BATCH = 256  # examples that are drawn at a time
MOST = 10_000  # that one command draws
STEPS = 12  # from one drawing to the next
FRAME_MS = 80  # of an animation
VECTORS, ANIMATION = ".csv", ".gif"


class DrawingTask(Task):
    """Of networks with a distribution of noise that new examples are drawn from: N(0, 1)."""

    def noise_size(self, network: Network) -> int:
        """How many numbers one example is drawn from."""
        raise NotImplementedError

    def draw(self, network: Network, noise: np.ndarray) -> np.ndarray:
        """Noise (examples, size) to examples (examples, ...), scaled as the network was trained on them."""
        raise NotImplementedError

    def scaled(self, network: Network, noise: np.ndarray) -> np.ndarray:
        """As `draw`, of any number, some at a time."""
        parts = [self.draw(network, noise[start : start + BATCH]) for start in range(0, len(noise), BATCH)]
        return np.concatenate(parts)

    def drawn(self, network: Network, data: Any, noise: np.ndarray) -> np.ndarray:
        """Noise to examples in the units of the data: images from 0 to 1, vectors as they are."""
        examples = data.scaling.undo(self.scaled(network, noise))
        return np.clip(examples / max(data.high, 1e-6), 0, 1) if examples.ndim == 4 else examples

    def generate(
        self, trained: Trained, path: str | Path, *, count: int = 64, seed: int = 0, between: Sequence[int] = ()
    ) -> list[str]:
        """Draw examples, into the file of one sheet of images, or into a table of vectors.

        Args:
            trained: the network.
            path: .png or .jpg; .gif for the way between seeds; .csv where the examples are vectors.
            count: how many.
            seed: of the noise; the same one gives the same examples.
            between: two seeds or more, to go from the first example of each to the next in place of `count` examples.

        Raises:
            UsageError: for a path that is taken or cannot hold them, or a number out of range.
        """
        network, data, path = trained.network, trained.data, Path(path)
        check_whole("count", count)
        check_whole("seed", seed, least=0)
        if count > MOST:
            raise UsageError(f"count is {count}; expected at most {MOST:,}")
        if len(between) == 1:
            raise UsageError(f"between is {between[0]}; expected two seeds or more, as in 3,8")
        check_path(path, vectors=len(data.shape) != 3, moving=bool(between))
        size = self.noise_size(network)
        if between:
            ends = np.concatenate([noise_of(each, 1, size) for each in between])
            noise = np.concatenate([on_the_way(a, b, STEPS) for a, b in itertools.pairwise(ends)])
        else:
            noise = noise_of(seed, count, size)
        examples = self.drawn(network, data, noise)
        if path.suffix.lower() == VECTORS:
            np.savetxt(path, examples.reshape(len(examples), -1), delimiter=",", fmt="%.6g")
        elif path.suffix.lower() == ANIMATION:
            animate(examples, path)
        else:
            image_files.write(plots.sheet(examples, STEPS if between else None), path)
        what = f"between the seeds {', '.join(map(str, between))}" if between else f"seed {seed}"
        return [f"{path}: {len(examples)} {'images' if examples.ndim == 4 else 'vectors'}, {what}"]


def noise_of(seed: int, count: int, size: int) -> np.ndarray:
    """(count, size) of N(0, 1); the first ones are the same whatever the count."""
    return np.random.default_rng(seed).normal(size=(count, size)).astype("float32")


def on_the_way(a: np.ndarray, b: np.ndarray, steps: int) -> np.ndarray:
    """From one vector of noise to another, both ends included, at lengths that noise has: (steps, size).

    K. Shoemake, "Animating Rotation with Quaternion Curves", SIGGRAPH 1985: along the great circle. Half way on the
    straight line, vectors of N(0, 1) are shorter by a third than any that the network has met.

    >>> on_the_way(np.array([2.0, 0.0]), np.array([0.0, 2.0]), 3).round(3).tolist()
    [[2.0, 0.0], [1.414, 1.414], [0.0, 2.0]]
    """
    cosine = np.dot(a, b) / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-9)
    angle, t = np.arccos(np.clip(cosine, -1, 1)), np.linspace(0, 1, steps)[:, None]
    if np.sin(angle) < 1e-4:  # nearly one direction
        return (1 - t) * a + t * b
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


def check_path(path: Path, *, vectors: bool, moving: bool) -> None:
    """Raise, before anything is drawn, where it could not be written in the end."""
    wanted = (VECTORS,) if vectors else (*image_files.SUFFIXES, *([ANIMATION] if moving else []))
    if path.suffix.lower() not in wanted:
        what = "vectors" if vectors else "images"
        raise UsageError(f"the output {path} ends in {path.suffix!r}; expected {', '.join(wanted)}: {what} are drawn")
    if path.suffix.lower() in image_files.SUFFIXES:
        image_files.check_output(path)
    elif os.path.lexists(path):
        raise UsageError(f"{path} is there already and was not touched; choose another name")
    elif not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent} for {path.name}; make it first")


def animate(images: np.ndarray, path: Path) -> None:
    """Images of 0 to 1 as a film that goes there and back."""
    from PIL import Image

    pages = [Image.fromarray(np.round(255 * plots.sheet(image[None])).astype("uint8")) for image in images]
    pages += pages[-2:0:-1]
    pages[0].save(path, save_all=True, append_images=pages[1:], duration=FRAME_MS, loop=0)
