"""Training: `fit` takes a plan that has passed its checks and writes a run folder."""

import contextlib
import dataclasses
import json
import logging
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from zoo import factory, plots, records, registry, tasks
from zoo.backend import dtype_policy
from zoo.data import split_record
from zoo.data.base import DataModule
from zoo.errors import UsageError, first_line
from zoo.records import Card, Recipe, replace
from zoo.system import computed_on, machine
from zoo.tasks.base import Evaluation, Network
from zoo.training import best_epoch, checkpoint, resume, state
from zoo.training.command import command_line
from zoo.training.keeper import Journal
from zoo.training.phases import compile_for, fit_by_recipe
from zoo.training.run_folder import Run, commit, versions
from zoo.training.run_plan import RunPlan, check_recipe
from zoo.training.stopping import Stopped, requests

log = logging.getLogger("zoo")

BYTES_PER_SECOND = 2e8  # of a checkpoint that is hashed and brought to the disk: on two cores, with other work
USES = ("train", "validate", "are held out to test")
STILL_LEARNING = 0.99  # of the best loss before


def fit(plan: RunPlan) -> Run:
    """Train, evaluate and draw; if it fails before an epoch is finished, leave no run folder behind."""
    try:
        with requests.watch(), checkpoint.alone(plan.run.path):
            run = _fit(plan)
        plan.tracker.finish(run.metrics)
        return run
    except BaseException as error:  # Ctrl-C as well
        with contextlib.suppress(Exception):
            plan.tracker.finish({})
        plan.run.discard_if_untrained()
        if isinstance(error, Stopped):
            raise Stopped(error.number, kept(plan.run)) from None
        if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's
            raise UsageError(
                f"the memory ran out ({first_line(error)[:200]}); expected the training to fit: lower batch_size, or "
                f"take a smaller network{kept(plan.run)}"
            ) from error
        raise


def _fit(plan: RunPlan) -> Run:
    started = time.perf_counter()
    recipe, extras = replace(plan.recipe, model={**plan.recipe.model, **plan.options}), plan.extras
    check_recipe(plan.card, recipe)
    task = tasks.get(plan.card.task)
    task.check(recipe.loss or plan.card.loss)
    source = dataclasses.replace(plan.source.load(), cache_dir=plan.cache_dir)
    data = task.data_module.adapt(plan.card, recipe, source)
    recipe = with_enough_epochs(recipe, data)
    part = getattr(plan.source, "part", "")  # of a cross-validation or a search
    uses = (*USES[:2], f"are measured ({part})") if part else USES
    log.info(f"{data.source.name}: of the examples " + told(data.examples, uses))

    keras.utils.set_random_seed(recipe.seed)
    options = builder_options(plan.card, recipe, data)
    model = build(plan.card, recipe, options) if extras.model is None else extras.model
    network = Network.of(model, plan.card, task, recipe)
    task.check_network(network, data)
    log.info(f"{plan.card.name}: {model.count_params():,} parameters; {computed_on()}")
    trainer, training_data = task.trainer(network, data)
    compile_for(trainer, training_data, recipe, extras)
    journal = begin(plan, config(plan, recipe, options, data), network, trainer)
    if kept := getattr(plan.source, "examples", source.examples):  # of a fold: as the whole data are split
        plan.run.write_csv(split_record.FILE, split_record.rows(kept))

    requests.check()
    fit_started = journal.began = journal.written = time.perf_counter()
    try:
        fit_by_recipe(trainer, training_data, recipe, plan, journal, network)
    except Stopped:
        if plan.run.checkpoints:
            plan.run.save_model(network.model)
        raise
    fit_seconds = journal.seconds_before + time.perf_counter() - fit_started
    plan.run.save_model(network.model)  # averaged weights have taken their place, or the best ones
    epoch = kept_epoch(journal.rows, recipe)
    say_if_still_learning([row["val_loss"] for row in journal.rows if isinstance(row.get("val_loss"), float)])

    requests.check()
    evaluation, baselines = network.judge(data, "test"), task.baselines(data)
    report(plan.run, network, data, evaluation, baselines, since=recipe.head_epochs, kept=epoch)
    plan.run.write_json("metrics.json", {  # the last file: without it a run is unfinished
        "model": plan.card.name,
        "recipe": recipe.name,
        "metrics": dict(evaluation.metrics),
        "baselines": baselines,
        "measured_on": part or evaluation.measured_on,
        "seconds": round(journal.seconds_before + time.perf_counter() - started, 2),
        "fit_seconds": round(fit_seconds, 2),
        "epoch": epoch,
        "samples_per_second": {name: round(rate) for name, rate in journal.rates.items()},
        "seed": recipe.seed,
    })  # fmt: skip
    checkpoint.remove(plan.run.path, keep=1)  # for more epochs
    return plan.run


