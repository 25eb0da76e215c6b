"""CycleGAN: two sets of images that nobody paired, and two networks that turn each into the other.

J.-Y. Zhu, T. Park, P. Isola and A. Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
Networks", ICCV 2017, section 4 and appendix 7.2. For images of 256x256:

    generator, after Johnson 2016                     discriminator: does each patch of 70x70 look real?
    7x7                   256x256x64    IN, ReLU      4x4, stride 2   128x128x64           leaky ReLU
    3x3, stride 2         128x128x128   IN, ReLU      4x4, stride 2    64x64x128    IN, leaky ReLU
    3x3, stride 2           64x64x256   IN, ReLU      4x4, stride 2    32x32x256    IN, leaky ReLU
    9 residual blocks       64x64x256   IN, ReLU      4x4              31x31x512    IN, leaky ReLU
    3x3, stride 1/2       128x128x128   IN, ReLU      4x4              30x30x1      logits
    3x3, stride 1/2       256x256x64    IN, ReLU
    7x7                   256x256x3     tanh

IN normalises each map of each image (instance normalisation: D. Ulyanov et al., 2016). All four networks are one here:
"a" is translated by generator "ab" and back by "ba", "b" the other way round, and each discriminator doubts the images
of its own set and those that were translated into it. `zoo.trainers.unpaired` trains them; layers "translated_b" and
"translated_a" are where the translations stand.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import KerasTensor, layers

from zoo.checks import check_whole
from zoo.errors import UsageError
from zoo.layers.padding import ReflectionPadding
from zoo.recipes.cyclegan import RECIPES
from zoo.records import Card, Input
from zoo.registry import register

SLOPE = 0.2  # of the leaky ReLU (appendix 7.2)
EPSILON = 1e-5
LARGEST_PATCH_FILTERS = 8  # times `patch_filters`


def small() -> keras.initializers.Initializer:
    """The start of a kernel (section 4); each has one of its own, or all would have the same numbers."""
    return keras.initializers.RandomNormal(stddev=0.02)


@register(
    Card(
        task="unpaired_translation",
        summary="two generators that undo each other, for two sets of images that nobody paired",
        params=28_285_832,
        paper="Zhu, Park, Isola & Efros 2017, ICCV, section 4 and appendix 7.2",
        deviations=(
            "no bias before an instance normalisation, which would take it out; a shift behind it: as many numbers",
            "all four networks step at once; the discriminators see translations of this step, from the pool or not",
            "a cosine schedule in place of 100 epochs at one rate and 100 that fall to 0",
        ),
        notes=(
            "which image becomes which is not told by the losses: of digits and their negatives the demo keeps 96 % in "
            "three seeds, and with two halvings and ten times the weight of the cycle loss it kept 2 %, though images "
            "came back to .05 of the range too (benchmarks/unpaired_translation.py)",
            "look at label_accuracy or at translated.png before you trust a run; where it is low, a smaller "
            "cycle_weight or another seed may help",
        ),
        inputs=(
            Input("a", (256, 256, 3), holds="pixels of the one set, from -1 to 1"),
            Input("b", (256, 256, 3), holds="pixels of the other set, from -1 to 1; no pair of the first"),
        ),
        preprocessing="tf",
        recipes=RECIPES,
        tiny={"input_shape": (16, 16, 1), "filters": 4, "blocks": 1, "patch_filters": 4, "patch_layers": 1},
        loss="cycle_adversarial",
        head=("patch_a_logit", "patch_b_logit"),
        tutorial="25_gan.py",
    )
)
def cyclegan(
    *, input_shape: tuple[int, ...] = (256, 256, 3), filters: int = 64, blocks: int = 9, halvings: int = 2,
    patch_filters: int = 64, patch_layers: int = 3, name: str = "cyclegan",
) -> keras.Model:  # fmt: skip
    """Two generators and two discriminators (Zhu 2017).

    Args:
        input_shape: (height, width, channels) of the images of both sets, multiples of 4 with two halvings.
        filters: maps of a generator at full size; twice as many after each halving.
        blocks: residual blocks of a generator: 9 for 256x256, 6 for 128x128 (appendix 7.2).
        halvings: how often a generator halves the sides before the blocks, and doubles them behind them. Where what is
            left is only a few places, 4x4 of 16x16, a stroke need not stay where it was: 0 for images so small.
        patch_filters: of a discriminator's first layer; each layer has twice as many, up to eight times.
        patch_layers: layers of a discriminator that halve: 3 judge patches of 70x70, 2 of 34x34, 1 of 16x16.
        name: of the returned model.

    Returns:
        A `keras.Model`: ``{"a": (batch, *input_shape), "b": likewise}`` to the logits ``{"real_a", "real_b", "fake_a",
        "fake_b"}``, (batch, height, width, 1) each, that the patches of the images and of the translations into a and
        into b are real; and ``{"cycle_a", "cycle_b"}``, the images there and back, (batch, *input_shape).

    Raises:
        UsageError: for a size that is no multiple of 4, or too small for the discriminator.

    >>> model = cyclegan(input_shape=(28, 28, 1), filters=16, blocks=2, patch_filters=16, patch_layers=1)
    >>> model.output["fake_a"].shape, model.output["cycle_a"].shape
    ((None, 12, 12, 1), (None, 28, 28, 1))
    """
    check_shape(input_shape, halvings, patch_layers)
    a, b = keras.Input(input_shape, name="a"), keras.Input(input_shape, name="b")
    channels = input_shape[-1]
    to_b, to_a = (generator_layers(channels, filters, blocks, halvings, direction) for direction in ("ab", "ba"))
    doubt_a, doubt_b = (discriminator_layers(patch_filters, patch_layers, side) for side in "ab")
    translated_a, translated_b = as_image(applied(b, to_a), "translated_a"), as_image(applied(a, to_b), "translated_b")
    outputs = {
        "real_a": applied(a, doubt_a),
        "real_b": applied(b, doubt_b),
        "fake_a": applied(translated_a, doubt_a),
        "fake_b": applied(translated_b, doubt_b),
        "cycle_a": as_image(applied(translated_b, to_a), "cycle_a"),
        "cycle_b": as_image(applied(translated_a, to_b), "cycle_b"),
    }
    return keras.Model([a, b], outputs, name=name)


def check_shape(shape: tuple[int, ...], halvings: int, patch_layers: int) -> None:
    check_whole("halvings", halvings, least=0)
    least = max(8, 3 * 2**patch_layers)  # what is left must be at least 1x1 behind two layers that do not pad enough
    step = 2**halvings
    if len(shape) != 3 or None in shape or any(side % step or side < least for side in shape[:2]):
        raise UsageError(
            f"input_shape is {shape}; expected (height, width, channels), multiples of {step} and at least {least} for "
            f"a discriminator of {patch_layers} halvings: resize or crop them, preprocess={{'cover': (256, 256)}}"
        )


def generator_layers(channels: int, filters: int, blocks: int, halvings: int, name: str) -> list[Any]:
    """The layers of a generator but for the last tanh: (batch, h, w, channels) to the same. A tuple is a block."""
    found: list[Any] = [ReflectionPadding(3, name=f"{name}_pad")]
    found += normalised(layers.Conv2D(filters, 7, use_bias=False, name=f"{name}_conv", kernel_initializer=small()))
    for number in range(1, halvings + 1):
        found.append(layers.ZeroPadding2D(1, name=f"{name}_down{number}_pad"))
        found += normalised(
            layers.Conv2D(
                filters * 2**number, 3, 2, use_bias=False, name=f"{name}_down{number}", kernel_initializer=small()
            )
        )
    widest = filters * 2**halvings
    for number in range(1, blocks + 1):
        block: list[Any] = []
        for half in (1, 2):
            word = f"{name}_block{number}_{half}"
            block.append(ReflectionPadding(1, name=f"{word}_pad"))
            convolution = layers.Conv2D(widest, 3, use_bias=False, name=word, kernel_initializer=small())
            block += normalised(convolution, relu=half == 1)
        found.append((block, layers.Add(name=f"{name}_block{number}_add")))
    for number in range(1, halvings + 1):
        convolution = layers.Conv2DTranspose(
            widest // 2**number,
            3,
            2,
            padding="same",
            use_bias=False,
            name=f"{name}_up{number}",
            kernel_initializer=small(),
        )
        found += normalised(convolution)
    return [
        *found,
        ReflectionPadding(3, name=f"{name}_image_pad"),
        layers.Conv2D(channels, 7, name=f"{name}_image", kernel_initializer=small()),
    ]


def discriminator_layers(filters: int, halvings: int, side: str) -> list[Any]:
    """The layers of a discriminator: (batch, height, width, channels) to logits of its patches."""
    found: list[Any] = []
    for number in range(halvings + 1):
        name, strides = f"patch_{side}{number + 1}", 2 if number < halvings else 1
        count = filters * min(2**number, LARGEST_PATCH_FILTERS)
        found.append(layers.ZeroPadding2D(1, name=f"{name}_pad"))
        convolution = layers.Conv2D(count, 4, strides, use_bias=number == 0, name=name, kernel_initializer=small())
        found += [convolution] if number == 0 else normalised(convolution, relu=False)
        found.append(layers.LeakyReLU(SLOPE, name=f"{name}_relu"))
    return [
        *found,
        layers.ZeroPadding2D(1, name=f"patch_{side}_logit_pad"),
        layers.Conv2D(1, 4, dtype="float32", name=f"patch_{side}_logit", kernel_initializer=small()),
    ]


def normalised(convolution: Any, *, relu: bool = True) -> list[Any]:
    """A convolution, instance normalisation with a shift, and ReLU."""
    name = convolution.name
    norm = layers.GroupNormalization(-1, epsilon=EPSILON, scale=False, name=f"{name}_norm")
    return [convolution, norm, *([layers.ReLU(name=f"{name}_relu")] if relu else [])]


def applied(x: KerasTensor, steps: Sequence[Any]) -> KerasTensor:
    """What becomes of an image in layers, one after another; a block (layers, sum) is added to what it takes."""
    for step in steps:
        x = step[1]([x, applied(x, step[0])]) if isinstance(step, tuple) else step(x)
    return x


def as_image(x: KerasTensor, name: str) -> KerasTensor:
    return layers.Activation("tanh", dtype="float32", name=name)(x)
