"""zoo: the networks that deep learning is taught with, in Keras 3.

>>> import zoo
>>> zoo.list_models("lenet*")
['lenet5', 'lenet5_1998']

Nothing heavy is imported before it is needed: names and cards answer without Keras.
"""

from zoo.errors import UsageError
from zoo.registry import Card, Figure, Input, Recipe, build, builder, info, list_models, register

__version__ = "0.1.0"

_LATER = {  # verbs that need Keras, and the module that is imported when they are first asked for
    "load_data": "zoo.data",
    "train": "zoo.job",
    "evaluate": "zoo.training",
    "features": "zoo.graph",
    "costs": "zoo.graph",
}

__all__ = [
    *_LATER, "Card", "Figure", "Input", "Recipe", "UsageError", "build", "builder", "info", "list_models", "register",
]  # fmt: skip


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LATER[name]), name)


def __dir__():
    return sorted([*globals(), *_LATER])
