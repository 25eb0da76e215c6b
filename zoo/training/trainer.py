"""Training: `carry_out` takes a job that has passed its checks and writes a run folder."""

import contextlib
import dataclasses
import logging
import time
from typing import Any

import keras
import numpy as np

from zoo import factory, plots, records, tasks
from zoo.data.base import Feed
from zoo.errors import UsageError
from zoo.optimizers import finetuning, schedules
from zoo.system import machine
from zoo.training import throughput
from zoo.training.run_folder import Run, commit, versions
from zoo.training.run_plan import Job, command_line
from zoo.weights.loading import load_weights

log = logging.getLogger("zoo")


def carry_out(job: Job) -> Run:
    """Train, evaluate and draw; if it fails before an epoch is finished, leave no run folder behind."""
    try:
        return _carry_out(job)
    except BaseException:  # Ctrl-C as well
        job.run.discard_if_untrained()
        raise


def _carry_out(job: Job) -> Run:
    started = time.perf_counter()
    card, folder = job.card, job.run
    plan = dataclasses.replace(job.plan, model={**job.plan.model, **job.options})
    task = tasks.TASKS[card.task]
    source = job.source.load()
    feed = task.feed.learn(card, plan, source)

    keras.utils.set_random_seed(plan.seed)
    options = builder_options(card, plan, feed)
    with dtype_policy(plan.precision):
        model = factory.build(card.name, **options)
    if plan.weights:
        report = load_weights(model, plan.weights, preprocessing=plan.preprocessing)
        log.info(str(report))
    network = tasks.Network.of(model, card, task, plan)
    learner = task.learner(network, feed)
    compile_for(learner, feed, task, plan)
    folder.check_space(64 * 2**20 + 16 * model.count_params())
    folder.write_json("config.json", {
        "command": command_line(job, options),
        "model": card.name,
        "options": options,
        "recipe": records.as_dict(plan),
        "data_dir": str(job.data_dir) if job.data_dir else None,
        "data_sha256": job.source.sha256(),
        "classes": source.class_names,
        "examples": feed.examples,
        "feed": feed.state(),
        "versions": versions(),
        "backend": keras.backend.backend(),
        "commit": commit(),
        "machine": machine(),
    })  # fmt: skip

    # Each consumer gets its own iterator of batches: to measure one would move its order on.
    rates = {
        "pipeline": throughput.pipeline_rate(feed.batches("train", training=True)),
        "model": throughput.model_rate(learner.model, learner.fan_out(feed.batches("train", training=True))),
    }
    log.info(
        f"the pipeline supplies {rates['pipeline']:,.0f} samples/s, the model takes {rates['model']:,.0f}: "
        + ("the model sets the pace" if rates["pipeline"] > rates["model"] else "the model will wait for data")
    )
    fit_started = time.perf_counter()
    fit(learner, feed, task, job)
    fit_seconds = time.perf_counter() - fit_started
    folder.save_model(model)  # once more: averaged weights take their place when `fit` ends

    measured = task.measure(network, feed, "test")
    baselines = task.baselines(feed)
    folder.write_json("metrics.json", {
        "model": card.name,
        "recipe": plan.name,
        "metrics": dict(measured.figures),
        "baselines": baselines,
        "seconds": round(time.perf_counter() - started, 2),
        "fit_seconds": round(fit_seconds, 2),
        "samples_per_second": {name: round(rate) for name, rate in rates.items()},
        "seed": plan.seed,
    })  # fmt: skip
    curves = plots.curves(folder.path / "history.csv", network.main, task.metric, baselines)
    plots.save(curves, folder.path / "curves.png")
    for file, picture in task.pictures.items():
        figure = picture(feed, measured)
        if figure is not None:
            plots.save(figure, folder.path / file)
    for file, rows in task.tables.items():
        folder.write_csv(file, rows(feed, measured))
    return folder


def compile_for(network, feed: Feed, task, plan) -> None:
    """Compile by the recipe: its optimizer over all of its epochs, layer by layer slower where it says so."""
    optimizer = schedules.optimizer(plan, feed.steps * max(plan.epochs - plan.head_epochs, 1))
    if plan.layer_decay < 1:
        optimizer = finetuning.layerwise(optimizer, network.model, decay=plan.layer_decay)
    network.compile(optimizer, task.keras_metrics())


def builder_options(card, plan, feed: Feed) -> dict[str, Any]:
    """The builder's options: what the data decides, then the recipe's with the caller's."""
    from_data = feed.options()
    chosen = {option: value for option, value in from_data.items() if option in card.options}
    chosen |= plan.model
    for option, value in from_data.items():
        if option in chosen and tuple(np.atleast_1d(chosen[option])) != tuple(np.atleast_1d(value)):
            raise UsageError(
                f"{option} is {chosen[option]!r}; the data set {feed.source.name} has {value!r}: leave it out"
            )
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


def fit(network, feed: Feed, task, job: Job) -> None:
    """Train by the recipe: from pretrained weights the new head first, alone, then the network."""
    plan = job.plan
    if plan.head_epochs:
        finetuning.freeze(network.model)
        network.compile(keras.optimizers.Adam(plan.head_learning_rate), task.keras_metrics())
        epochs_of(network, feed, task, job, until=plan.head_epochs)
    if plan.epochs > plan.head_epochs:
        if plan.head_epochs:
            finetuning.unfreeze(network.model)
            compile_for(network, feed, task, plan)
        epochs_of(network, feed, task, job, since=plan.head_epochs, until=plan.epochs, patience=plan.patience)


def epochs_of(network, feed: Feed, task, job: Job, *, until: int, since: int = 0, patience: int = 0) -> None:
    """`model.fit` from one epoch to another, with the run folder kept up to date after each."""

    class SaveEachEpoch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            job.run.save_model(self.model)

    callbacks = [
        *task.callbacks(network, feed),
        keras.callbacks.CSVLogger(job.run.path / "history.csv", append=since > 0),
        SaveEachEpoch(),
        keras.callbacks.TerminateOnNaN(raise_error=True),
    ]
    if patience:
        callbacks.append(keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True))
    if job.tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(job.run.path / "tensorboard"))
    try:
        network.model.fit(
            network.fan_out(feed.batches("train", training=True)),
            validation_data=network.fan_out(feed.batches("validation")) if feed.holds_out(job.card) else None,
            initial_epoch=since,
            epochs=until,
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
