"""Losses of images, by what they show: Gatys, Ecker & Bethge 2016."""

import keras
from keras import ops

from zoo.errors import UsageError


def gram_matrix(maps):
    """Which maps are active together, wherever that is.

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


def relative_error(wanted, found):
    """The squared error for each example, over the squares of what is wanted: 0 is right, 1 is as good as nothing.

    (batch, ...) twice -> (batch,). Where nothing is wanted (all zeros), the mean squared error itself.

    >>> round(float(relative_error([[3.0, 4.0]], [[3.0, 0.0]])[0]), 4)  # 16 / 25
    0.64
    """
    wanted, found = ops.convert_to_tensor(wanted), ops.convert_to_tensor(found)
    axes = tuple(range(1, len(wanted.shape)))
    size = ops.mean(ops.square(wanted), axis=axes)
    return ops.mean(ops.square(found - wanted), axis=axes) / ops.where(size > 0, size, 1.0)


def total_variation(images):
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


# Whose maps are compared: with trained filters those of Gatys 2016, section 3; untrained ones tell less and less apart
# from layer to layer, and are asked for the first blocks only.
TRAINED = {
    "content_layer": "block4_conv2",
    "style_layers": ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1"),
}
UNTRAINED = {"content_layer": "block2_conv2", "style_layers": ("block1_conv1", "block2_conv1", "block3_conv1")}


@keras.saving.register_keras_serializable("zoo")
class Perceptual(keras.Loss):
    """What an image shows, compared with one photograph, and its texture, compared with another's.

        content_weight * content + style_weight * style + variation_weight * total variation

    content: the relative error of the maps of one layer of a VGG. style: the mean over some layers of the relative
    error of their Gram matrices. (Gatys 2016, equations 1 to 7, whose two sums of squares are divided by constants of
    the layer; divided by what is wanted, they are of one size for each layer, for trained filters and untrained.)

    Shapes: y_true (batch, 2, height, width, 3), the photograph and the style, or whatever after `hold`; y_pred (batch,
    height, width, 3); all of 0 to 1.

    Args:
        content_weight, style_weight, variation_weight: of the three terms.
        content_layer, style_layers: of the VGG; each style layer has the same say. Left out: `TRAINED`, or `UNTRAINED`.
        extractor, weights, preprocessing, width, pooling, filter_seed: which VGG; see `zoo.losses.feature_extractor.extractor`. It is
            untrained unless `weights` says otherwise.

    Raises:
        UsageError: for a weight below 0, or a VGG, layer or weights that there are not.
    """

    def __init__(
        self,
        content_weight=1.0,
        style_weight=5.0,
        variation_weight=1.0,
        content_layer=None,
        style_layers=None,
        extractor="vgg16",
        weights="",
        preprocessing="",
        width=0.25,
        pooling="average",
        filter_seed=0,
        name="perceptual",
        reduction="sum_over_batch_size",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        layers = TRAINED if weights else UNTRAINED
        content_layer, style_layers = content_layer or layers["content_layer"], style_layers or layers["style_layers"]
        self.settings = dict(
            content_weight=content_weight, style_weight=style_weight, variation_weight=variation_weight,
            content_layer=content_layer, style_layers=tuple(style_layers), extractor=extractor, weights=str(weights),
            preprocessing=preprocessing, width=width, pooling=pooling, filter_seed=filter_seed,
        )  # fmt: skip
        self.term_weights = {term: self.settings[f"{term}_weight"] for term in ("content", "style", "variation")}
        for term, weight in self.term_weights.items():
            if not 0 <= weight < float("inf"):
                raise UsageError(f"{term}_weight is {weight!r}; expected a number of at least 0")
        from zoo.losses.feature_extractor import extractor as front  # the VGGs, which no other loss needs

        self.maps = front(
            extractor,
            layers=(content_layer, *self.settings["style_layers"]),
            weights=str(weights),
            preprocessing=preprocessing,
            width=width,
            pooling=pooling,
            seed=filter_seed,
        )
        self.held = None

    def describe(self, images):
        """Content maps and Gram matrices of images (batch, height, width, 3)."""
        content, *styles = self.maps(images)
        return content, [gram_matrix(maps) for maps in styles]

    def hold(self, content, styles, shares=None):
        """Compare with these images from now on, whatever `y_true` says: their maps are computed once.

        Args:
            content: (height, width, 3).
            styles: of any sizes; their Gram matrices are blended.
            shares: of each style in the blend; equal ones if left out.
        """
        shares = [1 / len(styles)] * len(styles) if shares is None else [each / sum(shares) for each in shares]
        grams = [self.describe(ops.convert_to_tensor(style[None]))[1] for style in styles]
        blend = [sum(share * gram for share, gram in zip(shares, layer)) for layer in zip(*grams)]
        wanted = self.describe(ops.convert_to_tensor(content[None]))[0]
        self.held = [ops.stop_gradient(each) for each in (wanted, *blend)]
        return self

    def terms(self, y_true, images):
        """The three terms without their weights, (batch,) each, by name."""
        content, grams = self.describe(images)
        if self.held is not None:
            wanted, *wanted_grams = self.held
        else:
            batch, _, *size = ops.shape(y_true)
            maps, grams_of_both = self.describe(ops.reshape(y_true, (2 * batch, *size)))
            wanted, wanted_grams = maps[::2], [each[1::2] for each in grams_of_both]
        errors = [relative_error(a, b) for a, b in zip(wanted_grams, grams)]
        return {
            "content": relative_error(wanted, content),
            "style": sum(errors) / len(errors),
            "variation": total_variation(images),
        }

    def call(self, y_true, y_pred):
        terms = self.terms(y_true, y_pred)
        return sum(weight * terms[term] for term, weight in self.term_weights.items() if weight)

    def get_config(self):
        return {**super().get_config(), **self.settings}
