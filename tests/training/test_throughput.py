"""Throughput: what is measured, and what cannot be."""

import random

import keras
import numpy as np
import pytest

import zoo
from zoo.data.batching import Batches
from zoo.training import throughput


@pytest.mark.parametrize("groups", [[], [np.zeros(0, int)]])
def test_a_pipeline_without_examples_is_refused(groups):
    empty = Batches(lambda rows: (np.zeros((len(rows), 2)), rows), lambda: groups)
    with pytest.raises(zoo.UsageError, match="the batches of training hold no example"):
        throughput.pipeline_rate(empty, seconds=0.01)


class Clock:
    now = 0.0

    def perf_counter(self):
        return self.now


def paced(clock, found, batches=lambda: [(np.zeros((4, 2)), None), (np.zeros((2, 2)), None)]):
    def supplied():
        for each in batches():
            clock.now += 0.5  # a pipeline of two batches, of 6 samples, a second
            yield each

    pace = throughput.Pace(lambda: Repeatable(supplied), found)
    pace.seconds = 1.0
    return pace


class Repeatable:
    """What can be gone through again and again."""

    def __init__(self, make):
        self.make = make

    def __iter__(self):
        return self.make()


def epoch(pace, clock, *calls):
    """Calls of (the last batch of it, seconds until its end)."""
    pace.on_epoch_begin(0)
    for batch, seconds in calls:
        clock.now += seconds
        pace.on_train_batch_end(batch)
    clock.now += 1000  # validation
    pace.on_epoch_end(0)


def test_a_training_is_measured_while_it_runs_but_for_the_calls_that_compile(monkeypatch):
    clock, found = Clock(), {}
    monkeypatch.setattr(throughput, "time", clock)
    pace = paced(clock, found)
    epoch(pace, clock, (0, 60), (1, 30), (2, 0.5), (3, 0.1))
    assert found == {"pipeline": 6.0, "model": pytest.approx(3 * 2 / 0.6)}, "two steps of 3 samples in .6 seconds"
    epoch(pace, clock, (0, 0.1), (1, 0.1), (2, 0.1))
    assert found["model"] == pytest.approx(10), "once is enough"


def test_several_steps_of_one_call_are_counted(monkeypatch):
    clock, found = Clock(), {}
    monkeypatch.setattr(throughput, "time", clock)
    epoch(paced(clock, found), clock, (9, 60), (19, 5), (29, 2))
    assert found["model"] == pytest.approx(3 * 10 / 2)


def test_epochs_of_one_step_are_measured_in_the_third(monkeypatch):
    clock, found = Clock(), {}
    monkeypatch.setattr(throughput, "time", clock)
    pace = paced(clock, found)
    for seconds in (60, 30):
        epoch(pace, clock, (0, seconds))
        assert not found
    epoch(pace, clock, (0, 0.25))
    assert found["model"] == pytest.approx(3 / 0.25)


def test_what_sets_the_pace_is_said(monkeypatch, caplog):
    caplog.set_level("INFO", "zoo")
    clock = Clock()
    monkeypatch.setattr(throughput, "time", clock)
    epoch(paced(clock, {}), clock, (0, 1), (1, 1), (2, 0.45))
    epoch(paced(clock, {}), clock, (0, 1), (1, 1), (2, 3.0))
    told = [record.message for record in caplog.records]
    assert told == [
        "trained on 7 samples/s, where the pipeline alone supplies 6: the model waits for data",
        "trained on 1 samples/s, where the pipeline alone supplies 6: the model sets the pace",
    ]


def test_measuring_leaves_the_random_numbers_of_a_training_as_they_were(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(throughput, "time", clock)

    def batches():
        return [(np.random.normal(size=(4, 2)) + random.random(), None)] * 2

    def numbers(measured):
        keras.utils.set_random_seed(5)
        if measured:
            epoch(paced(clock, {}, batches), clock, (0, 1), (1, 1), (2, 1))
        return random.random(), np.random.random(), float(keras.random.uniform(()))

    assert numbers(True) == numbers(False)
