"""`zoo translate`: texts into the language that a trained network writes."""

import argparse
import sys

from zoo.cli import _terminal

HELP = "texts into the language that a trained network writes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="in quotes; none: the lines of the standard input")
    parser.add_argument("--beams", type=int, default=4, help="beginnings followed side by side; 1: greedy (default: 4)")
    parser.add_argument("--length-penalty", type=float, default=0.6, help="0 lets short ones win (default: 0.6)")


def run(arguments: argparse.Namespace) -> None:
    from zoo.training.run_folder import Run

    folder = Run.open(arguments.run)
    _terminal.start_keras(arguments.debug)
    from zoo.inference import api

    # An empty line stays one, so that what comes out stands in the lines of what went in.
    texts = arguments.texts or [line.strip() for line in sys.stdin]
    asked = [text for text in texts if text or arguments.texts]
    translations = iter(api.translate(folder, asked, beams=arguments.beams, length_penalty=arguments.length_penalty))
    for text in texts:
        print(next(translations) if text or arguments.texts else "", flush=True)
