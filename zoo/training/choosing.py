"""`best`: the network, the image size and the schedule for the images, the machine and the time that there are.

What is taken is what promises most of all that can be finished. What a network promises is the accuracy that is
published of its weights on ImageNet, with which the one after fine-tuning goes up and down (S. Kornblith et al., "Do
Better ImageNet Models Transfer Better?", CVPR 2019, arXiv:1805.08974), less `LOST` for each halving of the side. How
long an image takes is measured: a small network first, then others, as long as one that promises more may fit. What is
learned by the head alone is cheap (`zoo.training.head_alone`); where nothing else fits, only the head learns.
"""

import logging
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo import registry, tasks
from zoo.errors import UsageError
from zoo.preprocessing import preprocessing_of
from zoo.records import Card
from zoo.training.candidates import TASK, Candidate, Speed, candidates
from zoo.training.own_data import arrays_or_data, on_own_data
from zoo.weights import tags

log = logging.getLogger("zoo")

BEST = "best"  # in place of the name of a network
CHOOSES = ("recipe", "image_size", "epochs", "head_epochs", "batch_size", "freeze")
ANEW = ("resume", "folds")  # settings that want a network, not a choice
UNITS = {"s": 1, "min": 60, "h": 3600}
SIZES = (96, 128, 160, 192, 224, 260, 300, 380, 480)  # pixels of a side, below the network's own
MEASURED_AT = 128
LOST = 0.08  # MobileNetV2 has .718 at 224 pixels and .653 at 128 (tensorflow/models, research/slim/nets/mobilenet)
MEASURING = 0.2  # of the time, after which no other network is measured
PLAIN = 4.0  # times the multiply-adds a second of depthwise convolutions that plain ones may do
KEPT_FREE = 0.15  # of the time that is left then
HEAD_EPOCHS, HEAD_EPOCH_SECONDS = 5, 1.0
STEPS = (120, 600)  # of fine-tuning: at least, and at most where these are more than `EPOCHS`
EPOCHS = 15  # at most
FEW_IMAGES, FEW_BATCH, BATCH = 1000, 16, 32  # few images have small batches, for more steps
READINGS = 4  # of all images, around the training: looked at, summarised, neighbours found, mistakes drawn
STARTS = 2.0  # times a network is compiled again: to learn, and to be asked


@dataclass(frozen=True)
class Work:
    """How many images there are, and how long one takes to be read."""

    train: int
    validation: int
    test: int
    reading: float
    num_classes: int

    @property
    def batch_size(self) -> int:
        return FEW_BATCH if self.train < FEW_IMAGES else BATCH

    @property
    def steps(self) -> int:
        return math.ceil(self.train / self.batch_size)


@dataclass(frozen=True)
class Choice:
    """A network, a size and a schedule."""

    candidate: Candidate
    side: int
    head_epochs: int
    epochs: int  # with those of the head
    batch_size: int
    image_seconds: float  # that an image takes to learn from
    seconds: float  # of all

    @property
    def worth(self) -> tuple[bool, float]:
        """What the choice promises: a network that learns before one whose head does."""
        halvings = math.log2(self.candidate.side / self.side)
        return self.epochs > self.head_epochs, self.candidate.accuracy - LOST * halvings

    @property
    def settings(self) -> dict[str, Any]:
        """Of `zoo.train`."""
        return {
            "name": self.candidate.name, "recipe": "finetune", "weights": self.candidate.weights,
            "image_size": self.side, "head_epochs": self.head_epochs, "epochs": self.epochs,
            "batch_size": self.batch_size,
        }  # fmt: skip


def seconds_of(budget: Any) -> float:
    """A time in seconds; a number by itself is in minutes.

    >>> [seconds_of(each) for each in ("10min", "90s", "1.5h", "1h 30min", 10)]
    [600.0, 90.0, 5400.0, 5400.0, 600.0]
    >>> seconds_of("soon")
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: budget is 'soon'; expected a time: 90s, 10min or 1h
    """
    text = str(budget).strip().lower()
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text)
    whole = "".join(number + unit for number, unit in parts) == re.sub(r"\s", "", text)
    units = {*UNITS} if len(parts) > 1 else {*UNITS, ""}  # 1min30 is no minute and no half hour
    if isinstance(budget, bool) or not parts or not whole or any(unit not in units for _, unit in parts):
        raise UsageError(f"budget is {budget!r}; expected a time: 90s, 10min or 1h")
    found = float(sum(float(number) * UNITS[unit or "min"] for number, unit in parts))
    if not 0 < found <= 30 * 24 * UNITS["h"]:
        raise UsageError(f"budget is {budget!r}; expected more than nothing, and at most 30 days")
    return found


