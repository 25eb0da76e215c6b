"""The command that repeats a run."""

import shlex
from collections.abc import Mapping
from typing import Any

from zoo import registry
from zoo.training.run_plan import OVERRIDES, RunPlan


def command_line(plan: RunPlan, options: Mapping[str, Any]) -> str:
    """The command line that repeats a run, where the data sets are in their usual place."""
    recipe, original = plan.recipe, plan.card.recipe(plan.recipe.name)
    imports = [word for file in registry.imported_files() for word in ("--import", str(file))]
    words = ["zoo", *imports, "train", plan.card.name, "--recipe", recipe.name]
    for field in OVERRIDES:
        if getattr(recipe, field) != getattr(original, field) or field == "seed":
            words += [f"--{field.replace('_', '-')}", str(getattr(recipe, field))]
    if recipe.optimizer != original.optimizer:
        words += ["--optimizer", recipe.optimizer]
    given = plan.extras.class_weight
    by_class = given.items() if isinstance(given, Mapping) else ()  # what is neither is refused later
    weights = given if isinstance(given, str) else ",".join(f"{key}={value}" for key, value in by_class)
    words += ["--class-weight", weights] if weights else []
    for word in {**original.augment, **recipe.augment}:
        if recipe.augment.get(word) != original.augment.get(word):
            words += ["--augment", f"{word}={recipe.augment.get(word)!r}"]
    decay = recipe.optimizer_options.get("weight_decay")
    if decay is not None and decay != original.optimizer_options.get("weight_decay"):
        words += ["--weight-decay", str(decay)]
    if recipe.weights != original.weights:
        words += ["--weights", recipe.weights]
        words += ["--preprocessing", recipe.preprocessing] if recipe.preprocessing else []
    if recipe.dataset != original.dataset:
        words += ["--data", recipe.dataset]
    if "loop" in recipe.preprocess and "loop" not in original.preprocess:
        words += ["--loop"]
    to_data = {
        key: value
        for key, value in recipe.preprocess.items()
        if key != "loop" and value != original.preprocess.get(key)
    }
    for option, value in [*to_data.items(), *((option, options[option]) for option in plan.options)]:
        words += ["--option", f"{option}={value!r}"]
    return shlex.join(words)
