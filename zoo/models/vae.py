"""The variational autoencoder: a code that is a distribution, so that new images can be drawn from it.

D. Kingma and M. Welling, "Auto-Encoding Variational Bayes", ICLR 2014, section 3 and appendix C:

    encoder   x - 500 tanh - mean and log variance of q(z|x), a normal distribution of 20 numbers
    z         = mean + deviation * noise ("reparameterisation", section 2.4)
    decoder   z - 500 tanh - p(x|z), a Bernoulli distribution for each pixel

It learns by `compile` and `fit` alone: one output is compared with the image, the other is pulled to N(0, 1).
"""

import math

import keras
from keras import layers

from zoo.errors import UsageError
from zoo.layers.sampling import NormalSample
from zoo.recipes import DIGITS, FASHION_MNIST, MNIST
from zoo.records import Card, Expected, Input, replace
from zoo.registry import register

DEMO = replace(
    DIGITS,
    model={"units": (200,), "latent_size": 8},
    epochs=100,
    batch_size=32,
    learning_rate=2e-3,
    expected=Expected("log_likelihood", -19.0, "worst of 3 seeds: results/demo.csv"),
)


@register(
    Card(
        task="variational_inference",
        summary="an image through a normal distribution of 20 numbers and back; new ones from it",
        params=815_824,
        paper="Kingma & Welling 2014, ICLR, section 3 and appendix C (units: section 5)",
        deviations=(
            "Adam in place of Adagrad",
            "the encoder sees grey, the likelihood is that of pixels rounded to 0 or 1",
            "Glorot's initialisation in place of N(0, 0.01); no weight decay",
        ),
        inputs=(Input("image", (28, 28, 1), holds="grey pixels from 0 to 1"),),
        preprocessing="unit",
        recipes=(DEMO, replace(MNIST, epochs=60), replace(FASHION_MNIST, epochs=60)),
        tiny={"input_shape": (6, 6, 1), "units": (32,), "latent_size": 3},
        loss_weights={"latent": 1.0},
        head=("pixels",),
        tutorial="25_gan.py",
    )
)
def vae(
    *,
    input_shape: tuple[int, ...] = (28, 28, 1),
    units: tuple[int, ...] = (500,),
    latent_size: int = 20,
    activation: str = "tanh",
    name: str = "vae",
) -> keras.Model:
    """A variational autoencoder of dense layers (Kingma & Welling 2014).

    Args:
        input_shape: of an image, of fixed sizes.
        units: of the encoder's hidden layers; the decoder has them the other way round.
        latent_size: numbers of z.
        activation: of the hidden layers.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, *input_shape) to ``{"pixels": logits (batch, *input_shape), "latent": (batch, 2
        latent_size)}``, the means of q(z|x) and the logarithms of its variances. z is drawn in training; otherwise
        it is the mean. The layer `z` is where the decoder begins.

    Raises:
        UsageError: for an `input_shape` with a free size.

    >>> model = vae(latent_size=2)
    >>> {head: output.shape for head, output in model.output.items()}
    {'pixels': (None, 28, 28, 1), 'latent': (None, 4)}
    """
    if None in input_shape:
        raise UsageError(f"input_shape is {input_shape}; expected fixed sizes: every pixel has weights of its own")
    image = keras.Input(input_shape, name="image")
    x = layers.Flatten(name="flatten")(image)
    for number, size in enumerate(units, start=1):
        x = layers.Dense(size, activation=activation, name=f"encoder{number}")(x)
    latent = layers.Dense(2 * latent_size, dtype="float32", name="latent")(x)  # (batch, 2 latent_size)
    x = NormalSample(name="z")(latent)  # (batch, latent_size)
    for number, size in enumerate(reversed(units), start=1):
        x = layers.Dense(size, activation=activation, name=f"decoder{number}")(x)
    x = layers.Dense(math.prod(input_shape), dtype="float32", name="pixels")(x)
    x = layers.Reshape(input_shape, dtype="float32", name="logits")(x)
    return keras.Model(image, {"pixels": x, "latent": latent}, name=name)
