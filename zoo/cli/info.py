"""`zoo info`: the card of a name."""

import argparse
import hashlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zoo import factory, records, registry
from zoo.cli import _terminal

if TYPE_CHECKING:
    from zoo.introspection.layer_costs import Cost

TOKENS = (
    "words (letters, marks and digits in lower case; don't and 3.14 are one, well-known two), characters, spaces (a "
    "text that is cut already), subwords, or those of pretrained weights: --option tokens="
)

HELP = "show the card of a network: what it is, its size, its paper, its recipes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of a network: one of `zoo list`")
    parser.add_argument("--verbose", "-v", action="store_true", help="build it and show every layer (imports Keras)")
    parser.add_argument("--json", action="store_true", help=_terminal.JSON_HELP)


def run(arguments: argparse.Namespace) -> None:
    card = registry.info(arguments.name)  # a wrong name is refused before Keras is imported
    _terminal.check_task(card.task, card.name)
    if arguments.verbose:
        take_light_backend()
        _terminal.start_keras(arguments.debug, data=False)
        card = factory.info(arguments.name, verbose=True)
    if arguments.json:
        _terminal.print_json(records.as_dict(card))
        return
    fixed = f" trainable, {card.non_trainable_params:,} fixed or running" if card.non_trainable_params else " trainable"
    rows = [
        ("family", card.family),
        ("task", card.task),
        ("parameters", f"{card.params:,}{fixed}"),
        ("paper", card.paper),
        *[("departs" if number == 0 else "", text) for number, text in enumerate(card.deviations)],
        *[("input", f"{each.name} {each.shape} {each.dtype}: {each.holds}") for each in card.inputs],
        ("preprocessing", card.preprocessing),
        *[("note" if number == 0 else "", text) for number, text in enumerate(card.notes)],
        *([("weights", describe_weights(each)) for each in card.weights] or [("weights", "none published")]),
        *([("tokens", TOKENS)] if any("tokens" in recipe.preprocess for recipe in card.recipes) else []),
        *[("recipe", describe(recipe)) for recipe in card.recipes],
    ]
    print(f"{card.name}: {card.summary}")
    for label, text in rows:
        print(f"  {label:<14}{text}")
    if card.layers:
        print_layers(card.layers)


def take_light_backend() -> None:
    """Where nobody has chosen a backend, Keras's NumPy: shapes are the same on all, and TensorFlow takes seconds and
    half a gigabyte to import. Keras's NumPy leans on JAX."""
    if "keras" not in sys.modules and importlib.util.find_spec("jax"):
        os.environ.setdefault("KERAS_BACKEND", "numpy")


def print_layers(layers: Sequence["Cost"]) -> None:
    """A row for each layer, and the sums."""
    rows = [("layer", "type", "output", "parameters", "multiply-adds")]
    for each in layers:
        work = "unknown" if each.multiply_adds is None else f"{each.multiply_adds:,}"
        rows.append((each.layer, each.type, "x".join(map(str, each.output_shape)), f"{each.params:,}", work))
    params, multiply_adds = sum(each.params for each in layers), sum(each.multiply_adds or 0 for each in layers)
    rows.append(("total", "", "", f"{params:,}", f"{multiply_adds:,}"))
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        words = [f"{cell:<{width}}" for cell, width in zip(row[:3], widths)]
        numbers = [f"{cell:>{width}}" for cell, width in zip(row[3:], widths[3:])]
        print("  " + "  ".join([*words, *numbers]))


def describe(recipe: records.Recipe) -> str:
    """A recipe in one line."""
    line = (
        f"{recipe.name}: {recipe.dataset or 'data of your own'}, {recipe.epochs} epochs of batches of "
        f"{recipe.batch_size}, {recipe.optimizer} at {recipe.learning_rate:g} ({recipe.schedule})"
    )
    if recipe.min_steps:
        line += f", at least {recipe.min_steps:,} steps"
    if recipe.preprocess:
        line += f", --option {' '.join(f'{name}={value}' for name, value in recipe.preprocess.items())}"
    if recipe.loss:
        line += f", loss {recipe.loss}"
    if recipe.expected is not None:
        line += f"; expects {describe_expected(recipe.expected)}"
    return line


def describe_weights(weights: records.Weights) -> str:
    """A file of pretrained weights in one line."""
    words = [
        f"{weights.classes:,} classes" if weights.top else "without the top",
        f"{weights.preprocessing} preprocessing",
        f"{weights.size / 1e6:,.0f} MB" if weights.size else "",
        weights.licence,
        *[f"for {option}={value!r}" for option, value in weights.options.items()],
        *map(describe_expected, weights.published),
    ]
    return f"{weights.tag}: {', '.join(filter(None, words))}; {weights.url} ({describe_hash(weights.hash)})"


def describe_hash(text: str) -> str:
    """A hash, and how much of it is known.

    >>> describe_hash("sha256:7be5be79")
    'sha256:7be5be79, the first 8 of its 64 digits: no more is published'
    """
    if not text:
        return "no hash is published"
    algorithm, _, digits = text.partition(":")
    whole = 2 * hashlib.new(algorithm).digest_size
    return (
        text if len(digits) == whole else f"{text}, the first {len(digits)} of its {whole} digits: no more is published"
    )


def describe_expected(expected: records.Expected) -> str:
    """A published or measured bound, and where it comes from."""
    note = "" if expected.measured else "; not measured here"
    return f"{expected.metric} {expected.bound:g} [{expected.source}{note}]"
