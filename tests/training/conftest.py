"""What tests of trainings share."""

import signal

import pytest

from zoo.training import keeper
from zoo.training.stopping import requests


@pytest.fixture
def stop_at(monkeypatch):
    """Ask the training to stop at some batch of some epoch, or at the end of an epoch."""

    usual_batch, usual_epoch = keeper.Keeper.on_train_batch_end, keeper.Keeper.on_epoch_end
    place = [None]

    def ask(here):
        if here == place[0]:
            requests.pending = signal.SIGTERM

    def batch_end(self, number, logs=None):
        ask((self.epoch, number))
        usual_batch(self, number, logs)

    def epoch_end(self, number, logs=None):
        ask((number, None))
        usual_epoch(self, number, logs)

    monkeypatch.setattr(keeper.Keeper, "on_train_batch_end", batch_end)
    monkeypatch.setattr(keeper.Keeper, "on_epoch_end", epoch_end)
    return lambda epoch, batch=None: place.__setitem__(0, (epoch, batch))
