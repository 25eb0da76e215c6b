"""`zoo tune`: search for settings under which a recipe does better on its validation set."""

import argparse
from typing import Any

from zoo.cli import _terminal
from zoo.cli.train import option_values
from zoo.errors import UsageError
from zoo.training.search_space import short
from zoo.training.stopping import requests
from zoo.training.tuning import SAMPLERS, Search, checked, tune

HELP = "search for settings under which a recipe does better on its validation set"
SHOWN = 5  # trials
SAME = (  # of `zoo train`: the same in each trial, and not searched
    ("epochs", int), ("batch-size", int), ("learning-rate", float), ("weight-decay", float), ("ema-momentum", float),
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of a network: one of `zoo list`")
    parser.add_argument(
        "--trials", type=int, default=20, metavar="N", help="in all, with those there are (default: 20)"
    )
    parser.add_argument("--recipe", help="a recipe of its card (default: as for `zoo train`)")
    parser.add_argument(
        "--search", metavar="NAME=RANGE", action="append", default=[],
        help="besides learning rate, weight decay, batch size and dropout, or otherwise: LOW:HIGH, log:LOW:HIGH, "
        "linear:LOW:HIGH or A,B,C, of a setting of `zoo train` or what --option names; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--sampler", default=SAMPLERS[0], help="tpe, which learns from the trials before; or random (default: tpe)"
    )
    parser.add_argument(
        "--run", metavar="DIR", help="the folder, which is gone on with (default: runs/NAME-RECIPE-tune)"
    )
    parser.add_argument("--data", metavar="PATH", help="your own data, as for `zoo train`")
    parser.add_argument("--data-dir", metavar="DIR", help="where tensorflow-datasets keeps its data sets")
    parser.add_argument("--weights", metavar="WEIGHTS", help="pretrained, as for `zoo train`")
    parser.add_argument("--preprocessing", help="what the weights in a file were trained on: caffe, torch, tf, ...")
    for name, kind in SAME:
        parser.add_argument(f"--{name}", type=kind, help="the same in each trial, and not searched")
    parser.add_argument("--seed", type=int, help="of the search, and of each training")
    parser.add_argument(
        "--option", metavar="NAME=VALUE", action="append", default=[],
        help="of the builder or the data, the same in each trial; may be repeated",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    search = dict(words(text) for text in arguments.search)
    names = ("data", "data_dir", "weights", "preprocessing", *(name.replace("-", "_") for name, _ in SAME))
    settings: dict[str, Any] = {name: getattr(arguments, name) for name in names} | option_values(arguments.option)
    with requests.watch(), _terminal.unbroken_streams():
        _terminal.show_log()
        given = {name: each for name, each in settings.items() if each is not None}
        checked(arguments.name, arguments.recipe, arguments.trials, search, arguments.sampler, given)
        _terminal.start_keras(arguments.debug)
        requests.check()
        found = tune(
            arguments.name, arguments.recipe, trials=arguments.trials, search=search, sampler=arguments.sampler,
            run=arguments.run, seed=arguments.seed, **settings,
        )  # fmt: skip
    _terminal.show(described(found))


def words(text: str) -> tuple[str, str]:
    """``NAME=RANGE`` as a pair."""
    name, equals, given = text.partition("=")
    if not equals:
        raise UsageError(f"--search {text!r} has no range; expected NAME=LOW:HIGH, as in learning_rate=1e-4:1e-1")
    return name, given


def described(found: Search) -> list[str]:
    """The best trials as a table, and how to train with the best settings."""
    best = found.best  # raises, where there is none
    names = list(found.space)
    rows = [["trial", *names, f"validation {found.metric}"]]
    rows += [
        [str(trial.number), *(short(trial.settings[name]) for name in names), f"{trial.score:.4f}"]
        for trial in found.ranked[:SHOWN]
    ]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows]
    failed = len(found.trials) - len(found.ranked)
    lines.append(f"best of {len(found.trials)} trials{f', of which {failed} failed' if failed else ''}: {best.number}")
    files = ", ".join(sorted(file.name for file in found.path.iterdir() if file.is_file()))
    return [*lines, f"in {found.path}: {files}", f"train with these settings, and test: {found.command}"]
