"""The average of the weights over the last steps, which is often better than the weights of the last step alone.

B. Polyak and A. Juditsky, "Acceleration of Stochastic Approximation by Averaging", SIAM Journal on Control and
Optimization 30(4), 1992; exponential, with the momentum of `Recipe.ema_momentum`, as in C. Szegedy et al. 2016, section
8. Keras's optimizers keep it (``use_ema=True``). Two things are added here: an average that forgets where it started,
however short the training is, and validation and saving of the averaged weights rather than the last.
"""

from typing import Any

import keras
from keras import ops


class _ForgetsItsStart:
    """An optimizer whose average reaches over at most the last tenth of the steps so far.

    With a momentum m alone the first step's weights would keep a share of m^steps: half, after 350 steps of .998.
    The momentum after t steps is min(m, (1 + t) / (10 + t)), the rule of `tf.train.ExponentialMovingAverage`.
    """

    iterations: Any

    @property
    def ema_momentum(self) -> Any:
        step = ops.cast(self.iterations, "float32")
        return ops.minimum(self.most_ema_momentum, (1.0 + step) / (10.0 + step))

    @ema_momentum.setter
    def ema_momentum(self, momentum: float) -> None:
        self.most_ema_momentum = momentum

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "ema_momentum": self.most_ema_momentum}  # type: ignore[misc]


def forgetting_its_start(kind: type[keras.Optimizer]) -> type[keras.Optimizer]:
    """A class of optimizers whose averages (``use_ema=True``) forget the weights of the start.

    >>> adam = forgetting_its_start(keras.optimizers.Adam)(use_ema=True, ema_momentum=0.99)
    >>> round(float(adam.ema_momentum), 3), adam.get_config()["ema_momentum"]  # before the first step; in the long run
    (0.1, 0.99)
    """
    return type(kind.__name__, (_ForgetsItsStart, kind), {"__module__": kind.__module__})


class AveragedWeights(keras.callbacks.Callback):
    """From the end of an epoch's steps to the start of the next the model holds its averaged weights.

    So they are what is validated, saved and compared by early stopping, if this comes before the callbacks that do.
    (Keras's `SwapEMAWeights` leaves the last weights in the model where a training stops early.)
    """

    def __init__(self) -> None:
        super().__init__()
        self.last: list[Any] | None = None  # weights, while the averaged ones stand in their place

    def on_test_begin(self, logs: Any = None) -> None:
        if self.last is None:
            self.last = [ops.convert_to_numpy(variable) for variable in self.model.trainable_variables]
            self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
            for variable in self.model.trainable_variables:  # JAX would give one buffer away twice
                variable.assign(ops.copy(variable))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.on_test_begin()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.last is not None:
            for variable, value in zip(self.model.trainable_variables, self.last):
                variable.assign(value)
            self.last = None


def averages(optimizer: keras.Optimizer) -> bool:
    """Whether an optimizer keeps an average: itself, that inside of one that scales the loss, or one of several."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return any(getattr(each, "use_ema", False) for each in getattr(optimizer, "optimizers", [optimizer]))
