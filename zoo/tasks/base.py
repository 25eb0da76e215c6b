"""What a task is made of: one row of `zoo.tasks.TASKS`, and the network that it judges."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo import losses
from zoo.data.base import Feed


@dataclass(frozen=True)
class Measured:
    """What a network was found to do on a split."""

    figures: Mapping[str, float]  # the main one among them
    truth: Any = None  # targets and outputs as the task's pictures take them
    outputs: Any = None
    notes: tuple[str, ...] = ()  # what else is worth saying, a line each


@dataclass(frozen=True)
class Network:
    """A model and its outputs: one, or a dictionary of which one is meant and the others only help in training."""

    model: keras.Model
    card: Any
    heads: tuple[str, ...]  # none for a single output
    main: str
    criterion: keras.Loss  # the recipe's own, or else the card's, or else the task's

    @classmethod
    def of(cls, model, card, task: "Task", plan=None) -> "Network":
        """Of a built model, by the loss of the recipe `plan` where it names one."""
        heads = tuple(model.output) if isinstance(model.output, dict) else ()
        main = next((name for name in heads if name not in card.loss_weights), "")
        name, options = (plan.loss or card.loss, plan.loss_options) if plan else (card.loss, {})
        return cls(model, card, heads, main, losses.get(name, **options) if name else task.loss())

    def compile(self, optimizer, metrics: Sequence[keras.Metric], **options) -> None:
        """With the loss on every head, and the metrics on the main one."""
        if not self.heads:
            self.model.compile(optimizer, loss=self.criterion, metrics=list(metrics), **options)
            return
        self.model.compile(
            optimizer,
            loss=dict.fromkeys(self.heads, self.criterion),
            loss_weights={name: self.card.loss_weights.get(name, 1.0) for name in self.heads},
            metrics={self.main: list(metrics)},
            **options,
        )

    def fan_out(self, dataset):
        """The same target for every head."""
        return dataset.map(lambda x, y: (x, dict.fromkeys(self.heads, y))) if self.heads else dataset

    def predict(self, inputs) -> np.ndarray:
        """What the main head says of batches (a ``tf.data.Dataset``) or of one array of inputs."""
        outputs = self.model.predict(inputs, verbose=0)
        return outputs[self.main] if self.heads else outputs


@dataclass(frozen=True)
class Task:
    """One row of the table."""

    metric: str  # the main figure
    minimise: bool
    feed: type[Feed]
    loss: Callable[[], keras.Loss]
    # (network, feed, split) -> figures, truth, outputs. The test split is measured once, after training.
    measure: Callable[[Network, Feed, str], Measured]
    baselines: Callable[[Feed], dict[str, float]]  # the main figure of each, on the test split
    also: tuple[str, ...] = ()  # other figures, better in the same direction, that a recipe may expect
    keras_metrics: Callable[[], list[keras.Metric]] = list  # shown while training; the main figure under its own name
    # File name -> figure(feed, measured), or None where it would make no sense.
    pictures: Mapping[str, Callable[[Feed, Measured], Any]] = field(default_factory=dict)
    # File name -> rows(feed, measured), for a CSV file.
    tables: Mapping[str, Callable[[Feed, Measured], list[dict[str, Any]]]] = field(default_factory=dict)
    # What watches over the training of this task; the figures that it adds to the logs go into history.csv.
    callbacks: Callable[[Network, Feed], list[keras.callbacks.Callback]] = lambda network, feed: []
    # (network, feed) -> what is compiled and fitted: another way to train the same weights, where there is one.
    learner: Callable[[Network, Feed], Network] = lambda network, feed: network
    takes_files: bool = False  # whether `zoo evaluate --with FILE` says more; `feed.files` holds them
    # Format -> (network, feed, path) -> the path written: `zoo export`.
    exports: Mapping[str, Callable[[Network, Feed, Path], Path]] = field(default_factory=dict)
    # (network, feed, what the user has, folder for pictures) -> lines to print: `zoo predict`.
    answer: Callable[[Network, Feed, Sequence[str], Path | None], list[str]] | None = None
    # (network, feed, prompt, length=, temperature=, top_k=, seed=) -> pieces of text as they come: `zoo generate`.
    generate: Callable[..., Iterator[str]] | None = None
    # (network, feed, texts, beams=, length_penalty=) -> translations as they come: `zoo translate`.
    translate: Callable[..., Iterator[str]] | None = None
    # Further commands: (network, feed, test figures, *arguments) -> lines to print, by the word on the command line.
    verbs: Mapping[str, Callable[..., list[str]]] = field(default_factory=dict)
