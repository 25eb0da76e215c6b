"""`zoo list`: the names of the zoo, each with its parameters, or with its multiply-adds or its published accuracy where
it is sorted by them."""

import argparse
import math
import sys
from itertools import chain

from zoo import registry
from zoo.cli import _terminal
from zoo.errors import UsageError, unknown

SORTS = ("name", "params", "multiply-adds", "accuracy")
SORT_HELP = "params, multiply-adds: the smallest first; accuracy, as published of weights for ImageNet: the best first"
SIZE = 17  # digits and commas of the most multiply-adds that one may expect
HELP = "list the networks of the zoo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pattern", nargs="?", metavar="PATTERN", help="of names, with wildcards: 'lenet*'")
    parser.add_argument("--task", help="only networks for this task")
    parser.add_argument("--pretrained", action="store_true", default=None, help="only networks with pretrained weights")
    parser.add_argument("--sort", choices=SORTS, default="name", help=SORT_HELP)
    parser.add_argument("--json", action="store_true", help=_terminal.JSON_HELP)


def run(arguments: argparse.Namespace) -> None:
    if arguments.task is not None:
        _terminal.check_task(arguments.task)
    names = registry.list_models(arguments.pattern, task=arguments.task, pretrained=arguments.pretrained)
    if not names:
        tell_broken()  # it may be the one that was looked for
        asked = repr(arguments.pattern) if arguments.pattern else "what was asked for"
        raise UsageError(f"no name matches {asked}; `zoo list` shows all {len(registry.list_models())}")
    work, accuracy = registry.multiply_adds(), published_accuracies()
    if arguments.sort == "params":
        names.sort(key=lambda name: registry.info(name).params)
    elif arguments.sort == "multiply-adds":  # what is not known comes last
        names.sort(key=lambda name: work.get(name, math.inf))
    elif arguments.sort == "accuracy":  # the best first
        names.sort(key=lambda name: -accuracy.get(name, -math.inf))
    if arguments.json:
        fields = ("name", "task", "family", "params", "summary", "paper")
        cards = [registry.info(name) for name in names]
        _terminal.print_json([
            {
                **{field: getattr(card, field) for field in fields},
                "multiply_adds": work.get(card.name),
                "published_accuracy": accuracy.get(card.name),
                "weights": [each.tag for each in card.weights],
            }
            for card in cards
        ])  # fmt: skip
        return
    width = max(map(len, names))
    for name in names:
        card = registry.info(name)
        number = "unknown"
        if arguments.sort == "accuracy" and name in accuracy:
            number = f"{accuracy[name]:.3f}"
        elif arguments.sort == "multiply-adds" and name in work:
            number = f"{work[name]:,}"
        elif arguments.sort in ("name", "params"):
            number = f"{card.params:,}"
        print(f"{name:<{width}}  {number:>{SIZE}}  {card.summary}")
    tell_broken()
    known = _terminal.known_tasks()
    for name in names:
        if (task := registry.info(name).task) not in known:
            print(f"zoo: cannot be trained: {unknown(f'task (of {name})', task, known)}", file=sys.stderr)


def published_accuracies() -> dict[str, float]:
    """By name, the best accuracy on ImageNet's validation images that is published of its weights; not measured here.

    >>> published_accuracies()["vgg16"], "lenet5" in published_accuracies()
    (0.713, False)
    """
    told = {name: [each.published for each in card.weights] for name, card in registry.cards().items()}
    found = {name: [each.bound for each in chain(*rows) if each.metric == "accuracy"] for name, rows in told.items()}
    return {name: max(bounds) for name, bounds in found.items() if bounds}


def tell_broken() -> None:
    """Say which names are left out, and why."""
    for error in registry.broken().values():
        print(f"zoo: left out: {error}", file=sys.stderr)
