"""Training and evaluation: `carry_out` writes a run folder, `evaluate` reads one."""

import contextlib
import dataclasses
import logging
import math
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo import bench, figures, optimization, registry, tasks
from zoo.data import open_source, pipeline
from zoo.errors import UsageError
from zoo.job import Job, command_line
from zoo.run import Run, commit, machine, versions
from zoo.tasks import Heads

log = logging.getLogger("zoo")

SPLITS = ("train", "validation", "test")


def carry_out(job: Job) -> Run:
    """Train, evaluate and draw; if it fails before an epoch is finished, leave no run folder behind."""
    try:
        return _carry_out(job)
    except BaseException:  # Ctrl-C as well
        job.run.discard_if_untrained()
        raise


def _carry_out(job: Job) -> Run:
    started = time.perf_counter()
    card, plan, folder = job.card, job.plan, job.run
    task = tasks.TASKS[card.task]
    source = job.source.load()
    check_rank(card, source, plan)
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
    heads = tasks.compile_network(model, card, optimization.optimizer(plan, steps))
    folder.check_space(64 * 2**20 + 16 * model.count_params())
    folder.write_json("config.json", {
        "command": command_line(job, options),
        "model": card.name,
        "options": options,
        "recipe": registry.as_dict(plan),
        "data_dir": str(job.data_dir) if job.data_dir else None,
        "data_sha256": job.source.sha256(),
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

    y = targets_of(batches("test"))
    logits = heads.predict(model, batches("test"))
    numbers = sum(summary.count for summary in summaries.values()) * math.prod(summaries["train"].shape)
    small = numbers <= tasks.BASELINE_LIMIT
    baselines = task.baselines(arrays(batches("train")), arrays(batches("test")), scaling) if small else {}
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
        figure = picture(lambda rows: scaling.undo(inputs_at(batches("test"), rows)), y, logits, source.class_names)
        if figure is not None:
            figures.save(figure, folder.path / file)
    return folder


def check_rank(card, source, plan) -> None:
    """Raise where an example has another number of axes than the network takes."""
    found, _ = source.split(plan.train).element_spec
    wanted = card.inputs[0]
    if len(found.shape) != len(wanted.shape):
        raise UsageError(
            f"an example of {source.name} has shape {tuple(found.shape)}; expected {len(wanted.shape)} axes for "
            f"{card.name}'s {wanted.name}, as in {wanted.shape}"
        )


def check_data(card, plan, source, summaries) -> None:
    """Raise where the data cannot train this network."""
    shape = summaries["train"].shape
    for split, summary in summaries.items():
        if summary.shape != shape:
            raise UsageError(
                f"{source.name} has {split} examples of shape {summary.shape} and training examples of {shape}"
            )
    in_units = {split for split, summary in summaries.items() if summary.high <= 1}
    if len(shape) == 3 and 0 < len(in_units) < len(summaries):
        raise UsageError(
            f"the pictures of {source.name} reach 1 in {', '.join(sorted(in_units))} and 255 elsewhere; "
            "expected one range: scale all alike"
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
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def fit(model, training, validation, job: Job) -> None:
    """`model.fit`, with the run folder kept up to date after each epoch."""

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


def arrays(dataset) -> tuple[np.ndarray, np.ndarray]:
    """All of a data set as two arrays, inputs and targets."""
    inputs, targets = zip(*dataset.as_numpy_iterator())
    return np.concatenate(inputs), np.concatenate(targets)


def targets_of(dataset) -> np.ndarray:
    """The targets alone: the inputs of a large set do not fit into memory."""
    return np.concatenate([targets for _, targets in dataset.as_numpy_iterator()])


def inputs_at(dataset, rows: np.ndarray) -> np.ndarray:
    """The inputs with these numbers, in this order, counted from the first of the data set."""
    found, start = {}, 0
    for inputs, _ in dataset.as_numpy_iterator():
        found |= {row: inputs[row - start] for row in rows if start <= row < start + len(inputs)}
        start += len(inputs)
    return np.stack([found[row] for row in rows]) if len(rows) else inputs[:0]


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
    try:
        plan = registry.Recipe(**{**config["recipe"], "expected": None})
        scaling = pipeline.Scaling(**config["scaling"])
    except TypeError:
        raise UsageError(f"{folder.path / 'config.json'} was not written by this zoo; train again") from None
    source = open_source(plan.dataset, data_dir=data_dir or config["data_dir"])
    registry.builder(card.name)  # so that its layers are known
    model = folder.model()
    examples = pipeline.prepared(source.load(), plan.test, plan.preprocess)
    test = pipeline.batches(examples, scaling=scaling, batch_size=plan.batch_size)
    y = targets_of(test)
    criterion = tasks.criterion(card)
    logits = Heads.of(model, card).predict(model, test)
    return figures_of(tasks.TASKS[card.task], criterion, y, logits)
