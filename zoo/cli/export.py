"""`zoo export`: what a run has learned, for other programs."""

import argparse

from zoo.cli import _terminal
from zoo.errors import UsageError

HELP = "write what a run has learned in a format of other programs, and read it back to compare"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument(
        "--format",
        required=True,
        help="keras, saved_model, onnx, litert, torch or openvino; of word vectors also word2vec, word2vec-binary "
        "and projector",
    )
    parser.add_argument("--int8", action="store_true", help="litert: in whole numbers of 8 bits; of a classifier")
    parser.add_argument("--out", metavar="PATH", required=True, help="the file or folder to write")


def run(arguments: argparse.Namespace) -> None:
    run_folder = _terminal.open_run(arguments.run, arguments.debug)
    from zoo.inference import api

    if arguments.int8 and arguments.format != "litert":
        raise UsageError(f"--int8 is of --format litert; {arguments.format} has none: leave it out")
    with _terminal.quietly(arguments.debug):  # six libraries write of their work into stderr
        if arguments.int8:
            told = str(api.quantise(run_folder, arguments.out))
        else:
            written = api.export(run_folder, arguments.format, arguments.out)
            told = f"{written}: {arguments.format}, read back and compared"
    print(told)
