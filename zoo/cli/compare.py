"""`zoo compare`: whether two images show the same."""

import argparse

from zoo.cli import _terminal

HELP = "whether two images show the same"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument("images", nargs=2, metavar="IMAGE")


def run(arguments: argparse.Namespace) -> None:
    from zoo.training.run_folder import Run

    _terminal.show_log()
    folder = Run.open(arguments.run)
    _terminal.start_keras(arguments.debug)
    from zoo.inference import api

    print("\n".join(api.compare(folder, *arguments.images)))
