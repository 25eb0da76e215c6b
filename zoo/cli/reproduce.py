"""`zoo reproduce`: a recorded row, measured again."""

import argparse
import shlex
from pathlib import Path

from zoo import cli
from zoo.cli import _terminal
from zoo.errors import UsageError

HELP = "train by a recorded row again, and say whether its figure falls inside the spread of the seeds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="FILE.csv", help="of recorded rows, as results/demo.csv")
    parser.add_argument("name", metavar="NAME", help="the network of the row")
    parser.add_argument("--recipe", help="the recipe of the row (default: that of the first row of the network)")
    parser.add_argument("--seed", type=int, help="the seed of the row (default: that of the first one)")
    parser.add_argument("--run", metavar="DIR", help="the folder to write (default: runs/NAME-RECIPE-SEED-again)")
    parser.add_argument("--json", action="store_true", help=_terminal.JSON_HELP)


def run(arguments: argparse.Namespace) -> None:
    from zoo import results
    from zoo.training.run_folder import Run

    rows = results.rows_of(Path(arguments.table), arguments.name, arguments.recipe)
    row = results.row_of_seed(rows, arguments.seed)
    words = shlex.split(row["command"])
    if "--data" in words and not Path(words[words.index("--data") + 1]).exists():
        raise UsageError(
            f"the row was measured on {words[words.index('--data') + 1]}, which is not here; expected it in this folder"
        )
    folder = arguments.run or f"runs/{row['model']}-{row['recipe']}-{row['seed']}-again"
    again = cli.parse([*words[1:], "--run", folder, *(["--quiet"] if arguments.json else [])])
    again.debug = arguments.debug
    if arguments.json:
        from contextlib import redirect_stdout
        from io import StringIO

        with redirect_stdout(StringIO()):
            again.command.run(again)
    else:
        again.command.run(again)
    found = results.compared(rows, Run.open(folder).results["metrics"][row["metric"]])
    if arguments.json:
        _terminal.print_json({**found, "run": folder})
    else:
        print(results.verdict(found))
