"""Style transfer: one image's content in another's texture.

L. Gatys, A. Ecker and M. Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016: an image is
changed until the feature maps of a VGG are those of a photograph and their Gram matrices those of a painting. J.
Johnson, A. Alahi and L. Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", ECCV 2016, and
its supplement: a network learns to do that for one style in one pass. X. Huang and S. Belongie, "Arbitrary Style
Transfer in Real-Time with Adaptive Instance Normalization", ICCV 2017: one network for all styles. What each is trained
with is `zoo.losses.Perceptual`: to Gatys what is trained is the image itself.

                    what learns                                  an image takes     styles
    style_transfer  the pixels                                   hundreds of steps   any
    fast_style      a residual network, 1.7 M weights            one pass            one
    adain           a decoder, 3.5 M weights, behind a fixed VGG one pass            any
"""

from typing import Any

import keras
from keras import KerasTensor, layers

from zoo.errors import UsageError
from zoo.layers.normalization import AdaptiveInstanceNormalization
from zoo.layers.padding import ReflectionPadding
from zoo.layers.width import scaled
from zoo.models.vgg import FILTERS
from zoo.recipes.style_transfer import RECIPES
from zoo.records import Card, Input
from zoo.registry import register

# Parts


def check_colours(shape: tuple[int, ...]) -> None:
    if len(shape) != 3 or shape[-1] != 3 or min(shape[:2]) < 16:
        raise UsageError(f"image_shape is {shape}; expected (height, width, 3) of at least 16x16 pixels")


def check_sides(shape: tuple[int | None, ...]) -> None:
    if any(size is not None and size < 16 for size in shape[:2]):
        raise UsageError(f"input_shape is {shape}; expected images of at least 16x16 pixels")


@keras.saving.register_keras_serializable("zoo")
class Colours(keras.constraints.Constraint):
    """Keeps colours within 0 to 1."""

    def __call__(self, w: Any) -> Any:
        return keras.ops.clip(w, 0.0, 1.0)


