"""`zoo search`: the images of a folder, the most alike first."""

import argparse

from zoo.checks import check_whole
from zoo.cli import _terminal

HELP = "rank the images of a folder by their distance from a query image"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument("query", metavar="IMAGE", help="the query")
    parser.add_argument("folder", metavar="FOLDER", help="where to look, its sub-folders too")
    parser.add_argument("--top", type=int, default=10, help="how many to show (default: 10)")


def run(arguments: argparse.Namespace) -> None:
    check_whole("--top", arguments.top)
    _terminal.show_log()
    run_folder = _terminal.open_run(arguments.run, arguments.debug)
    from zoo.inference import api

    _terminal.show(api.search(run_folder, arguments.query, arguments.folder)[: arguments.top])
