"""`zoo train`: train a network by a recipe and write a run folder."""

import argparse
import ast
import inspect
import logging
import math
import shlex
import sys
from pathlib import Path
from typing import Any

from zoo.cli import _terminal
from zoo.cli.info import describe_expected
from zoo.errors import UsageError
from zoo.training import choosing
from zoo.training.run_folder import Run
from zoo.training.run_plan import MINUTES, SETTINGS, RunPlan, prepare
from zoo.training.stopping import requests

HELP = "train a network by a recipe and write a run folder"
SERIES_OPTIONS = (  # which are options of the data as well: --option target=COLUMN
    ("target", str, "the column of --data FILE.csv to forecast"),
    ("time", str, "the column of times"),
    ("lags", int, "steps that the network looks back"),
    ("horizon", int, "steps ahead"),
)
NEXT = {  # what is done with a finished run, and with what
    "predict": "INPUT...",
    "compare": "A.png B.png",
    "translate": "TEXT...",
    "generate": "--prompt TEXT",
}
TEXT_OPTIONS = (("text-column", "texts"), ("label-column", "their classes"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="of a network: one of `zoo list`; or best")
    parser.add_argument(
        "--budget",
        metavar="TIME",
        help="of best, which chooses the network, the image size and the epochs for --data PHOTOS/ and this machine: "
        "10min, 90s, 1h",
    )
    parser.add_argument(
        "--recipe",
        help="a recipe of its card (default: demo, which needs no download; finetune with --weights; with --data the "
        "one for data of your own, where there is one)",
    )
    parser.add_argument(
        "--weights",
        metavar="WEIGHTS",
        help="pretrained: a tag of the card (imagenet), a file, an address, hf://owner/name, or the folder of a run",
    )
    parser.add_argument("--preprocessing", help="what the weights in a file were trained on: caffe, torch, tf, ...")
    parser.add_argument("--run", metavar="DIR", help="the folder to write (default: runs/NAME-RECIPE-SEED)")
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="your own data: a folder, a .txt file, a table (.csv, .tsv, .jsonl), arrays (.npz): what the task takes",
    )
    parser.add_argument(
        "--resume",
        metavar="RUN",
        nargs="?",
        const=True,
        default=False,
        help="go on with a run that was stopped or killed, or with --epochs train a finished one further: RUN, or the "
        "folder that the same command wrote (begun where there is none)",
    )
    parser.add_argument(
        "--checkpoint-minutes",
        type=float,
        default=MINUTES,
        metavar="N",
        help=f"in a long epoch write a checkpoint every N minutes (default: {MINUTES:g})",
    )
    parser.add_argument("--data-dir", metavar="DIR", help="where tensorflow-datasets keeps its data sets")
    parser.add_argument(
        "--cache-dir",
        metavar="DIR",
        help="keep prepared images that do not fit into memory in files there, for the run",
    )
    parser.add_argument("--epochs", type=int, help="passes over the training set, in place of the recipe's")
    parser.add_argument("--batch-size", type=int, help="examples in a batch, likewise")
    parser.add_argument("--learning-rate", type=float, help="of the optimizer, likewise")
    parser.add_argument(
        "--ema-momentum",
        type=float,
        help="of the average of the weights over the steps, which is validated and saved; 0: the last ones, likewise",
    )
    parser.add_argument(
        "--weight-decay", type=float, help="by which weights shrink in each step, times the learning rate, likewise"
    )
    parser.add_argument("--seed", type=int, help="of all random numbers, likewise")
    parser.add_argument(
        "--precision", help="float32, mixed_float16 or mixed_bfloat16, likewise; auto: what is fastest here"
    )
    parser.add_argument("--optimizer", metavar="NAME", help="of Keras: adamw, sgd, ...; likewise")
    parser.add_argument(
        "--head-epochs", type=int, help="from weights: epochs in which the head learns alone, likewise; all: only it"
    )
    parser.add_argument(
        "--layer-decay", type=float, help="by which the rate falls from block to block towards the input, likewise"
    )
    parser.add_argument(
        "--patience", type=int, help="epochs without a better validation loss before it stops; 0: never; likewise"
    )
    parser.add_argument("--freeze", metavar="LAYER", help="it, or the stage (stride16), and all before it never learn")
    parser.add_argument("--image-size", metavar="PIXELS", help="of images: 128, or 128x96 (height, width), likewise")
    parser.add_argument(
        "--augment",
        metavar="NAME=VALUE",
        action="append",
        help="an augmentation beside the recipe's, or in its place: crop=0.3,1; flip=None leaves it out, none all",
    )
    parser.add_argument(
        "--class-weight", metavar="HOW", help="balanced: rare classes count more; or by class: cat=1,dog=2.5"
    )
    parser.add_argument(
        "--option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="of the builder, or of what the recipe does to the data (of texts: tokens, vocabulary, length; of word "
        "vectors: tokens, min_count, window); `zoo info NAME` shows those of each recipe; may be repeated",
    )
    parser.add_argument(
        "--loop", action="store_true", help="repeat clips that have fewer frames than the network takes"
    )
    for name, what in TEXT_OPTIONS:
        parser.add_argument(f"--{name}", metavar="COLUMN", help=f"of a table of texts: the column of {what}")
    for name, kind, what in SERIES_OPTIONS:
        parser.add_argument(f"--{name}", type=kind, help=f"of a series: {what}")
    parser.add_argument(
        "--folds",
        type=int,
        metavar="K",
        help="k-fold cross-validation: train K times, each without another part of all that is not for testing, and "
        "measure on that part",
    )
    parser.add_argument("--quiet", action="store_true", help="print warnings and the result, and no more")
    parser.add_argument("--tracker", help="tensorboard (logs in the run folder), mlflow or wandb: told of every epoch")
    parser.add_argument(  # its name up to 0.1
        "--tensorboard", dest="tracker", action="store_const", const="tensorboard", help=argparse.SUPPRESS
    )
    parser.add_argument("--record", metavar="FILE.csv", help="append the metrics as a row to this table")


def run(arguments: argparse.Namespace) -> None:
    options = option_values(arguments.option)
    names = [name.replace("-", "_") for name, *_ in (*SERIES_OPTIONS, *TEXT_OPTIONS)]
    own = {name: getattr(arguments, name) for name in names}
    options |= {name: value for name, value in own.items() if value is not None}
    if arguments.record:
        from zoo import results

        results.check_table(Path(arguments.record))
    with requests.watch(), _terminal.unbroken_streams():
        _terminal.show_log(level=logging.WARNING if arguments.quiet else logging.INFO)
        train(arguments, options)


def train(arguments: argparse.Namespace, options: dict[str, Any]) -> None:
    """Plan and train; what a signal interrupts while Keras is imported is made up for afterwards."""
    choosing.check(vars(arguments))
    if arguments.weights or arguments.data:  # a file is held against the network, a folder opened by its task
        _terminal.start_keras(arguments.debug)
        requests.check()
    settings: dict[str, Any] = {name: getattr(arguments, name) for name in SETTINGS if name in arguments}
    if arguments.augment:
        settings["augment"] = "none" if arguments.augment == ["none"] else option_values(arguments.augment, "augment")
    if arguments.class_weight and arguments.class_weight != "balanced":
        settings["class_weight"] = option_values(arguments.class_weight.split(","), "class-weight")
    settings["verbose"] = 0 if arguments.quiet else "auto" if sys.stdout.isatty() else 2  # a line an epoch in a file
    if arguments.folds is not None:
        cross_validate(arguments, settings | options)
        return
    named = dict(name=arguments.name, recipe=arguments.recipe, budget=arguments.budget)
    plan = prepare(offer=_terminal.agrees, **choosing.with_choice(settings | options | named))
    try:
        _terminal.start_keras(arguments.debug)
        requests.check()
        from zoo.training.trainer import fit

        finished = fit(plan)
    except BaseException:
        plan.run.discard_if_untrained()
        raise
    print(summary(finished, plan))
    if arguments.record:
        from zoo import results

        print(f"recorded in {results.record(finished, Path(arguments.record))}")


def cross_validate(arguments: argparse.Namespace, settings: dict[str, Any]) -> None:
    """Train for each fold, and say how far the folds agree."""
    from zoo.training import folds

    if arguments.record:
        raise UsageError("--record keeps figures of the test set, which --folds does not touch: leave one of them out")
    folds.check(arguments.folds, arguments.name, settings)
    _terminal.start_keras(arguments.debug)
    requests.check()
    print(folds.cross_validate(arguments.folds, name=arguments.name, recipe=arguments.recipe, **settings))


def option_values(pairs: list[str], word: str = "option") -> dict[str, Any]:
    """``["dropout=0.5", "pooling=average"]`` as keyword arguments."""
    options = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UsageError(f"--{word} {pair!r} has no value; expected NAME=VALUE, as in dropout=0.5")
        try:
            options[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            options[name] = text
    return options


def summary(run: Run, plan: RunPlan) -> str:
    """The end of a run in a few lines."""
    from zoo import registry, tasks
    from zoo.tasks.base import Task

    results, card, recipe = run.results, plan.card, plan.card.recipe(plan.recipe.name)
    metrics, task = results["metrics"], tasks.get(card.task)
    metric = task.headline(metrics)
    examples, interval = run.config["examples"]["test"], ""
    if task.counts_examples and metric == task.metric:
        from zoo.metrics import classification

        interval = " ({:.3f}-{:.3f})".format(*classification.interval(metrics[metric], examples))
    baselines = [f"{name} {value:.4f}" for name, value in results["baselines"].items() if math.isfinite(value)]
    lines = [
        f"{card.name}, recipe {recipe.name}, seed {results['seed']}: "
        f"test {metric} {metrics[metric]:.4f}{interval} on " + (results.get("measured_on") or f"{examples:,} examples"),
    ]
    if baselines or type(task).baselines is not Task.baselines:
        lines.append("  beside " + (", ".join(baselines) or "no baseline: the set is too large to compute one"))
    better = [
        name
        for name, value in results["baselines"].items()
        if metric != "loss" and (value <= metrics[metric] if task.minimize else value >= metrics[metric])
    ]
    if better:
        lines.append(f"  no better than {', '.join(better)}: {task.advice}")
    if recipe.expected is not None and plan.unchanged:
        bound = recipe.expected.bound
        value = metrics.get(recipe.expected.metric, math.nan)  # BLEU, where sacrebleu is not installed
        reached = value <= bound if task.minimize else value >= bound
        lines.append(f"  expected {describe_expected(recipe.expected)}: {'reached' if reached else 'not reached'}")
    files = ", ".join(sorted(file.name for file in run.path.iterdir()))
    lines.append(f"  {results['seconds']:.0f} s; in {run.path}: {files}")
    vectors = card.inputs[0].dtype.startswith("float") and len(card.inputs[0].shape) == 1  # which are in no file
    if (usual := next((word for word in NEXT if word in task.commands), None)) and not vectors:
        draws = usual == "generate" and "path" in inspect.signature(getattr(task, usual)).parameters
        words = "-o drawn." + ("png" if "image" in {each.name for each in card.inputs} else "csv")
        lines.append(f"  next: zoo {usual} {shlex.quote(str(run.path))} {words if draws else NEXT[usual]}")
    elif "tower" in card.options:
        options = {**(registry.builder(card.name).__kwdefaults__ or {}), **run.config["recipe"]["model"]}
        lines.append(f"  next: zoo train {options['tower']} --weights {shlex.quote(str(run.path))} --data LABELLED/")
    return "\n".join(lines)
