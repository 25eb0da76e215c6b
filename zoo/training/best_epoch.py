"""The epoch that is kept: the best of all phases of a training, by its validation loss."""

from collections.abc import Sequence
from typing import Any

import keras


class BestEpoch(keras.callbacks.EarlyStopping):
    """Keras's early stopping, which keeps the weights that it begins with where no epoch is better.

    Args:
        patience: epochs without a better validation loss, then the training stops.
        before: the validation loss of the weights that it begins with; None where there were no epochs before.
    """

    def __init__(self, patience: int, before: float | None = None):
        super().__init__(patience=patience, restore_best_weights=True)
        self.before = before

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_begin(epoch, logs)
        best: Any = getattr(self, "best", None)
        if self.before is not None and best is None:  # a resumed training has it from its checkpoint
            self.best, self.best_weights = self.before, self.model.get_weights()


def kept(rows: Sequence[dict[str, Any]]) -> int:
    """The number of the epoch whose weights `BestEpoch` kept, from the rows of a history.

    >>> kept([{"val_loss": 0.5}, {"val_loss": 0.3}, {"val_loss": 0.3}])
    1
    """
    losses = [row["val_loss"] for row in rows]
    return losses.index(min(losses))


def best_loss(rows: Sequence[dict[str, Any]]) -> float | None:
    """The best validation loss so far; None where there is none."""
    return min((row["val_loss"] for row in rows if isinstance(row.get("val_loss"), float)), default=None)
