"""The folder that a training run writes, as it goes.

config.json     everything needed to run it again: model, recipe, data, versions, commit, machine
splits.csv      of the user's own folders: which example is in which split, by its content
checkpoint/     all that a training needs to go on: the newest state of it, and the one before
history.csv     loss and metrics of each epoch, as far as the newest checkpoint goes
model.keras     the network, when the training has ended or was stopped
metrics.json    the metrics on the test set, beside the baselines
classes.csv     precision and recall of each class
*.png           learning curves, confusion matrix, worst mistakes, calibration
"""

import contextlib
import csv
import json
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from zoo import __version__, factory, registry
from zoo.cards import PRECISIONS
from zoo.errors import UsageError, first_line, no_formula
from zoo.training import checkpoint

MAX_JSON = 256 * 2**20  # bytes of a file of settings: a vocabulary of millions of words has fewer
KINDS = {"model": str, "options": dict, "recipe": dict, "data": dict}  # of what `config.json` holds at least
OF_TRACKERS = ("tensorboard", "wandb")  # folders that they write into a run's
PACKAGES = ("keras", "tensorflow", "tensorflow-datasets", "jax", "torch", "numpy", "scikit-learn")


@dataclass(frozen=True)
class Run:
    """A run folder."""

    path: Path

    @classmethod
    def create(cls, path: str | Path | None, default: str) -> "Run":
        """A new, empty folder: `path`, or else the first free ``runs/<default>``, ``runs/<default>-2``, ...

        Raises:
            UsageError: if `path` already holds something (which stays as it is), or cannot be written.
        """
        folder = Path(path) if path is not None else Path("runs") / default
        number = 1
        while True:
            try:
                folder.mkdir(parents=True, exist_ok=path is not None)
                break
            except FileExistsError:
                if path is not None:
                    raise UsageError(f"{folder} is a file; expected a folder for the run: choose another") from None
                number += 1
                folder = Path("runs") / f"{default}-{number}"
            except OSError as error:
                raise UsageError(
                    f"the run cannot be written to {folder}: {error.strerror}; choose another folder"
                ) from None
        if any(folder.iterdir()):
            begun = checkpoint.files(folder / checkpoint.FOLDER)
            raise UsageError(
                f"{folder} already holds files and none was touched; choose another folder, or remove it first"
                + (", or go on with it: --resume" if begun else "")
            )
        try:
            tempfile.TemporaryFile(dir=folder).close()  # without a name, so that nothing of it stays
        except OSError as error:
            raise UsageError(
                f"the run cannot be written to {folder}: {error.strerror}; choose another folder"
            ) from None
        return cls(folder)

    @classmethod
    def open(cls, path: "str | Path | Run") -> "Run":
        """An existing run.

        Raises:
            UsageError: if there is no run, or only the beginning of one.
        """
        if isinstance(path, Run):
            return path
        if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
            raise UsageError(f"the run is {path!r}; expected a run folder, or what `zoo.train` returned")
        run = cls(Path(path))
        missing = "config.json" if not (run.path / "config.json").is_file() else "model.keras"
        if not (run.path / missing).is_file() and (missing == "config.json" or not run.checkpoints):
            raise UsageError(
                f"{path} is no finished run: it has no {missing}; expected a folder written by `zoo train`"
            )
        config = run.config
        if not all(isinstance(config.get(key), kind) for key, kind in KINDS.items()) or "data_dir" not in config:
            raise UsageError(f"{run.path / 'config.json'} was not written by `zoo train`; restore it or train again")
        return run

    @property
    def config(self) -> dict[str, Any]:
        """What `config.json` holds; of a run that an older version wrote, as this one would have written it."""
        return upgraded(self.read_json("config.json"))

    @property
    def results(self) -> dict[str, Any]:
        """What `metrics.json` holds: model, recipe, metrics, baselines, seconds, seed."""
        return self.read_json("metrics.json")

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics on the test set."""
        found = self.results.get("metrics")
        if not isinstance(found, dict) or not all(isinstance(value, (int, float)) for value in found.values()):
            raise UsageError(f"{self.path / 'metrics.json'} holds no metrics; restore it or train again")
        return found

    @property
    def checkpoints(self) -> list[Path]:
        """Of its training, the newest first."""
        return checkpoint.files(self.path / checkpoint.FOLDER)

    @property
    def unfinished(self) -> checkpoint.Checkpoint | None:
        """The newest checkpoint of a training that did not come to its end: what is true of it, whatever files beside
        it say."""
        return None if (self.path / "metrics.json").exists() else checkpoint.newest(self.path)[0]

    def model(self) -> Any:
        """The trained network, not compiled: built here by its name and options, with the weights of the folder; of an
        unfinished training, with those of its newest checkpoint.

        Raises:
            UsageError: where the folder holds another network, or none that can be built.
        """
        from zoo.backend import dtype_policy
        from zoo.training.state import put_variables
        from zoo.weights.run_weights import as_tuples
        from zoo.weights.saved_model import build_and_load  # and with it Keras

        config = self.config
        registry.import_again(config["model"], config.get("imports", ()), self.path)
        options, precision = config.get("options"), config["recipe"].get("precision")
        fetched = {"weights", "preprocessing"}  # no builder's options: they name files and addresses to load from
        if not isinstance(options, dict) or fetched & options.keys() or precision not in PRECISIONS:
            raise UsageError(f"{self.path / 'config.json'} was not written by `zoo train`; restore it or train again")

        def build() -> Any:
            return factory.build(config["model"], **as_tuples(options))

        with dtype_policy(precision):
            newest = self.unfinished
            if newest is None:
                return build_and_load(self.path / "model.keras", build)
            model = build()
        put_variables({"network": model.variables}, newest, of=str(self.path))
        return model

    def save_model(self, model: Any) -> None:
        """Write the network under another name first: a crash leaves the last good one.

        What it was compiled with stays out: the slots of an optimizer are up to four times the weights.
        """
        import keras

        if hasattr(model, "inputs"):  # a trainer that is no network saves its own
            model = keras.Model(model.input, model.output, name=model.name)
        temporary = self.path / ".model.tmp.keras"
        try:
            model.save(temporary)
            os.replace(temporary, self.path / "model.keras")
        except OSError as error:
            raise UsageError(
                f"{self.path / 'model.keras'} cannot be written: {first_line(error)} (it needs about "
                f"{4 * model.count_params() / 2**20:.1f} MiB): mend that, and go on with zoo train --resume {self.path}"
            ) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def read_json(self, name: str) -> dict[str, Any]:
        """What a JSON file of the folder holds."""
        path = self.path / name
        if not path.exists():
            raise UsageError(f"{self.path} has no {name}: the run did not finish; train again")
        if not path.is_file() or path.stat().st_size > MAX_JSON:  # a pipe, a device; made to harm
            what = "has" if path.is_file() else "is no file, or has"
            raise UsageError(f"{path} {what} more than {MAX_JSON / 2**20:.0f} MiB; restore it or train again")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{self.path / name} is not JSON ({error}); restore it or train again") from None
        if not isinstance(content, dict):
            raise UsageError(f"{self.path / name} was not written by `zoo train`; restore it or train again")
        return content

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write a whole file or leave the old one."""
        temporary = self.path / f".{name}.tmp"
        try:
            temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
            os.replace(temporary, self.path / name)
        except OSError as error:
            raise UsageError(f"{self.path / name} cannot be written: {error.strerror}") from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def write_csv(self, name: str, rows: list[dict[str, Any]]) -> None:
        """A table, whole or not at all; its header from all rows. No cell is a formula to a spreadsheet."""
        temporary = self.path / f".{name}.tmp"
        try:
            with temporary.open("w", newline="", encoding="utf-8") as file:
                columns = list(dict.fromkeys(key for row in rows for key in row))
                table = csv.DictWriter(file, columns, lineterminator="\n")
                table.writeheader()
                table.writerows({column: no_formula(cell) for column, cell in row.items()} for row in rows)
            os.replace(temporary, self.path / name)
        except OSError as error:
            raise UsageError(f"{self.path / name} cannot be written: {error.strerror}") from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def discard_if_untrained(self) -> None:
        """Remove the folder if no epoch was finished in it: it holds nothing that is worth keeping."""
        if (self.path / "model.keras").exists() or self.checkpoints:
            return
        with contextlib.suppress(OSError):
            for name in ("config.json", "splits.csv", "history.csv"):
                (self.path / name).unlink(missing_ok=True)
        for name in OF_TRACKERS:
            shutil.rmtree(self.path / name, ignore_errors=True)
        checkpoint.remove(self.path)
        with contextlib.suppress(OSError):  # something of the user's is in it
            self.path.rmdir()

    def check_space(self, needed: int) -> None:
        """Raise if the disk has fewer than `needed` bytes left."""
        free = shutil.disk_usage(self.path).free
        if free < needed:
            raise UsageError(
                f"{self.path} is on a disk with {free / 2**20:.0f} MiB left; the run needs about "
                f"{needed / 2**20:.0f} MiB: make room or choose another folder"
            )


def upgraded(config: dict[str, Any]) -> dict[str, Any]:
    """The config of a run up to 0.1, which had other words, in today's."""
    if "feed" not in config or not isinstance(config.get("recipe"), dict):
        return config
    recipe = {**config["recipe"]}
    recipe["data_options"] = recipe.pop("feed", {})
    return {**{key: value for key, value in config.items() if key != "feed"}, "recipe": recipe, "data": config["feed"]}


def versions() -> dict[str, str]:
    """The installed versions of what a run depends on, and Python's."""
    installed = {"python": platform.python_version(), "zoo": __version__}
    for package in PACKAGES:
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return installed


def commit() -> str:
    """The commit of the checkout this package runs from, with + after it if files differ; "" outside a checkout."""
    here = Path(__file__).parents[1]  # the package

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", here, *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        top = Path(git("rev-parse", "--show-toplevel"))
        if top != here.parent:
            return ""
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "zoo") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""
