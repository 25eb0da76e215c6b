"""`zoo generate`: text from a trained language model."""

import argparse

from zoo.cli import _terminal

HELP = "text from a trained language model, as it is written"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument("--prompt", required=True, help="how the text begins")
    parser.add_argument("--length", type=int, default=400, help="tokens to write (default: 400)")
    parser.add_argument("--temperature", type=float, default=0.8, help="0 takes the likeliest always (default: 0.8)")
    parser.add_argument("--top-k", type=int, default=0, help="draw from so many of the likeliest only (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="the same one, the same text (default: 0)")


def run(arguments: argparse.Namespace) -> None:
    from zoo.training.run_folder import Run

    folder = Run.open(arguments.run)
    _terminal.start_keras(arguments.debug)
    from zoo.inference import api

    settings = {name: getattr(arguments, name) for name in ("length", "temperature", "top_k", "seed")}
    pieces = api.generate(folder, arguments.prompt, **settings)
    print(arguments.prompt, end="")
    for piece in pieces:
        print(piece, end="", flush=True)
    print()
