"""Training by recipe: `train` writes a run folder, `evaluate` reads one.

The order is: everything that can be refused is refused; then the data is looked at; then the network is
built, its speed and the pipeline's are measured, and `fit` runs; last, the test set is used, once.
"""

import contextlib
import dataclasses
import logging
import math
import shlex
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo import registry
from zoo.errors import UsageError, unknown
from zoo.run import Run, commit, machine, versions

log = logging.getLogger("zoo")

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


def constant(recipe, steps):
    return recipe.learning_rate


def cosine(recipe, steps):
    """Half a cosine from the learning rate to 0, after `warmup_epochs` of straight rise (Loshchilov & Hutter 2017)."""
    import keras

    warmup = round(recipe.schedule_options.get("warmup_epochs", 0) * steps / recipe.epochs)
    if not warmup:
        return keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0, steps - warmup, warmup_target=recipe.learning_rate, warmup_steps=warmup
    )


def step(recipe, steps):
    """The learning rate, multiplied by `factor` (0.1) at each of the shares `at` (1/2, 3/4) of the training (He 2015)."""
    import keras

    at = recipe.schedule_options.get("at", (0.5, 0.75))
    factor = recipe.schedule_options.get("factor", 0.1)
    rates = [recipe.learning_rate * factor**drops for drops in range(len(at) + 1)]
    return keras.optimizers.schedules.PiecewiseConstantDecay([round(share * steps) for share in at], rates)


SCHEDULES: Mapping[str, Callable] = {"constant": constant, "cosine": cosine, "step": step}  # (recipe, steps) -> rate


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


def train(
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
) -> Run:
    """Train a network by one of its recipes and write a run folder.

    Args:
        name: a name of `zoo.list_models()`.
        recipe: a recipe of its card; ``"demo"`` needs no network.
        run: the folder to write, new or empty; by default the first free ``runs/<name>-<recipe>-<seed>``.
        data: the path of an ``.npz`` file to train on in place of the recipe's data set.
        data_dir: where tfds keeps its data sets.
        epochs, batch_size, learning_rate, seed, precision: in place of the recipe's own.
        tensorboard: write TensorBoard logs into the run folder.
        verbose: as in `keras.Model.fit`: 0 silent, 1 a progress bar, 2 a line an epoch.
        **options: of the builder, in place of the recipe's own.

    Returns:
        The `Run`: `.path`, `.metrics`, `.results`, `.model()`.

    Raises:
        UsageError: before the first step, for anything that cannot work.
    """
    card = registry.info(name)
    plan = override(card.recipe(recipe), dict(
        epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed, precision=precision
    ))  # fmt: skip
    if data is not None:  # a file has whole splits of these names
        plan = dataclasses.replace(plan, dataset=str(data), train="train", validation="validation", test="test")
    if tensorboard:
        check_tensorboard()
    from zoo.data import open_source  # not before the names are known to be right

    found = open_source(plan.dataset, data_dir=data_dir)
    folder = Run.create(run, f"{name}-{recipe}-{plan.seed}")
    try:
        return _train(card, plan, options, found, folder, data_dir=data_dir, tensorboard=tensorboard, verbose=verbose)
    except UsageError:
        abandon(folder)
        raise


