"""`zoo results`: the table of measured metrics, from recorded rows."""

import argparse
from pathlib import Path

from zoo.cli import _terminal

HELP = "make the README's table of measured metrics from recorded rows"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tables", nargs="+", metavar="FILE.csv", help="what `zoo train --record` wrote")
    parser.add_argument("--into", metavar="PAGE.md", help="write it between the marks of this page")
    parser.add_argument("--json", action="store_true", help=_terminal.JSON_HELP)


def run(arguments: argparse.Namespace) -> None:
    from zoo import results

    for table in arguments.tables:
        results.read(Path(table))  # a wrong table is refused before Keras is imported
    _terminal.start_keras(arguments.debug)
    tables = [Path(table) for table in arguments.tables]
    if arguments.json:
        _terminal.print_json(results.summaries(tables))
        return
    text = results.table(tables)
    if arguments.into:
        results.write_into(Path(arguments.into), text)
    else:
        print(text)
