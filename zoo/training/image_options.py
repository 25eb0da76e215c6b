"""What a command says of the images that it trains on: their size, and how they are augmented."""

from collections.abc import Mapping, Sequence
from typing import Any

from zoo.checks import is_whole, plain
from zoo.errors import UsageError
from zoo.records import Card, Recipe, replace

SIZING = ("cover", "resize", "letterbox", "pad")  # steps of the preprocessing that give images their size
MOST_PIXELS = 4096  # of a side


def size_of(given: int | str | Sequence[int] | None) -> tuple[int, int] | None:
    """Height and width.

    >>> size_of(128), size_of("128x96"), size_of((128, 96)), size_of(None)
    ((128, 128), (128, 96), (128, 96), None)
    >>> size_of("big")
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: image_size is 'big'; expected pixels, 128, or height and width, 128x96
    """
    if given is None:
        return None
    words: Any = given.lower().split("x") if isinstance(given, str) else plain(given)
    sides = [int(each) if isinstance(each, str) and each.isdecimal() else each
             for each in (words if isinstance(words, list | tuple) else [words])]  # fmt: skip
    if len(sides) not in (1, 2) or not all(is_whole(each, 1, MOST_PIXELS) for each in sides):
        raise UsageError(f"image_size is {given!r}; expected pixels, 128, or height and width, 128x96")
    return sides[0], sides[-1]


def with_size(recipe: Recipe, card: Card, size: tuple[int, int] | None) -> Recipe:
    """The recipe for images of another size: brought to it as the recipe does, or cut to cover it."""
    if size is None:
        return recipe
    if len(card.inputs[0].shape) not in (3, 4) or not card.inputs[0].dtype.startswith("float"):
        raise UsageError(f"image_size is for networks of images and clips; {card.name} takes none: leave it out")
    step = next((word for word in SIZING if word in recipe.preprocess), "cover")
    model = {option: value for option, value in recipe.model.items() if option != "input_shape"}  # the data decide
    return replace(recipe, preprocess={**recipe.preprocess, step: size}, model=model)


def size_in(preprocess: Mapping[str, Any]) -> Any:
    """The size that a recipe's preprocessing gives images; None where they keep theirs."""
    return next((preprocess[word] for word in SIZING if word in preprocess), None)


def augmentations(given: Mapping[str, Any] | str | None) -> dict[str, Any] | None:
    """By name, None for one that is left out; an empty dictionary for none at all.

    >>> augmentations("none"), augmentations({"crop": (0.3, 1.0), "flip": None})
    ({}, {'crop': (0.3, 1.0), 'flip': None})
    """
    if given is None:
        return None
    if given == "none":
        return {}
    if not isinstance(given, Mapping):
        raise UsageError(f"augment is {given!r}; expected options by the names of augmentations, or 'none'")
    return {word: plain(value) for word, value in given.items()}


def with_augmentations(recipe: Recipe, changed: Mapping[str, Any] | None) -> Recipe:
    """The recipe with some of its augmentations changed, added (an option) or left out (None)."""
    if changed is None:
        return recipe
    merged = {**recipe.augment, **changed} if changed else {}
    return replace(recipe, augment={word: option for word, option in merged.items() if option is not None})
