"""The autoencoder: a network that must say its input again, through a code of few numbers.

G. Hinton and R. Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 313, 2006, Figure 1:

    encoder   784 - 1000 - 500 - 250 - 30       1,418,280
    decoder    30 - 250 - 500 - 1000 - 784      1,419,034
    together                                    2,837,314

The bottleneck alone is what it learns from: there are no labels. With linear units and the squared error the best code
is that of principal component analysis (P. Baldi and K. Hornik, "Neural networks and principal component analysis",
Neural Networks 2(1), 1989); hidden layers that bend do better with as many numbers.
"""

import math

import keras
from keras import layers

from zoo.errors import UsageError
from zoo.recipes import DIGITS, FASHION_MNIST, MNIST
from zoo.records import Card, Expected, Input, replace
from zoo.registry import register

DEMO = replace(
    DIGITS,
    model={"units": (128, 64), "code_size": 8},
    epochs=60,
    batch_size=32,
    expected=Expected("mse", 0.11, "worst of 3 seeds: results/demo.csv"),
)


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
        inputs=(Input("image", (28, 28, 1), holds="grey pixels, standardised by the training set"),),
        preprocessing="standardise",
        recipes=(DEMO, replace(MNIST, epochs=30), replace(FASHION_MNIST, epochs=30)),
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
    if None in input_shape:
        raise UsageError(f"input_shape is {input_shape}; expected fixed sizes: every pixel has weights of its own")
    image = keras.Input(input_shape, name="image")
    x = layers.Flatten(name="flatten")(image)
    for number, size in enumerate(units, start=1):
        x = layers.Dense(size, activation=activation, name=f"encoder{number}")(x)
    x = layers.Dense(code_size, name="code")(x)  # (batch, code_size)
    for number, size in enumerate(reversed(units), start=1):
        x = layers.Dense(size, activation=activation, name=f"decoder{number}")(x)
    x = layers.Dense(math.prod(input_shape), dtype="float32", name="pixels")(x)
    return keras.Model(image, layers.Reshape(input_shape, dtype="float32", name="reconstruction")(x), name=name)
