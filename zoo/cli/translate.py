"""`zoo translate`: texts into the language that a trained network writes."""

import argparse
import sys

from zoo.cli import _terminal
from zoo.errors import printable

HELP = "translate texts with a trained network"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument(
        "texts",
        nargs="*",
        metavar="TEXT",
        help="in quotes, or a file, line by line; without any, the lines of the standard input",
    )
    parser.add_argument("--beams", type=int, default=4, help="width of the beam search; 1: greedy (default: 4)")
    parser.add_argument("--length-penalty", type=float, default=0.6, help="0 favours short translations (default: 0.6)")


def run(arguments: argparse.Namespace) -> None:
    run_folder = _terminal.open_run(arguments.run, arguments.debug)
    from zoo.inference import api

    _terminal.show_log(sys.stderr)
    texts = arguments.texts or [line.rstrip("\n") for line in sys.stdin]
    for line in api.translate(run_folder, texts, beams=arguments.beams, length_penalty=arguments.length_penalty):
        # An empty one for an empty one: what comes out stands in the lines of what went in.
        print(printable(line), flush=True)
