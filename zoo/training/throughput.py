"""Throughput: how many samples a second the input pipeline supplies, and how many the network takes."""

import logging
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from zoo import factory, registry
from zoo.backend import random_states_kept, released
from zoo.data.batching import Batches, RepeatedBatch
from zoo.errors import UsageError
from zoo.optimizers import finetuning
from zoo.records import Recipe
from zoo.training import state
from zoo.training.candidates import Speed

log = logging.getLogger("zoo")

WAITS = 1.2  # a pipeline that supplies less than so many times what is trained on is waited for


def pipeline_rate(dataset: Any, seconds: float = 1.0) -> tuple[float, float]:
    """What a pipeline of (inputs, targets) supplies when nobody waits for it: samples a second, and those of a batch.

    Raises:
        UsageError: if there is no sample in it.
    """
    count, number, started, before = 0, 0, time.perf_counter(), -1
    while count > before:
        before = count
        for inputs, _ in dataset:
            count, number = count + keras.tree.flatten(inputs)[0].shape[0], number + 1
            elapsed = time.perf_counter() - started
            if elapsed >= seconds:
                return count / elapsed, count / number
    raise UsageError(
        "the batches of training hold no example; expected at least one: look at what the data module's `batches` makes"
    )


class Pace(keras.callbacks.Callback):
    """Measures a training while it runs: in its first epoch, or in the next ones where that has too few steps.

    Args:
        batches: of the training, anew: to take some of those that are fitted would move their order on.
        found: where to put the samples a second that the ``"pipeline"`` supplies when nobody waits for it, and those
            that the ``"model"`` was trained on, waiting included.
    """

    seconds = 1.0  # for which the pipeline is measured
    warmup = 2  # calls of the step, in which it is compiled

    def __init__(self, batches: Callable[[], Any], found: dict[str, float]):
        super().__init__()
        self.batches, self.found = batches, found
        self.calls, self.steps, self.spent, self.done = 0, 0, 0.0, False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.batch, self.last = -1, time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.done:
            return
        self.calls, now = self.calls + 1, time.perf_counter()
        if self.calls > self.warmup:
            self.steps, self.spent = self.steps + batch - self.batch, self.spent + now - self.last
        self.batch, self.last = batch, now

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.done or not self.steps:
            return
        self.done = True
        arrays: state.Arrays = {}
        numbers = state.take_random(arrays)  # data of one's own may draw from them, as long as we measure
        supplied, of_a_batch = pipeline_rate(self.batches(), self.seconds)
        state.put_random(numbers, arrays)
        trained = self.steps * of_a_batch / self.spent
        self.found |= {"pipeline": supplied, "model": trained}
        log.info(
            f"trained on {trained:,.0f} samples/s, where the pipeline alone supplies {supplied:,.0f}: "
            + ("the model sets the pace" if supplied > WAITS * trained else "the model waits for data")
        )


class StepClock(keras.callbacks.Callback):
    """The time at the end of each training step."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.times.append(time.perf_counter())


def model_rate(model: Any, dataset: Any, *, steps: int = 10, warmup: int = 2) -> float:
    """Samples a second that `fit` takes of a batch that is always at hand.

    The compiled model is left as it was: weights, optimizer and random states are put back.
    """
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *(each for optimizer in state.optimizers_of(model) for each in optimizer.variables)]
    before = [keras.ops.convert_to_numpy(variable) for variable in variables]
    per_call = model.steps_per_execution  # the clock ticks once for so many
    clock = StepClock()
    count = (warmup + steps) * per_call
    batch = next(iter(dataset))
    model.fit(RepeatedBatch(batch, count), verbose=0, callbacks=[clock], shuffle=False)  # the first step compiles
    for variable, value in zip(variables, before):
        variable.assign(value)
    size = keras.tree.flatten(batch[0])[0].shape[0]
    return float(size * steps * per_call / (clock.times[-1] - clock.times[warmup - 1]))


def training_speed(name: str, recipe: Recipe, side: int, batch_size: int, num_classes: int) -> Speed:
    """How fast a network is fine-tuned by a recipe, measured in two steps. The weights do not matter, and are fresh."""
    own = min(recipe.preprocess.get("cover", (side, side)))
    channels = registry.info(name).inputs[0].shape[-1]
    with random_states_kept(), released():
        began = time.perf_counter()

        def built(side: int) -> keras.Model:
            return factory.build(
                name, **{**recipe.model, "input_shape": (side, side, channels), "num_classes": num_classes}
            )

        model = built(side)
        any_size = not any(isinstance(layer, keras.layers.Flatten) for layer in model.layers)
        if not any_size and side != own:  # dense layers that take the maps of one size
            side, model = own, built(own)
        finetuning.unfreeze(finetuning.freeze(model))
        model.compile(recipe.optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        batch = np.zeros((batch_size, side, side, channels or 1), "float32"), np.zeros(batch_size, "int32")
        rate = model_rate(model, Batches(lambda rows: batch, lambda: [np.arange(batch_size)]), steps=2, warmup=1)
        start = time.perf_counter() - began - 3 * batch_size / rate
        model.predict_on_batch(batch[0])
        began = time.perf_counter()
        model.predict_on_batch(batch[0])
        return Speed(side, 1 / rate, (time.perf_counter() - began) / batch_size, max(start, 0.0), any_size)
