"""From a recipe's words to a Keras optimizer with its learning-rate schedule."""

from collections.abc import Callable, Mapping

import keras
from keras.optimizers import schedules

from zoo.errors import UsageError, unknown


def constant(rate, steps, *, epochs):
    """The same rate throughout."""
    return rate


def cosine(rate, steps, *, epochs, warmup_epochs=0):
    """Half a cosine from the rate to 0 (Loshchilov & Hutter 2017), after a straight rise over `warmup_epochs`.

    The rise takes half of a training at most, so that a short trial of a long recipe has both.
    """
    warmup = min(round(steps * warmup_epochs / epochs), steps // 2)
    if not warmup:
        return schedules.CosineDecay(rate, steps)
    return schedules.CosineDecay(0.0, steps - warmup, warmup_target=rate, warmup_steps=warmup)


def linear(rate, steps, *, epochs, end=1e-4):
    """Straight down from the rate to `end`, as word2vec's own program does."""
    return schedules.PolynomialDecay(rate, steps, end_learning_rate=min(end, rate))


def step(rate, steps, *, epochs, at=(0.5, 0.75), factor=0.1):
    """The rate, multiplied by `factor` at each of the shares `at` of the training (He 2015, section 4.2)."""
    rates = [rate * factor**drops for drops in range(len(at) + 1)]
    return schedules.PiecewiseConstantDecay([round(share * steps) for share in at], rates)


SCHEDULES: Mapping[str, Callable] = {"constant": constant, "cosine": cosine, "linear": linear, "step": step}


def optimizer(recipe, steps: int) -> keras.Optimizer:
    """The recipe's optimizer.

    Args:
        recipe: a `zoo.Recipe`.
        steps: updates in the whole training.

    >>> from zoo import info
    >>> adam = optimizer(info("lenet5").recipe("demo"), steps=1000)
    >>> round(float(adam.learning_rate), 6)  # at the first step, the top of the cosine
    0.002
    """
    if recipe.schedule not in SCHEDULES:
        raise unknown("schedule", recipe.schedule, SCHEDULES)
    schedule = SCHEDULES[recipe.schedule]
    rate = schedule(recipe.learning_rate, steps, epochs=recipe.epochs, **recipe.schedule_options)
    try:
        kind = type(keras.optimizers.get(recipe.optimizer))
        return kind(learning_rate=rate, **recipe.optimizer_options)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"Keras has no optimizer {recipe.optimizer!r} with {dict(recipe.optimizer_options)}: {error}"
        ) from None
