"""How the numbers of images and vectors are scaled before a network sees them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.data.tensors import tensorflow
from zoo.errors import UsageError, some
from zoo.preprocessing import PIXELS, Pixels


@dataclass(frozen=True)
class Scaling:
    """x -> (x - mean) / std, a number for each channel of an image or each feature of a vector: (..., channels).

    Where `reverse`, colours are turned from RGB to BGR first, as some published weights want them.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    reverse: bool = False

    def __post_init__(self) -> None:
        numbers = np.array([*self.mean, *self.std], "float64")
        if not np.isfinite(numbers).all() or 0 in self.std:
            raise UsageError(
                f"the scaling has the means {some(self.mean)} and deviations {some(self.std)}; expected finite "
                "numbers, and no deviation of 0"
            )

    def __call__(self, x: Any) -> Any:
        tf = tensorflow()

        x = tf.convert_to_tensor(x)
        form, channels = x.shape, x.shape[-1]
        if self.reverse:  # as a table of pixels, which takes a tenth of the time
            x = tf.reshape(tf.reverse(tf.reshape(x, (-1, channels)), [1]), tf.shape(x))
        x = tf.cast(x, tf.float32)
        mean, std = np.array(self.mean, "float32"), np.array(self.std, "float32")
        if len({*self.mean}) == len({*self.std}) == 1:
            mean, std = mean[0], std[0]
        elif len(form) > 2 and form[-2] is not None:  # by rows: short vectors are slow, here by three times
            size, mean, std = tf.shape(x), np.tile(mean, form[-2]), np.tile(std, form[-2])
            rows = (tf.reshape(x, (-1, form[-2] * channels)) - mean) / std
            return tf.ensure_shape(tf.reshape(rows, size), form)
        return tf.ensure_shape((x - mean) / std, form)

    def undo(self, x: np.ndarray) -> np.ndarray:
        """Scaled numbers as they were before."""
        x = x * np.array(self.std, "float32") + np.array(self.mean, "float32")
        return x[..., ::-1] if self.reverse else x


@dataclass(frozen=True)
class Summary:
    """One pass over a split: what it holds."""

    count: int
    shape: tuple[int, ...]  # of one example
    mean: tuple[float, ...]  # of each channel or feature; none where nobody asked for them
    std: tuple[float, ...]
    high: float  # the largest number
    classes: tuple[int, ...]  # those that occur
    targets: np.ndarray | None = None  # all of them, in their order; None of dictionaries, or where not all were seen


def published(pixels: Pixels) -> Callable[[Summary], Scaling]:
    """A scaling that published weights were trained with, of pixels of 0 to 255; images of 0 to 1 are brought up.

    A grey image takes the means over the three channels, which is what weights adapted to one channel expect.
    """

    def scaling(train: Summary) -> Scaling:
        channels, unit = train.shape[-1], 1.0 if train.high > 1 else 255.0
        if channels not in (1, 3):
            raise UsageError(f"the images have {channels} channels; these weights were trained with 3 (1 will do)")
        here = pixels.of(channels)
        return Scaling(tuple(m / unit for m in here.mean), tuple(s / unit for s in here.std), here.order == "bgr")

    return scaling


# How a card, or published weights, say that numbers are scaled, by what the training set holds.
SCALING: Mapping[str, Callable[[Summary], Scaling]] = {
    "standardise": lambda train: Scaling(train.mean, train.std),
    "unit": lambda train: Scaling((0.0,), (255.0 if train.high > 1 else 1.0,)),
    "none": lambda train: Scaling((0.0,), (1.0,)),
    **{name: published(pixels) for name, pixels in PIXELS.items()},
}
MEASURED = frozenset({"standardise"})  # those that need the means and deviations


def unlike(image: np.ndarray) -> str:
    """What is strange about an image that was scaled by the mean and the deviation of those a network was trained on.

    >>> unlike(np.full((8, 8, 1), 2.4))
    'is nearly of one colour: the network has nothing to look at'
    >>> unlike(np.linspace(1.4, 3.4, 64))
    'is brighter than the images of the training, by 2.4 of their deviations: is it dark on light, and they are not?'
    >>> unlike(np.linspace(-1, 1, 64))
    ''
    """
    mean, deviation = float(image.mean()), float(image.std())
    if deviation < 0.05:
        return "is nearly of one colour: the network has nothing to look at"
    if abs(mean) > 2:  # no photograph is all black or all white
        what, as_well = ("brighter", "dark on light") if mean > 0 else ("darker", "light on dark")
        return (
            f"is {what} than the images of the training, by {abs(mean):.1f} of their deviations: is it {as_well}, and "
            "they are not?"
        )
    return ""
