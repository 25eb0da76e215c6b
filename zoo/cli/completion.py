"""`zoo completion`: what a shell needs to complete the command line."""

import argparse

from zoo import registry
from zoo.errors import UsageError

HELP = "print what bash, fish, tcsh or zsh needs to complete commands, options and names"
SHELLS = ("bash", "fish", "tcsh", "zsh")
NAMED = ("info", "train", "tune")  # commands whose first word is the name of a network


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="as in: zoo completion bash >> ~/.bashrc")


def run(arguments: argparse.Namespace) -> None:
    try:
        import shtab
    except ImportError:
        raise UsageError("shtab, which writes completions, is not installed: pip install shtab") from None
    from zoo.cli import made

    parser, subparsers = made()
    for command in NAMED:
        name = next(action for action in subparsers.choices[command]._actions if action.dest == "name")
        name.choices = registry.list_models()
    print(shtab.complete(parser, arguments.shell))
