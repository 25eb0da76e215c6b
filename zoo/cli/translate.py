"""`zoo translate`: texts into the language that a trained network writes."""

import argparse
import sys

from zoo.cli import _terminal
from zoo.errors import printable

HELP = "translate texts with a trained network"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument(
        "texts", nargs="*", metavar="TEXT", help="in quotes; without any, the lines of the standard input"
    )
    parser.add_argument("--beams", type=int, default=4, help="width of the beam search; 1: greedy (default: 4)")
    parser.add_argument("--length-penalty", type=float, default=0.6, help="0 favours short translations (default: 0.6)")


def run(arguments: argparse.Namespace) -> None:
    run_folder = _terminal.open_run(arguments.run, arguments.debug)
    from zoo.inference import api

    # An empty line stays one, so that what comes out stands in the lines of what went in.
    texts = arguments.texts or [line.strip() for line in sys.stdin]
    sources = [text for text in texts if text or arguments.texts]
    settings = {name: getattr(arguments, name) for name in ("beams", "length_penalty")}
    translations = iter(api.translate(run_folder, sources, **settings) if sources else ())
    for text in texts:
        print(printable(next(translations)) if text or arguments.texts else "", flush=True)
