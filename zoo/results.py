"""Tables of measured metrics: a row is written by the program that measured it, never by hand."""

import csv
import shlex
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo import registry
from zoo.errors import UsageError
from zoo.system import hardware, machine
from zoo.training.run_folder import Run, commit

COLUMNS = (
    "model", "recipe", "metric", "value", "baselines", "seed", "epochs", "fit_seconds", "seconds",
    "pipeline_samples_per_second", "model_samples_per_second", "command", "commit", "backend", "keras", "hardware",
)  # fmt: skip


def row(run: Run) -> dict[str, object]:
    """The row of a finished run."""
    from zoo import tasks

    config, results = run.config, run.results
    metric = tasks.get(registry.info(config["model"]).task).headline(results["metrics"])
    # With the baselines stand the controls: the main metric of the same network on clips out of order, say.
    baselines = results["baselines"] | {
        name.removeprefix(f"{metric}_").replace("_", " "): value
        for name, value in results["metrics"].items()
        if name.startswith(f"{metric}_")
    }
    return {
        "model": config["model"],
        "recipe": config["recipe"]["name"],
        "metric": metric,
        "value": f"{results['metrics'][metric]:.4f}",
        "baselines": "; ".join(f"{name} {value:.4f}" for name, value in baselines.items()),
        "seed": results["seed"],
        "epochs": config["recipe"]["epochs"],
        "fit_seconds": results["fit_seconds"],
        "seconds": results["seconds"],
        "pipeline_samples_per_second": results["samples_per_second"]["pipeline"],
        "model_samples_per_second": results["samples_per_second"]["model"],
        "command": for_others(config["command"]),
        "commit": config["commit"],
        "backend": config["backend"],
        "keras": config["versions"]["keras"],
        "hardware": hardware(config["machine"]),
    }


def for_others(command: str) -> str:
    """A command without the folders of this machine: of a path only the last part.

    >>> for_others("zoo train resnet50 --data /home/me/photos --seed 1")
    'zoo train resnet50 --data photos --seed 1'
    """
    words = shlex.split(command)
    return shlex.join(Path(word).name if Path(word).is_absolute() else word for word in words)


def recipe_of(row: Mapping[str, str]) -> str:
    """The recipe of a row, and the data of one's own that took the place of the recipe's.

    >>> recipe_of({"recipe": "finetune", "command": "zoo train resnet50 --data photos"})
    'finetune, `--data photos`'
    """
    words = shlex.split(row["command"])
    data = f", `--data {words[words.index('--data') + 1]}`" if "--data" in words else ""
    return row["recipe"] + data


def check_table(path: Path) -> None:
    """Raise if `path` is a file that is not such a table, or lies in a folder that does not exist."""
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent} for the table {path.name}; make it first")
    if path.exists() and path.stat().st_size:
        read(path)
    fresh = not path.exists()
    try:
        with path.open("a", encoding="utf-8"):
            pass
        if fresh:
            path.unlink()
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def record(run: Run, path: Path) -> Path:
    """Append the row of a run to a table, which is made if need be."""
    check_table(path)
    write(path, row(run))
    return path


def append(path: Path, row: dict[str, object]) -> None:
    """Append what a benchmark measured to a table of its own columns; commit, backend and machine go with it."""
    import keras

    stamp = {
        "commit": commit(),
        "backend": keras.config.backend(),
        "keras": keras.__version__,
        "hardware": hardware(machine()),
    }
    write(path, row | stamp)


def write(path: Path, row: dict[str, object]) -> None:
    """Append a row under the columns of a table; the first row names them."""
    fresh = not path.exists() or not path.stat().st_size
    columns = list(row) if fresh else path.read_text(encoding="utf-8").splitlines()[0].split(",")
    if {*columns} != {*row}:
        raise UsageError(f"{path} has the columns {','.join(columns)}, this row has {','.join(row)}: take another file")
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as a table: {error}") from None
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise UsageError(f"{path} is no table of results: its first line differs from {','.join(COLUMNS[:4])},...")
    return rows


BEGIN, END = "<!-- zoo results -->\n", "<!-- end -->"


def write_into(page: Path, text: str) -> None:
    """Put a table between the two marks of a page, in place of what is there."""
    try:
        before, rest = page.read_text(encoding="utf-8").split(BEGIN)
        _, after = rest.split(END)
    except (OSError, ValueError):
        raise UsageError(f"{page} cannot be filled; expected one line {BEGIN.strip()} and one {END} after it") from None
    temporary = page.with_suffix(".tmp")
    temporary.write_text(f"{before}{BEGIN}{text}\n{END}{after}", encoding="utf-8")
    temporary.replace(page)


def summaries(paths: list[Path]) -> list[dict[str, Any]]:
    """For a recipe and model, what the seeds measured: the main metric's mean, deviation and worst."""
    from zoo import tasks

    groups: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for path in paths:
        for each in read(path):
            groups.setdefault((recipe_of(each), each["model"], each["metric"]), []).append(each)
    found = []
    for (recipe, model, metric), rows in sorted(groups.items()):
        values = [float(each["value"]) for each in rows]
        found.append({
            "recipe": recipe,
            "model": model,
            "metric": metric,
            "mean": statistics.mean(values),
            "std": statistics.stdev(values) if len(values) > 1 else None,
            "worst": max(values) if tasks.get(registry.info(model).task).minimize else min(values),
            "seeds": len(values),
            "beside": rows[0]["baselines"],
            "hardware": "; ".join(sorted({each["hardware"] for each in rows})),
        })  # fmt: skip
    return found


def table(paths: list[Path]) -> str:
    """The same as a Markdown table, a line for a recipe and model."""
    lines = [
        "| recipe | model | figure on the test set | worst | seeds | beside | hardware |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in summaries(paths):
        std = "" if each["std"] is None else f" ± {each['std']:.4f}"
        lines.append(
            f"| {each['recipe']} | `{each['model']}` | {each['metric']} {each['mean']:.4f}{std} "
            f"| {each['worst']:.4f} | {each['seeds']} | {each['beside']} | {each['hardware']} |"
        )
    return "\n".join(lines)
