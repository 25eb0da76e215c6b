"""Autoencoders: networks that must say their input again, through a code of few numbers.

G. Hinton and R. Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 313, 2006, Figure 1:

    encoder   784 - 1000 - 500 - 250 - 30       1,418,280
    decoder    30 - 250 - 500 - 1000 - 784      1,419,034
    together                                    2,837,314

The bottleneck alone is what it learns from: there are no labels. With linear units and the squared error the best code
is that of principal component analysis (P. Baldi and K. Hornik, "Neural networks and principal component analysis",
Neural Networks 2(1), 1989); hidden layers that bend do better with as many numbers.

`conv_autoencoder` has convolutions in the place of the outer layers (J. Masci et al., "Stacked Convolutional
Auto-Encoders for Hierarchical Feature Extraction", ICANN 2011): a filter learned in one place draws in all.
`denoising_autoencoder` reads a damaged input and must say the whole one (P. Vincent et al., "Stacked Denoising
Autoencoders", JMLR 11, 2010): so its code may be as long as the input, and handing on is no answer.
"""

import math
from typing import Any

import keras
from keras import layers

from zoo.errors import UsageError
from zoo.recipes import DIGITS, FASHION_MNIST, GOOD_IMAGES, MNIST, NORMAL
from zoo.records import Card, Expected, Input, replace
from zoo.registry import register

DEMO = replace(
    DIGITS,
    preprocess=NORMAL,
    model={"units": (128, 64), "code_size": 8},
    epochs=60,
    batch_size=32,
    expected=Expected("mse", 0.11, "worst of 3 seeds: results/demo.csv"),
)
CONV_DEMO = replace(
    DEMO,
    model={"filters": (32, 64), "units": (), "code_size": 8},
    expected=Expected("mse", 0.095, "worst of 3 seeds: results/demo.csv"),
)
DENOISING_DEMO = replace(
    DEMO,
    model={"units": (128,), "code_size": 128, "damage": 0.5},
    expected=Expected("mse", 0.045, "worst of 3 seeds: results/demo.csv"),
)
IMAGE = Input("image", (28, 28, 1), holds="grey pixels, standardised by the training set")
CORRUPTIONS = ("gaussian", "masking")


@register(
    Card(
        task="reconstruction",
        summary="an image through a code of 30 numbers and back",
        params=2_837_314,
        paper="Hinton & Salakhutdinov 2006, Science 313, Figure 1",
        deviations=(
            "trained as a whole: no restricted Boltzmann machines before",
            "ReLU in place of logistic units",
            "the squared error of standardised pixels in place of their cross-entropy",
        ),
        inputs=(IMAGE,),
        preprocessing="standardise",
        recipes=(
            DEMO,
            replace(MNIST, epochs=30, preprocess=NORMAL),
            replace(FASHION_MNIST, epochs=30, preprocess=NORMAL),
            GOOD_IMAGES,
        ),
        tiny={"input_shape": (6, 6, 1), "units": (24,), "code_size": 8},
        tutorial="26_anomaly_detection.py",
    )
)
def autoencoder(
    *,
    input_shape: tuple[int, ...] = (28, 28, 1),
    units: tuple[int, ...] = (1000, 500, 250),
    code_size: int = 30,
    activation: str = "relu",
    name: str = "autoencoder",
) -> keras.Model:
    """An autoencoder of dense layers (Hinton & Salakhutdinov 2006, Figure 1).

    Args:
        input_shape: of an example, of fixed sizes.
        units: of the encoder's hidden layers; the decoder has them the other way round. None: principal components.
        code_size: numbers in the code, which is linear.
        activation: of the hidden layers.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, *input_shape) to the same.

    Raises:
        UsageError: for an `input_shape` with a free size.

    >>> model = autoencoder(input_shape=(8, 8, 1), units=(16,), code_size=2)
    >>> model.output_shape, model.get_layer("code").output.shape
    ((None, 8, 8, 1), (None, 2))
    """
    check_fixed(input_shape)
    image = keras.Input(input_shape, name="image")
    return keras.Model(image, through_a_code(image, input_shape, units, code_size, activation), name=name)


