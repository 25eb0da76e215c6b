"""Losses of images that compare the maps of a trained network and not pixels: Gatys, Ecker & Bethge 2016."""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.checks import check_not_negative
from zoo.deprecated import check_one_name, warn


def gram_matrix(maps: Any) -> Any:
    """Which maps are active together, at whatever position.

    (batch, height, width, channels) -> (batch, channels, channels).
    G_ij is the mean over the positions of map i times map j. So it is symmetric, positive semi-definite, the same in
    whatever order the positions come, and images of two sizes can be compared.

    >>> found = gram_matrix([[[[1.0, 2.0], [3.0, 0.0]]]])  # two positions: (1 + 9) / 2, (2 + 0) / 2, (4 + 0) / 2
    >>> ops.convert_to_numpy(found).tolist()
    [[[5.0, 1.0], [1.0, 2.0]]]
    """
    maps = ops.convert_to_tensor(maps)
    batch, height, width, channels = ops.shape(maps)
    rows = ops.reshape(maps, (batch, height * width, channels))
    return ops.matmul(ops.transpose(rows, (0, 2, 1)), rows) / ops.cast(height * width, rows.dtype)


def relative_error(target: Any, prediction: Any) -> Any:
    """The squared error of each example, divided by the mean square of its target: 1 is what a prediction of 0 has.

    (batch, ...) twice -> (batch,). Where the target is all zeros, the mean squared error itself.

    >>> round(float(relative_error([[3.0, 4.0]], [[3.0, 0.0]])[0]), 4)  # 16 / 25
    0.64
    """
    target, prediction = ops.convert_to_tensor(target), ops.convert_to_tensor(prediction)
    axes = tuple(range(1, len(target.shape)))
    size = ops.mean(ops.square(target), axis=axes)
    return ops.mean(ops.square(prediction - target), axis=axes) / ops.where(size > 0, size, 1.0)


def total_variation(images: Any) -> Any:
    """How much neighbouring pixels differ: the mean of their squared differences, down plus across.

    (batch, height, width, channels) -> (batch,). (Mahendran & Vedaldi 2015, section 3, with beta = 2.)

    >>> found = total_variation([[[[0.0], [1.0]], [[0.0], [3.0]]]])  # down (0 + 4) / 2, across (1 + 9) / 2
    >>> ops.convert_to_numpy(found).tolist()
    [7.0]
    """
    images = ops.convert_to_tensor(images)
    down = ops.square(images[:, 1:] - images[:, :-1])
    across = ops.square(images[:, :, 1:] - images[:, :, :-1])
    return ops.mean(down, axis=(1, 2, 3)) + ops.mean(across, axis=(1, 2, 3))


# The layers whose maps are compared, for content and for style: with trained filters those of Gatys 2016, section 3;
# untrained ones tell less and less apart from layer to layer, and serve in the first blocks only.
TRAINED_LAYERS = "block4_conv2", ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")
UNTRAINED_LAYERS = "block2_conv2", ("block1_conv1", "block2_conv1", "block3_conv1")