def _train(card, plan, options, found, folder, *, data_dir, tensorboard, verbose) -> Run:
    import keras

    from zoo.data import pipeline
    from zoo.tasks import TASKS

    started = time.perf_counter()
    task = TASKS[card.task]
    registry.check_options(card.name, options)
    source = found.load()
    splits = {split: pipeline.prepared(source, getattr(plan, split), plan.preprocess) for split in ("train", "validation", "test")}
    summaries = {split: pipeline.summarise(examples, source, getattr(plan, split)) for split, examples in splits.items()}
    check_data(card, plan, source, summaries)
    scaling = pipeline.SCALING[card.preprocessing](summaries["train"])

    def batches(split, **shuffling):
        return pipeline.batches(splits[split], scaling=scaling, batch_size=plan.batch_size, **shuffling)

    keras.utils.set_random_seed(plan.seed)
    options = builder_options(card, plan, source, summaries["train"], options)
    with dtype_policy(plan.precision):
        model = registry.build(card.name, **options)
    steps = -(-summaries["train"].count // plan.batch_size)
    model.compile(optimizer=optimizer(plan, steps * plan.epochs), loss=loss(card, task), metrics=[task.keras_metric()])
    folder.check_space(64 * 2**20 + 16 * model.count_params())
    config = {
        "command": command(card, plan, options, data_dir),
        "model": card.name,
        "options": options,
        "recipe": registry.as_dict(plan),
        "data_dir": str(data_dir) if data_dir else None,
        "classes": list(source.class_names),
        "examples": {split: summary.count for split, summary in summaries.items()},
        "scaling": {"kind": card.preprocessing, "mean": scaling.mean, "std": scaling.std},
        "versions": versions(),
        "backend": keras.backend.backend(),
        "commit": commit(),
        "machine": machine(),
    }  # fmt: skip
    folder.write_json("config.json", config)

    training = batches("train", augment=plan.augment, seed=plan.seed)
    supplied, consumed = pipeline_rate(training), model_rate(model, training)
    log.info(
        f"the pipeline supplies {supplied:,.0f} samples/s, the model takes {consumed:,.0f} samples/s: "
        + ("the pipeline keeps up" if supplied >= consumed else "the model will wait for data")
    )
    training = batches("train", augment=plan.augment, seed=plan.seed)  # measuring moved the other one's order on
    fit_started = time.perf_counter()
    fit(model, training, batches("validation"), plan, folder, tensorboard=tensorboard, verbose=verbose)
    fit_seconds = time.perf_counter() - fit_started

    results = {
        "model": card.name,
        "recipe": plan.name,
        "metrics": {},
        "baselines": {},
        "seconds": 0.0,
        "fit_seconds": round(fit_seconds, 2),
        "samples_per_second": {"pipeline": round(supplied), "model": round(consumed)},
        "seed": plan.seed,
    }
    x, y, logits = predictions(model, batches("test"))
    results["metrics"] = figures_of(task, loss(card, task), y, logits)
    results["baselines"] = task.baselines(arrays(batches("train")), (x, y), scaling)
    results["seconds"] = round(time.perf_counter() - started, 2)
    folder.write_json("metrics.json", results)
    draw(folder, task, x * np.float32(scaling.std) + np.float32(scaling.mean), y, logits, source.class_names, results["baselines"])
    return folder


def check_tensorboard() -> None:
    import importlib.util

    if importlib.util.find_spec("tensorboard") is None:
        raise UsageError("TensorBoard is not installed; to write its logs: pip install tensorboard")


def abandon(folder: Run) -> None:
    """Remove a run folder in which nothing was trained."""
    if not (folder.path / "history.csv").exists() and not (folder.path / "model.keras").exists():
        for file in folder.path.iterdir():
            if file.is_file():
                file.unlink()
        with contextlib.suppress(OSError):
            folder.path.rmdir()


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
            raise UsageError(f"{source.name} has {split} examples of shape {summary.shape} and training examples of {shape}")
    is_classifier = card.task.endswith("classification")
    if is_classifier and not source.class_names:
        raise UsageError(f"the targets of {source.name} are not classes; expected whole numbers from 0: y.astype('int32')")
    if is_classifier and len(summaries["train"].classes) < 2:
        raise UsageError(f"the training set of {source.name} holds one class only; expected at least 2")
    if card.task == "binary_classification" and source.num_classes != 2:
        raise UsageError(f"{source.name} has {source.num_classes} classes; {card.name} tells 2 apart: take softmax_regression")
    if card.task == "forecasting" and source.class_names:
        raise UsageError(f"the targets of {source.name} are classes; {card.name} expects numbers: y.astype('float32')")
    if summaries["train"].count < plan.batch_size:
        raise UsageError(
            f"batch_size is {plan.batch_size}; expected at most {summaries['train'].count}, the number of training examples"
        )


def builder_options(card, plan, source, summary, options) -> dict[str, Any]:
    """The builder's options: the data's own shape and classes, then the recipe's, then the caller's."""
    import inspect

    known = inspect.signature(registry.builder(card.name)).parameters
    from_data = {"input_shape": summary.shape, "num_classes": source.num_classes}
    chosen = {option: value for option, value in from_data.items() if option in known} | dict(plan.model) | options
    for option, value in from_data.items():
        if option in chosen and tuple(np.atleast_1d(chosen[option])) != tuple(np.atleast_1d(value)):
            raise UsageError(f"{option} is {chosen[option]!r}; the data set {source.name} has {value!r}: leave it out")
    expected = registry.info(card.name).inputs[0].shape
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


def optimizer(plan, steps: int):
    """The recipe's Keras optimizer with its learning-rate schedule over `steps` updates."""
    import keras

    if plan.schedule not in SCHEDULES:
        raise unknown("schedule", plan.schedule, SCHEDULES)
    kind = type(keras.optimizers.get(plan.optimizer))
    return kind(learning_rate=SCHEDULES[plan.schedule](plan, steps), **plan.optimizer_options)


def loss(card, task):
    from zoo import losses

    return losses.get(card.loss) if card.loss else task.loss()


def command(card, plan, options, data_dir) -> str:
    """The command line that repeats a run."""
    words = ["zoo", "train", card.name, "--recipe", plan.name]
    original = card.recipe(plan.name)
    for field in OVERRIDES:
        if getattr(plan, field) != getattr(original, field) or field == "seed":
            words += [f"--{field.replace('_', '-')}", str(getattr(plan, field))]
    if plan.dataset != original.dataset:
        words += ["--data", plan.dataset]
    if data_dir:
        words += ["--data-dir", str(data_dir)]
    return shlex.join(words)


def pipeline_rate(dataset, seconds: float = 1.0) -> float:
    """Samples a second that the input pipeline gives when nobody waits for it, from a filled cache."""
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        for x, _ in dataset:
            count += int(x.shape[0])
            if time.perf_counter() - started >= seconds:
                break
    return count / (time.perf_counter() - started)


def model_rate(model, dataset, steps: int = 10) -> float:
    """Samples a second that `fit` takes from a batch that is always there. The model is left as it was."""
    import keras

    class Clock(keras.callbacks.Callback):
        ticks: list[float] = []  # noqa: RUF012

        def on_train_batch_end(self, batch, logs=None):
            self.ticks.append(time.perf_counter())

    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    before = [keras.ops.convert_to_numpy(variable) for variable in variables]
    batch = dataset.take(1).cache()
    clock = Clock()
    clock.ticks = []
    model.fit(batch.repeat(steps + 2), verbose=0, callbacks=[clock], shuffle=False)
    for variable, value in zip(variables, before):
        variable.assign(value)
    x, _ = next(iter(batch))
    return int(x.shape[0]) * steps / (clock.ticks[-1] - clock.ticks[1])  # the first steps compile


def fit(model, training, validation, plan, folder, *, tensorboard, verbose) -> None:
    """`model.fit`, with the run folder kept up to date after each epoch."""
    import keras

    class SaveEachEpoch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            folder.save_model(self.model)

    callbacks = [
        keras.callbacks.CSVLogger(folder.path / "history.csv"),
        SaveEachEpoch(),
        keras.callbacks.TerminateOnNaN(raise_error=True),
    ]
    if tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(folder.path / "tensorboard"))
    model.fit(
        training, validation_data=validation, epochs=plan.epochs, callbacks=callbacks, verbose=verbose, shuffle=False
    )


