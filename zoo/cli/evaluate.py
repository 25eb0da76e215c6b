"""`zoo evaluate`: the test metrics of a finished run again."""

import argparse
import csv
import math
import sys
from pathlib import Path

from zoo import registry
from zoo.cli import _terminal
from zoo.errors import UsageError

HELP = "compute the metrics of a finished run on its test set again, or of published weights on your own images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder, or the name of a network with published weights")
    parser.add_argument("--weights", help="for a name: a tag of its card (default: imagenet), a file, an address")
    parser.add_argument("--preprocessing", help="what the weights in a file were trained on: caffe, torch, tf, ...")
    parser.add_argument(
        "--confusion", metavar="FILE.csv", help="for a name: write what was taken for what into this table"
    )
    parser.add_argument(
        "--data", metavar="PATH", help="your own data, in place of the run's: all that it has not learned from"
    )
    parser.add_argument("--data-dir", metavar="DIR", help="where tensorflow-datasets keeps its data sets")
    parser.add_argument(
        "--with", metavar="FILE", dest="files", action="append", default=[],
        help="word vectors: a file of analogies or similarities to measure as well; may be repeated",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help=_terminal.JSON_HELP)


def run(arguments: argparse.Namespace) -> None:
    _terminal.show_log(sys.stderr if arguments.json else None)
    if arguments.run in registry.list_models() and not Path(arguments.run).exists():
        measure_published(arguments.run, arguments)
        return
    for word in ("weights", "preprocessing", "confusion"):
        if getattr(arguments, word):
            raise UsageError(f"--{word} is for the name of a network; {arguments.run} is a run: leave it out")
    run_folder = _terminal.open_run(arguments.run, arguments.debug)
    from zoo.inference import api

    evaluation = api.evaluation(run_folder, files=arguments.files, data=arguments.data, data_dir=arguments.data_dir)
    unfinished = run_folder.unfinished
    early = f" (unfinished: after {unfinished.where})" if unfinished else ""
    if arguments.json:
        numbers = {name: value if math.isfinite(value) else None for name, value in evaluation.metrics.items()}
        found = {"run": str(run_folder.path), "metrics": numbers, "notes": evaluation.notes}
        _terminal.print_json(found | ({"unfinished": unfinished.where} if unfinished else {}))
        return
    metrics = [f"test {name} {value:.4f}" for name, value in evaluation.metrics.items() if math.isfinite(value)]
    print(f"{run_folder.path}: " + ", ".join(metrics) + early)
    _terminal.show(f"  {note}" for note in evaluation.notes)


def measure_published(name: str, arguments: argparse.Namespace) -> None:
    """Measure published weights on a folder of images, and print what comes out."""
    if arguments.data is None:
        raise UsageError(f"{name} is the name of a network; expected the folder of a run, or images: --data FOLDER")
    if arguments.confusion and Path(arguments.confusion).exists():
        raise UsageError(f"{arguments.confusion} is there already; choose another, or remove it first")
    _terminal.start_keras(arguments.debug)
    from zoo.inference.published import measure

    found = measure(name, arguments.data, weights=arguments.weights, preprocessing=arguments.preprocessing)
    if arguments.confusion:
        with open(arguments.confusion, "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, ("class", "predicted", "images"))
            table.writeheader()
            table.writerows(found.confusion)
    if arguments.json:
        parts = {"metrics": found.metrics, "examples": found.examples, "published": found.published}
        _terminal.print_json({"model": found.name, "weights": found.weights} | parts)
        return
    print(found)
