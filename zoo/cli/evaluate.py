"""`zoo evaluate`: the test metrics of a finished run again."""

import argparse
import math

from zoo.cli import _terminal

HELP = "compute the metrics of a finished run on its test set again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument("--data-dir", metavar="DIR", help="where tensorflow-datasets keeps its data sets")
    parser.add_argument(
        "--with", metavar="FILE", dest="files", action="append", default=[],
        help="word vectors: a file of analogies or similarities to measure as well; may be repeated",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help=_terminal.JSON_HELP)


def run(arguments: argparse.Namespace) -> None:
    _terminal.show_log(to_stderr=arguments.json)
    run_folder = _terminal.open_run(arguments.run, arguments.debug)
    from zoo.inference import api

    evaluation = api.evaluation(run_folder, files=arguments.files, data_dir=arguments.data_dir)
    if arguments.json:
        numbers = {name: value if math.isfinite(value) else None for name, value in evaluation.metrics.items()}
        _terminal.print_json({"run": str(run_folder.path), "metrics": numbers, "notes": evaluation.notes})
        return
    early = "" if (run_folder.path / "metrics.json").exists() else " (stopped early: after the epochs in history.csv)"
    metrics = [f"test {name} {value:.4f}" for name, value in evaluation.metrics.items() if math.isfinite(value)]
    print(f"{run_folder.path}: " + ", ".join(metrics) + early)
    for note in evaluation.notes:
        print(f"  {note}")
