"""A run before it starts: what was asked for, checked and put together without Keras.

The order of a run is: everything that can be refused is refused (here, in under a second); then the data is
looked at, the network built and trained, and last, once, the test set used (`zoo.training.trainer`).
"""

import dataclasses
import importlib.util
import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo import factory, records, registry
from zoo.errors import UsageError
from zoo.preprocessing import preprocessing_of
from zoo.training.malloc import one_heap
from zoo.training.run_folder import Run

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


def whole_number(least):
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def positive_rate(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and 0 < value <= 10


OVERRIDES = {  # what may be changed in a recipe for one run: (is it right?, what is expected)
    "epochs": (whole_number(1), "a whole number of at least 1"),
    "batch_size": (whole_number(1), "a whole number of at least 1"),
    "seed": (lambda value: whole_number(0)(value) and value < 2**32, "a whole number from 0 to 2^32 - 1"),
    "learning_rate": (positive_rate, "a number above 0 and up to 10"),
    "precision": (PRECISIONS.__contains__, f"one of {', '.join(PRECISIONS)}"),
}


def override(recipe: records.Recipe, changes: Mapping[str, Any]) -> records.Recipe:
    """The recipe with some of its fields changed, each checked.

    >>> override(registry.info("lenet5").recipe("demo"), {"epochs": 0})
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: epochs is 0; expected a whole number of at least 1
    """
    changes = {field: value for field, value in changes.items() if value is not None}
    for field, value in changes.items():
        right, expected = OVERRIDES[field]
        if not right(value):
            raise UsageError(f"{field} is {value!r}; expected {expected}")
    return dataclasses.replace(recipe, **changes)


@dataclass(frozen=True)
class Job:
    """A run that has passed every check that needs neither Keras nor the data itself."""

    card: records.Card
    plan: records.Recipe  # with what was changed for this run
    options: Mapping[str, Any]  # of the builder
    source: Any  # opened, not yet loaded
    run: Run
    data_dir: str | Path | None
    tensorboard: bool
    verbose: str | int

    @property
    def unchanged(self) -> bool:
        """Whether the recipe runs as it stands, but for its seed."""
        recipe = self.card.recipe(self.plan.name)
        return dataclasses.replace(self.plan, seed=recipe.seed) == recipe and not self.options


def prepare(
    name: str,
    recipe: str | None = None,
    *,
    weights: str | Path | None = None,
    preprocessing: str | None = None,
    run: str | Path | None = None,
    data: str | Path | None = None,
    data_dir: str | Path | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    seed: int | None = None,
    precision: str | None = None,
    loop: bool = False,
    tensorboard: bool = False,
    verbose: str | int = "auto",
    **options: Any,
) -> Job:
    """Check all that can be checked in under a second, and make the run folder. Keras is not imported.

    Args:
        name: a name of `zoo.list_models()`.
        recipe: a recipe of its card; by default `default_recipe`.
        weights: pretrained weights to start from: a tag of the card, a file, or an https address.
        preprocessing: what the weights in a file or at an address were trained on: "caffe", "torch", "tf", ...
        run: the folder to write, new or empty; by default the first free ``runs/<name>-<recipe>-<seed>``.
        data: the path of an ``.npz`` or ``.txt`` file, or of a folder, to train on in place of the recipe's data set.
        data_dir: where tfds keeps its data sets.
        epochs, batch_size, learning_rate, seed, precision: in place of the recipe's own.
        loop: repeat clips that have fewer frames than the network takes.
        tensorboard: write TensorBoard logs into the run folder.
        verbose: as in `keras.Model.fit`: 0 silent, 1 a progress bar, 2 a line an epoch.
        **options: of the builder, or of what the recipe does to the data, in place of the recipe's own.
    """
    card = registry.info(name)
    changes = dict(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed, precision=precision)
    recipe = recipe or default_recipe(card, weights, data)
    plan = override(card.recipe(recipe), changes)
    to_data = {option: options.pop(option) for option in [*options] if option in plan.preprocess}
    plan = dataclasses.replace(plan, preprocess={**plan.preprocess, **to_data})
    factory.check_options(name, options)
    head_epochs = min(plan.head_epochs, plan.epochs // 2)  # a short trial of a long recipe has both parts
    plan = dataclasses.replace(plan, weights=str(weights or plan.weights), head_epochs=head_epochs)
    plan = dataclasses.replace(plan, preprocessing=preprocessing_of(card, plan.weights, preprocessing))
    if data is not None:  # a file has whole splits of these names
        path = Path(data).absolute()
        if path.suffix not in (".npz", ".txt") and not path.is_dir():
            raise UsageError(f"data is {str(data)!r}; expected the path of an .npz or .txt file or of a folder")
        plan = dataclasses.replace(plan, dataset=str(path), train="train", validation="validation", test="test")
    if loop:
        plan = dataclasses.replace(plan, preprocess={"loop": least_frames(name, plan), **plan.preprocess})
    if not plan.dataset:
        raise UsageError(f"the recipe {recipe} of {name} is for data of your own; name it: --data FOLDER (data=)")
    if plan.weights:
        from zoo.weights import tags

        tags.find(plan.weights, name, {**plan.model, **options})  # missing, or fetched: now, not after the data
    if tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise UsageError("TensorBoard is not installed; to write its logs: pip install tensorboard")
    if card.task == "word_vectors":
        one_heap()
    from zoo.data import open_source  # tfds: not before the names are known to be right

    source = open_source(plan.dataset, task=card.task, data_dir=data_dir)
    folder = Run.create(run, f"{name}-{recipe}-{plan.seed}")
    return Job(card, plan, options, source, folder, data_dir, tensorboard, verbose)


def default_recipe(card: records.Card, weights, data) -> str:
    """ "finetune" from weights; for files of one's own the recipe that is for them, if there is one; else "demo".

    Arrays in an .npz file are taken to be ready for the network, as the demo's are.

    >>> [default_recipe(registry.info(name), None, "photos") for name in ("mlp", "r3d_18", "gru_lm")]
    ['demo', 'folder', 'text_folder']
    >>> default_recipe(registry.info("lenet5"), None, "digits.npz")
    'demo'
    """
    if weights:
        return "finetune"
    own = [recipe.name for recipe in card.recipes if not recipe.dataset and not recipe.weights]
    return own[0] if own and data is not None and Path(data).suffix != ".npz" else "demo"


def least_frames(name: str, plan: records.Recipe) -> int:
    """How many frames a clip needs."""
    if "frames" not in plan.preprocess:
        raise UsageError(f"loop repeats clips; the recipe {plan.name} of {name} reads none: leave it out")
    return plan.preprocess["frames"] // plan.augment.get("jitter", 1)


def command_line(job: Job, options: Mapping[str, Any]) -> str:
    """The command line that repeats a run, where the data sets are in their usual place."""
    original = job.card.recipe(job.plan.name)
    words = ["zoo", "train", job.card.name, "--recipe", job.plan.name]
    for field in OVERRIDES:
        if getattr(job.plan, field) != getattr(original, field) or field == "seed":
            words += [f"--{field.replace('_', '-')}", str(getattr(job.plan, field))]
    if job.plan.weights != original.weights:
        words += ["--weights", job.plan.weights, "--preprocessing", job.plan.preprocessing]
    if job.plan.dataset != original.dataset:
        words += ["--data", job.plan.dataset]
    if "loop" in job.plan.preprocess and "loop" not in original.preprocess:
        words += ["--loop"]
    to_data = {
        key: value
        for key, value in job.plan.preprocess.items()
        if key != "loop" and value != original.preprocess.get(key)
    }
    for option, value in [*to_data.items(), *((option, options[option]) for option in job.options)]:
        words += ["--option", f"{option}={value!r}"]
    return shlex.join(words)
