"""From one neuron to the multilayer perceptron.

The smallest networks there are, in the order in which courses meet them. Every one is a chain of
weighted sums; what differs is how many, what is put between them, and what the last one means.

    lagged_linear          y = b + w . x                          tomorrow from the last 7 days
    sigmoid_sum            y = b + c . sigmoid(b' + W x)          the same, bent: a sum of smooth steps
    relu_sum               y = b + c . max(0, b' + W x)           the same, of hinges: two make one hard step
    perceptron             class = sign(b + w . x)                Rosenblatt 1958
    logistic_regression    P(class 1) = sigmoid(b + w . x)
    softmax_regression     P(class k) = softmax_k(b + W x)
    mlp                    softmax regression on hidden layers

Sources: F. Rosenblatt, "The Perceptron", Psychological Review 65(6), 1958; G. Cybenko, "Approximation
by Superpositions of a Sigmoidal Function", Mathematics of Control, Signals and Systems 2, 1989;
D. Rumelhart, G. Hinton and R. Williams, "Learning representations by back-propagating errors",
Nature 323, 1986.
"""

from collections.abc import Sequence

import keras
from keras import layers

from zoo.recipes import BREAST_CANCER, DAILY_VIEWS, DIGITS, FASHION_MNIST, MNIST, SERIES
from zoo.records import Card, Input, replace
from zoo.registry import register

GREY_DIGIT = Input("image", (28, 28, 1), holds="grey pixels, standardised by the training set")
MEASUREMENTS = Input("features", (30,), holds="measurements, each standardised by the training set")
WEEK = Input("week", (7,), holds="one value a day, the latest last, standardised by the training set")


@register(
    Card(
        task="forecasting",
        summary="the next day as a weighted sum of the last 7",
        params=8,
        paper="least squares: Legendre 1805, Gauss 1809",
        deviations=("fitted by gradient descent, though a closed form exists",),
        inputs=(WEEK,),
        preprocessing="standardise",
        recipes=(DAILY_VIEWS, SERIES),
        tiny={},
        tutorial="01_views_regression.py",
    )
)
def lagged_linear(
    *, input_shape: tuple[int | None, ...] = (7,), horizon: int = 1, name: str = "lagged_linear"
) -> keras.Model:
    """A weighted sum of the last days: y = b + w . x.

    Args:
        input_shape: (days,).
        horizon: days ahead.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, days) to (batch, horizon), as the targets are scaled.

    >>> lagged_linear().count_params()
    8
    """
    week = keras.Input(input_shape, name="week")
    prediction = layers.Dense(horizon, dtype="float32", name="prediction")(week)
    return keras.Model(week, prediction, name=name)


def sum_of(activation: str, units: int, input_shape: tuple[int | None, ...], horizon: int, name: str) -> keras.Model:
    """y = b + c . activation(b' + W x): one hidden layer of `units`."""
    week = keras.Input(input_shape, name="week")
    steps = layers.Dense(units, activation=activation, name="steps")(week)  # (batch, units)
    prediction = layers.Dense(horizon, dtype="float32", name="prediction")(steps)
    return keras.Model(week, prediction, name=name)


@register(
    Card(
        task="forecasting",
        summary="the next day as a sum of 100 soft steps over the last 7",
        params=901,
        paper="Cybenko 1989: such sums come as near as wished to any continuous function",
        inputs=(WEEK,),
        preprocessing="standardise",
        recipes=(DAILY_VIEWS, SERIES),
        tiny={"units": 8},
        tutorial="01_views_regression.py",
    )
)
def sigmoid_sum(
    *, input_shape: tuple[int | None, ...] = (7,), units: int = 100, horizon: int = 1, name: str = "sigmoid_sum"
) -> keras.Model:
    """A sum of sigmoids: y = b + sum_i c_i sigmoid(b_i + w_i . x).

    Args:
        input_shape: (days,).
        units: the number of sigmoids.
        horizon: days ahead.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, days) to (batch, horizon), as the targets are scaled.

    >>> sigmoid_sum(units=3).count_params()  # W (7, 3), b' (3,), c (3,), b
    28
    """
    return sum_of("sigmoid", units, input_shape, horizon, name)


@register(
    Card(
        task="forecasting",
        summary="the next day as a sum of 100 hinges over the last 7",
        params=901,
        paper="Nair & Hinton 2010, ICML: rectified linear units",
        inputs=(WEEK,),
        preprocessing="standardise",
        recipes=(DAILY_VIEWS, SERIES),
        tiny={"units": 8},
        tutorial="01_views_regression.py",
    )
)
def relu_sum(
    *, input_shape: tuple[int | None, ...] = (7,), units: int = 100, horizon: int = 1, name: str = "relu_sum"
) -> keras.Model:
    """A sum of hinges: y = b + sum_i c_i max(0, b_i + w_i . x). Two hinges make one hard step.

    Args:
        input_shape: (days,).
        units: the number of hinges.
        horizon: days ahead.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, days) to (batch, horizon), as the targets are scaled.

    >>> relu_sum(units=6).count_params()
    55
    """
    return sum_of("relu", units, input_shape, horizon, name)


