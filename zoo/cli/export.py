"""`zoo export`: what a run has learned, for other programs."""

import argparse

from zoo.cli import _terminal

HELP = "write what a run has learned for other programs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument("--format", required=True, help="word vectors: word2vec, word2vec-binary or projector")
    parser.add_argument("--out", metavar="PATH", required=True, help="the file or folder to write")


def run(arguments: argparse.Namespace) -> None:
    from zoo.training.run_folder import Run

    folder = Run.open(arguments.run)
    _terminal.start_keras(arguments.debug)
    from zoo.inference import api

    print(f"{api.export(folder, arguments.format, arguments.out)}: {arguments.format}")
