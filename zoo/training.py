"""Training by recipe: `train` writes a run folder, `evaluate` reads one.

The order is: everything that can be refused is refused; then the data is looked at; then the network is
built, its speed and the pipeline's are measured, and `fit` runs; last, the test set is used, once.
"""

import contextlib
import dataclasses
import importlib.util
import logging
import math
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo import registry
from zoo.errors import UsageError
from zoo.run import Run, commit, machine, versions

log = logging.getLogger("zoo")

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


SPLITS = ("train", "validation", "test")


def whole_number(least):
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def positive_rate(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and 0 < value <= 10


OVERRIDES = {  # what may be changed in a recipe for one run: (is it right?, what is expected)
    "epochs": (whole_number(1), "a whole number of at least 1"),
    "batch_size": (whole_number(1), "a whole number of at least 1"),
    "seed": (whole_number(0), "a whole number of at least 0"),
    "learning_rate": (positive_rate, "a number above 0 and up to 10"),
    "precision": (PRECISIONS.__contains__, f"one of {', '.join(PRECISIONS)}"),
}


def override(recipe: registry.Recipe, changes: Mapping[str, Any]) -> registry.Recipe:
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

    card: registry.Card
    plan: registry.Recipe  # with what was changed for this run
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


def train(name: str, recipe: str = "demo", **settings: Any) -> Run:
    """Train a network by one of its recipes and write a run folder.

    Args:
        name: a name of `zoo.list_models()`.
        recipe: a recipe of its card; ``"demo"`` needs no network.
        **settings: as in `prepare`: ``run``, ``data``, ``data_dir``, ``epochs``, ``batch_size``,
            ``learning_rate``, ``seed``, ``precision``, ``tensorboard``, ``verbose``, and options of the builder.

    Returns:
        The `Run`: `.path`, `.metrics`, `.results`, `.model()`.

    Raises:
        UsageError: before the first step, for anything that cannot work.
    """
    return carry_out(prepare(name, recipe, **settings))


def prepare(
    name: str,
    recipe: str = "demo",
    *,
    run: str | Path | None = None,
    data: str | Path | None = None,
    data_dir: str | Path | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    seed: int | None = None,
    precision: str | None = None,
    tensorboard: bool = False,
    verbose: str | int = "auto",
    **options: Any,
) -> Job:
    """Check all that can be checked in under a second, and make the run folder. Keras is not imported.

    Args:
        name: a name of `zoo.list_models()`.
        recipe: a recipe of its card.
        run: the folder to write, new or empty; by default the first free ``runs/<name>-<recipe>-<seed>``.
        data: the path of an ``.npz`` file to train on in place of the recipe's data set.
        data_dir: where tfds keeps its data sets.
        epochs, batch_size, learning_rate, seed, precision: in place of the recipe's own.
        tensorboard: write TensorBoard logs into the run folder.
        verbose: as in `keras.Model.fit`: 0 silent, 1 a progress bar, 2 a line an epoch.
        **options: of the builder, in place of the recipe's own.
    """
    card = registry.info(name)
    registry.check_options(name, options)
    changes = dict(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed, precision=precision)
    plan = override(card.recipe(recipe), changes)
    if data is not None:  # a file has whole splits of these names
        plan = dataclasses.replace(plan, dataset=str(data), train="train", validation="validation", test="test")
    if tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise UsageError("TensorBoard is not installed; to write its logs: pip install tensorboard")
    from zoo.data import open_source  # tfds: not before the names are known to be right

    source = open_source(plan.dataset, data_dir=data_dir)
    folder = Run.create(run, f"{name}-{recipe}-{plan.seed}")
    return Job(card, plan, options, source, folder, data_dir, tensorboard, verbose)


def carry_out(job: Job) -> Run:
    """Train, evaluate and draw; if it fails before an epoch is finished, leave no run folder behind."""
    try:
        return _carry_out(job)
    except Exception:
        job.run.discard_if_untrained()
        raise


def _carry_out(job: Job) -> Run:
    started = time.perf_counter()
    import keras

    from zoo import bench, figures, optimization, tasks
    from zoo.data import pipeline

    card, plan, folder = job.card, job.plan, job.run
    task = tasks.TASKS[card.task]
    source = job.source.load()
    splits = {split: pipeline.prepared(source, getattr(plan, split), plan.preprocess) for split in SPLITS}
    summaries = {split: pipeline.summarise(examples, source, split) for split, examples in splits.items()}
    check_data(card, plan, source, summaries)
    scaling = pipeline.SCALING[card.preprocessing](summaries["train"])

    def batches(split, **shuffling):
        return pipeline.batches(splits[split], scaling=scaling, batch_size=plan.batch_size, **shuffling)

    def training_batches():
        return batches("train", augment=plan.augment, seed=plan.seed)

    keras.utils.set_random_seed(plan.seed)
    options = builder_options(card, plan, source, summaries["train"], job.options)
    with dtype_policy(plan.precision):
        model = registry.build(card.name, **options)
    steps = -(-summaries["train"].count // plan.batch_size) * plan.epochs
    criterion = tasks.criterion(card)
    heads = compile_heads(model, card, task, optimization.optimizer(plan, steps))
    folder.check_space(64 * 2**20 + 16 * model.count_params())
    folder.write_json("config.json", {
        "command": command(job, options),
        "model": card.name,
        "options": options,
        "recipe": registry.as_dict(plan),
        "data_dir": str(job.data_dir) if job.data_dir else None,
        "classes": source.class_names,
        "examples": {split: summary.count for split, summary in summaries.items()},
        "scaling": dataclasses.asdict(scaling),
        "versions": versions(),
        "backend": keras.backend.backend(),
        "commit": commit(),
        "machine": machine(),
    })  # fmt: skip

    # Each consumer gets its own iterator of batches: to measure one would move its order on.
    rates = {
        "pipeline": bench.pipeline_rate(training_batches()),
        "model": bench.model_rate(model, heads.fan_out(training_batches())),
    }
    log.info(
        f"the pipeline supplies {rates['pipeline']:,.0f} samples/s, the model takes {rates['model']:,.0f}: "
        + ("the model sets the pace" if rates["pipeline"] > rates["model"] else "the model will wait for data")
    )
    fit_started = time.perf_counter()
    fit(model, heads.fan_out(training_batches()), heads.fan_out(batches("validation")), job)
    fit_seconds = time.perf_counter() - fit_started
    folder.save_model(model)  # once more: averaged weights take their place when `fit` ends

    x, y = arrays(batches("test"))
    logits = heads.predict(model, batches("test"))
    baselines = task.baselines(arrays(batches("train")), (x, y), scaling)
    folder.write_json("metrics.json", {
        "model": card.name,
        "recipe": plan.name,
        "metrics": figures_of(task, criterion, y, logits),
        "baselines": baselines,
        "seconds": round(time.perf_counter() - started, 2),
        "fit_seconds": round(fit_seconds, 2),
        "samples_per_second": {name: round(rate) for name, rate in rates.items()},
        "seed": plan.seed,
    })  # fmt: skip
    figures.save(
        figures.curves(folder.path / "history.csv", heads.main, task.metric, baselines), folder.path / "curves.png"
    )
    for file, picture in task.pictures.items():
        figure = picture(scaling.undo(x), y, logits, source.class_names)
        if figure is not None:
            figures.save(figure, folder.path / file)
    return folder


@dataclass(frozen=True)
class Heads:
    """The outputs of a network: one, or a dictionary of which one is meant and the others only help in training."""

    names: tuple[str, ...]  # none for a single output
    main: str

    @classmethod
    def of(cls, model, card) -> "Heads":
        names = tuple(model.output) if isinstance(model.output, dict) else ()
        return cls(names, next((name for name in names if name not in card.loss_weights), ""))

    def fan_out(self, dataset):
        """The same target for every head."""
        return dataset.map(lambda x, y: (x, dict.fromkeys(self.names, y))) if self.names else dataset

    def predict(self, model, dataset) -> np.ndarray:
        """What the main head says."""
        outputs = model.predict(dataset, verbose=0)
        return outputs[self.main] if self.names else outputs


def compile_heads(model, card, task, optimizer) -> Heads:
    """Compile with the task's loss on every head, and its figure on the main one."""
    from zoo import tasks

    heads = Heads.of(model, card)
    if heads.names:
        weights = {name: card.loss_weights.get(name, 1.0) for name in heads.names}
        losses = {name: tasks.criterion(card) for name in heads.names}
        model.compile(optimizer, loss=losses, loss_weights=weights, metrics={heads.main: [task.keras_metric()]})
    else:
        model.compile(optimizer, loss=tasks.criterion(card), metrics=[task.keras_metric()])
    return heads


def check_data(card, plan, source, summaries) -> None:
    """Raise where the data cannot train this network."""
    shape = summaries["train"].shape
    wanted = card.inputs[0]
    if len(shape) != len(wanted.shape):
        raise UsageError(
            f"an example of {source.name} has shape {shape}; expected {len(wanted.shape)} axes for {card.name}'s "
            f"{wanted.name}, as in {wanted.shape}"
        )
    for split, summary in summaries.items():
        if summary.shape != shape:
            raise UsageError(
                f"{source.name} has {split} examples of shape {summary.shape} and training examples of {shape}"
            )
    is_classifier = card.task.endswith("classification")
    if is_classifier and not source.class_names:
        raise UsageError(
            f"the targets of {source.name} are not classes; expected whole numbers from 0: y.astype('int32')"
        )
    if is_classifier and len(summaries["train"].classes) < 2:
        raise UsageError(f"the training set of {source.name} holds one class only; expected at least 2")
    if card.task == "binary_classification" and source.num_classes != 2:
        raise UsageError(
            f"{source.name} has {source.num_classes} classes; {card.name} tells 2 apart: take softmax_regression"
        )
    if card.task == "forecasting" and source.class_names:
        raise UsageError(f"the targets of {source.name} are classes; {card.name} expects numbers: y.astype('float32')")
    if summaries["train"].count < plan.batch_size:
        raise UsageError(
            f"batch_size is {plan.batch_size}; expected at most {summaries['train'].count}, "
            "the number of training examples"
        )


def builder_options(card, plan, source, summary, options) -> dict[str, Any]:
    """The builder's options: the data's own shape and classes, then the recipe's, then the caller's."""
    known = card.options
    from_data = {"input_shape": summary.shape, "num_classes": source.num_classes}
    chosen = {option: value for option, value in from_data.items() if option in known} | dict(plan.model) | options
    for option, value in from_data.items():
        if option in chosen and tuple(np.atleast_1d(chosen[option])) != tuple(np.atleast_1d(value)):
            raise UsageError(f"{option} is {chosen[option]!r}; the data set {source.name} has {value!r}: leave it out")
    expected = card.inputs[0].shape
    if "input_shape" not in known and summary.shape != expected:
        raise UsageError(f"an example of {source.name} has shape {summary.shape}; {card.name} takes {expected}")
    return chosen


@contextlib.contextmanager
def dtype_policy(precision: str):
    """Build under a Keras dtype policy."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def command(job: Job, options: Mapping[str, Any]) -> str:
    """The command line that repeats a run, where the data sets are in their usual place."""
    original = job.card.recipe(job.plan.name)
    words = ["zoo", "train", job.card.name, "--recipe", job.plan.name]
    for field in OVERRIDES:
        if getattr(job.plan, field) != getattr(original, field) or field == "seed":
            words += [f"--{field.replace('_', '-')}", str(getattr(job.plan, field))]
    if job.plan.dataset != original.dataset:
        words += ["--data", job.plan.dataset]
    for option in job.options:
        words += ["--option", f"{option}={options[option]!r}"]
    return shlex.join(words)


def fit(model, training, validation, job: Job) -> None:
    """`model.fit`, with the run folder kept up to date after each epoch."""
    import keras

    class SaveEachEpoch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            job.run.save_model(self.model)

    callbacks = [
        keras.callbacks.CSVLogger(job.run.path / "history.csv"),
        SaveEachEpoch(),
        keras.callbacks.TerminateOnNaN(raise_error=True),
    ]
    if job.tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(job.run.path / "tensorboard"))
    try:
        model.fit(
            training,
            validation_data=validation,
            epochs=job.plan.epochs,
            callbacks=callbacks,
            verbose=job.verbose,
            shuffle=False,  # the pipeline does
        )
    except RuntimeError as error:
        if "NaN or Inf loss" not in str(error):
            raise
        rate = job.plan.learning_rate
        raise UsageError(
            f"the loss became NaN or infinite; expected it to fall: lower learning_rate, now {rate:g}"
        ) from None


def arrays(dataset):
    """All of a data set as two arrays."""
    inputs, targets = zip(*dataset.as_numpy_iterator())
    return np.concatenate(inputs), np.concatenate(targets)


def figures_of(task, criterion, y, logits) -> dict[str, float]:
    """Loss and figures on the test set."""
    target = y[:, None] if logits.shape[-1] == 1 else y
    return {"loss": float(criterion(target, logits)), **task.score(y, task.predict(logits))}


def evaluate(run: str | Path | Run, *, data_dir: str | Path | None = None) -> dict[str, float]:
    """The figures of a finished run on its test set, computed again from the saved network.

    Args:
        run: a run folder, or what `train` returned.
        data_dir: where tfds keeps its data sets, if not where the run found them.

    Returns:
        ``{"loss": ..., "accuracy": ...}``, or the figures of the task at hand.

    Raises:
        UsageError: if the folder holds no finished run or its data cannot be had.
    """
    folder = Run.open(run)
    config = folder.config
    card = registry.info(config["model"])
    plan = registry.Recipe(**{**config["recipe"], "expected": None})
    from zoo.data import open_source, pipeline

    source = open_source(plan.dataset, data_dir=data_dir or config["data_dir"])
    from zoo import tasks

    registry.builder(card.name)  # so that its layers are known
    model = folder.model()
    scaling = pipeline.Scaling(**config["scaling"])
    examples = pipeline.prepared(source.load(), plan.test, plan.preprocess)
    test = pipeline.batches(examples, scaling=scaling, batch_size=plan.batch_size)
    _, y = arrays(test)
    criterion = tasks.criterion(card)
    logits = Heads.of(model, card).predict(model, test)
    return figures_of(tasks.TASKS[card.task], criterion, y, logits)
