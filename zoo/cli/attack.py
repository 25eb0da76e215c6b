"""`zoo attack`: how well a classifier of images holds where its pixels are moved against it."""

import argparse
import sys

from zoo.cli import _terminal
from zoo.errors import UsageError

HELP = "measure a classifier of images on test images that are changed to deceive it (FGSM, PGD), beside random noise"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument(
        "--epsilon",
        metavar="A,B,...",
        help="by how much each pixel may move, as parts of its range (default: 0.01,0.02,0.05,0.1,0.2)",
    )
    parser.add_argument(
        "--method", metavar="fgsm|pgd", help="one step along the signs of the gradient, or several (default: both)"
    )
    parser.add_argument("--steps", type=int, help="of PGD (default: 10)")
    parser.add_argument("--examples", type=int, help="at most so many of the test set, at random (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: 0)")
    parser.add_argument("--out", metavar="DIR", default="attacks", help="where the picture goes (default: attacks)")
    parser.add_argument("--data", metavar="PATH", help="your own data, in place of the run's, as `zoo evaluate` has it")
    parser.add_argument("--data-dir", metavar="DIR", help="where tensorflow-datasets keeps its data sets")
    parser.add_argument("--json", action="store_true", help=_terminal.JSON_HELP)


def run(arguments: argparse.Namespace) -> None:
    epsilons = numbers(arguments.epsilon)
    _terminal.show_log(sys.stderr if arguments.json else None)
    run_folder = _terminal.open_run(arguments.run, arguments.debug)
    from zoo.inference.robustness import robustness

    given = {"epsilons": epsilons, "steps": arguments.steps, "examples": arguments.examples}
    given["methods"] = (arguments.method,) if arguments.method is not None else None
    found = robustness(
        run_folder,
        folder=arguments.out,
        seed=arguments.seed,
        data=arguments.data,
        data_dir=arguments.data_dir,
        **{name: value for name, value in given.items() if value is not None},
    )
    if arguments.json:
        about = {"run": run_folder.path, "examples": found.examples, "test_examples": found.test_examples}
        _terminal.print_json(about | {"pixels": found.pixels, "rows": found.rows, "picture": found.picture})
        return
    low, high = found.pixels
    print(
        f"{run_folder.path}: accuracy on {found.examples:,} of {found.test_examples:,} test images, each pixel of "
        f"{low:g} to {high:g} moved by at most epsilon times {high - low:g}"
    )
    names = [name for name in found.rows[0] if name != "epsilon"]
    print("  " + "".join(f"{name:>9}" for name in ("epsilon", *names)))
    for row in found.rows:
        print(f"  {row['epsilon']:>9g}" + "".join(f"{row[name]:>9.4f}" for name in names))
    print(f"  {found.picture}")


def numbers(text: str | None) -> list[float] | None:
    """Numbers with commas between."""
    try:
        return None if text is None else [float(each) for each in text.split(",")]
    except ValueError:
        raise UsageError(f"--epsilon is {text!r}; expected numbers, as in 0.05,0.1") from None
