"""`zoo bench`: how long an image takes, to be classified and to be learned from, on this machine."""

import argparse

from zoo import registry
from zoo.checks import check_whole
from zoo.cli import _terminal
from zoo.errors import UsageError
from zoo.records import Card, Recipe, replace
from zoo.training.candidates import TASK, fine_tunes
from zoo.training.image_options import size_of

HELP = "measure how many milliseconds an image takes on this machine, to be classified and to be learned from"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="+", help="of networks for the class of an image")
    parser.add_argument("--image-size", metavar="PIXELS", help="of a side, in place of each network's own")
    parser.add_argument("--batch-size", type=int, default=16, help="images in a batch (default: 16)")
    parser.add_argument("--json", action="store_true", help=_terminal.JSON_HELP)


def run(arguments: argparse.Namespace) -> None:
    check_whole("batch_size", arguments.batch_size)
    size = size_of(arguments.image_size)
    if size and size[0] != size[1]:
        raise UsageError(f"image_size is {arguments.image_size!r}; expected one number of pixels: squares are measured")
    cards = [registry.info(name) for name in arguments.names]
    for card in cards:
        if card.task != TASK or len(card.inputs[0].shape) != 3:
            raise UsageError(f"{card.name} is for {card.task}; expected networks that take an image and give a class")
    _terminal.start_keras(arguments.debug)
    from zoo.training.throughput import training_speed

    rows = []
    for card in cards:
        side = size[0] if size else int(card.inputs[0].shape[0] or 0)
        found = training_speed(card.name, measured_recipe(card), side, arguments.batch_size, num_classes=10)
        rows.append({
            "name": card.name, "pixels": found.side, "predict_ms": round(1000 * found.predict, 2),
            "learn_ms": round(1000 * found.train, 2), "start_s": round(found.start, 1),
        })  # fmt: skip
        if not arguments.json:
            print_row(rows[-1], card, header=len(rows) == 1, width=max(map(len, arguments.names)))
    if arguments.json:
        _terminal.print_json(rows)


def measured_recipe(card: Card) -> Recipe:
    """Any recipe, for its optimizer; of the network as it is fine-tuned, or as it stands."""
    if fine_tunes(card):
        return replace(card.recipe("finetune"), preprocess={})
    return replace(card.recipes[0], preprocess={}, model={})


def print_row(row: dict[str, object], card: Card, *, header: bool, width: int) -> None:
    told = [row["pixels"], f"{card.params:,}", row["predict_ms"], row["learn_ms"], row["start_s"]]
    titles = ("pixels", "parameters", "ms to predict", "ms to learn", "s to start")
    if header:
        print("  ".join(["name".ljust(width), *titles]))
    print("  ".join([card.name.ljust(width), *(str(each).rjust(len(title)) for each, title in zip(told, titles))]))
