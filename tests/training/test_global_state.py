"""What a training leaves behind in its process: nothing."""

import gc
import logging
import os
import random
import threading
from pathlib import Path

import keras
import matplotlib
import numpy as np
import pytest
import tensorflow as tf

import zoo


def state():
    return {
        "random": random.getstate(),
        "numpy": np.random.get_state()[1].tolist(),
        "tensorflow": tf.compat.v1.random.get_seed(None)[0],
        "policy": keras.config.dtype_policy().name,
        "floatx": keras.config.floatx(),
        "logging": (logging.getLogger("zoo").level, logging.getLogger("zoo").handlers[:], logging.getLogger().level),
        "matplotlib": matplotlib.get_backend(),
        "environment": dict(os.environ),
    }


class Threes(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, number):
        return np.ones((3, 2), "float32"), np.ones((3, 1), "float32")


class AlsoFits(keras.callbacks.Callback):
    """Has Keras make a dataset of a `PyDataset`, as word2vec's and the translators' are."""

    def on_epoch_end(self, epoch, logs=None):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(Threes(), verbose=0)


COUNTS = []  # behind each training: objects of Python, threads, descriptors


def train(run):
    zoo.train(
        "softmax_regression",
        run=run,
        epochs=1,
        batch_size=512,
        precision="mixed_float16",
        verbose=0,
        callbacks=[AlsoFits()],
    )
    gc.collect()
    descriptors = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    COUNTS.append((len(gc.get_objects()), threading.active_count(), descriptors))


@pytest.mark.parametrize("seed", [pytest.param(None, marks=pytest.mark.slow), 7])
def test_training_leaves_the_process_as_it_was(seed, tmp_path):
    random.seed(1)
    np.random.seed(2)
    tf.random.set_seed(seed)
    before = state()
    train(tmp_path / "run")
    after = state()
    assert {key for key in before if before[key] != after[key]} == set()
    tf.random.set_seed(None)


@pytest.mark.slow
def test_a_process_that_trains_again_and_again_does_not_grow(tmp_path):
    """TensorFlow and tfds would keep some 1,700 objects of each training: its graph, its pipelines, its builders."""
    while len(COUNTS) < 3:
        train(tmp_path / str(len(COUNTS)))
    (objects, *before), (after, *now) = COUNTS[-2:]
    assert now == before
    assert after - objects < 100


@pytest.mark.parametrize(
    ("setting", "value", "usual"),
    [("image_data_format", "channels_first", "channels_last"), ("floatx", "float16", "float32")],
)
def test_what_keras_json_may_say_is_refused(setting, value, usual):
    getattr(keras.config, f"set_{setting}")(value)
    try:
        with pytest.raises(
            zoo.UsageError, match=f"Keras's {setting} is '{value}'; expected '{usual}': set it in keras"
        ):
            zoo.build("lenet5")
    finally:
        getattr(keras.config, f"set_{setting}")(usual)
