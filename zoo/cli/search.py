"""`zoo search`: the images of a folder, the most alike first."""

import argparse

from zoo.checks import check_whole
from zoo.cli import _terminal

HELP = "the images of a folder, the most alike to a query first"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument("query", metavar="IMAGE")
    parser.add_argument("folder", metavar="FOLDER", help="where to look, its sub-folders too")
    parser.add_argument("--top", type=int, default=10, help="how many to show (10)")


def run(arguments: argparse.Namespace) -> None:
    check_whole("--top", arguments.top)
    from zoo.training.run_folder import Run

    _terminal.show_log()
    folder = Run.open(arguments.run)
    _terminal.start_keras(arguments.debug)
    from zoo.inference import api

    print("\n".join(api.search(folder, arguments.query, arguments.folder)[: arguments.top]))