def one_neuron(input_shape: tuple[int | None, ...], name: str) -> keras.Model:
    """b + w . x for the second of two classes: positive means class 1."""
    features = keras.Input(input_shape, name="features")
    logit = layers.Dense(1, dtype="float32", name="logit")(features)
    return keras.Model(features, logit, name=name)


@register(
    Card(
        task="binary_classification",
        summary="one neuron that learns from its mistakes only",
        params=31,
        paper="Rosenblatt 1958, Psychological Review 65(6)",
        deviations=(
            "mini-batches in place of one example at a time",
            "inputs are measurements, not the random projections of a retina",
        ),
        inputs=(MEASUREMENTS,),
        preprocessing="standardise",
        loss="perceptron",
        recipes=(replace(BREAST_CANCER, optimizer="sgd"),),
        tiny={},
        tutorial="09_perceptron_to_mlp.py",
    )
)
def perceptron(*, input_shape: tuple[int | None, ...] = (30,), name: str = "perceptron") -> keras.Model:
    """Rosenblatt's perceptron: class 1 where b + w . x is positive, else class 0.

    Trained with `zoo.losses.Perceptron`, whose gradient is Rosenblatt's rule: wrong examples move the
    weights by their inputs, right ones do nothing.

    Args:
        input_shape: (features,).
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, features) to (batch, 1), b + w . x.

    >>> perceptron(input_shape=(2,)).count_params()
    3
    """
    return one_neuron(input_shape, name)


@register(
    Card(
        task="binary_classification",
        summary="one neuron whose sum is the log-odds of class 1",
        params=31,
        paper="Cox 1958, Journal of the Royal Statistical Society B 20(2)",
        inputs=(MEASUREMENTS,),
        preprocessing="standardise",
        recipes=(BREAST_CANCER,),
        tiny={},
        tutorial="09_perceptron_to_mlp.py",
    )
)
def logistic_regression(
    *, input_shape: tuple[int | None, ...] = (30,), name: str = "logistic_regression"
) -> keras.Model:
    """Logistic regression: P(class 1) = sigmoid(b + w . x).

    Args:
        input_shape: (features,).
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, features) to (batch, 1) logits; a sigmoid makes them probabilities.

    >>> logistic_regression(input_shape=(2,)).count_params()
    3
    """
    return one_neuron(input_shape, name)


@register(
    Card(
        task="image_classification",
        summary="a linear classifier of pixels",
        params=7_850,
        paper="Cox 1966: multinomial logistic regression",
        inputs=(GREY_DIGIT,),
        preprocessing="standardise",
        recipes=(DIGITS, MNIST, FASHION_MNIST),
        tiny={},
        tutorial="09_perceptron_to_mlp.py",
    )
)
def softmax_regression(
    *, input_shape: tuple[int | None, ...] = (28, 28, 1), num_classes: int = 10, name: str = "softmax_regression"
) -> keras.Model:
    """Softmax regression: P(class k) = softmax_k(b + W x) on the flattened input.

    Args:
        input_shape: any shape; it is flattened.
        num_classes: length of the logit vector.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, *input_shape) to (batch, num_classes) logits.

    >>> softmax_regression().count_params()
    7850
    """
    image = keras.Input(input_shape, name="image")
    x = layers.Flatten(name="flatten")(image)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name=name)


@register(
    Card(
        task="image_classification",
        summary="multilayer perceptron: 256 and 128 hidden units, ReLU",
        params=235_146,
        paper="Rumelhart, Hinton & Williams 1986, Nature 323",
        deviations=("ReLU in place of the sigmoid", "softmax cross-entropy in place of squared error"),
        inputs=(GREY_DIGIT,),
        preprocessing="standardise",
        recipes=(DIGITS, MNIST, FASHION_MNIST),
        tiny={"hidden": (16, 12)},
        tutorial="09_perceptron_to_mlp.py",
    )
)
def mlp(
    *, input_shape: tuple[int | None, ...] = (28, 28, 1), num_classes: int = 10, hidden: Sequence[int] = (256, 128),
    activation: str = "relu", dropout: float = 0.0, name: str = "mlp",
) -> keras.Model:  # fmt: skip
    """The multilayer perceptron: dense layers, each followed by an activation, then a linear classifier.

    Args:
        input_shape: any shape; it is flattened.
        num_classes: length of the logit vector.
        hidden: units of each hidden layer; ``()`` is softmax regression.
        activation: of the hidden layers; ``"linear"`` collapses the whole chain to one matrix.
        dropout: fraction of each hidden layer dropped in training.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, *input_shape) to (batch, num_classes) logits.

    >>> mlp(hidden=(20,)).count_params()  # 784 x 20 + 20 + 20 x 10 + 10
    15910
    """
    image = keras.Input(input_shape, name="image")
    x = layers.Flatten(name="flatten")(image)
    for number, units in enumerate(hidden, start=1):
        x = layers.Dense(units, activation=activation, name=f"hidden{number}")(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name=name)
