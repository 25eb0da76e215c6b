"""A name under test: its networks, each built and trained once, and what a test needs from a backend."""

import random
from functools import cached_property

import keras
import numpy as np
import samples
from keras import ops, tree

import zoo

BACKEND = keras.config.backend()
BATCH = 4  # few enough for eight weights to learn by heart


def compiled(model, card, **options):
    """The model with an optimizer and its loss; Adam at 3e-3 suits everything from one neuron up."""
    model.compile(keras.optimizers.Adam(3e-3), samples.loss_of(card, heads(model)), **options)
    model.optimizer.build(model.trainable_variables)  # made inside TensorFlow's graph, they triple the time to trace it
    return model


def heads(model):
    """The names of a network's outputs; ("",) where there is one only."""
    return tuple(model.output) if isinstance(model.output, dict) else ("",)


def outline(builder, times=1):
    """Networks whose variables have shapes and no values: the largest one takes no memory and little time."""
    with keras.StatelessScope(initialize_variables=False):
        networks = [builder() for _ in range(times)]
    keras.utils.clear_session(free_memory=False)  # forget that those variables wait for values
    return networks


class Subject:
    """One name with the networks that its tests share: each is built and trained once."""

    def __init__(self, name):
        self.name = name
        self.card = zoo.info(name)

    def build(self, seed=0, **options):
        random.seed(seed)  # from which Keras's layers draw their seeds; keras.utils.set_random_seed does this and
        # makes TensorFlow forget its kernels too, so that a network takes twice as long to build and to run once
        return zoo.build(self.name, **{**self.card.tiny, **options})

    @cached_property
    def fresh(self):
        """A network as built, which no test changes."""
        return self.build()

    @cached_property
    def filled(self):
        """A network with the weights of `samples.fill`, which no test changes."""
        return samples.fill(self.build())

    @cached_property
    def full(self):
        """The network at its default options, without values."""
        return outline(zoo.builder(self.name))[0]

    @cached_property
    def x(self):
        return samples.inputs(self.fresh, BATCH)

    @cached_property
    def outputs(self):
        return self.run(self.filled, self.x)

    @cached_property
    def y(self):
        return samples.targets(self.card, samples.arrays(self.filled(self.x, training=False)))

    @cached_property
    def short_run(self):
        return ShortRun(self, seed=0)

    @cached_property
    def trained(self):
        """A network that `compile` and `fit` have taught four samples by heart; `losses` holds an entry per epoch."""
        model = compiled(self.short_run.model, self.card, jit_compile=BACKEND == "jax")
        ten_steps = [tree.map_structure(lambda array: np.concatenate([array] * 10), part) for part in (self.x, self.y)]
        enough = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", logs["loss"] < self.goal)
        )
        history = model.fit(*ten_steps, batch_size=BATCH, epochs=40, shuffle=False, verbose=0, callbacks=[enough])
        self.losses = history.history["loss"]
        return model

    @property
    def goal(self):
        return 0.2 * self.short_run.losses[0]

    def run(self, model, x, training=False):
        return tree.flatten(samples.arrays(model(x, training=training)))

    def loss(self, outputs, y):
        """The mean over the batch of the sum over the outputs."""
        if not isinstance(outputs, dict):
            return samples.loss_of(self.card)(y, outputs)
        losses = samples.loss_of(self.card, tuple(outputs))
        return sum(losses[head](y[head], output) for head, output in outputs.items())


class ShortRun:
    """A new network and its first steps of training."""

    def __init__(self, subject, seed, steps=2):
        self.model = compiled(subject.build(seed), subject.card, run_eagerly=True)
        self.weights = self.model.get_weights()
        self.losses = [self.model.train_on_batch(subject.x, subject.y, return_dict=True)["loss"] for _ in range(steps)]


def gradients(model, objective):
    """The gradient of `objective(outputs)` by each trainable variable, on any backend."""
    variables = model.trainable_variables
    if BACKEND == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = objective(model)
        found = tape.gradient(value, [variable.value for variable in variables])
    elif BACKEND == "jax":
        import jax

        def stateless(values):
            with keras.StatelessScope(state_mapping=zip(variables, values)):
                return objective(model)

        found = jax.grad(stateless)([variable.value for variable in variables])
    else:
        model.zero_grad()
        objective(model).backward()
        found = [variable.value.grad for variable in variables]
    return {v.path: None if g is None else ops.convert_to_numpy(g) for v, g in zip(variables, found)}
