"""What a training leaves behind in its process: nothing."""

import logging
import os
import random

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


@pytest.mark.parametrize("seed", [None, 7])
def test_training_leaves_the_process_as_it_was(seed, tmp_path):
    random.seed(1)
    np.random.seed(2)
    tf.random.set_seed(seed)
    before = state()
    zoo.train(
        "softmax_regression", run=tmp_path / "run", epochs=1, batch_size=512, precision="mixed_float16", verbose=0
    )
    after = state()
    assert {key for key in before if before[key] != after[key]} == set()
    tf.random.set_seed(None)


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
