"""Adversarial examples: inputs that are changed as little as nobody sees, so that a classifier is wrong.

Every number of an input may move by `epsilon` at most (the largest norm, L-infinity). How far a random change of that
size brings a network, `random_signs` tells; `fgsm` takes one step along the signs of the gradient, `pgd` several.

Both climb the cross-entropy of the true class y. With logits z it is softplus(m), where m is the log-sum-exp of the
other logits less z_y; its gradient is that of m times a positive number, which is 0 in float32 where a network is sure.
The signs are the same, so that m is climbed, which never goes flat.
"""

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from keras import ops

from zoo.backend import compiled, gradient
from zoo.checks import check_not_negative, check_whole
from zoo.errors import UsageError
from zoo.introspection.attribution import as_array, like, parts_of, scorer

METHODS = ("fgsm", "pgd")
STEPS = 10
MARGINS: WeakKeyDictionary[Any, dict[str | None, tuple[Any, Any]]] = WeakKeyDictionary()  # by model and head
OVER_THE_BALL = 2.5  # epsilons that the steps of PGD go together, so that they reach its edge from anywhere


def fgsm(
    model: Any, x: Any, y: Any, epsilon: Any, *, low: Any = -np.inf, high: Any = np.inf, head: str | None = None
) -> np.ndarray:
    """One step along the signs of the gradient: x + epsilon sign(d loss / d x), the "fast gradient sign method".

    I. Goodfellow, J. Shlens and C. Szegedy, "Explaining and Harnessing Adversarial Examples", ICLR 2015, section 4.

    Args:
        model: a `keras.Model` of one float input (batch, *axes, channels) to (batch, classes) logits, or to a
            dictionary of such; one logit alone stands for class 1 of two.
        x: a batch of inputs, scaled as the model takes them.
        y: the true classes, (batch,).
        epsilon: by how much each number may move, in the units of `x`: a number, or an array that fits `x`, as
            (channels,) where these are scaled differently.
        low, high: the range of the inputs, likewise.
        head: the output to attack where there are several; ``"logits"`` if left out.

    Returns:
        float32, as `x`.

    Raises:
        UsageError: for classes or a head that do not exist, an epsilon below 0, or a model of tokens.

    >>> import keras
    >>> given = keras.Input((2,))
    >>> model = keras.Model(given, keras.layers.Dense(1, use_bias=False)(given))
    >>> model.set_weights([np.float32([[2], [-3]])])
    >>> fgsm(model, np.float32([[0.5, 0.5]]), [1], 0.1)  # class 1 is where 2a - 3b is large
    array([[0.4, 0.6]], dtype=float32)
    """
    x, epsilon, low, high = ball(x, epsilon, low, high)
    return np.clip(x + epsilon * np.sign(ascent(model, y, head, len(x))(x)), low, high)


def pgd(
    model: Any,
    x: Any,
    y: Any,
    epsilon: Any,
    *,
    steps: int = STEPS,
    low: Any = -np.inf,
    high: Any = np.inf,
    seed: int = 0,
    head: str | None = None,
) -> np.ndarray:
    """Several smaller steps from a random start, each brought back to within `epsilon`: projected gradient descent.

    A. Madry, A. Makelov, L. Schmidt, D. Tsipras and A. Vladu, "Towards Deep Learning Models Resistant to Adversarial
    Attacks", ICLR 2018, section 2.1. A step is 2.5 epsilon / steps long.

    Args:
        steps: how many.
        seed: of the start, which is drawn evenly from all that epsilon allows.
        model, x, y, epsilon, low, high, head: as in `fgsm`.

    Returns:
        float32, as `x`.

    Raises:
        UsageError: as `fgsm`, and for less than one step.

    >>> import keras
    >>> given = keras.Input((2,))
    >>> model = keras.Model(given, keras.layers.Dense(1, use_bias=False)(given))
    >>> model.set_weights([np.float32([[2], [-3]])])
    >>> pgd(model, np.float32([[0.5, 0.5]]), [1], 0.1)  # of a linear model, the corner that FGSM finds
    array([[0.4, 0.6]], dtype=float32)
    """
    check_whole("steps", steps)
    x, epsilon, low, high = ball(x, epsilon, low, high)
    low, high = np.maximum(low, x - epsilon), np.minimum(high, x + epsilon)
    climb, start = ascent(model, y, head, len(x)), np.random.default_rng(seed).uniform(-1, 1, x.shape)
    moved = np.clip(x + epsilon * start.astype("float32"), low, high)
    for _ in range(steps):
        moved = np.clip(moved + OVER_THE_BALL / steps * epsilon * np.sign(climb(moved)), low, high)
    return moved


