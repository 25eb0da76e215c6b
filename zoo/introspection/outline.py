"""A network with its shapes and without values: the largest one takes little time and memory."""

from collections.abc import Callable
from typing import Any

import keras
from keras.src.backend.common import global_state  # private: where Keras keeps the variables that wait for values

from zoo.backend import random_states_kept

WAITING = "uninitialized_variables"


def outline(builder: Callable[[], Any]) -> Any:
    """What a builder returns, its variables without values: it can be looked at, and neither run nor trained.

    >>> import zoo
    >>> model = outline(zoo.builder("gpt2_xl"))  # 6 GB of numbers
    >>> model.count_params()
    1557611200
    """
    before = list(global_state.get_global_attribute(WAITING) or [])
    try:
        with random_states_kept(), keras.StatelessScope(initialize_variables=False):
            return builder()
    finally:  # else the next such scope gives them values
        global_state.set_global_attribute(WAITING, before)