def told(examples: Mapping[str, int], uses: Sequence[str]) -> str:
    """How many examples there are for each use."""
    return ", ".join(f"{count:,} {use}" for count, use in zip(examples.values(), uses))


def begin(plan: RunPlan, written: dict[str, Any], network: Network, trainer: Network) -> Journal:
    """The run folder at the start of a training, or of another part of it."""
    now = resume.facts(written, plan.card)
    changed = resume.changes(plan.start.state["facts"], now) if plan.start else []
    if plan.resumed:
        before = plan.run.read_json("config.json")
        part = {"after": plan.start.where if plan.start else "nothing", "changed": changed, "commit": written["commit"]}
        written |= {"command": before["command"], "resumed": [*before.get("resumed", []), part]}
        log.info(f"going on with {plan.run.path} after {part['after']}")
    for each in changed:
        log.warning(f"since then: {each}")
    if changed:
        log.warning("what comes out is not what the undisturbed training would have given")
    checkpoint.remove(plan.run.path, keep=2)
    variables = state.variables_of(network.model, trainer.model)
    size = sum(math.prod(each.shape) * 8 for section in variables.values() for each in section)
    plan.run.check_space(64 * 2**20 + 2 * size)
    (plan.run.path / "metrics.json").unlink(missing_ok=True)  # of fewer epochs: the run is unfinished again
    plan.run.write_json("config.json", written)
    journal = Journal(plan.run, plan.recipe.learning_rate, now, plan.checkpoint_minutes, plan.start)
    journal.last_cost = size / 2 / BYTES_PER_SECOND  # a guess, until one is written
    if journal.rows:  # the file may be a row behind its checkpoint, and after the last epoch nothing is added
        plan.run.write_csv("history.csv", journal.rows)
    return journal


def kept(run: Run) -> str:
    """What a training that was stopped leaves, and how to go on."""
    found = run.unfinished
    if found and run.config.get("part"):  # of a fold or a trial, which is trained anew
        return f"; {run.path} keeps {found.where}"
    return f"; {run.path} keeps {found.where}: go on with zoo train --resume {run.path}" if found else ""


def with_enough_epochs(recipe: Recipe, data: DataModule) -> Recipe:
    """The recipe with as many epochs as its `min_steps` ask for."""
    epochs = math.ceil(recipe.min_steps / data.steps)
    if epochs <= recipe.epochs:
        return recipe
    log.info(f"{epochs} epochs of {data.steps} steps in place of {recipe.epochs}: few data (--epochs decides)")
    return replace(recipe, epochs=epochs)


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
            instead = f", or set it by --option {data.set_by[option]}=" if option in data.set_by else ""
            raise UsageError(
                f"{option} is {chosen[option]!r}; the data set {data.source.name} has {value!r}: leave it out{instead}"
            )
    return chosen


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
        "part": getattr(plan.source, "part", ""),
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


def kept_epoch(rows: Sequence[dict[str, Any]], recipe: Recipe) -> int:
    """The number of the epoch whose weights are kept: the last one, or the best where the recipe has patience."""
    if not (recipe.patience and rows and all("val_loss" in row for row in rows)):
        return len(rows) - 1
    best = best_epoch.kept(rows)
    of = ", in which the head alone learned" if best < recipe.head_epochs else ""
    log.info(f"epoch {best + 1} of {len(rows)} is kept{of}: its validation loss is the best")
    return best


def say_if_still_learning(losses: Sequence[float]) -> None:
    """Say where the validation loss of the last epoch is the best by more than a little."""
    if len(losses) > 1 and losses[-1] < STILL_LEARNING * min(losses[:-1]):
        log.info("the validation loss still fell in the last epoch: more epochs (--epochs) may do better")


def report(
    run: Run,
    network: Network,
    data: DataModule,
    evaluation: Evaluation,
    baselines: Mapping[str, float],
    *,
    since: int = 0,
    kept: int | None = None,
) -> None:
    """The plots and tables of a run, in its folder; `since` is the epoch in which all began to learn."""
    task = network.task
    shown = baselines if task.headline(evaluation.metrics) == task.metric else {}  # of another metric
    curves = plots.curves(run.path / "history.csv", network.main, task.metric, shown, since=since, kept=kept)
    for file, figure in {"curves.png": curves, **task.plots(data, evaluation)}.items():
        if figure is not None:
            plots.save(figure, run.path / file)
    for file, rows in task.tables(data, evaluation).items():
        if rows:
            run.write_csv(file, rows)
