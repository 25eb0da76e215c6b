"""zoo: the networks that deep learning is taught with, in Keras 3.

>>> import zoo
>>> zoo.list_models("lenet*")
['lenet5', 'lenet5_1998']

Nothing heavy is imported before it is needed: names and cards answer without Keras.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import deprecated, saving
from zoo.errors import UsageError
from zoo.factory import build, info, reset_head
from zoo.records import Card, Expected, Input, Recipe, Weights
from zoo.registry import builder, list_models, register

if TYPE_CHECKING:  # what `__getattr__` finds below
    from zoo.boxes.sliding_window import fully_convolutional
    from zoo.data import load_data
    from zoo.inference.api import compare, evaluate, generate, search, translate
    from zoo.inference.diagnosis import diagnose
    from zoo.inference.drawing import draw
    from zoo.inference.prediction import predict
    from zoo.inference.predictor import load
    from zoo.inference.robustness import attack
    from zoo.inference.sentence_vectors import sentence_vectors
    from zoo.inference.transforms import transforms
    from zoo.introspection.graph import features
    from zoo.introspection.layer_costs import costs
    from zoo.optimizers.finetuning import freeze, layerwise, unfreeze
    from zoo.optimizers.lora import lora, merge_lora
    from zoo.tasks.base import Task
    from zoo.training.folds import CrossValidation
    from zoo.training.run_folder import Run
    from zoo.weights.loading import load_weights

__version__ = "0.2.0"

_LATER = {  # what needs Keras, and the module that is imported when it is first asked for
    "load_data": "zoo.data",
    "attack": "zoo.inference.robustness",
    "evaluate": "zoo.inference.api",
    "predict": "zoo.inference.prediction",
    "load": "zoo.inference.predictor",
    "draw": "zoo.inference.drawing",
    "generate": "zoo.inference.api",
    "compare": "zoo.inference.api",
    "search": "zoo.inference.api",
    "translate": "zoo.inference.api",
    "sentence_vectors": "zoo.inference.sentence_vectors",
    "transforms": "zoo.inference.transforms",
    "diagnose": "zoo.inference.diagnosis",
    "features": "zoo.introspection.graph",
    "fully_convolutional": "zoo.boxes.sliding_window",
    "costs": "zoo.introspection.layer_costs",
    "freeze": "zoo.optimizers.finetuning",
    "unfreeze": "zoo.optimizers.finetuning",
    "layerwise": "zoo.optimizers.finetuning",
    "lora": "zoo.optimizers.lora",
    "merge_lora": "zoo.optimizers.lora",
    "load_weights": "zoo.weights.loading",
    "Run": "zoo.training.run_folder",
    "Task": "zoo.tasks.base",
}

__all__ = [
    "Card", "Expected", "Input", "Recipe", "Run", "Task", "UsageError", "Weights", "attack", "build", "builder",
    "compare", "costs", "diagnose", "draw", "evaluate", "features", "freeze", "fully_convolutional", "generate",
    "info", "layerwise", "list_models", "load", "load_data", "load_weights", "lora", "merge_lora", "predict",
    "register", "reset_head", "search", "sentence_vectors", "train", "transforms", "translate", "unfreeze",
]  # fmt: skip

deprecated.watch_imports()
saving.watch_imports()


def train(
    name: Any = None,
    recipe: str | Recipe | None = None,
    *,
    weights: str | Path | None = None,
    preprocessing: str | None = None,
    run: str | Path | None = None,
    data: Any = None,
    data_dir: str | Path | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    ema_momentum: float | None = None,
    weight_decay: float | None = None,
    seed: int | None = None,
    precision: str | None = None,
    head_epochs: int | None = None,
    layer_decay: float | None = None,
    patience: int | None = None,
    freeze: str | None = None,
    image_size: int | str | Sequence[int] | None = None,
    augment: Mapping[str, Any] | str | None = None,
    loop: bool = False,
    tracker: str = "",
    verbose: str | int = "auto",
    resume: bool | str | Path = False,
    checkpoint_minutes: float = 10.0,
    cache_dir: str | Path | None = None,
    callbacks: Sequence[Any] | None = None,
    metrics: Sequence[Any] | None = None,
    optimizer: Any = None,
    class_weight: Mapping[int | str, float] | str | None = None,
    folds: int | None = None,
    budget: str | float | None = None,
    **options: Any,
) -> "Run | CrossValidation":
    """Train a network by one of its recipes and write a run folder.

    Args:
        name: a name of `zoo.list_models()`, or what `zoo.build` returned, which is then trained in place; with the
            folder of a run to resume it may be left out. "best" is chosen for images of one's own and a `budget`, with
            the size of the images and the schedule.
        recipe: a recipe of its card, or a `zoo.Recipe` of one's own; ``"demo"``, the default, needs no network. From
            weights it is ``"finetune"``, and with `data` the recipe for data of one's own, where the card has one.
        weights: pretrained weights to start from: a tag of the card, a file, or an https address.
        preprocessing: what the weights in a file or at an address were trained on: "caffe", "torch", "tf", ...
        run: the folder to write, new or empty; by default the first free ``runs/<name>-<recipe>-<seed>``.
        data: to train on in place of the recipe's data set: the path of an ``.npz`` or ``.txt`` file, or of a folder;
            or arrays: ``(x, y)``, of which a stratified fifth is held out to test, or a dictionary of ``x_train``,
            ``y_train``, ``x_test``, ``y_test`` and perhaps ``x_val``, ``y_val``; or a loader of such pairs, of tf.data,
            PyTorch, grain or Keras, which is read into memory, or one each in a dictionary of ``train``, ``test`` and
            perhaps ``validation``; or a table of pandas or Polars with the columns path and label, and perhaps split.
        data_dir: where tfds keeps its data sets.
        epochs, batch_size, learning_rate, seed: in place of the recipe's own.
        precision: likewise, a Keras dtype policy; ``"auto"``: the one that trains fastest on this machine.
        weight_decay: likewise, of the optimizer: by how much of itself, times the rate, a weight shrinks in each step.
        ema_momentum: likewise, of the average of the weights over the steps that is validated and saved; 0: no average.
        head_epochs: likewise, of the epochs from weights in which the head learns alone; as many as `epochs`: only it.
        layer_decay: likewise, by which the learning rate falls from each block to the one before it.
        patience: likewise, epochs without a better validation loss before it stops with the best; 0: it never does.
        freeze: the last layer, or stage (``"stride16"``), of those that keep their weights.
        image_size: pixels, 128 or (128, 96), to which images are brought in place of the recipe's.
        augment: augmentations with their options, beside the recipe's or in place of those of the same name; None for
            an option leaves one out, ``"none"`` all.
        loop: repeat clips that have fewer frames than the network takes.
        tracker: "tensorboard" (logs in the run folder), "mlflow" or "wandb": who is told of every epoch, by its own
            callback for Keras.
        verbose: as in `keras.Model.fit`: 0 silent, 1 a progress bar, 2 a line an epoch.
        resume: go on with a run that was stopped or killed, to the same result as without that; or, with more `epochs`,
            with one that was finished. The folder of the run, or True for the one that the same call wrote; where
            there is none, it is begun.
        checkpoint_minutes: between two checkpoints inside a long epoch; there is one after an epoch as well, as often
            as writing stays below a twentieth of the time.
        cache_dir: a folder for prepared images and clips that do not fit into memory (4 GiB for all splits), while it
            trains; without one they are prepared anew in each epoch.
        callbacks, metrics: of Keras, beside those of the task.
        optimizer: of Keras, or the name of one, in place of the recipe's (and its schedule, where it is no name).
        class_weight: a number for each class, by its number or name; or "balanced".
        folds: k-fold cross-validation: train so many times, each time without another part of all examples that are not
            for testing, and measure on that part; the test set is not touched.
        budget: of "best": the time for all of it, "90s", "10min", "1h", or minutes.
        **options: of the builder, or of what the recipe does to the data, in place of the recipe's own.

    Returns:
        The `Run`: `.path`, `.metrics`, `.results`, `.model()`. With `folds` a `CrossValidation`: `.runs`, `.scores`,
        `.mean`, `.spread`, `.metric`, `.path`.

    Raises:
        UsageError: before the first step, for anything that cannot work.
    """
    arguments = dict(locals())
    arguments |= arguments.pop("options")
    if budget is not None or (isinstance(name, str) and name == "best"):
        from zoo.training.choosing import with_choice

        arguments = with_choice(arguments)
    arguments.pop("budget", None)
    del arguments["folds"]
    if folds is not None:
        from zoo.training.folds import check, cross_validate

        check(folds, name, arguments)
        from zoo.backend import random_states_kept, released

        with random_states_kept(), released():
            return cross_validate(folds, **arguments)
    from zoo.training.run_plan import prepare

    plan = prepare(**arguments)
    from zoo.backend import random_states_kept, released
    from zoo.training.trainer import fit  # and with it Keras

    with random_states_kept(), released():
        return fit(plan)


def __getattr__(name: str) -> Any:
    name = deprecated.new_name(name)
    if name in _LATER:
        import importlib

        return getattr(importlib.import_module(_LATER[name]), name)
    if name in globals():
        return globals()[name]
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LATER])