@keras.saving.register_keras_serializable("zoo")
class Perceptual(keras.Loss):
    """What an image shows, compared with one photograph, and its texture, compared with another's.

        content_weight * content + style_weight * style + variation_weight * total variation

    content: the relative error of the maps of one layer of a VGG. style: the mean over some layers of the relative
    error of their Gram matrices. (Gatys 2016, equations 1 to 7, whose two sums of squares are divided by constants of
    the layer; divided by the target's, they are of one size for each layer, for trained filters and untrained.)

    Shapes: y_true (batch, 2, height, width, 3), the photograph and the style, or whatever after `hold`; y_pred (batch,
    height, width, 3); all of 0 to 1.

    Args:
        content_weight, style_weight, variation_weight: of the three terms.
        content_layer, style_layers: of the VGG; each style layer has the same weight. Left out: `TRAINED_LAYERS`, or
            `UNTRAINED_LAYERS`.
        extractor, weights, preprocessing, width, pooling, filter_seed: which VGG; see
            `zoo.losses.feature_extractor.extractor`. It is untrained unless `weights` are given.
        at_once: build the VGG now, and fetch its weights; else with the first image. What is read from a file waits, so
            that a run folder of somebody else's fetches nothing by being opened.

    Raises:
        UsageError: for a weight below 0, or a VGG, layer or weights that there are not.
    """

    def __init__(
        self,
        content_weight: float = 1.0,
        style_weight: float = 5.0,
        variation_weight: float = 1.0,
        content_layer: str | None = None,
        style_layers: Sequence[str] | None = None,
        extractor: str = "vgg16",
        weights: str = "",
        preprocessing: str = "",
        width: float = 0.25,
        pooling: str = "average",
        filter_seed: int = 0,
        at_once: bool = True,
        name: str = "perceptual",
        reduction: str = "sum_over_batch_size",
        dtype: Any = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        default_content, default_style = TRAINED_LAYERS if weights else UNTRAINED_LAYERS
        content_layer, style_layers = content_layer or default_content, tuple(style_layers or default_style)
        self.settings: dict[str, Any] = dict(
            content_weight=content_weight, style_weight=style_weight, variation_weight=variation_weight,
            content_layer=content_layer, style_layers=style_layers, extractor=extractor, weights=str(weights),
            preprocessing=preprocessing, width=width, pooling=pooling, filter_seed=filter_seed,
        )  # fmt: skip
        self.term_weights = {term: self.settings[f"{term}_weight"] for term in ("content", "style", "variation")}
        for term, weight in self.term_weights.items():
            check_not_negative(f"{term}_weight", weight)
        self.held: list[Any] | None = None  # fixed targets: content maps, then a Gram matrix for each style layer
        if at_once:
            self.maps  # noqa: B018  built, and kept

    @functools.cached_property
    def maps(self) -> keras.Model:
        """The front of the VGG: images to the maps of the content layer and of each style layer."""
        from zoo.losses import feature_extractor  # the VGGs, which no other loss needs

        settings = self.settings
        return feature_extractor.extractor(
            settings["extractor"],
            layers=(settings["content_layer"], *settings["style_layers"]),
            weights=settings["weights"],
            preprocessing=settings["preprocessing"],
            width=settings["width"],
            pooling=settings["pooling"],
            seed=settings["filter_seed"],
        )

    def describe(self, images: Any) -> tuple[Any, list[Any]]:
        """Content maps and Gram matrices of images (batch, height, width, 3)."""
        content, *styles = self.maps(images)
        return content, [gram_matrix(maps) for maps in styles]

    def hold(
        self,
        content: np.ndarray,
        styles: Sequence[np.ndarray],
        fractions: Sequence[float] | None = None,
        *,
        shares: Sequence[float] | None = None,
    ) -> "Perceptual":
        """Compare with these images from now on, whatever `y_true` is: their maps are computed once.

        Args:
            content: (height, width, 3).
            styles: of any sizes; their Gram matrices are blended.
            fractions: of each style in the blend; equal ones if left out.
            shares: what `fractions` was called up to 0.1.
        """
        if shares is not None:
            check_one_name("shares", "fractions", fractions)
            warn("hold(shares=...)", "hold(fractions=...)")
            fractions = shares
        fractions = [1.0] * len(styles) if fractions is None else fractions
        parts = [fraction / sum(fractions) for fraction in fractions]
        grams = [self.describe(ops.convert_to_tensor(style[None]))[1] for style in styles]
        blend = [sum(part * gram for part, gram in zip(parts, layer)) for layer in zip(*grams)]
        maps = self.describe(ops.convert_to_tensor(content[None]))[0]
        self.held = [ops.stop_gradient(each) for each in (maps, *blend)]
        return self

    def terms(self, y_true: Any, images: Any) -> dict[str, Any]:
        """The three terms without their weights, (batch,) each, by name."""
        content, grams = self.describe(images)
        if self.held is not None:
            target, *target_grams = self.held
        else:
            batch, _, *size = ops.shape(y_true)
            maps, grams_of_both = self.describe(ops.reshape(y_true, (2 * batch, *size)))
            target, target_grams = maps[::2], [each[1::2] for each in grams_of_both]
        errors = [relative_error(*both) for both in zip(target_grams, grams)]
        return {
            "content": relative_error(target, content),
            "style": sum(errors) / len(errors),
            "variation": total_variation(images),
        }

    def call(self, y_true: Any, y_pred: Any) -> Any:
        terms = self.terms(y_true, y_pred)
        return sum(weight * terms[term] for term, weight in self.term_weights.items() if weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.settings}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Perceptual":
        return cls(**{**config, "at_once": False})
