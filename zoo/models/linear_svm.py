"""The linear support vector machine.

C. Cortes and V. Vapnik, "Support-Vector Networks", Machine Learning 20, 1995, section 3. Of all planes between two
classes it takes the one that is furthest from both. Where the nearest examples have scores of +1 and -1, they are
1 / |w| away from it, so that |w|^2 is made small; the hinge loss counts what comes nearer or lies on the wrong side.
"""

import keras
from keras import layers

from zoo.recipes import DIGITS, FASHION_MNIST, MNIST
from zoo.records import Card, Input
from zoo.registry import register


@register(
    Card(
        task="image_classification",
        summary="one linear support vector machine for each class, against the rest",
        params=7_850,
        paper="Cortes & Vapnik 1995, Machine Learning 20",
        deviations=(
            "trained by gradient descent on the primal problem, without kernels",
            "several classes: one machine for each, against the rest",
        ),
        notes=("its scores are no logits: the probabilities that are made of them say which is largest, no more",),
        inputs=(Input("image", (28, 28, 1), holds="grey pixels, standardised by the training set"),),
        preprocessing="standardise",
        recipes=(DIGITS, MNIST, FASHION_MNIST),
        loss="hinge",
        tiny={},
        tutorial="27_attacks_and_explanations.py",
    )
)
def linear_svm(
    *,
    input_shape: tuple[int | None, ...] = (28, 28, 1),
    num_classes: int = 10,
    l2: float = 1e-3,
    name: str = "linear_svm",
) -> keras.Model:
    """The linear support vector machine: the class whose score w . x + b is the largest.

    Args:
        input_shape: any shape; it is flattened.
        num_classes: length of the score vector.
        l2: weighs the sum of all squared weights, which is added to the mean of the hinge loss over examples and
            classes. scikit-learn's C is 1 / (2 l2 examples classes).
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, *input_shape) to (batch, num_classes) scores; it belongs to the loss "hinge".

    >>> linear_svm().count_params()
    7850
    """
    image = keras.Input(input_shape, name="image")
    x = layers.Flatten(name="flatten")(image)
    wide_margin = keras.regularizers.L2(l2)
    scores = layers.Dense(num_classes, kernel_regularizer=wide_margin, dtype="float32", name="scores")(x)
    return keras.Model(image, scores, name=name)
