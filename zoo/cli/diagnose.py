"""`zoo diagnose`: what holds a classifier back, and what to try next."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from zoo.cli import _terminal
from zoo.metrics.diagnosis import Diagnosis, check_rate

HELP = "find what holds a classifier back: bias, variance, over-tuning or data of another kind"
SHOWN = 5  # rows of a table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument(
        "--human", type=float, default=0.0, metavar="RATE",
        help="error rate of people, or the lowest that can be had: 0.01 is 1 %% (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--target", metavar="PATH", help="data that it is meant for, if the run's are others: a folder or a file"
    )
    parser.add_argument(
        "--tags", metavar="FILE.csv",
        help="what kinds of examples there are: rows of an example (as errors.csv calls it) and its tags",
    )  # fmt: skip
    parser.add_argument("--out", metavar="DIR", help="for tables and figures (default: RUN/diagnosis, or -2, ...)")
    parser.add_argument("--data", metavar="PATH", help="where the run's own data are now, if they have moved")
    parser.add_argument("--data-dir", metavar="DIR", help="where tensorflow-datasets keeps its data sets")
    parser.add_argument("--json", action="store_true", help=_terminal.JSON_HELP)


def run(arguments: argparse.Namespace) -> None:
    _terminal.show_log(sys.stderr if arguments.json else None)
    check_rate("--human", arguments.human)
    run_folder = _terminal.open_run(arguments.run, arguments.debug)
    from zoo.data.image.files import free_name
    from zoo.inference.diagnosis import diagnose

    out = Path(arguments.out) if arguments.out else free_name(run_folder.path / "diagnosis")
    found = diagnose(
        run_folder, human=arguments.human, target=arguments.target, tags=arguments.tags, data=arguments.data,
        data_dir=arguments.data_dir, folder=out,
    )  # fmt: skip
    if arguments.json:
        _terminal.print_json({**asdict(found), "advice": found.advice, "folder": str(out)})
        return
    _terminal.show(described(found, out))


def described(found: Diagnosis, out: Path) -> list[str]:
    """A diagnosis in lines."""
    lines = [f"{'set':14}{'error':>8}{'rise':>9}{'margin':>9}  cause", f"{'human':14}{found.errors['human']:8.2%}"]
    for gap in found.gaps:
        margin = f"{gap.margin:9.2%}" if gap.margin else 9 * " "
        mark = "  <-" if gap.cause in found.holds_back and gap.size > gap.margin else ""
        lines.append(f"{gap.at:14}{found.errors[gap.at]:8.2%}{gap.size:+9.2%}{margin}  {gap.cause}{mark}")
    lines.append("what holds it back: " + (", ".join(found.holds_back) or "nothing that stands out of chance"))
    for cause, steps in found.advice.items():
        lines += [f"  {cause}: {step}" for step in steps]
    for title, rows in (("class", found.by_class), ("tag", found.by_tag)):
        shown = [row for row in rows if row["errors"]][:SHOWN]
        if shown:
            lines.append(f"errors on the {found.looked_at} set by {title}, of all errors, and the error without them:")
        for row in shown:
            counts = f"{row['errors']:4} of {row['examples']:<6}"
            lines.append(f"  {row['kind']:20} {counts}{row['share']:6.0%}{row['error_without']:9.2%}")
    files = ", ".join(sorted(file.name for file in out.iterdir()))
    return [*lines, f"in {out}: {files}"]
