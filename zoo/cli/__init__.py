"""The `zoo` command: which commands there are, and what happens to mistakes.

Each command is a file beside this one: ``HELP``, its arguments (``add_arguments``) and what it does (``run``).
`_terminal` is what they share.
"""

import argparse
import importlib
import os
import pkgutil
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from zoo import __version__
from zoo.cli import _terminal
from zoo.errors import UsageError, first_line, printable, unknown


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 2 for a request that cannot be carried out, 1 for a part of one."""
    _terminal.open_streams()
    argv = sys.argv[1:] if argv is None else argv
    debug = "--debug" in argv
    try:
        arguments = parse([word for word in argv if word != "--debug"])
        arguments.debug = debug
        with _terminal.old_names_in_a_line():
            _terminal.import_files(arguments.imports, debug)
            return arguments.command.run(arguments) or 0
    except BrokenPipeError:  # `zoo list | head`
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  the interpreter flushes it at exit
        return 0
    except KeyboardInterrupt as stop:
        print(f"\nzoo: stopped{stop}", file=sys.stderr)
        return getattr(stop, "code", 130)
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
        return printable(f"{error.strerror}: {error.filename}" if error.filename else error.strerror)
    if isinstance(error, ImportError) and re.search("failed to map|annot allocate", str(error)):
        library = Path(str(error).partition(":")[0]).name
        return f"too little memory to load {library}; raise this process's limit (`ulimit -v`), or free some"
    return printable(f"{type(error).__name__}: {first_line(error)} (--debug shows where)")


class Parser(argparse.ArgumentParser):
    """argparse, with one line for an error, and no abbreviated options. The parser of each command is one as well."""

    def __init__(self, **options: Any):
        super().__init__(**{"allow_abbrev": False, **options})

    @property
    def options(self) -> set[str]:
        """Its options, as they are written."""
        shown = [action for action in self._actions if action.help is not argparse.SUPPRESS]
        return {name for action in shown for name in action.option_strings}

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; `{self.prog} --help` shows what there is")


def commands() -> dict[str, Any]:
    """The commands by name: the files of this folder."""
    names = [found.name for found in pkgutil.iter_modules(__path__) if not found.name.startswith("_")]
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """A command line as arguments; among them `command`, the module to run.

    >>> parse(["info", "lenet5"]).name
    'lenet5'
    """
    if [*argv[:1]] == ["help"]:
        argv = [*argv[1:2], "--help"]
    parser, subparsers = made()
    chosen = first_word(argv)
    before = [word.partition("=")[0] for word in argv[: argv.index(chosen) if chosen else len(argv)]]
    if strange := [word for word in before if word.startswith("-") and word not in parser.options]:
        raise unknown("option of `zoo`", strange[0], parser.options, hint="`zoo --help` shows all")
    if chosen and chosen not in subparsers.choices:
        raise unknown("command", chosen, subparsers.choices)
    arguments, extra = parser.parse_known_args(argv)
    if any(word.partition("=")[0] == "--import" for word in extra):
        raise UsageError(f"`--import FILE` stands before the command: zoo --import FILE {chosen} ...")
    if extra and extra[0].startswith("-"):
        known = subparsers.choices[chosen].options
        raise unknown(f"option of `zoo {chosen}`", extra[0], known, hint=f"`zoo {chosen} --help` shows all")
    if extra:
        raise UsageError(
            f"`zoo {chosen}` takes no {extra[0]!r}; leave it out (`zoo {chosen} --help` shows what there is)"
        )
    return arguments


def made() -> tuple[Parser, Any]:
    """The parser of `zoo`, and those of its commands."""
    parser = Parser(
        prog="zoo",
        description="The networks that deep learning is taught with, in Keras 3.",
        epilog="--debug, anywhere, shows the traceback of an error.",
    )
    parser.add_argument("--version", action="version", version=f"zoo {__version__}")
    parser.add_argument(
        "--import", metavar="FILE.py", dest="imports", action="append", default=[],
        help="before the command: a file of your own with @zoo.register in it; may be repeated",
    )  # fmt: skip
    subparsers: Any = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, command in commands().items():
        text = command.HELP
        subparser = subparsers.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        subparser.set_defaults(command=command)
        command.add_arguments(subparser)
    return parser, subparsers


def first_word(argv: Sequence[str]) -> str:
    """The first word that is neither an option nor the file of an ``--import``: the command."""
    words = iter(argv)
    for word in words:
        if word == "--import":
            next(words, None)
        elif not word.startswith("-"):
            return word
    return ""
