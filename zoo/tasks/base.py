"""What a task is, the network that it trains and judges, and what it finds.

A task is one class in the file of its name, of a user's own file as well::

    class Segmentation(Task):
        name = "segmentation"  # not needed in ``zoo/tasks/``: there the file's name is the task's
        metric = "iou"
        data_module = SegmentationDataModule

        def loss(self) -> keras.Loss: ...
        def scores(self, targets: np.ndarray, outputs: np.ndarray) -> dict[str, float]: ...

What it does not define, it does not have: a task without `baselines` has none, and a command (``zoo generate``) is for
the tasks with a method of its name.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import keras
import numpy as np

from zoo import factory, losses, tasks
from zoo.backend import batch_divisor, random_states_kept, released
from zoo.data.base import DataModule
from zoo.data.batching import shared_equally
from zoo.errors import UsageError
from zoo.records import Card, Recipe
from zoo.tasks import _checks as checks
from zoo.tasks._answering import takes_unscaled
from zoo.tasks._columns import as_column, columns_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Evaluation:
    """What a network was found to do on a split."""

    metrics: Mapping[str, float]  # the main one among them
    targets: Any = None  # as the task's plots take them
    outputs: Any = None
    notes: tuple[str, ...] = ()  # what else is worth saying, a line each
    measured_on: str = ""  # what the main metric counts, where that is not the examples


@dataclass(frozen=True)
class Sample:
    """For tests, which know no network by name: targets that fit an output, and what loss to expect at the start."""

    targets: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]  # (generator, the output's shape)
    initial_loss: Callable[[int], float]  # of an output that knows nothing; takes the size of its last axis
    tolerance: float


@dataclass(frozen=True)
class Network:
    """A model with its task, and the loss of each of its outputs ("heads"): one, or a dictionary of several."""

    model: keras.Model
    card: Card
    task: Task
    losses: Mapping[str, keras.Loss]  # by head; "" is the only output of a model that has one

    @classmethod
    def of(cls, model: keras.Model, card: Card, task: Task, recipe: Recipe | None = None) -> Network:
        """Of a built model, with the loss that the recipe names, or else the card, or else the task's own."""
        heads = tuple(model.output) if isinstance(model.output, dict) else ("",)
        name, options = (recipe.loss or card.loss, recipe.loss_options) if recipe else (card.loss, {})
        chosen = losses.get(name, **options) if name else None
        found = task.losses(heads, chosen)
        checks.check_heads(card, task, heads, found)
        return cls(model, card, task, found)

    @classmethod
    def untrained(cls, task: Task, data: DataModule) -> Network:
        """The network of a recipe as it was built, before it learned."""
        with random_states_kept():
            keras.utils.set_random_seed(data.recipe.seed)
            model = factory.build(data.card.name, **{**data.model_options(), **data.recipe.model})
        return cls.of(model, data.card, task, data.recipe)

    @property
    def heads(self) -> tuple[str, ...]:
        """The names of the outputs; none where there is one only."""
        return tuple(head for head in self.losses if head)

    @property
    def main(self) -> str:
        """The head that is measured: the first that does not only help in training, or the first of all."""
        return next((head for head in self.heads if head not in self.card.loss_weights), [*self.heads, ""][0])

    @property
    def loss(self) -> keras.Loss:
        """The loss of the main head."""
        return self.losses[self.main]

    def compile(self, optimizer: keras.Optimizer, metrics: Sequence[keras.Metric], **options: Any) -> None:
        """With its loss on every head, and the metrics on the main one."""
        if not self.heads:
            self.model.compile(optimizer, loss=self.loss, metrics=list(metrics), **options)
            return
        self.model.compile(
            optimizer,
            loss=dict(self.losses),
            loss_weights={head: self.card.loss_weights.get(head, 1.0) for head in self.heads},
            metrics={self.main: list(metrics)},
            **options,
        )

    def with_targets(self, dataset: Any) -> Any:
        """The batches of a data module, with the targets that each head learns, in columns where the head is one."""
        columns, devices = columns_of(self.model), batch_divisor()
        if devices > 1:
            dataset = shared_equally(dataset, devices)
        if not self.heads and not columns and type(self.task).targets is Task.targets:
            return dataset

        def changed(x: Any, y: Any) -> tuple[Any, Any]:
            y = self.task.targets(x, y, self.heads)
            if isinstance(y, Mapping):
                return x, {head: as_column(each, columns.get(head)) for head, each in y.items()}
            return x, as_column(y, columns.get(""))

        return dataset.map(changed)

    def judge(self, data: Any, split: str) -> Evaluation:
        """What its task finds on a split.

        Raises:
            UsageError: if that is no evaluation, or the main metric is not in it.
        """
        with released():
            found: Any = self.task.evaluate(self, data, split)
        checks.check_returned(self.task, "evaluate", found, Evaluation)
        checks.check_metric(self.task, found.metrics)
        return found

    def predict(self, inputs: Any) -> np.ndarray:
        """The outputs of the main head, for batches (a ``tf.data.Dataset``) or for one array of inputs."""
        devices = batch_divisor()
        if devices > 1 and hasattr(inputs, "as_numpy_iterator"):
            return np.concatenate([self.predict_batch(x) for x, *_ in inputs.as_numpy_iterator()])
        outputs = self.model.predict(inputs, verbose=0)
        return outputs[self.main] if self.heads else outputs

    def predict_batch(self, x: Any) -> np.ndarray:
        """The same of one batch, whose last example is repeated until the devices can share it."""
        count = len(keras.tree.flatten(x)[0])
        more = -count % batch_divisor()
        filled = keras.tree.map_structure(lambda part: np.concatenate([part, *[part[-1:]] * more]), x)
        outputs = self.model.predict_on_batch(filled)
        return (outputs[self.main] if self.heads else outputs)[:count]


