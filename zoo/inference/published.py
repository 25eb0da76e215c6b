"""A network with published weights, measured on labelled images of the user's own."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from zoo.data.image import files as image_files
from zoo.data.image.listing import Found, listed
from zoo.errors import UsageError, unknown
from zoo.inference import pretrained
from zoo.inference.predictor import Predictor
from zoo.metrics import classification
from zoo.tasks._predictions import Refusal

log = logging.getLogger("zoo")

TOP = 5


@dataclass(frozen=True)
class Measured:
    """What published weights are worth on some images."""

    name: str
    weights: str
    metrics: Mapping[str, float]  # accuracy, top5_accuracy
    examples: int
    published: Mapping[str, float]  # the same metrics on the whole validation set of ImageNet, by who published them
    confusion: Sequence[Mapping[str, Any]]  # a row for each pair of class and predicted class that occurs

    def __str__(self) -> str:
        """
        >>> print(Measured("resnet50", "imagenet", {"accuracy": 0.5, "top5_accuracy": 1.0}, 2, {"accuracy": 0.749}, []))
        resnet50, imagenet: accuracy 0.5000 (0.095-0.905), top5_accuracy 1.0000 (0.342-1.000) on 2 images
          published on ImageNet: accuracy 0.749
        """
        parts = []
        for metric, value in self.metrics.items():
            low, high = classification.interval(value, self.examples)
            parts.append(f"{metric} {value:.4f} ({low:.3f}-{high:.3f})")
        claims = ", ".join(f"{metric} {value:.3f}" for metric, value in self.published.items())
        beside = f"\n  published on ImageNet: {claims}" if claims else ""
        return f"{self.name}, {self.weights}: {', '.join(parts)} on {self.examples:,} images{beside}"


def measure(
    name: str, data: str | Path, *, weights: str | Path | None = None, preprocessing: str | None = None
) -> Measured:
    """Measure a network with weights for ImageNet's thousand classes on a folder of labelled images.

    Args:
        name: of a network with published weights.
        data: a folder with a sub-folder of images for each class, or with a table ``labels.csv``; all of them count,
            whatever split they are in. A class is called as ImageNet calls it ("tench"), by its WordNet number
            ("n01440764"), or by its place (0).
        weights: a tag of the card (``"imagenet"``, the default), a file, or an https address.
        preprocessing: what the weights in a file or at an address were trained on.

    Raises:
        UsageError: before anything is fetched, where there are no such images or classes.
    """
    card, _ = pretrained.published(name)
    images = labelled(Path(data))
    chosen = str(weights or "imagenet")
    ready = Predictor(pretrained.ready(name, chosen, preprocessing=preprocessing))
    if len(ready.class_names) != len(wordnet()):
        raise UsageError(
            f"{chosen} tells {len(ready.class_names)} classes apart; expected weights for the {len(wordnet()):,} of "
            "ImageNet: measure a run of your own by zoo evaluate RUN --data PATH"
        )
    counts: Counter[tuple[int, int]] = Counter()
    first = among = 0
    for (_, label), each in zip(images, ready.each([str(found.path) for found, _ in images])):
        if isinstance(each, Refusal):
            log.warning(f"left out: {each.error}")
            continue
        order = (-each.logits).argsort(kind="stable")[:TOP]
        first, among = first + (order[0] == label), among + (label in order)
        counts[label, int(order[0])] += 1
    if not (total := sum(counts.values())):
        raise UsageError(f"none of the {len(images)} images of {data} could be read")
    names = [each for _, each in wordnet()]
    return Measured(
        name,
        chosen,
        {"accuracy": first / total, "top5_accuracy": among / total},
        total,
        {each.metric: each.bound for found in card.weights if found.tag == chosen for each in found.published},
        [
            {"class": names[label], "predicted": names[predicted], "images": count}
            for (label, predicted), count in sorted(counts.items())
        ],
    )


def labelled(folder: Path) -> list[tuple[Found, int]]:
    """The images of a folder with the places of their classes among ImageNet's."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; expected one with a sub-folder of images for each class")
    found = listed(folder, image_files.ENDINGS, "images")
    if not found:
        raise UsageError(f"{folder} holds no images; expected a sub-folder of them for each class")
    places = {label: place_of(label) for label in sorted({each.label for each in found})}
    return [(each, places[each.label]) for each in found]


def place_of(label: str) -> int:
    """The place of a class of ImageNet among the logits.

    >>> [place_of(label) for label in ("tench", "n01440764", "0", "Great_White_Shark")]
    [0, 0, 0, 2]
    >>> place_of("crane")
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: ImageNet has two classes called crane, n02012849 and n03126707; expected one of these numbers
    """
    plain = label.strip().lower().replace("_", " ")
    if plain.isdecimal() and int(plain) < len(wordnet()):
        return int(plain)
    fitting = [place for place, names in enumerate(wordnet()) if plain in (names[0], names[1].lower())]
    if not fitting:
        raise unknown("class of ImageNet", label, [name for _, name in wordnet()])
    if len(fitting) > 1:
        one, other = (wordnet()[place][0] for place in fitting)
        raise UsageError(f"ImageNet has two classes called {label}, {one} and {other}; expected one of these numbers")
    return fitting[0]


@cache
def wordnet() -> tuple[tuple[str, str], ...]:
    """(WordNet number, name) of ImageNet's classes in the order of the logits."""
    return tuple(pretrained.imagenet_classes())
