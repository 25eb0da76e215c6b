"""`zoo evaluate`: the test metrics of a finished run again."""

import argparse
import math

from zoo.cli import _terminal

HELP = "compute the test metrics of a finished run again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument("--data-dir", metavar="DIR", help="where tensorflow-datasets keeps its data sets")
    parser.add_argument(
        "--with", metavar="FILE", dest="files", action="append", default=[],
        help="word vectors: also these analogies or similarities; may be repeated",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    from zoo.training.run_folder import Run

    _terminal.show_log()
    folder = Run.open(arguments.run)
    _terminal.start_keras(arguments.debug)
    from zoo.inference import api

    found = api.evaluation(folder, files=arguments.files, data_dir=arguments.data_dir)
    early = "" if (folder.path / "metrics.json").exists() else " (stopped early: after the epochs in history.csv)"
    known = [f"test {name} {value:.4f}" for name, value in found.metrics.items() if math.isfinite(value)]
    print(f"{folder.path}: " + ", ".join(known) + early)
    for note in found.notes:
        print(f"  {note}")
