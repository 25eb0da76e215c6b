"""A network with published weights, ready to be asked: its images scaled as the weights want, its classes by name; its
texts cut into tokens as the weights know them.
"""

import dataclasses
from pathlib import Path
from typing import Any

from zoo import factory, registry, tasks
from zoo.data import builtin
from zoo.data.image.arrays import ArrayDataModule
from zoo.data.image.normalization import SCALING, Summary
from zoo.data.text.vocabulary import opened
from zoo.errors import UsageError, some
from zoo.preprocessing import preprocessing_of
from zoo.records import Card, Recipe
from zoo.tasks.base import Network, Trained
from zoo.training.pretrained import with_file
from zoo.weights import tags

# The thousand classes of ImageNet in the order of the logits, a line each: the number of a synset of WordNet (Princeton
# University) and its first word, as keras.applications publishes them too (imagenet_class_index.json).
CLASSES = Path(builtin.__file__).parent / "imagenet_classes.txt"


def ready(name: str, weights: str | Path = "imagenet", *, preprocessing: str | None = None) -> Trained:
    """A network of the zoo with weights for ImageNet's classes, and the data module that encodes images for it.

    Args:
        name: a name of ``zoo.list_models(pretrained=True)``.
        weights: a tag of its card, a file, or an https address.
        preprocessing: what the weights in a file or at an address were trained on.

    Raises:
        UsageError: if there are no such weights, or they can be neither found nor fetched.
    """
    card, recipe = published(name)
    data = preparation(name, weights, preprocessing=preprocessing)
    model, report = factory.build_from(name, weights, preprocessing, factory.checked_options(name, recipe.model))
    if report.fresh_head:
        raise UsageError(
            f"{weights} has no weights for {some(list(report.new))}, and untrained layers name no class; "
            "expected a file with its top"
        )
    data.class_names = class_names(model.output_shape[-1] if not isinstance(model.output, dict) else 1000)
    return Trained(Network.of(model, card, tasks.get(card.task)), data)


def published(name: str) -> tuple[Card, Recipe]:
    """The card and the recipe of a network whose weights somebody published for images."""
    card = registry.info(name)
    if not names_classes(card):
        able = [each for each in registry.list_models(pretrained=True) if names_classes(registry.info(each))]
        with_weights = ", ".join(able)
        what = " that name what an image shows" if card.weights else ""
        raise UsageError(f"there are no published weights for {name}{what}; train it, or take one of {with_weights}")
    return card, card.recipe("finetune")


def names_classes(card: Card) -> bool:
    """Whether it takes weights that tell classes of images apart: not where those that there are stop before."""
    stops_before = bool(card.weights) and not any(each.top for each in card.weights)
    fine_tuned = "finetune" in {recipe.name for recipe in card.recipes}
    places = card.task in ("object_detection", "instance_segmentation")  # of things, whose classes are others
    return fine_tuned and card.inputs[0].dtype.startswith("float") and not stops_before and not places


def preparation(name: str, weights: str | Path, *, preprocessing: str | None) -> ArrayDataModule:
    """The data module that encodes images for published weights, without these."""
    card, recipe = published(name)
    scale = SCALING[preprocessing_of(card, str(weights), preprocessing)]
    shape: Any = card.inputs[0].shape  # without a free size: every image is brought to it
    data = ArrayDataModule(card, dataclasses.replace(recipe, preprocess={"cover": shape[:2]}), None)
    data.shape, data.high = shape, 255.0
    data.scaling = scale(Summary(0, shape, (0.0,) * shape[-1], (1.0,) * shape[-1], 255.0, ()))
    return data


def ready_for_text(name: str, weights: str | Path | None) -> Trained:
    """A network of texts with the weights of others, and the data module with the tokenizer that comes with these.

    Raises:
        UsageError: if there are none, or they come without a tokenizer.
    """
    card = registry.info(name)
    if not weights:
        raise UsageError(
            f"{name} is the name of a network; expected the folder of a run, or weights with their tokenizer beside "
            "the name: --weights hf://owner/name"
        )
    recipe = dataclasses.replace(card.recipe("finetune"), weights=str(weights))
    file = tags.find(weights, name, {})
    recipe = with_file(recipe, file)
    model = factory.build(name, weights=file.path, input_shape=(None,), **recipe.model)
    data: Any = tasks.get(card.task).data_module
    vocabulary = opened(recipe.preprocess["tokenizer"], recipe.model["vocabulary_size"])
    return Trained(Network.of(model, card, tasks.get(card.task)), data(card, recipe, None, vocabulary))


def class_names(count: int) -> tuple[str, ...]:
    """The names of ImageNet's thousand classes; numbers for others.

    >>> class_names(2), class_names(1000)[:2]
    (('class 0', 'class 1'), ('tench', 'goldfish'))
    """
    if count != 1000:
        return tuple(f"class {number}" for number in range(count))
    return tuple(name for _, name in imagenet_classes())


def imagenet_classes() -> list[tuple[str, str]]:
    """(WordNet number, name) of each class, in the order of the logits."""
    lines = CLASSES.read_text(encoding="utf-8").splitlines()
    return [(number, name) for number, _, name in (line.partition(" ") for line in lines)]
