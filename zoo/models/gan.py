"""Generative adversarial networks: a generator that draws, a discriminator that doubts.

I. Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014; and the DCGAN of A. Radford, L. Metz and S. Chintala,
"Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks", ICLR 2016, section 3 and
Figure 1:

    generator                                 discriminator
    100 numbers                               image 64x64x3
    dense to 4x4x1024                         convolution, stride 2, to 32x32x64      leaky ReLU
    doubled to 8x8x512     BN, ReLU           to 16x16x128                        BN, leaky ReLU
    doubled to 16x16x256   BN, ReLU           to 8x8x256                          BN, leaky ReLU
    doubled to 32x32x128   BN, ReLU           to 4x4x512                          BN, leaky ReLU
    doubled to 64x64x3     tanh               dense to 1 logit

Both halves are one network here: it takes an image and noise, and says of the image and of what it draws from the noise
how real they look. `zoo.trainers.adversarial` trains the halves against each other; layer "generated" is where the
drawn image stands.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers

from zoo.errors import UsageError
from zoo.layers.initializers import fresh
from zoo.layers.normalization import BatchNormalization
from zoo.recipes.gan import DCGAN_RECIPES, GAN_RECIPES
from zoo.records import Card, Input
from zoo.registry import register

SLOPE = 0.2  # of the leaky ReLU (Radford 2016, section 4)


@register(
    Card(
        task="adversarial_generation",
        summary="a generator and a discriminator of dense layers, for vectors",
        params=34_435,
        non_trainable_params=512,
        paper="Goodfellow et al. 2014, NeurIPS, section 3",
        deviations=(
            "ReLU in the generator and leaky ReLU in the discriminator, in place of sigmoids and maxout with dropout",
            "Adam in place of SGD with momentum; both halves step at once",
        ),
        inputs=(
            Input("example", (2,), holds="numbers, standardised by the training set"),
            Input("latent", (2,), holds="noise from N(0, 1)"),
        ),
        preprocessing="standardise",
        recipes=GAN_RECIPES,
        tiny={"units": (16,), "latent_size": 3},
        loss="adversarial",
        head=("logit",),
        tutorial="25_gan.py",
    )
)
def gan(
    *, input_shape: tuple[int, ...] = (2,), units: tuple[int, ...] = (128, 128), latent_size: int = 2,
    normalise: bool = True, name: str = "gan",
) -> keras.Model:  # fmt: skip
    """A generator and a discriminator of dense layers (Goodfellow 2014).

    Args:
        input_shape: (features,) of an example.
        units: of the hidden layers of either half.
        latent_size: numbers that an example is drawn from.
        normalise: whether the generator normalises by batch.
        name: of the returned model.

    Returns:
        A `keras.Model`: ``{"example": (batch, features), "latent": (batch, latent_size)}`` to ``{"real": (batch, 1),
        "fake": (batch, 1)}``, the logits that the example is real and that the drawn one is.

    Raises:
        UsageError: for an `input_shape` that is no vector's.

    >>> {head: output.shape for head, output in gan().output.items()}
    {'real': (None, 1), 'fake': (None, 1)}
    """
    if len(input_shape) != 1 or None in input_shape:
        raise UsageError(f"input_shape is {input_shape}; expected (features,); for images take dcgan")
    example, latent = keras.Input(input_shape, name="example"), keras.Input((latent_size,), name="latent")
    x = latent
    for number, size in enumerate(units, start=1):
        x = layers.Dense(size, use_bias=not normalise, name=f"generator{number}")(x)
        x = BatchNormalization(name=f"generator{number}_bn")(x) if normalise else x
        x = layers.ReLU(name=f"generator{number}_relu")(x)
    generated = layers.Dense(input_shape[0], dtype="float32", name="generated")(x)
    doubting: list[Any] = []
    for number, size in enumerate(units, start=1):
        doubting += [
            layers.Dense(size, name=f"discriminator{number}"),
            layers.LeakyReLU(SLOPE, name=f"discriminator{number}_relu"),
        ]
    return joined(example, latent, generated, doubting, name)


@register(
    Card(
        task="adversarial_generation",
        summary="a generator and a discriminator of convolutions, for images",
        params=23_170_692,
        non_trainable_params=5_632,
        paper="Radford, Metz & Chintala 2016, ICLR, section 3 and Figure 1",
        deviations=("both halves step at once", "the discriminator's widths are those of the authors' program: half"),
        inputs=(
            Input("image", (64, 64, 3), holds="pixels from -1 to 1"),
            Input("latent", (100,), holds="noise from N(0, 1); in the paper uniform from -1 to 1"),
        ),
        preprocessing="tf",
        recipes=DCGAN_RECIPES,
        tiny={"input_shape": (8, 8, 1), "filters": (8, 4), "latent_size": 3},
        loss="adversarial",
        head=("logit",),
        tutorial="25_gan.py",
    )
)
def dcgan(
    *, input_shape: tuple[int, ...] = (64, 64, 3), filters: tuple[int, ...] = (1024, 512, 256, 128),
    latent_size: int = 100, kernel_size: int = 5, normalise: bool = True, name: str = "dcgan",
) -> keras.Model:  # fmt: skip
    """A deep convolutional GAN (Radford 2016, Figure 1).

    Args:
        input_shape: (height, width, channels) that can be halved as often as there are `filters`: 28x28 takes two.
        filters: maps of the generator, the coarsest first; the discriminator has half as many, the finest first.
        latent_size: numbers that an image is drawn from.
        kernel_size: of all convolutions.
        normalise: whether the discriminator normalises by batch; not with a gradient penalty.
        name: of the returned model.

    Returns:
        A `keras.Model`: ``{"image": (batch, *input_shape), "latent": (batch, latent_size)}`` to ``{"real": (batch, 1),
        "fake": (batch, 1)}``, the logits that the image is real and that the drawn one is.

    Raises:
        UsageError: for a size that cannot be halved so often.

    >>> dcgan(input_shape=(28, 28, 1), filters=(128, 64)).get_layer("generated").output.shape
    (None, 28, 28, 1)
    """
    halved = 2 ** len(filters)
    if len(input_shape) != 3 or None in input_shape or any(side % halved for side in input_shape[:2]):
        raise UsageError(
            f"input_shape is {input_shape}; expected (height, width, channels), multiples of {halved}: as many filters "
            "as it can be halved, filters=(128, 64) for 28x28"
        )
    small = keras.initializers.RandomNormal(stddev=0.02)  # section 4
    image, latent = keras.Input(input_shape, name="image"), keras.Input((latent_size,), name="latent")
    height, width = (side // halved for side in input_shape[:2])
    x = layers.Dense(height * width * filters[0], use_bias=False, name="project", kernel_initializer=fresh(small))(
        latent
    )
    x = layers.Reshape((height, width, filters[0]), name="maps")(x)
    for number, count in enumerate((*filters[1:], None), start=1):
        x = BatchNormalization(name=f"up{number}_bn")(x)
        x = layers.ReLU(name=f"up{number}_relu")(x)
        if count:
            x = layers.Conv2DTranspose(
                count,
                kernel_size,
                2,
                padding="same",
                use_bias=False,
                name=f"up{number}",
                kernel_initializer=fresh(small),
            )(x)
    generated = layers.Conv2DTranspose(
        input_shape[2],
        kernel_size,
        2,
        padding="same",
        activation="tanh",
        dtype="float32",
        name="generated",
        kernel_initializer=fresh(small),
    )(x)
    doubting: list[Any] = []
    for number, count in enumerate(reversed(filters), start=1):
        normalised = normalise and number > 1  # not what sees the image (section 3)
        doubting.append(
            layers.Conv2D(
                count // 2,
                kernel_size,
                2,
                padding="same",
                use_bias=not normalised,
                name=f"down{number}",
                kernel_initializer=fresh(small),
            )
        )
        doubting += [BatchNormalization(name=f"down{number}_bn")] if normalised else []
        doubting.append(layers.LeakyReLU(SLOPE, name=f"down{number}_relu"))
    return joined(image, latent, generated, [*doubting, layers.Flatten(name="flatten")], name)


def joined(example: Any, latent: Any, generated: Any, doubting: Sequence[Callable[[Any], Any]], name: str) -> Any:
    """One network of both halves: the same doubting layers see what is real and what is generated."""
    doubting = [*doubting, layers.Dense(1, dtype="float32", name="logit")]
    outputs = {}
    for head, x in (("real", example), ("fake", generated)):
        for layer in doubting:
            x = layer(x)
        outputs[head] = x
    return keras.Model([example, latent], outputs, name=name)
