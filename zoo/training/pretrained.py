"""The weights that a run starts from: what a recipe takes over from them."""

import logging
import math
from pathlib import Path

from zoo import registry
from zoo.errors import UsageError
from zoo.preprocessing import preprocessing_of
from zoo.records import Card, Recipe, replace
from zoo.weights import run_weights
from zoo.weights.tags import FREE, WeightsFile

log = logging.getLogger("zoo")

FROM_DATA = ("input_shape", "num_classes")  # what the data decide, whatever the weights were trained on


def with_weights(recipe: Recipe, card: Card, weights: str | Path | None, preprocessing: str | None) -> Recipe:
    """The recipe with the weights that training starts from, and how these want their images."""
    chosen = str(weights or recipe.weights)
    run = run_weights.find(chosen) if chosen else None
    scaled = scaled_as(run, card) if run and not preprocessing else preprocessing_of(card, chosen, preprocessing)
    return replace(recipe, weights=chosen, preprocessing=scaled)


def scaled_as(run: run_weights.RunWeights, card: Card) -> str:
    """How a run scaled its images, where that is not what the card of the network says that learns from it."""
    scaled = run.preprocessing or (registry.info(run.name).preprocessing if run.name in registry.cards() else "")
    return "" if scaled == card.preprocessing else scaled


def with_file(recipe: Recipe, file: WeightsFile) -> Recipe:
    """The recipe with the sizes and the tokens that come with the weights, where these have any.

    Raises:
        UsageError: where the recipe takes their tokens and there is no tokenizer.
    """
    sizes = {option: value for option, value in file.options.items() if option not in FROM_DATA}
    fixed = {option: value for option, value in sizes.items() if option not in FREE}
    recipe = replace(recipe, model={**sizes, **recipe.model, **fixed})
    length, positions = recipe.preprocess.get("length", 0), sizes.get("max_length") or math.inf
    if length > positions:
        log.warning(f"length is {length}; the weights have {positions} positions, so it is {positions}")
        recipe = replace(recipe, preprocess={**recipe.preprocess, "length": positions})
    if file.tokenizer is not None:
        tokens = {"tokens": file.tokens} if "tokens" in recipe.preprocess else {}
        tokens["tokenizer"] = str(file.tokenizer.absolute())
        return replace(recipe, preprocess={**recipe.preprocess, **tokens})
    if recipe.preprocess.get("tokens") == "pretrained":
        raise UsageError(
            f"recipe {recipe.name} takes the tokens of its weights and there is no tokenizer.json beside {file.path}; "
            "expected the folder of a model of transformers, or hf://owner/name"
        )
    return recipe
