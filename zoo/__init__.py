"""zoo: the networks that deep learning is taught with, in Keras 3.

>>> import zoo
>>> zoo.list_models("lenet*")
['lenet5', 'lenet5_1998']

Nothing heavy is imported before it is needed: names and cards answer without Keras.
"""

from zoo.errors import UsageError
from zoo.factory import build
from zoo.records import Card, Expected, Input, Recipe, Weights
from zoo.registry import builder, info, list_models, register

__version__ = "0.1.0"

_LATER = {  # verbs that need Keras, and the module that is imported when they are first asked for
    "load_data": "zoo.data",
    "evaluate": "zoo.inference.api",
    "predict": "zoo.inference.api",
    "generate": "zoo.inference.api",
    "compare": "zoo.inference.api",
    "search": "zoo.inference.api",
    "translate": "zoo.inference.api",
    "features": "zoo.introspection.graph",
    "costs": "zoo.introspection.graph",
    "freeze": "zoo.optimizers.finetuning",
    "unfreeze": "zoo.optimizers.finetuning",
    "layerwise": "zoo.optimizers.finetuning",
    "lora": "zoo.optimizers.finetuning",
    "load_weights": "zoo.weights.loading",
}

__all__ = [
    *_LATER, "Card", "Figure", "Input", "Recipe", "UsageError", "Weights", "build", "builder", "info", "list_models",
    "register", "train",
]  # fmt: skip


def train(name: str, recipe: str | None = None, **settings):
    """Train a network by one of its recipes and write a run folder.

    Args:
        name: a name of `zoo.list_models()`.
        recipe: a recipe of its card; ``"demo"``, the default, needs no network. From weights it is ``"finetune"``,
            and with `data` the recipe for data of one's own, where the card has one.
        **settings: as in `zoo.training.run_plan.prepare`: ``weights``, ``preprocessing``, ``run``, ``data``, ``data_dir``,
            ``epochs``, ``batch_size``, ``learning_rate``, ``seed``, ``precision``, ``loop``, ``tensorboard``,
            ``verbose``, and options of the builder.

    Returns:
        The `Run`: `.path`, `.metrics`, `.results`, `.model()`.

    Raises:
        UsageError: before the first step, for anything that cannot work.
    """
    from zoo.training.run_plan import prepare

    job = prepare(name, recipe, **settings)
    from zoo.training.trainer import carry_out  # and with it Keras

    return carry_out(job)


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LATER[name]), name)


def __dir__():
    return sorted([*globals(), *_LATER])
