"""`zoo evaluate`: the test metrics of a finished run again."""

import argparse
import math
import sys

from zoo.cli import _terminal

HELP = "compute the metrics of a finished run on its test set again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder")
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
