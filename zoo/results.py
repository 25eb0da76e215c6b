"""Tables of measured metrics: a row is written by the program that measured it, never by hand."""

import csv
import math
import shlex
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo import registry
from zoo.errors import UsageError, unknown
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
        "pipeline_samples_per_second": results["samples_per_second"].get("pipeline", ""),
        "model_samples_per_second": results["samples_per_second"].get("model", ""),
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


def rows_of(path: Path, model: str, recipe: str | None = None) -> list[dict[str, str]]:
    """The rows of a network by one recipe, on the same data: one for each seed.

    Raises:
        UsageError: if there are none.
    """
    rows = [each for each in read(path) if each["model"] == model]
    if not rows:
        raise unknown(f"row in {path} for the network", model, [each["model"] for each in read(path)])
    same = [each for each in rows if recipe in (None, each["recipe"])]
    if not same:
        raise unknown(f"row in {path} for {model} by the recipe", recipe, [each["recipe"] for each in rows])
    return [each for each in same if (recipe_of(each), each["metric"]) == (recipe_of(same[0]), same[0]["metric"])]


def row_of_seed(rows: list[dict[str, str]], seed: int | None) -> dict[str, str]:
    """The row of a seed, the first one of None."""
    found = [each for each in rows if seed is None or each["seed"] == str(seed)]
    if not found:
        raise unknown("row with the seed", seed, [each["seed"] for each in rows])
    return found[0]


def prediction_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Where 95 of 100 further values fall if they are normally distributed, by those that there are (Student's t, n - 1
    degrees of freedom); None of fewer than two. Recorded values have four digits, which is the least half-width.

    >>> low, high = prediction_interval([0.98, 0.99, 1.0])
    >>> round(low, 3), round(high, 3)
    (0.94, 1.04)
    """
    if len(values) < 2:
        return None
    from scipy.stats import t

    n = len(values)
    half = max(float(t.ppf(0.975, n - 1)) * statistics.stdev(values) * math.sqrt(1 + 1 / n), 5e-5)
    mean = statistics.mean(values)
    return mean - half, mean + half


def compared(rows: list[dict[str, str]], value: float) -> dict[str, Any]:
    """A value that was measured again beside those of the rows."""
    values = [float(each["value"]) for each in rows]
    interval = prediction_interval(values)
    inside = None if interval is None else interval[0] <= round(value, 4) <= interval[1]
    return {"metric": rows[0]["metric"], "value": value, "recorded": values, "interval": interval, "inside": inside}


def verdict(found: dict[str, Any]) -> str:
    """The same in words."""
    said = f"{found['metric']} {found['value']:.4f}, recorded {', '.join(f'{each:.4f}' for each in found['recorded'])}"
    if found["interval"] is None:
        return f"{said}: one seed has no spread to fall into"
    where = "inside" if found["inside"] else "OUTSIDE"
    return f"{said}: {where} {found['interval'][0]:.4f} to {found['interval'][1]:.4f}, where 95 of 100 seeds belong"


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