@dataclass(frozen=True)
class Trained:
    """A network that is asked something, with the data module that encodes the question."""

    network: Network
    data: Any  # a data module, of the class that the task names
    run: Any = None  # its run folder; None for published weights

    @property
    def metrics(self) -> Mapping[str, float]:
        """What was measured on the test set, at the end of the run."""
        return self.run.metrics

    def metric(self, name: str) -> float:
        """One of them.

        Raises:
            UsageError: where the file that holds them is damaged.
        """
        if name not in self.metrics:
            raise UsageError(f"{self.run.path / 'metrics.json'} holds no {name}; restore it or train again")
        return self.metrics[name]


class Task:
    """What a kind of problem asks of a run; the data module that a method takes is of the class that it names."""

    name: ClassVar[str] = ""
    metric: ClassVar[str]  # the main one, by which runs are compared
    minimize: ClassVar[bool] = False
    counts_examples: ClassVar[bool] = False  # whether the main metric is the part of the test examples that are right
    advice: ClassVar[str] = "more epochs, more data or another learning rate may help"  # where a baseline is better
    other_metrics: ClassVar[tuple[str, ...]] = ()  # better in the same direction; a recipe may expect them
    data_module: ClassVar[type[DataModule]]
    # From the path of a user's folder or file, and words of `preprocess` that it takes by name, to what opens it.
    folder: ClassVar[Callable[..., Any] | None] = None
    formats: ClassVar[Mapping[str, Callable[[Trained, Any], Any]]] = {}  # of export, beside those that Keras writes
    takes_question_files: ClassVar[bool] = False  # of `zoo evaluate --with FILE`; `data.files` holds them

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        package, _, module = cls.__module__.rpartition(".")
        if package == tasks.__name__ and not module.startswith("_"):
            cls.name = module
        elif "name" not in vars(cls):  # what others are made from, not a task by itself
            return
        elif cls.name in tasks.files():
            raise UsageError(f"the task {cls.name!r} is the zoo's own: call {cls.__qualname__} otherwise")
        checks.check_alone(cls, tasks.classes.get(cls.name))
        tasks.classes[cls.name] = cls

    @property
    def commands(self) -> list[str]:
        """What its networks can be asked: the public methods that take a `Trained`, and call it ``trained``."""
        public = (each for each in dir(type(self)) if not each.startswith("_") and not hasattr(Task, each))
        own = {each: getattr(type(self), each) for each in public}
        functions = {name: method for name, method in own.items() if inspect.isfunction(method)}
        return [name for name, each in functions.items() if [*inspect.signature(each).parameters][1:2] == ["trained"]]

    # Training

    def check(self, loss: str = "") -> None:
        """Raise unless the class defines what a training needs; `loss` is what the recipe or the card name, if any."""
        checks.check_complete(self, Task, loss)

    def check_network(self, network: Network, data: Any) -> None:
        """Raise where a network that was built cannot learn from this data."""

    def loss(self) -> keras.Loss:
        """Of one output, where neither recipe nor card names another."""
        raise NotImplementedError

    def losses(self, heads: Sequence[str], chosen: keras.Loss | None) -> dict[str, keras.Loss]:
        """A loss for each head: the chosen one, or the task's own, on all of them."""
        return dict.fromkeys(heads, chosen or self.loss())

    def targets(self, x: Any, y: Any, heads: Sequence[str]) -> Any:
        """What the heads learn from a batch of the data module: its targets, the same for every head."""
        return dict.fromkeys(heads, y) if heads and not isinstance(y, Mapping) else y

    def keras_metrics(self) -> list[keras.Metric]:
        """Shown while training; the main metric under its own name."""
        return []

    def callbacks(self, network: Network, data: Any) -> list[keras.callbacks.Callback]:
        """What watches over the training; the metrics that it adds to the logs go into history.csv."""
        return []

    def trainer(self, network: Network, data: Any) -> tuple[Network, DataModule]:
        """What is compiled and fitted, and on what: the network on its data, or another way to train its weights."""
        return network, data

    def answering(self, network: Network, data: Any) -> keras.Model:
        """The network as other programs get it: from what they have, unscaled, to what it says."""
        return takes_unscaled(network.model, data)

    # Judging

    def headline(self, metrics: Mapping[str, float]) -> str:
        """Which of the metrics sums up a run: the main one, or the loss where that could not be measured."""
        return self.metric if math.isfinite(metrics[self.metric]) else "loss"

    def evaluate(self, network: Network, data: Any, split: str) -> Evaluation:
        """Loss and `scores` of one output for each example. The test split is measured once, after training."""
        targets, outputs = data.targets(split), network.predict(data.batches(split))
        rank = outputs.ndim if outputs.shape[-1] == 1 else None
        loss = float(network.loss(as_column(targets, rank), outputs))
        found = self.scores(targets, outputs)
        checks.check_returned(self, "scores", found, Mapping)
        return Evaluation({"loss": loss, **found}, targets, outputs)

    def scores(self, targets: Any, outputs: Any) -> dict[str, float]:
        """The metrics beside the loss."""
        raise NotImplementedError

    def baselines(self, data: Any) -> dict[str, float]:
        """The main metric, on the test split, of what needs no such network."""
        return {}

    def plots(self, data: Any, evaluation: Evaluation) -> dict[str, Figure | None]:
        """File name -> matplotlib figure, or None where it would make no sense."""
        return {}

    def tables(self, data: Any, evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
        """File name -> the rows of a CSV file."""
        return {}

    # Tests

    def sample(self, card: Card, head: str = "") -> Sample:
        """Targets for a head of a network with this card."""
        raise NotImplementedError


def class_ids(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """For `Sample`: logits (batch, ..., classes) are compared with class numbers (batch, ...)."""
    return rng.integers(0, shape[-1], shape[:-1]).astype("int32")