@register(
    Card(
        task="reconstruction",
        summary="an image through a code of 32 numbers and back, by convolutions",
        params=241_441,
        paper="Masci, Meier, Ciresan & Schmidhuber 2011, ICANN, section 3",
        deviations=(
            "strides of 2 in place of max pooling, transposed convolutions on the way back",
            "weights of their own on the way back: not those of the way in, transposed",
            "a dense code between, so that its length is a number",
            "trained as a whole, not layer by layer",
        ),
        inputs=(IMAGE,),
        preprocessing="standardise",
        recipes=(
            CONV_DEMO,
            replace(MNIST, epochs=20, preprocess=NORMAL),
            replace(FASHION_MNIST, epochs=20, preprocess=NORMAL),
            GOOD_IMAGES,
        ),
        tiny={"input_shape": (8, 8, 1), "filters": (8, 16), "code_size": 8},
        tutorial="25_gan.py",
    )
)
def conv_autoencoder(
    *,
    input_shape: tuple[int, ...] = (28, 28, 1),
    filters: tuple[int, ...] = (32, 64),
    units: tuple[int, ...] = (),
    code_size: int = 32,
    activation: str = "relu",
    name: str = "conv_autoencoder",
) -> keras.Model:
    """An autoencoder of convolutions that halve and, on the way back, double (Masci 2011).

    Args:
        input_shape: (height, width, channels) that can be halved as often as there are `filters`.
        filters: maps of each convolution of the encoder, 3x3 with a stride of 2; the decoder has them the other way
            round.
        units: of dense layers between them and the code.
        code_size, activation: as in `autoencoder`.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, *input_shape) to the same.

    Raises:
        UsageError: for a size that is free or cannot be halved so often.

    >>> conv_autoencoder(input_shape=(8, 8, 1), filters=(4, 8)).get_layer("maps").output.shape
    (None, 2, 2, 8)
    """
    check_fixed(input_shape)
    halved = 2 ** len(filters)
    if len(input_shape) != 3 or any(side % halved for side in input_shape[:2]):
        raise UsageError(f"input_shape is {input_shape}; expected (height, width, channels), multiples of {halved}")
    image = x = keras.Input(input_shape, name="image")
    for number, count in enumerate(filters, start=1):
        x = layers.Conv2D(count, 3, 2, padding="same", activation=activation, name=f"conv{number}")(x)
    before = (input_shape[0] // halved, input_shape[1] // halved, filters[-1] if filters else input_shape[2])
    x = through_a_code(x, before, units, code_size, activation, last="maps")  # (batch, height / 2^n, width / 2^n, maps)
    x = layers.Activation(activation, name="maps_active")(x)
    for number, count in reversed([*enumerate((input_shape[2], *filters[:-1]), start=1)]):
        out: dict[str, Any] = (
            {"name": "reconstruction", "dtype": "float32"}
            if number == 1
            else {"name": f"deconv{number}", "activation": activation}
        )
        x = layers.Conv2DTranspose(count, 3, 2, padding="same", **out)(x)
    return keras.Model(image, x, name=name)


@register(
    Card(
        task="reconstruction",
        summary="a damaged image in, the whole image out",
        params=2_395_196,
        paper="Vincent, Larochelle, Lajoie, Bengio & Manzagol 2010, JMLR 11, sections 3 and 6.1",
        deviations=(
            "one hidden layer on either side of the code, all trained together, not layer by layer",
            "ReLU in place of logistic units",
            "the squared error of standardised pixels; masked pixels are 0, the mean of the training set",
        ),
        inputs=(IMAGE,),
        preprocessing="standardise",
        recipes=(
            DENOISING_DEMO,
            replace(MNIST, epochs=30, preprocess=NORMAL),
            replace(FASHION_MNIST, epochs=30, preprocess=NORMAL),
        ),
        tiny={"input_shape": (6, 6, 1), "units": (48,), "code_size": 36, "damage": 0.1},
        tutorial="25_gan.py",
    )
)
def denoising_autoencoder(
    *,
    input_shape: tuple[int, ...] = (28, 28, 1),
    units: tuple[int, ...] = (1000,),
    code_size: int = 412,
    corruption: str = "gaussian",
    damage: float = 0.5,
    activation: str = "relu",
    name: str = "denoising_autoencoder",
) -> keras.Model:
    """An autoencoder whose input is damaged while it trains (Vincent 2010).

    Args:
        input_shape, units, code_size, activation: as in `autoencoder`; the code needs to be no bottleneck.
        corruption: ``"gaussian"``, noise on each pixel; or ``"masking"``, some pixels are 0 and the others grow by as
            much, so that the sum stays (as Keras's Dropout does it).
        damage: standard deviation of the noise, in those of the pixels; or the fraction that is masked.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, *input_shape) to the same. When it is asked it damages nothing.

    Raises:
        UsageError: for an `input_shape` with a free size, or another corruption.

    >>> denoising_autoencoder(damage=0.3).get_layer("corruption").stddev
    0.3
    """
    check_fixed(input_shape)
    if corruption not in CORRUPTIONS:
        raise UsageError(f"corruption is {corruption!r}; expected {' or '.join(CORRUPTIONS)}")
    image = keras.Input(input_shape, name="image")
    damaging = layers.GaussianNoise if corruption == "gaussian" else layers.Dropout
    damaged = damaging(damage, name="corruption")(image)
    return keras.Model(image, through_a_code(damaged, input_shape, units, code_size, activation), name=name)


def check_fixed(input_shape: tuple[int | None, ...]) -> None:
    """Raise for a shape with a free size."""
    if None in input_shape:
        raise UsageError(f"input_shape is {input_shape}; expected fixed sizes: every pixel has weights of its own")


def through_a_code(
    x: Any, shape: tuple[int, ...], units: tuple[int, ...], code_size: int, activation: str, last: str = "pixels"
) -> Any:
    """Dense layers down to a code and up again: a tensor (batch, *shape) to the same."""
    x = layers.Flatten(name="flatten")(x)
    for number, size in enumerate(units, start=1):
        x = layers.Dense(size, activation=activation, name=f"encoder{number}")(x)
    x = layers.Dense(code_size, name="code")(x)  # (batch, code_size)
    for number, size in enumerate(reversed(units), start=1):
        x = layers.Dense(size, activation=activation, name=f"decoder{number}")(x)
    exact: dict[str, Any] = {"dtype": "float32"} if last == "pixels" else {}
    x = layers.Dense(math.prod(shape), name=last if exact else "unfold", **exact)(x)
    return layers.Reshape(shape, name="reconstruction" if exact else last, **exact)(x)
