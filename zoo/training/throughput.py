"""Throughput: how many samples a second the input pipeline supplies, and how many the network takes."""

import time
from typing import Any

import keras
import numpy as np

from zoo import factory, registry
from zoo.backend import random_states_kept, released
from zoo.data.batching import Batches, RepeatedBatch
from zoo.errors import UsageError
from zoo.optimizers import finetuning
from zoo.records import Recipe
from zoo.training.candidates import Speed
from zoo.training.state import optimizers_of


def pipeline_rate(dataset: Any, seconds: float = 1.0) -> float:
    """Samples a second that a pipeline of (inputs, targets) supplies when nobody waits for them.

    Raises:
        UsageError: if there is no sample in it.
    """
    count, started, before = 0, time.perf_counter(), -1
    while count > before:
        before = count
        for inputs, _ in dataset:
            count += keras.tree.flatten(inputs)[0].shape[0]
            elapsed = time.perf_counter() - started
            if elapsed >= seconds:
                return float(count / elapsed)
    raise UsageError(
        "the batches of training hold no example; expected at least one: look at what the data module's `batches` makes"
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
    variables = [*model.variables, *(each for optimizer in optimizers_of(model) for each in optimizer.variables)]
    before = [keras.ops.convert_to_numpy(variable) for variable in variables]
    per_call = model.steps_per_execution  # the clock ticks once for so many
    clock = StepClock()
    count = (warmup + steps) * per_call
    batch = next(iter(dataset))
    repeated = RepeatedBatch(batch, count) if isinstance(dataset, Batches) else dataset.take(1).cache().repeat(count)
    model.fit(repeated, verbose=0, callbacks=[clock], shuffle=False)  # the first step compiles
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
