"""The `zoo` command: its words, and what happens to mistakes. What each command does is in `zoo/cli/shared.py`."""

import argparse
import os
import re
import sys

from zoo import __version__
from zoo.cli import shared
from zoo.errors import UsageError, first_line, unknown


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or 2 for a request that cannot be carried out."""
    argv = sys.argv[1:] if argv is None else argv
    debug = "--debug" in argv
    try:
        arguments = parse([word for word in argv if word != "--debug"])
        arguments.debug = debug
        arguments.run_command(arguments)
        return 0
    except BrokenPipeError:  # `zoo list | head`
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  the interpreter flushes it at exit
        return 0
    except KeyboardInterrupt as stop:
        print(f"\nzoo: stopped{stop}", file=sys.stderr)
        return 130
    except Exception as error:
        if debug:
            raise
        print(f"zoo: {one_line(error)}", file=sys.stderr)
        return 2


def one_line(error: Exception) -> str:
    """What went wrong, in one line."""
    if isinstance(error, UsageError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return f"{type(error).__name__}: {first_line(error)} (--debug shows where)"


class Parser(argparse.ArgumentParser):
    """argparse, with one line for an error."""

    def error(self, message):
        raise UsageError(f"{message}; `{self.prog} --help` shows what there is")


def parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog="zoo",
        description="The networks that deep learning is taught with, in Keras 3.",
        epilog="--debug, anywhere, shows the traceback of an error.",
    )
    parser.add_argument("--version", action="version", version=f"zoo {__version__}")
    verbs = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(function, name, help, **settings):
        sub = verbs.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.", **settings)
        sub.set_defaults(run_command=function)
        return sub

    sub = command(shared.list_command, "list", "the names of the zoo")
    sub.add_argument("pattern", nargs="?", help="with wildcards, as in 'lenet*'")
    sub.add_argument("--task", help="only names of this task")
    sub.add_argument("--pretrained", action="store_true", default=None, help="only names with pretrained weights")

    sub = command(shared.info_command, "info", "the card of a name: what it is, its size, its paper, its recipes")
    sub.add_argument("name")
    sub.add_argument("--verbose", "-v", action="store_true", help="build it and show every layer (imports Keras)")

    sub = command(shared.train_command, "train", "train a network by a recipe and write a run folder")
    sub.add_argument("name")
    sub.add_argument(
        "--recipe",
        help="a recipe of its card (default: demo, which needs no network; finetune from weights; with --data the one "
        "for data of your own, where there is one)",
    )
    sub.add_argument(
        "--weights", metavar="WEIGHTS", help="pretrained: a tag of the card (imagenet), a file, an address"
    )
    sub.add_argument("--preprocessing", help="what the weights in a file were trained on: caffe, torch or tf")
    sub.add_argument("--run", metavar="DIR", help="the folder to write (default: runs/NAME-RECIPE-SEED)")
    sub.add_argument(
        "--data", metavar="PATH", help="of your own: an .npz file of arrays, or a folder with one for each class"
    )
    sub.add_argument("--data-dir", metavar="DIR", help="where tensorflow-datasets keeps its data sets")
    sub.add_argument("--epochs", type=int)
    sub.add_argument("--batch-size", type=int)
    sub.add_argument("--learning-rate", type=float)
    sub.add_argument("--seed", type=int)
    sub.add_argument("--precision", help="float32, mixed_float16 or mixed_bfloat16")
    sub.add_argument(
        "--option", metavar="NAME=VALUE", action="append", default=[], help="an option of the builder; may be repeated"
    )
    sub.add_argument("--loop", action="store_true", help="repeat clips that have fewer frames than the network takes")
    sub.add_argument("--tensorboard", action="store_true", help="write TensorBoard logs into the run folder")
    sub.add_argument("--record", metavar="FILE.csv", help="append the figures as a row to this table")

    sub = command(shared.evaluate_command, "evaluate", "compute the test figures of a finished run again")
    sub.add_argument("run", metavar="RUN", help="a run folder")
    sub.add_argument("--data-dir", metavar="DIR", help="where tensorflow-datasets keeps its data sets")

    sub.add_argument(
        "--with", metavar="FILE", dest="files", action="append", default=[],
        help="word vectors: also these analogies or similarities; may be repeated",
    )  # fmt: skip

    sub = command(shared.export_command, "export", "write what a run has learned for other programs")
    sub.add_argument("run", metavar="RUN", help="a run folder")
    sub.add_argument("--format", required=True, help="word vectors: word2vec, word2vec-binary or projector")
    sub.add_argument("--out", metavar="PATH", required=True, help="the file or folder to write")

    sub = command(shared.predict_command, "predict", "what a trained network says of new pictures, clips or texts")
    sub.add_argument("run", metavar="RUN", help="a run folder, or the name of a network with published weights")
    sub.add_argument("inputs", nargs="+", metavar="INPUT", help="a file, or a text, as the network takes")
    sub.add_argument("--weights", help="of a name: a tag of its card (default: imagenet), a file, an address")
    sub.add_argument("--preprocessing", help="what the weights in a file were trained on: caffe, torch or tf")
    sub.add_argument("--out", metavar="DIR", default="predictions", help="where pictures go that explain the answers")
    sub.add_argument("--loop", action="store_true", help="repeat clips that have fewer frames than the network takes")

    sub = command(shared.generate_command, "generate", "text from a trained language model, as it is written")
    sub.add_argument("run", metavar="RUN", help="a run folder")
    sub.add_argument("--prompt", required=True, help="how the text begins")
    sub.add_argument("--length", type=int, default=400, help="tokens to write (default: 400)")
    sub.add_argument("--temperature", type=float, default=0.8, help="0 takes the likeliest always (default: 0.8)")
    sub.add_argument("--top-k", type=int, default=0, help="draw from so many of the likeliest only (default: all)")
    sub.add_argument("--seed", type=int, default=0, help="the same one, the same text (default: 0)")

    sub = command(shared.translate_command, "translate", "texts into the language that a trained network speaks")
    sub.add_argument("run", metavar="RUN", help="a run folder")
    sub.add_argument("texts", nargs="*", metavar="TEXT", help="in quotes; none: the lines of the standard input")
    sub.add_argument("--beams", type=int, default=4, help="beginnings followed side by side; 1: greedy (default: 4)")
    sub.add_argument("--length-penalty", type=float, default=0.6, help="0 lets short ones win (default: 0.6)")

    sub = command(shared.compare_command, "compare", "whether two pictures show the same")
    sub.add_argument("run", metavar="RUN", help="a run folder")
    sub.add_argument("pictures", nargs=2, metavar="PICTURE")

    sub = command(shared.search_command, "search", "the pictures of a folder, the most alike to a query first")
    sub.add_argument("run", metavar="RUN", help="a run folder")
    sub.add_argument("query", metavar="PICTURE")
    sub.add_argument("folder", metavar="FOLDER", help="where to look, its sub-folders too")
    sub.add_argument("--top", type=int, default=10, help="how many to show (10)")

    sub = command(shared.stylize_command, "stylize", "paint a photograph in the style of other pictures")
    sub.add_argument("content", metavar="PHOTOGRAPH")
    sub.add_argument("styles", nargs="+", metavar="STYLE", help="a picture; several are blended")
    sub.add_argument("-o", "--output", metavar="FILE", required=True, help="the picture to write, .png or .jpg")
    sub.add_argument("--overwrite", action="store_true", help="replace the output if it is there")
    sub.add_argument("--style-weight", type=float, help="from 0, the photograph, upward (default: 5)")
    sub.add_argument("--shares", metavar="A,B,...", help="of each style in the blend (default: equal)")
    sub.add_argument("--keep-colours", action="store_true", default=None, help="the photograph's own colours")
    sub.add_argument("--size", type=int, help="limit of the longer side in pixels (default: 512)")
    sub.add_argument("--style-size", type=int, help="likewise of the styles: smaller, finer (default: as --size)")
    sub.add_argument("--steps", type=int, help="default: 300")
    sub.add_argument("--optimizer", help="adam (default), or lbfgs as in the paper")
    sub.add_argument("--start", help="content (default), or noise as in the paper")
    sub.add_argument("--preview", type=int, metavar="N", help="write the picture every N steps")
    sub.add_argument("--seed", type=int, help="of noise and untrained filters (default: 0)")
    sub.add_argument("--extractor", metavar="VGG", help="the network that looks (default: vgg16)")
    sub.add_argument(
        "--weights", help="of the VGG: imagenet, a file, an address, none (default: imagenet if it can be had)"
    )
    sub.add_argument("--preprocessing", help="what weights in a file were trained on: caffe or torch")

    sub = command(shared.results_command, "results", "the README's table of measured figures, from recorded rows")
    sub.add_argument("tables", nargs="+", metavar="FILE.csv")
    sub.add_argument("--into", metavar="PAGE.md", help="write it between the marks of this page")

    command(shared.doctor_command, "doctor", "what this machine has: versions, devices, folders, network")

    words = [word for word in argv if not word.startswith("-")]
    if words and words[0] not in verbs.choices:
        raise unknown("command", words[0], verbs.choices)
    arguments, left = parser.parse_known_args(argv)
    if left:
        known = re.findall(r"--[a-z-]+", verbs.choices[words[0]].format_help())
        raise unknown(f"option of `zoo {words[0]}`", left[0], set(known), hint=f"`zoo {words[0]} --help` shows all")
    return arguments