def random_signs(x: Any, epsilon: Any, *, low: Any = -np.inf, high: Any = np.inf, seed: int = 0) -> np.ndarray:
    """Every number moved by `epsilon`, up or down by the toss of a coin: as far as `fgsm`, in no direction.

    Args:
        seed: of the coins.
        x, epsilon, low, high: as in `fgsm`.

    >>> np.abs(random_signs(np.zeros((1, 3)), 0.1))
    array([[0.1, 0.1, 0.1]], dtype=float32)
    """
    x, epsilon, low, high = ball(x, epsilon, low, high)
    coins = 2 * np.random.default_rng(seed).integers(0, 2, x.shape) - 1
    return np.clip(x + epsilon * coins.astype("float32"), low, high)


def ball(x: Any, epsilon: Any, low: Any, high: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The inputs, how far they may go, and their range, each of one shape.

    Raises:
        UsageError: for an epsilon that is below 0, or that does not fit.
    """
    x = as_array(x)
    for each in np.ravel(epsilon):
        check_not_negative("epsilon", float(each))
    return x, like(epsilon, x, "epsilon"), like(low, x, "low"), like(high, x, "high")


def ascent(model: Any, y: Any, head: str | None, batch: int) -> Any:
    """A function from inputs to the gradient of m, the margin by which each example is wrong (see above)."""
    score, margin_gradient = compiled_margin(model, head)
    y = np.asarray(y)
    classes = max(score.output_shape[-1], 2)
    if y.shape != (batch,) or y.dtype.kind not in "iu" or (y < 0).any() or (y >= classes).any():
        raise UsageError(
            f"the true classes have the shape {y.shape} and values {y.min()} to {y.max()}; expected {batch} whole "
            f"numbers from 0 to {classes - 1}"
            if y.size
            else f"there are no true classes; expected {batch}"
        )
    true = np.eye(classes, dtype="float32")[y]  # (batch, classes)
    weights = [[each.value for each in group] for group in (score.trainable_variables, score.non_trainable_variables)]

    def climb(x: np.ndarray) -> np.ndarray:
        found = [
            ops.convert_to_numpy(margin_gradient(*weights, *map(ops.convert_to_tensor, (x[part], true[part]))))
            for part in parts_of(batch, x)
        ]
        return np.concatenate(found or [x])

    return climb


def compiled_margin(model: Any, head: str | None) -> tuple[Any, Any]:
    """The network of the logits that are attacked, and its gradient of m at each example: a function of its weights
    (the values of those that learn, then of the others), inputs, and their classes, (batch, classes) of 0 and 1.

    It is compiled once for a model: an attack inside of a training asks for it thousands of times.
    """
    made = MARGINS.setdefault(model, {})
    if head not in made:
        score = scorer(model, head)

        def gradients(learned: Any, fixed: Any, x: Any, right: Any) -> Any:
            def margins(x: Any) -> Any:
                logits = ops.cast(score.stateless_call(learned, fixed, x, training=False)[0], "float32")
                if logits.shape[-1] == 1:
                    logits = ops.concatenate([ops.zeros_like(logits), logits], axis=-1)
                others = ops.where(right > 0, -1e30, logits)
                return ops.sum(ops.logsumexp(others, axis=-1) - ops.sum(logits * right, axis=-1))

            return ops.cast(gradient(margins, x), "float32")

        made[head] = score, compiled(gradients)
    return made[head]
