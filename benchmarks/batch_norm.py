"""What the fused batch normalisation is worth: a training step of resnet20, with Keras's layer and with the zoo's.

    KERAS_BACKEND=tensorflow python benchmarks/batch_norm.py

Both networks live in one process and start from the same weights. Each round times a few steps of each, in random
order. The processor time of a step repeats within some per cent on a busy machine when its minimum over the rounds is
taken; wall time does not, so of that the median is shown.
"""

import argparse
import os
import random
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import zoo

GOAL = 1.25


def with_keras_layer(model):
    """A copy of `model`, weights included, in which Keras's own layer normalises."""

    def copy(layer):
        if isinstance(layer, keras.layers.BatchNormalization):
            return keras.layers.BatchNormalization.from_config(layer.get_config())
        return layer.__class__.from_config(layer.get_config())

    copied = keras.models.clone_model(model, clone_function=copy)
    copied.set_weights(model.get_weights())
    return copied


def training_steps(model, images, labels):
    """A function that runs `n` compiled training steps on one batch that is held in memory; it returns the loss."""
    model.compile(
        optimizer=keras.optimizers.SGD(0.01, momentum=0.9),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    def run(n):
        for _ in range(n):
            loss = model.train_on_batch(images, labels)
        return float(loss)

    return run


def measure(name, batch, rounds, steps):
    """(variant -> [(CPU ms, wall ms) a step, of each round], variant -> loss after all steps)."""
    keras.utils.set_random_seed(0)
    ours = zoo.build(name)
    rng = np.random.default_rng(0)
    shape = (batch, *ours.input_shape[1:])
    images = keras.ops.convert_to_tensor(rng.normal(size=shape).astype("float32"))
    labels = keras.ops.convert_to_tensor(rng.integers(0, 10, batch))
    models = {"keras": with_keras_layer(ours), "zoo": ours}
    run = {variant: training_steps(model, images, labels) for variant, model in models.items()}
    for variant in run:
        run[variant](3)  # compiles
    times = {variant: [] for variant in run}
    losses = {}
    order = list(run)
    for _ in range(rounds):
        random.shuffle(order)
        for variant in order:
            cpu, wall = time.process_time(), time.perf_counter()
            losses[variant] = run[variant](steps)
            spent = time.process_time() - cpu, time.perf_counter() - wall
            times[variant].append([1000 * seconds / steps for seconds in spent])
    return times, losses


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="resnet20")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--steps", type=int, default=10, help="in a round")
    options = parser.parse_args()
    times, losses = measure(options.model, options.batch, options.rounds, options.steps)
    print(f"{options.model}, batch {options.batch}, {keras.backend.backend()}, {os.cpu_count()} cores")
    print(f"{'layer':8}{'CPU ms/step, min':>18}{'median':>9}{'wall ms/step, median':>22}{'loss':>10}")
    for variant, rows in times.items():
        cpu, wall = zip(*rows)
        print(
            f"{variant:8}{min(cpu):18.1f}{statistics.median(cpu):9.1f}{statistics.median(wall):22.1f}"
            f"{losses[variant]:10.5f}"
        )
    by_round = sorted(a[0] / b[0] for a, b in zip(times["keras"], times["zoo"]))
    cpu = [min(row[0] for row in rows) for rows in times.values()]
    wall = [statistics.median(row[1] for row in rows) for rows in times.values()]
    print(
        f"CPU ratio of the minima {cpu[0] / cpu[1]:.3f} (goal {GOAL}); by round {by_round[0]:.2f} to {by_round[-1]:.2f}"
    )
    print(f"wall ratio of the medians {wall[0] / wall[1]:.2f}")


if __name__ == "__main__":
    main()
