"""Training: `fit` takes a plan that has passed its checks and writes a run folder."""

import contextlib
import json
import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from zoo import factory, plots, records, registry, tasks
from zoo.data.base import DataModule
from zoo.errors import UsageError, unknown
from zoo.optimizers import finetuning, schedules
from zoo.records import Card, Recipe, replace
from zoo.system import machine
from zoo.tasks.base import Evaluation, Network
from zoo.training import throughput
from zoo.training.run_folder import Run, commit, versions
from zoo.training.run_plan import Extras, RunPlan, check_recipe, command_line

log = logging.getLogger("zoo")


def fit(plan: RunPlan) -> Run:
    """Train, evaluate and draw; if it fails before an epoch is finished, leave no run folder behind."""
    try:
        return _fit(plan)
    except BaseException:  # Ctrl-C as well
        plan.run.discard_if_untrained()
        raise


def _fit(plan: RunPlan) -> Run:
    started = time.perf_counter()
    recipe, extras = replace(plan.recipe, model={**plan.recipe.model, **plan.options}), plan.extras
    check_recipe(plan.card, recipe)
    task = tasks.get(plan.card.task)
    task.check(recipe.loss or plan.card.loss)
    data = task.data_module.adapt(plan.card, recipe, plan.source.load())

    keras.utils.set_random_seed(recipe.seed)
    options = builder_options(plan.card, recipe, data)
    model = build(plan.card, recipe, options) if extras.model is None else extras.model
    network = Network.of(model, plan.card, task, recipe)
    task.check_network(network, data)
    trainer, training_data = task.trainer(network, data)
    compile_for(trainer, training_data, recipe, extras)
    plan.run.check_space(64 * 2**20 + 16 * network.model.count_params())
    plan.run.write_json("config.json", config(plan, recipe, options, data))

    rates = measure_rates(trainer, training_data)
    fit_started = time.perf_counter()
    fit_by_recipe(trainer, training_data, recipe, plan)
    fit_seconds = time.perf_counter() - fit_started
    plan.run.save_model(network.model)  # once more: averaged weights take their place when `fit` ends

    evaluation, baselines = network.judge(data, "test"), task.baselines(data)
    plan.run.write_json("metrics.json", {
        "model": plan.card.name,
        "recipe": recipe.name,
        "metrics": dict(evaluation.metrics),
        "baselines": baselines,
        "seconds": round(time.perf_counter() - started, 2),
        "fit_seconds": round(fit_seconds, 2),
        "samples_per_second": {name: round(rate) for name, rate in rates.items()},
        "seed": recipe.seed,
    })  # fmt: skip
    report(plan.run, network, data, evaluation, baselines)
    return plan.run


def build(card: Card, recipe: Recipe, options: Mapping[str, Any]) -> keras.Model:
    """The network, at the recipe's precision and from its weights."""
    with dtype_policy(recipe.precision):
        return factory.build(
            card.name, weights=recipe.weights or None, preprocessing=recipe.preprocessing or None, **options
        )


def builder_options(card: Card, recipe: Recipe, data: DataModule) -> dict[str, Any]:
    """The builder's options: what the data decides, then the recipe's with the caller's."""
    from_data = data.model_options()
    chosen = {option: value for option, value in from_data.items() if option in card.options}
    chosen |= factory.checked_options(card.name, recipe.model)
    for option, value in from_data.items():
        if option in chosen and tuple(np.atleast_1d(chosen[option])) != tuple(np.atleast_1d(value)):
            raise UsageError(
                f"{option} is {chosen[option]!r}; the data set {data.source.name} has {value!r}: leave it out"
            )
    return chosen