def conv_norm(
    x: KerasTensor, filters: int, size: int, name: str, *, strides: int = 1, relu: bool = True
) -> KerasTensor:
    """Convolution, instance normalisation, ReLU. (batch, h, w, c) -> (batch, h / strides, w / strides, filters)."""
    x = ReflectionPadding(size // 2, name=f"{name}_pad")(x)
    x = layers.Conv2D(filters, size, strides=strides, use_bias=False, name=f"{name}_conv")(x)
    x = layers.GroupNormalization(-1, name=f"{name}_norm")(x)  # a group for each channel: instance normalisation
    return layers.Activation("relu", name=f"{name}_relu")(x) if relu else x


def reflection_conv(
    x: KerasTensor, filters: int, name: str, *, activation: str | None = "relu", **options: Any
) -> KerasTensor:
    """A 3x3 convolution, padded by reflection. (batch, h, w, c) -> (batch, h, w, filters)."""
    x = ReflectionPadding(1, name=f"{name}_pad")(x)
    return layers.Conv2D(filters, 3, activation=activation, name=name, **options)(x)


# Networks


@register(
    Card(
        task="style_transfer",
        summary="Gatys: an image that learns its own pixels, until it has one image's content and another's style",
        params=196_608,
        paper="Gatys, Ecker & Bethge 2016, CVPR, section 2",
        deviations=(
            "`zoo stylize` starts from the photograph; with --start noise as the paper, and as the recipe here",
            "VGG-16 in place of VGG-19, with unnormalised weights; layers of the same names",
            "errors relative to what is wanted, in place of sums over constants; a term for total variation",
            "Adam, kept within 0 to 1; `zoo stylize --optimizer lbfgs` takes the paper's L-BFGS",
        ),
        inputs=(Input("number", (), "int32", holds="which of the images that are learned, from 0"),),
        preprocessing="unit",
        loss="perceptual",
        recipes=RECIPES["style_transfer"],
        tiny={"image_shape": (16, 16, 3), "num_images": 16},
        tutorial="17_style_transfer.py",
    )
)
def style_transfer(
    *, image_shape: tuple[int, int, int] = (256, 256, 3), num_images: int = 1, name: str = "style_transfer"
) -> keras.Model:
    """An image as a model (Gatys 2016): its pixels are looked up in an embedding, as a word's vector is.

    Args:
        image_shape: (height, width, 3), at least 16 x 16 pixels, for the VGG in its loss.
        num_images: how many are learned at once.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch,) indices of images to (batch, height, width, 3) colours of 0 to 1. They start as
        noise; ``model.get_layer("picture").set_weights([photograph.reshape(1, -1)])`` starts from a photograph.

    Raises:
        UsageError: for a shape that is no colour image of at least 16 x 16 pixels.

    >>> model = style_transfer(image_shape=(32, 48, 3))
    >>> [tuple(weight.shape) for weight in model.trainable_weights]
    [(1, 4608)]
    """
    check_colours(image_shape)
    height, width, channels = image_shape
    index = keras.Input((), dtype="int32", name="number")
    x = layers.Embedding(
        num_images,
        height * width * channels,
        embeddings_initializer=keras.initializers.RandomUniform(0.0, 1.0),
        embeddings_constraint=Colours(),
        dtype="float32",
        name="picture",
    )(index)
    x = layers.Reshape(image_shape, dtype="float32", name="as_rows")(x)  # (batch, height, width, 3)
    return keras.Model(index, x, name=name)


@register(
    Card(
        task="style_transfer",
        summary="Johnson: a residual network that paints any photograph in the one style that it was trained on",
        params=1_677_635,
        paper="Johnson, Alahi & Fei-Fei 2016, ECCV, supplement, Table 1",
        deviations=(
            "instance normalisation in place of batch normalisation (Ulyanov 2016)",
            "every convolution pads by reflection, in place of 40 pixels once and shortcuts that are cropped",
            "nearest-neighbour upsampling and a convolution in place of fractional strides, which leave a chequered "
            "pattern (Odena 2016)",
        ),
        inputs=(Input("image", (256, 256, 3), holds="colours, 0 to 1"),),
        preprocessing="unit",
        loss="perceptual",
        recipes=RECIPES["fast_style"],
        tiny={"input_shape": (32, 32, 3), "width": 0.25, "blocks": 1},
        tutorial="17_style_transfer.py",
    )
)
def fast_style(
    *, input_shape: tuple[int | None, ...] = (256, 256, 3), width: float = 1.0, blocks: int = 5,
    name: str = "fast_style",
) -> keras.Model:  # fmt: skip
    """An image in one style, in one pass (Johnson 2016).

    Args:
        input_shape: (height, width, 3), None for any size; multiples of 4 come back as they were, others rounded up.
        width: multiplies the channels of every layer, down to 8.
        blocks: residual blocks at a quarter of the size.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, 3) colours of 0 to 1 to the same.

    Raises:
        UsageError: for images below 16 x 16 pixels.

    >>> tuple(fast_style(input_shape=(None, None, 3), width=0.25)(keras.ops.ones((1, 32, 48, 3))).shape)
    (1, 32, 48, 3)
    """
    check_sides(input_shape)
    image = keras.Input(input_shape, name="image")
    x = conv_norm(image, scaled(32, width), 9, "down1")
    x = conv_norm(x, scaled(64, width), 3, "down2", strides=2)
    x = conv_norm(x, scaled(128, width), 3, "down3", strides=2)  # (batch, height / 4, width / 4, 128)
    for number in range(1, blocks + 1):
        y = conv_norm(x, scaled(128, width), 3, f"block{number}_1")
        y = conv_norm(y, scaled(128, width), 3, f"block{number}_2", relu=False)
        x = layers.Add(name=f"block{number}_out")([y, x])
    for number, filters in ((1, 64), (2, 32)):
        x = layers.UpSampling2D(2, name=f"up{number}_size")(x)
        x = conv_norm(x, scaled(filters, width), 3, f"up{number}")
    x = ReflectionPadding(4, name="picture_pad")(x)
    x = layers.Conv2D(3, 9, dtype="float32", name="picture")(x)
    x = layers.Activation("sigmoid", dtype="float32", name="colours")(x)
    return keras.Model(image, x, name=name)


ENCODER = (2, 2, 4, 1)  # convolutions in each block of VGG-19 up to block4_conv1
FIXED = ("preprocess", *(f"block{b}_conv{n}" for b, count in zip(range(1, 5), ENCODER) for n in range(1, count + 1)))
DECODER = ((4, (256,)), (3, (256, 256, 256, 128)), (2, (128, 64)))  # block, and channels before it doubles its size
GREY = keras.initializers.Constant(0.5)


@register(
    Card(
        task="style_transfer",
        summary="AdaIN: one pass from a photograph and any style to an image",
        params=3_505_219,
        non_trainable_params=3_505_740,
        paper="Huang & Belongie 2017, ICCV, section 5",
        deviations=(
            "photograph and style are of one size here (their figures of style are means over positions)",
            "the loss is that of the other names here, in place of means and deviations of maps",
        ),
        inputs=(
            Input("image", (256, 256, 3), holds="colours of the photograph, 0 to 1"),
            Input("style", (256, 256, 3), holds="colours of the style, 0 to 1"),
        ),
        preprocessing="unit",
        loss="perceptual",
        recipes=RECIPES["adain"],
        fixed=FIXED,
        tiny={"input_shape": (32, 32, 3), "width": 0.125},
        tutorial="17_style_transfer.py",
    )
)
def adain(
    *, input_shape: tuple[int | None, ...] = (256, 256, 3), width: float = 1.0, strength: float = 1.0,
    name: str = "adain",
) -> keras.Model:  # fmt: skip
    """A photograph in any style, in one pass (Huang & Belongie 2017).

    The front of a VGG-19, frozen, encodes both images; the photograph's feature maps take the style's means and
    standard deviations; a decoder, its mirror image, turns them into an image.

    Args:
        input_shape: (height, width, 3) of both images, None for any size; multiples of 8 come back as they were,
            others rounded up.
        width: multiplies the channels of every layer, down to 8.
        strength: from 0, the photograph's own statistics, to 1, the style's.
        name: of the returned model.

    Returns:
        A `keras.Model`: {"image", "style"}, (batch, height, width, 3) each, colours of 0 to 1, to the same. Trained
        weights that somebody published go in by `zoo.weights.adain.load_adain`.

    Raises:
        UsageError: for images below 16 x 16 pixels.

    >>> model = adain(input_shape=(None, None, 3), width=0.125)
    >>> photograph, style = keras.ops.ones((1, 32, 48, 3)), keras.ops.zeros((1, 32, 48, 3))
    >>> tuple(model({"image": photograph, "style": style}).shape)
    (1, 32, 48, 3)
    """
    check_sides(input_shape)
    image, style = keras.Input(input_shape, name="image"), keras.Input(input_shape, name="style")
    x = layers.Concatenate(axis=0, name="both")([image, style])  # (2 batch, height, width, 3): one pass for the two
    x = layers.Conv2D(3, 1, trainable=False, name="preprocess")(x)  # to the colours that the VGG was trained on
    for block, count in enumerate(ENCODER, start=1):
        for number in range(1, count + 1):
            x = reflection_conv(x, scaled(FILTERS[block - 1], width), f"block{block}_conv{number}", trainable=False)
        if block < len(ENCODER):
            x = layers.MaxPooling2D(2, padding="same", name=f"block{block}_pool")(x)
    x = AdaptiveInstanceNormalization(strength, name="adain")(x)  # (batch, height / 8, width / 8, 512)
    for block, filters in DECODER:
        for number, channels in enumerate(filters, start=1):
            x = reflection_conv(x, scaled(channels, width), f"decode{block}_conv{number}")
        x = layers.UpSampling2D(2, name=f"decode{block}_size")(x)
    x = reflection_conv(x, scaled(64, width), "decode1_conv1")
    # Nothing bounds the colours, as published; untrained, they start near grey.
    start = {"kernel_initializer": keras.initializers.RandomNormal(stddev=0.01), "bias_initializer": GREY}
    x = reflection_conv(x, 3, "picture", activation=None, dtype="float32", **start)
    return keras.Model([image, style], x, name=name)
