"""From a recipe's words to a Keras optimizer with its learning-rate schedule."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import ops
from keras.optimizers import schedules

from zoo.errors import UsageError, unknown
from zoo.optimizers import averaging
from zoo.records import Recipe

Rate: TypeAlias = "float | schedules.LearningRateSchedule"


def constant(rate: float, steps: int, *, epochs: int) -> Rate:
    """The same rate throughout."""
    return rate


def cosine(rate: float, steps: int, *, epochs: int, warmup_epochs: float = 0) -> Rate:
    """Half a cosine from the rate to 0 (Loshchilov & Hutter 2017), after a straight rise over `warmup_epochs`.

    The rise takes half of a training at most, so that a short trial of a long recipe has both.
    """
    warmup = min(round(steps * warmup_epochs / epochs), steps // 2)
    if not warmup:
        return schedules.CosineDecay(rate, steps)
    return schedules.CosineDecay(0.0, steps - warmup, warmup_target=rate, warmup_steps=warmup)


def linear(rate: float, steps: int, *, epochs: int, end: float = 1e-4) -> Rate:
    """Straight down from the rate to `end`, as word2vec's own program does."""
    return schedules.PolynomialDecay(rate, steps, end_learning_rate=min(end, rate))


def step(rate: float, steps: int, *, epochs: int, at: Sequence[float] = (0.5, 0.75), factor: float = 0.1) -> Rate:
    """The rate, multiplied by `factor` at each of the fractions `at` of the training (He 2015, section 4.2)."""
    rates = [rate * factor**drops for drops in range(len(at) + 1)]
    return schedules.PiecewiseConstantDecay([round(fraction * steps) for fraction in at], rates)


@keras.saving.register_keras_serializable("zoo")
class InverseSquareRoot(schedules.LearningRateSchedule):
    """A straight rise to `rate` over `warmup_steps`, then a fall with the root of the step.

    Vaswani et al. 2017, section 5.3, write dim^-0.5 min(step^-0.5, step warmup^-1.5): the same with
    rate = (dim x warmup)^-0.5, 7e-4 for their 512 and 4,000.

    >>> schedule = InverseSquareRoot(1.0, 100)
    >>> [round(float(schedule(step)), 3) for step in (0, 49, 99, 399)]
    [0.01, 0.5, 1.0, 0.5]
    """

    def __init__(self, rate: float, warmup_steps: int):
        self.rate, self.warmup_steps = rate, warmup_steps

    def __call__(self, step: Any) -> Any:
        progress = (ops.cast(step, "float32") + 1.0) / self.warmup_steps  # Keras counts from 0
        return self.rate * ops.minimum(progress, 1.0 / ops.sqrt(progress))

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "warmup_steps": self.warmup_steps}


def inverse_sqrt(rate: float, steps: int, *, epochs: int, warmup_steps: int = 4000) -> Rate:
    """The schedule of the Transformer: `InverseSquareRoot`. The rise takes half of a training at most."""
    return InverseSquareRoot(rate, min(warmup_steps, max(steps // 2, 1)))


SCHEDULES: Mapping[str, Callable[..., Rate]] = {  # (rate, steps of the training, epochs=, options of its own)
    "constant": constant,
    "cosine": cosine,
    "linear": linear,
    "step": step,
    "inverse_sqrt": inverse_sqrt,
}


def averaging_options(recipe: Recipe) -> dict[str, Any]:
    """The options by which Keras's optimizers average the weights, where the recipe wants that."""
    return {"use_ema": True, "ema_momentum": recipe.ema_momentum} if recipe.ema_momentum else {}


def optimizer(recipe: Recipe, steps: int) -> keras.Optimizer:
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
    options = {**recipe.optimizer_options, **averaging_options(recipe)}
    try:
        kind = type(keras.optimizers.get(recipe.optimizer))
        kind = averaging.forgetting_its_start(kind) if options.get("use_ema") else kind
        return kind(learning_rate=rate, **options)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"Keras has no optimizer {recipe.optimizer!r} with {dict(recipe.optimizer_options)}: {error}"
        ) from None


@keras.saving.register_keras_serializable("zoo")
class GradientRecorder(keras.optimizers.Optimizer):
    """An optimizer that changes nothing and records the gradient, for optimizers outside Keras such as SciPy's.

    After ``train_on_batch``, on any backend, `gradients()` are those of the trainable variables.
    """

    def __init__(self, name: str = "gradient_recorder"):
        super().__init__(learning_rate=1.0, name=name)

    def build(self, variables: list[Any]) -> None:
        if not self.built:
            super().build(variables)
            self.recorded = [self.add_variable_from_reference(each, name="gradient") for each in variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        self.assign(self.recorded[self._get_variable_index(variable)], keras.ops.convert_to_tensor(gradient))

    def gradients(self) -> list[np.ndarray]:
        """Of the last batch, by trainable variable."""
        return [keras.ops.convert_to_numpy(each) for each in self.recorded]

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}
