"""Networks that can be fine-tuned from weights that are on this machine or can be fetched, and how fast they are."""

import math
import re
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo import registry
from zoo.errors import UsageError, some
from zoo.records import Card, Recipe
from zoo.training.image_options import size_in
from zoo.weights import tags

TASK = "image_classification"


@dataclass(frozen=True)
class Candidate:
    """A network with weights that can be had."""

    name: str
    weights: str  # as `weights=` takes it
    accuracy: float  # published, on ImageNet
    side: int  # of the images that they were trained on
    multiply_adds: float  # of one
    at_hand: bool = True

    @property
    def recipe(self) -> Recipe:
        return registry.info(self.name).recipe("finetune")


@dataclass(frozen=True)
class Speed:
    """Seconds that a network takes on this machine, for an image of `side` pixels."""

    side: int
    train: float  # forward and backward
    predict: float  # forward
    start: float  # to be built and compiled
    any_size: bool = True  # whether images of other sizes leave its weights as they are

    def at(self, side: int) -> "Speed":
        """For images of another size: the work goes with the pixels.

        >>> Speed(128, train=0.1, predict=0.03, start=9.0).at(64).train
        0.025
        """
        times = (side / self.side) ** 2
        return Speed(side, times * self.train, times * self.predict, self.start, self.any_size)


def candidates(weights: Any) -> list[Candidate]:
    """The networks with weights that are here or can be fetched: a tag ("imagenet" where nothing is said), or one file.

    Raises:
        UsageError: where there are none.
    """
    from zoo.data import reachability  # and with it NumPy
    from zoo.weights import fetching  # and with it what speaks to the network

    tag = str(weights or "imagenet")
    cards = [card for card in registry.cards().values() if card.task == TASK and fine_tunes(card)]
    tagged = [(card, each) for card in cards for each in card.weights if each.tag == tag and each.top]
    if not tagged:
        return [named_in(tag, cards)]
    work, found = registry.multiply_adds(), []
    hosts = {host_of(record.url) for _, record in tagged}
    open_hosts = set() if fetching.offline() else {host for host in hosts if reachability.reachable(host)}
    for card, record in tagged:
        options = {**tags.defaults(card.name), **card.recipe("finetune").model}
        here = fetching.cached_path(record.url).is_file()
        if (here or host_of(record.url) in open_hosts) and record.options.items() <= options.items():
            accuracy = next((each.bound for each in record.published if each.metric == "accuracy"), 0.0)
            found.append(Candidate(card.name, tag, accuracy, side_of(card), work.get(card.name, math.inf), here))
    if not found:
        why = "ZOO_OFFLINE is set" if fetching.offline() else f"{some(sorted(hosts))} cannot be reached"
        raise UsageError(
            f"there are no weights {tag!r} in {fetching.cache()} and {why}; put a file there, or name one: --weights "
            "FILE --preprocessing NAME"
        )
    return found


def fine_tunes(card: Card) -> bool:
    return "finetune" in {recipe.name for recipe in card.recipes}


def host_of(url: str) -> str:
    from zoo.weights import fetching

    return urllib.parse.urlsplit(fetching.mirrored(url)).hostname or ""


def named_in(file: str, cards: Sequence[Card]) -> Candidate:
    """The network that the name of a file of weights says: of those in it the longest.

    >>> cards = [registry.info(name) for name in ("resnet50", "efficientnet_b0", "vgg16")]
    >>> [named_in(file, cards).name for file in ("w/resnet50_imagenet_caffe.h5", "efficientnetb0_notop.h5")]
    ['resnet50', 'efficientnet_b0']
    """
    letters = _letters(Path(file).name)
    named = [card for card in cards if _letters(card.name) in letters]
    if not named:
        raise UsageError(
            f"weights are {file!r}; best takes a tag, imagenet, or a file with a network's name in its own"
        )
    card = max(named, key=lambda card: len(card.name))
    published = [each.bound for record in card.weights for each in record.published if each.metric == "accuracy"]
    work = registry.multiply_adds().get(card.name, math.inf)
    return Candidate(card.name, file, max(published, default=0.0), side_of(card), work)


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def side_of(card: Card) -> int:
    """Of the images that the recipe takes."""
    return int(min(size_in(card.recipe("finetune").preprocess)))
