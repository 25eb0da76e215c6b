"""`zoo compare`: whether two images show the same."""

import argparse

from zoo.cli import _terminal

HELP = "tell whether two images show the same, by a run that learned to compare"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument("images", nargs=2, metavar="IMAGE", help="two image files")


def run(arguments: argparse.Namespace) -> None:
    _terminal.show_log()
    run_folder = _terminal.open_run(arguments.run, arguments.debug)
    from zoo.inference import api

    _terminal.show(api.compare(run_folder, *arguments.images))
