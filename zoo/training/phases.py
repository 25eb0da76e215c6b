"""The phases of a training: `fit` from one epoch to another with one optimizer, or from a checkpoint on."""

import logging
from dataclasses import dataclass

import keras

from zoo.data.base import DataModule
from zoo.data.batching import RepeatedBatch
from zoo.optimizers import finetuning, schedules
from zoo.optimizers.averaging import AveragedWeights, averages
from zoo.records import Recipe
from zoo.tasks.base import Network
from zoo.training.best_epoch import BestEpoch, best_loss
from zoo.training.checkpoint import Checkpoint
from zoo.training.extras import Extras, class_weights
from zoo.training.head_alone import Features, on_features
from zoo.training.keeper import EpochFinished, Journal, Keeper, shift
from zoo.training.run_plan import RunPlan
from zoo.training.stopping import requests
from zoo.training.throughput import Pace

log = logging.getLogger("zoo")


def compile_for(trainer: Network, data: DataModule, recipe: Recipe, extras: Extras) -> None:
    """Compile by the recipe: its optimizer over all of its epochs, layer by layer slower where it says so."""
    if recipe.head_epochs:
        finetuning.freeze(trainer.model)
        if recipe.epochs > recipe.head_epochs:
            finetuning.unfreeze(trainer.model)
    if recipe.freeze:
        finetuning.freeze(trainer.model, until=recipe.freeze)
    optimizer = extras.optimizer
    if optimizer is None:
        optimizer = schedules.optimizer(recipe, data.steps * max(recipe.epochs - recipe.head_epochs, 1))
    if recipe.decay_kernels_only:
        optimizer.exclude_from_weight_decay(finetuning.without_decay(trainer.model))
    if recipe.layer_decay < 1:
        optimizer = finetuning.layerwise(optimizer, trainer.model, decay=recipe.layer_decay)
    trainer.compile(optimizer, [*trainer.task.keras_metrics(), *extras.metrics])


def fit_by_recipe(
    trainer: Network, data: DataModule, recipe: Recipe, plan: RunPlan, journal: Journal, network: Network
) -> None:
    """Train by the recipe: from pretrained weights the new head first, alone, then the network.

    The head alone is trained for all of its epochs; the best of them, and of those after them, is kept.
    """
    if recipe.head_epochs:
        watched = plan.extras.callbacks or plan.extras.metrics  # which may look at what passes through the body
        alone = None if watched else on_features(trainer, network, data)
        learner, examples = alone or (trainer, data)
        if not alone:
            finetuning.freeze(trainer.model)
        learner.compile(keras.optimizers.Adam(recipe.head_learning_rate), trainer.task.keras_metrics())
        patience = recipe.patience and recipe.head_epochs
        Phase(learner, examples, plan, journal, network, 0, until=recipe.head_epochs, patience=patience).fit()
    if recipe.epochs > recipe.head_epochs:
        if recipe.head_epochs and not alone:
            compile_for(trainer, data, recipe, plan.extras)
        since, until = recipe.head_epochs, recipe.epochs
        Phase(trainer, data, plan, journal, network, 1, since=since, until=until, patience=recipe.patience).fit()


@dataclass(frozen=True)
class Phase:
    """A part of a training with one optimizer: `model.fit` from one epoch to another."""

    trainer: Network  # is fitted
    data: DataModule
    plan: RunPlan
    journal: Journal
    network: Network  # is trained
    number: int
    until: int
    since: int = 0
    patience: int = 0

    def fit(self) -> None:
        """Train, or go on where a checkpoint is; one of a later phase has this one behind it.

        A phase that is done already is fitted for no epoch: what happens at its end happens again.
        """
        start = self.journal.start
        if start is not None and start.state["phase"] != self.number:
            if start.state["phase"] < self.number:
                self.fit_epochs(None)
            return
        if start is not None:
            self.build_all()
            if start.batch:
                start = self.finish_epoch(start)
        self.fit_epochs(start)

    def build_all(self) -> None:
        """Train on one batch, so that all variables are there: they get their values from the checkpoint."""
        batch = next(iter(self.trainer.with_targets(self.data.batches("train", training=True))))
        self.trainer.model.fit(RepeatedBatch(batch, self.trainer.model.steps_per_execution), verbose=0, shuffle=False)

    def finish_epoch(self, start: Checkpoint) -> Checkpoint:
        """The rest of an epoch that was broken off, and the training after it."""
        try:
            self.fit_epochs(start, rest=True)
        except EpochFinished as finished:
            return finished.taken
        raise AssertionError("an epoch has ended without a word")

    def fit_epochs(self, start: Checkpoint | None, *, rest: bool = False) -> None:
        """`model.fit`, from a checkpoint or from the beginning."""
        plan, trainer, data = self.plan, self.trainer, self.data
        since = start.epoch if start else self.since
        stopped = start is not None and start.state["stopped"] and self.until <= self.until_before
        batches, epochs = data.batches("train", training=True), data.epochs
        if epochs is None and start is not None:
            log.warning(
                f"the batches of {type(data).__qualname__} do not draw from DataModule.begin: they come in another "
                "order than in the undisturbed training"
            )
        callbacks = [
            *([AveragedWeights()] if averages(trainer.model.optimizer) else []),  # before all that looks at the weights
            *trainer.task.callbacks(trainer, data),
            *plan.extras.callbacks,
        ]
        if self.patience:
            before = [row for row in self.journal.rows if row["epoch"] < self.since]
            callbacks.append(BestEpoch(self.patience, best_loss(before)))
        told = [*plan.tracker.callbacks(plan.run)]  # of no moment to the training: whoever resumes may take another
        if not rest and not isinstance(data, Features):
            told.append(Pace(lambda: data.batches("train", training=True), self.journal.rates))
        done = start.batch if rest and start else 0
        for callback in [*callbacks, *told] if rest else ():
            shift(callback, done)
        keeper = Keeper(
            self.journal,
            self.network.model,
            callbacks,
            epochs=epochs,
            phase=self.number,
            until=self.until,
            start=start,
            rest=rest,
            skips=epochs is not None and hasattr(batches, "skip"),
        )
        with requests.patiently():
            trainer.model.fit(
                trainer.with_targets(batches.skip(done) if rest else batches),
                validation_data=trainer.with_targets(data.batches("validation")) if data.holds_out(plan.card) else None,
                initial_epoch=since,
                epochs=since if stopped else self.until,
                callbacks=[*callbacks, *told, keeper],
                verbose=plan.verbose,
                class_weight=class_weights(plan.extras.class_weight, trainer, data),
                shuffle=False,  # the pipeline does
            )

    @property
    def until_before(self) -> int:
        """Epochs that the part of the training before this one was to have."""
        start = self.journal.start
        return start.state["facts"]["recipe"]["epochs"] if start else self.until