@contextlib.contextmanager
def dtype_policy(precision: str) -> Iterator[None]:
    """Build under a Keras dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def config(plan: RunPlan, recipe: Recipe, options: Mapping[str, Any], data: DataModule) -> dict[str, Any]:
    """All that is needed to run it again, and to ask the network."""
    return {
        "command": command_line(plan, options),
        "model": plan.card.name,
        "extras": plan.extras.described(),
        "imports": registry.own_code(plan.card.name),
        "options": options,
        "recipe": records.as_dict(recipe),
        "data_dir": str(plan.data_dir) if plan.data_dir else None,
        "data_sha256": plan.source.sha256(),
        "classes": data.source.class_names,
        "examples": data.examples,
        "data": config_of(data),
        "versions": versions(),
        "backend": keras.backend.backend(),
        "commit": commit(),
        "machine": machine(),
    }


def config_of(data: DataModule) -> dict[str, Any]:
    """What the data module keeps, which can be kept."""
    found: Any = data.get_config()
    told = type(found).__name__ if not isinstance(found, dict) else ""
    try:
        json.dumps(found)
    except (TypeError, ValueError) as error:  # a tensor, an array; something that holds itself
        told = told or f"what JSON cannot hold ({error})"
    if told:
        raise UsageError(
            f"get_config() of {type(data).__qualname__} returned {told}; expected a dictionary of numbers, texts and "
            "lists, from which from_config makes it again: return one"
        )
    return found


def measure_rates(trainer: Network, data: DataModule) -> dict[str, float]:
    """Samples a second that the pipeline supplies and the model takes. Each gets an iterator of batches of its own: to
    measure one would move its order on."""
    rates = {
        "pipeline": throughput.pipeline_rate(data.batches("train", training=True)),
        "model": throughput.model_rate(trainer.model, trainer.with_targets(data.batches("train", training=True))),
    }
    log.info(
        f"the pipeline supplies {rates['pipeline']:,.0f} samples/s, the model takes {rates['model']:,.0f}: "
        + ("the model sets the pace" if rates["pipeline"] > rates["model"] else "the model will wait for data")
    )
    return rates


def compile_for(trainer: Network, data: DataModule, recipe: Recipe, extras: Extras) -> None:
    """Compile by the recipe: its optimizer over all of its epochs, layer by layer slower where it says so."""
    optimizer = extras.optimizer
    if optimizer is None:
        optimizer = schedules.optimizer(recipe, data.steps * max(recipe.epochs - recipe.head_epochs, 1))
    if recipe.decay_kernels_only:
        optimizer.exclude_from_weight_decay(finetuning.without_decay(trainer.model))
    if recipe.layer_decay < 1:
        optimizer = finetuning.layerwise(optimizer, trainer.model, decay=recipe.layer_decay)
    trainer.compile(optimizer, [*trainer.task.keras_metrics(), *extras.metrics])


def fit_by_recipe(trainer: Network, data: DataModule, recipe: Recipe, plan: RunPlan) -> None:
    """Train by the recipe: from pretrained weights the new head first, alone, then the network."""
    if recipe.head_epochs:
        finetuning.freeze(trainer.model)
        trainer.compile(keras.optimizers.Adam(recipe.head_learning_rate), trainer.task.keras_metrics())
        fit_epochs(trainer, data, plan, until=recipe.head_epochs)
    if recipe.epochs > recipe.head_epochs:
        if recipe.head_epochs:
            finetuning.unfreeze(trainer.model)
            compile_for(trainer, data, recipe, plan.extras)
        fit_epochs(trainer, data, plan, since=recipe.head_epochs, until=recipe.epochs, patience=recipe.patience)


def class_weights(given: Any, network: Network, data: DataModule) -> dict[int, float] | None:
    """By class number, from numbers or names of classes, or "balanced": the inverse of how often each occurs."""
    if given is None:
        return None
    names = list(data.source.class_names)
    if network.heads or not names:
        raise UsageError("class_weight is for networks with one output that gives classes: leave it out")
    if given == "balanced":
        counts = np.bincount(np.asarray(data.targets("train")).ravel(), minlength=len(names))  # type: ignore[attr-defined]
        return dict(enumerate((counts.sum() / (len(names) * np.maximum(counts, 1))).tolist()))
    if not isinstance(given, Mapping):
        raise UsageError(f"class_weight is {given!r}; expected a dictionary from classes to numbers, or 'balanced'")
    numbers: dict[Any, int] = {each: number for number, name in enumerate(names) for each in (name, number)}
    for key in given:
        if key not in numbers:
            raise unknown("class in class_weight", key, names)
    return {numbers[key]: float(weight) for key, weight in given.items()}


class SaveEachEpoch(keras.callbacks.Callback):
    """The network in the run folder is that of the last finished epoch."""

    def __init__(self, run: Run):
        super().__init__()
        self.run = run

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.run.save_model(self.model)


def fit_epochs(
    trainer: Network, data: DataModule, plan: RunPlan, *, until: int, since: int = 0, patience: int = 0
) -> None:
    """`model.fit` from one epoch to another, with the run folder kept up to date after each."""
    callbacks = [
        *trainer.task.callbacks(trainer, data),
        *plan.extras.callbacks,
        keras.callbacks.CSVLogger(plan.run.path / "history.csv", append=since > 0),
        SaveEachEpoch(plan.run),
        keras.callbacks.TerminateOnNaN(raise_error=True),
    ]
    if patience:
        callbacks.append(keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True))
    if plan.tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(plan.run.path / "tensorboard"))
    try:
        trainer.model.fit(
            trainer.with_targets(data.batches("train", training=True)),
            validation_data=trainer.with_targets(data.batches("validation")) if data.holds_out(plan.card) else None,
            initial_epoch=since,
            epochs=until,
            callbacks=callbacks,
            verbose=plan.verbose,
            class_weight=class_weights(plan.extras.class_weight, trainer, data),
            shuffle=False,  # the pipeline does
        )
    except RuntimeError as error:
        if "NaN or Inf loss" not in str(error):
            raise
        rate = plan.recipe.learning_rate
        raise UsageError(
            f"the loss became NaN or infinite; expected it to fall: lower learning_rate, now {rate:g}"
        ) from None


def report(
    run: Run, network: Network, data: DataModule, evaluation: Evaluation, baselines: Mapping[str, float]
) -> None:
    """The plots and tables of a run, in its folder."""
    task = network.task
    curves = plots.curves(run.path / "history.csv", network.main, task.metric, baselines)
    for file, figure in {"curves.png": curves, **task.plots(data, evaluation)}.items():
        if figure is not None:
            plots.save(figure, run.path / file)
    for file, rows in task.tables(data, evaluation).items():
        run.write_csv(file, rows)