def check(given: Mapping[str, Any]) -> None:
    """Raise for arguments of `zoo.train` that do not go with `BEST`, or a budget that does not without. Keras is not
    imported."""
    name, budget = given.get("name"), given.get("budget")
    if not isinstance(name, str) or name != BEST:
        if budget is not None:
            named = "a network that is named" if name is not None else "no network"
            raise UsageError(f"budget is {budget!r} for {named}; it is for best, which chooses by it: zoo train best")
        return
    if budget is None:
        raise UsageError("best chooses for the time that there is; say how long: --budget 10min (budget=)")
    seconds_of(budget)
    for setting in (*CHOOSES, *ANEW):
        value = given.get(setting)
        if value is not None and value is not False:  # 0 epochs are given as well
            why = "which chooses it" if setting in CHOOSES else "which chooses anew each time"
            raise UsageError(f"{setting} is given with best, {why}: leave it out, or name a network")
    if given.get("data") is None:
        raise UsageError("best is for images of your own; name them: --data FOLDER (data=)")


def with_choice(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `zoo.train` with a network in place of `BEST`, and what goes with it; others as they are.

    Raises:
        UsageError: as `check`, and where no weights can be had or the time is too short.
    """
    check(given)
    settings = {key: value for key, value in given.items() if key != "budget"}
    if given.get("budget") is None:
        return settings
    return settings | choose(given, seconds_of(given["budget"]), str(given["budget"])).settings


def choose(given: Mapping[str, Any], seconds: float, budget: str) -> Choice:
    """The choice for some data and some seconds, from now on."""
    from zoo.training.throughput import training_speed  # and with it Keras

    began = time.perf_counter()
    found = candidates(given.get("weights"))
    work = looked_at(given["data"], registry.info(found[0].name), given.get("data_dir"))
    check_file(found[0], given.get("preprocessing"))  # now: to measure takes its time
    speeds: dict[str, Speed] = {}
    chosen: Choice | None = None
    while (candidate := promising(found, speeds, work, chosen, seconds - time.perf_counter() + began)) is not None:
        log.info(f"best: measuring how fast {candidate.name} learns here")
        name, side = candidate.name, min(candidate.side, MEASURED_AT)
        speeds[name] = training_speed(name, candidate.recipe, side, work.batch_size, work.num_classes)
        left = (1 - KEPT_FREE) * (seconds - time.perf_counter() + began)
        all_plans = [each for c in found if c.name in speeds for each in plans(c, speeds[c.name], work)]
        fitting = [each for each in all_plans if each.seconds <= left]
        chosen = max(fitting, key=lambda each: (each.worth, each.epochs), default=None)
        if time.perf_counter() - began > MEASURING * seconds:
            break
    if chosen is None:
        least = min(each.seconds for each in all_plans) / (1 - KEPT_FREE) + time.perf_counter() - began
        raise UsageError(
            f"budget is {budget}; even the head of {all_plans[0].candidate.name} alone takes about {least:.0f} s for "
            f"{work.train:,} images here: give more, or fewer images"
        )
    for line in told(chosen, found, speeds, work, budget):
        log.info(f"best: {line}")
    return chosen


def check_file(candidate: Candidate, preprocessing: str | None) -> None:
    """Raise for a file of weights that is not there, is none, or does not say how it wants images."""
    card = registry.info(candidate.name)
    preprocessing_of(card, candidate.weights, preprocessing)
    if candidate.weights not in {each.tag for each in card.weights}:
        tags.find(candidate.weights, candidate.name, {})


def looked_at(data: Any, card: Card, data_dir: Any) -> Work:
    """How much there is to do."""
    recipe = on_own_data(card.recipe("finetune"), data)
    began = time.perf_counter()
    source = arrays_or_data(data, recipe.dataset, card, data_dir, recipe.preprocess).load()
    module = tasks.get(TASK).data_module.adapt(card, recipe, source)
    counts = module.examples
    reading = (time.perf_counter() - began) / 2 / sum(counts.values())  # they are looked at, then summarised
    return Work(counts["train"], counts["validation"], counts["test"], reading, source.num_classes)


def promising(
    found: Sequence[Candidate], speeds: Mapping[str, Speed], work: Work, chosen: Choice | None, left: float
) -> Candidate | None:
    """Which network to measure next: the one with the least work, then the one that promises most, if that is more than
    what was found and it may fit. None where there is none.

    It may where it does multiply-adds at the best rate that was measured; for that is first one of depthwise
    convolutions, the second is allowed to be `PLAIN` times as fast, the third half of that.
    """
    unknown = [each for each in found if each.name not in speeds]
    if not speeds:
        return min(unknown, key=lambda each: each.multiply_adds)
    rate = max(each.multiply_adds / speeds[each.name].at(each.side).train for each in found if each.name in speeds)
    rate *= max(PLAIN / 2 ** (len(speeds) - 1), 1)
    start = max(each.start for each in speeds.values())
    guesses = []
    for each in unknown:
        seconds = each.multiply_adds / rate
        guess = Speed(each.side, seconds, seconds / 3, start)
        guesses += [plan for plan in plans(each, guess, work) if plan.seconds + start <= (1 - KEPT_FREE) * left]
    better = [each for each in guesses if chosen is None or each.worth > chosen.worth]
    return max(better, key=lambda each: each.worth).candidate if better else None


def plans(candidate: Candidate, speed: Speed, work: Work) -> Iterator[Choice]:
    """The schedules of a network, at each size: the head alone, and with so many epochs of all of it."""
    sides = (*(side for side in SIZES if side < candidate.side), candidate.side) if speed.any_size else (speed.side,)
    views = 2 if candidate.recipe.augment.get("flip") else 1
    fewest = max(math.ceil(STEPS[0] / work.steps), 1)
    most = max(EPOCHS, min(math.ceil(STEPS[1] / work.steps), 2 * EPOCHS), fewest)
    everything = work.train + work.validation + work.test
    for side in sides:
        here = speed.at(side)
        train, ask = here.train + work.reading, here.predict + work.reading
        ready = STARTS * speed.start + READINGS * work.reading * everything + work.test * ask
        ready += (views * work.train + work.validation) * ask

        def plan(head_epochs: int, epochs: int, seconds: float, side: int = side, image: float = here.train) -> Choice:
            return Choice(candidate, side, head_epochs, head_epochs + epochs, work.batch_size, image, seconds)

        alone = 2 * HEAD_EPOCHS
        yield plan(alone, 0, ready + alone * HEAD_EPOCH_SECONDS)
        ready += HEAD_EPOCHS * HEAD_EPOCH_SECONDS
        epoch = work.train * train + work.validation * ask
        for epochs in range(fewest, most + 1):
            yield plan(HEAD_EPOCHS, epochs, ready + epochs * epoch)


def told(
    chosen: Choice, found: Sequence[Candidate], speeds: Mapping[str, Speed], work: Work, budget: str
) -> tuple[str, ...]:
    """What was chosen, and why, in three lines."""
    here, best = sum(each.at_hand for each in found), chosen.candidate
    fetched = f", {len(found) - here} can be fetched" if here < len(found) else ""
    measured = ", ".join(f"{name} {1000 * each.train:.0f} ms at {each.side} pixels" for name, each in speeds.items())
    rest = chosen.epochs - chosen.head_epochs
    fits = f"{STEPS[0]} steps of all of it" if rest else "the head"
    return (
        f"networks with weights: {here} here{fetched}; to learn from an image takes {measured}",
        f"{best.name} (published accuracy {best.accuracy:g}) at {chosen.side}x{chosen.side} pixels promises most of "
        f"those for which there is time to train {fits}",
        f"{chosen.head_epochs} epochs of the head, {rest} of the whole network, {work.train:,} images in batches of "
        f"{chosen.batch_size}: about {chosen.seconds / 60:.1f} min, of {budget}",
    )