def predictions(model, dataset):
    """Inputs, truth and what the network says, as arrays."""
    x, y = arrays(dataset)
    return x, y, np.asarray(model.predict(dataset, verbose=0), "float32")


def arrays(dataset):
    """All of a data set as two arrays."""
    inputs, targets = zip(*dataset.as_numpy_iterator())
    return np.concatenate(inputs), np.concatenate(targets)


def figures_of(task, loss_function, y, logits) -> dict[str, float]:
    """Loss and figures on the test set."""
    target = y[:, None] if logits.shape[-1] == 1 else y
    return {"loss": float(loss_function(target, logits)), **task.score(y, task.predict(logits))}


def draw(folder, task, inputs, y, logits, class_names, baselines) -> None:
    """Every picture of the run."""
    from zoo import figures

    history = folder.path / "history.csv"
    figures.save(figures.curves(history, task.metric, baselines), folder.path / "curves.png")
    for file, picture in task.pictures.items():
        figure = picture(inputs, y, logits, class_names)
        if figure is not None:
            figures.save(figure, folder.path / file)


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
    from zoo.data import open_source

    found = open_source(plan.dataset, data_dir=data_dir or config["data_dir"])

    from zoo.data import pipeline
    from zoo.tasks import TASKS

    task = TASKS[card.task]
    registry.builder(card.name)  # its layers are known from here on
    model = folder.model()
    source = found.load()
    scaling = pipeline.Scaling(tuple(config["scaling"]["mean"]), tuple(config["scaling"]["std"]))
    test = pipeline.batches(pipeline.prepared(source, plan.test, plan.preprocess), scaling=scaling, batch_size=plan.batch_size)
    _, y, logits = predictions(model, test)
    return figures_of(task, loss(card, task), y, logits)
