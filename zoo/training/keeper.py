"""What keeps a training while `fit` runs: it takes checkpoints, puts one back, and stops between two batches."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from zoo.data.epochs import Epochs
from zoo.errors import UsageError
from zoo.training import checkpoint as checkpoints
from zoo.training import state
from zoo.training.checkpoint import Checkpoint
from zoo.training.run_folder import Run
from zoo.training.stopping import Stopped, requests

SHARE = 0.04  # of the time that may go into writing, once the first epoch is kept


class EpochFinished(Exception):
    """The rest of an epoch that was broken off is trained: `fit` starts anew from the checkpoint here."""

    def __init__(self, taken: Checkpoint):
        super().__init__()
        self.taken = taken


def shift(callback: keras.callbacks.Callback, batches: int) -> None:
    """Have a callback count the batches of one epoch from another number on than `fit` does."""

    def shifted(usual: Callable[..., None]) -> Callable[..., None]:
        return lambda batch, logs=None: usual(batches + batch, logs)

    for name in ("on_train_batch_begin", "on_train_batch_end"):
        setattr(callback, name, shifted(getattr(callback, name)))


@dataclass
class Journal:
    """What goes on from one phase of a training to the next."""

    run: Run
    learning_rate: float
    facts: Mapping[str, Any]  # what the training depends on: see `zoo.training.resume`
    minutes: float
    start: Checkpoint | None = None  # where to go on
    rows: list[dict[str, Any]] = field(default_factory=list)  # of history.csv
    began: float = field(default_factory=time.perf_counter)
    written: float = field(default_factory=time.perf_counter)  # when the last checkpoint was
    spent: float = 0.0  # seconds, on writing
    last_cost: float = 0.0  # of them, on the last checkpoint
    rates: dict[str, float] = field(default_factory=dict)  # samples a second, see `zoo.training.throughput`

    def __post_init__(self) -> None:
        if self.start is not None:
            self.rows = list(self.start.state["history"])
            self.rates = dict(self.start.state.get("rates", {}))  # 0.1 wrote none
        self.seconds_before = float(self.start.state["seconds"]) if self.start else 0.0

    @property
    def seconds(self) -> float:
        """Of training, over all its parts."""
        return self.seconds_before + time.perf_counter() - self.began

    @property
    def due(self) -> bool:
        """Whether another checkpoint costs little, measured by the last one."""
        return self.spent + self.last_cost <= SHARE * (time.perf_counter() - self.began)

    @property
    def long_ago(self) -> bool:
        """Whether so much has been trained since the last one that more should not be lost."""
        return time.perf_counter() - self.written >= 60 * self.minutes and self.due

    def write(self, taken: Checkpoint) -> None:
        """A checkpoint, and then the rows that belong to it: when they differ, the checkpoint is right."""
        checkpoints.write(self.run.path / checkpoints.FOLDER, taken)
        if self.rows:
            self.run.write_csv("history.csv", self.rows)


class Keeper(keras.callbacks.Callback):
    """The last of the callbacks of a phase of training.

    Args:
        journal: of the training.
        network: that is trained.
        others: the callbacks before this one.
        epochs: of the batches; None where they do not say.
        phase: of the training, from 0.
        until: epochs at which it ends.
        start: to be put back when `fit` begins.
        rest: whether what `fit` is given are the batches behind those that `start` has done.
        skips: whether batches can be passed over, without which no epoch can be gone on with.
    """

    def __init__(
        self,
        journal: Journal,
        network: keras.Model,
        others: Sequence[keras.callbacks.Callback],
        *,
        epochs: Epochs | None,
        phase: int,
        until: int,
        start: Checkpoint | None = None,
        rest: bool = False,
        skips: bool = True,
    ):
        super().__init__()
        self.journal, self.network, self.others = journal, network, others
        self.epochs, self.phase, self.until = epochs, phase, until
        self.start, self.rest, self.skips = start, rest, skips
        self.done = start.batch if start and rest else 0  # batches of this epoch
        self.epoch = start.epoch if start else 0

    def on_train_begin(self, logs: Any = None) -> None:
        self.watched = state.Watched(self.others)  # each has set itself up
        if self.start is not None:
            self.put_back(self.start, but=("metric",))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch
        if self.epochs is not None:
            self.epochs.next = epoch
        if self.rest and self.start is not None:  # what the others draw at the start of an epoch was drawn before
            self.put_back(self.start)
        else:
            self.done = 0
        self.offset = self.done

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self.rest and self.start is not None and self.done == self.offset:
            # PyTorch's loader draws a number when it begins; in the epoch that was broken off it had done so before.
            state.put_random(self.start.state["random"], self.start.arrays)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.done = self.offset + batch + 1
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise self.not_finite(f"the loss became {float(loss)} in batch {self.done} of epoch {self.epoch + 1}")
        if not (requests.pending or self.journal.long_ago):
            return
        steps = self.params.get("steps")
        if self.skips and steps is not None and batch + 1 < steps:
            self.keep(epoch=self.epoch, batch=self.done)
            self.stop_if_asked()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = dict(logs or {})
        self.journal.rows.append({"epoch": epoch, **{key: float(logs[key]) for key in sorted(logs)}})
        self.epoch, self.done = epoch + 1, 0
        last = self.model.stop_training or epoch + 1 == self.until
        if last or requests.pending or self.journal.due:
            self.keep(epoch=epoch + 1, batch=0)
            self.stop_if_asked()
        if self.rest:
            raise EpochFinished(self.take(epoch=epoch + 1, batch=0))

    def stop_if_asked(self) -> None:
        if requests.pending:
            raise Stopped(requests.pending)

    def not_finite(self, what: str) -> UsageError:
        """What there is to say where numbers have run away."""
        kept, _ = checkpoints.newest(self.journal.run.path)
        rate = self.journal.learning_rate
        after = (
            f"; {self.journal.run.path} keeps {kept.where}: zoo train --resume {self.journal.run.path} "
            f"--learning-rate {rate / 10:.3g}"
            if kept
            else ""
        )
        return UsageError(f"{what}; expected it to fall: lower learning_rate, now {rate:g}{after}")

    def keep(self, *, epoch: int, batch: int) -> None:
        """Write a checkpoint, and count what it cost."""
        started = time.perf_counter()
        taken = self.take(epoch=epoch, batch=batch)
        for name, array in taken.arrays.items():
            if name.startswith("network.") and array.dtype.kind == "f" and not np.isfinite(array).all():
                raise self.not_finite(f"a weight became NaN or infinite in epoch {self.epoch}")
        self.journal.write(taken)
        self.journal.written = time.perf_counter()
        self.journal.last_cost = self.journal.written - started
        self.journal.spent += self.journal.last_cost

    def take(self, *, epoch: int, batch: int) -> Checkpoint:
        """All there is of the training, now."""
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()  # JAX keeps the variables elsewhere inside an epoch
        variables = state.variables_of(self.network, self.model)
        if not batch:
            variables["metric"] = []  # each epoch begins with new ones
        arrays = state.take_variables(variables)
        return Checkpoint(
            {
                "phase": self.phase,
                "epoch": epoch,
                "batch": batch,
                "stopped": bool(self.model.stop_training),
                "history": self.journal.rows,
                "callbacks": self.watched.take(arrays),
                "random": state.take_random(arrays),
                "seconds": round(self.journal.seconds, 2),
                "rates": self.journal.rates,
                "facts": self.journal.facts,
            },
            arrays,
        )

    def put_back(self, start: Checkpoint, but: Sequence[str] = ()) -> None:
        """The training as it was."""
        of = str(self.journal.run.path)
        state.put_variables(state.variables_of(self.network, self.model), start, of=of, but=but)
        self.watched.put(start.state["callbacks"], start.arrays, of=of)
        state.put_random(start.state["random"], start.arrays)
