"""Going on with a run: which one, with what of it changed, and what else has changed since."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import zoo
from zoo import records
from zoo.errors import UsageError
from zoo.records import Card, Recipe, replace
from zoo.training import checkpoint as checkpoints
from zoo.training.checkpoint import Checkpoint
from zoo.training.image_options import size_in
from zoo.training.run_folder import Run

FACTS = {  # what a training depends on besides its recipe -> in words
    "data_sha256": "the data set",
    "code": "the program",
    "backend": "the backend",
    "imports": "the imported files",
}


@cache
def code() -> str:
    """A hash of the program itself: a checkout may differ from its commit."""
    package = Path(zoo.__file__).parent
    found = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        found.update(f"{file.relative_to(package)}\0".encode() + file.read_bytes())
    return found.hexdigest()[:16]


def facts(config: Mapping[str, Any], card: Card) -> dict[str, Any]:
    """What a training depends on, from the config of its run: goes into each checkpoint."""
    named = [each for each in card.recipes if each.name == config["recipe"]["name"]]
    return {
        **{
            key: config[key] for key in ("recipe", "data_sha256", "imports", "versions", "backend", "commit", "machine")
        },
        "code": code(),
        "card_recipe": plain(records.as_dict(named[0])) if named else None,
    }


def plain(value: Any) -> Any:
    """As JSON gives it back: lists for tuples."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def tuples(value: Any) -> Any:
    """Tuples for the lists that JSON makes of them, as recipes are written."""
    if isinstance(value, Mapping):
        return {key: tuples(each) for key, each in value.items()}
    return tuple(map(tuples, value)) if isinstance(value, (list, tuple)) else value


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What has changed between two parts of a training, a line each: it is no longer the undisturbed one."""
    before, now = plain(before), plain(now)
    found = [
        f"{field} {old!r}, now {new!r}"
        for field, old, new in differences(before["recipe"], now["recipe"])
        if field != "epochs" or now["recipe"]["schedule"] != "constant"  # else the rate depends on how many there are
    ]
    if before["card_recipe"] and now["card_recipe"]:
        found += [
            f"the recipe {now['card_recipe']['name']} has {field} {new!r} by now; the run keeps {old!r}"
            for field, old, new in differences(before["card_recipe"], now["card_recipe"])
        ]
    for key, what in FACTS.items():
        if before[key] != now[key]:
            commits = f" (commit {before['commit']}, now {now['commit']})" if key == "code" else ""
            both = f" {before[key]}, now {now[key]}" if key == "backend" else " has changed"
            found.append(f"{what}{both}{commits}")
    of_packages = differences(before["versions"], now["versions"])
    found += [f"{package} {old}, now {new}" for package, old, new in of_packages]
    found += [
        f"{key} {old!r}, now {new!r}"
        for key, old, new in differences(before["machine"], now["machine"])
        if key != "platform"
    ]
    return found


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Keys whose values differ, with both: nothing stands for a missing one."""
    keys = [*before, *(key for key in now if key not in before)]
    return [(key, before.get(key), now.get(key)) for key in keys if before.get(key) != now.get(key)]


def find(run: Path | None, default: str) -> Run | None:
    """The run that the same command wrote: in `run`, or the last of ``runs/<default>``, ``runs/<default>-2``, ..."""
    if run is not None:
        return Run(run) if (run / "config.json").is_file() else None
    number, found = 1, None
    while (folder := Path("runs") / (default if number == 1 else f"{default}-{number}")).exists():
        found = Run(folder) if (folder / "config.json").is_file() else found
        number += 1
    return found


def open_run(path: Path) -> Run:
    """A run folder to go on with.

    Raises:
        UsageError: if it is none.
    """
    if not path.is_dir():
        raise UsageError(f"there is no folder {path} to resume; expected one written by `zoo train`")
    run = Run(path)
    if not {"model", "recipe"} <= run.config.keys():
        raise UsageError(f"{path / 'config.json'} says of no training; nothing to resume: remove {path} and train anew")
    return run


def start_of(run: Run) -> tuple[Checkpoint | None, list[str]]:
    """Where to go on, and what is to be said of damaged checkpoints.

    Raises:
        UsageError: where there is nothing to go on from, and something that starting anew would spoil.
    """
    found, damaged = checkpoints.newest(run.path)
    if found is None and (run.path / "model.keras").exists():
        raise UsageError(
            f"{run.path} has a network and no checkpoint that is whole, so that its training cannot go on"
            + (f" ({damaged[0]})" if damaged else "")
            + "; train anew into another folder"
        )
    return found, damaged


def unfinished(run: Run, name: str, recipe: Recipe, options: Mapping[str, Any]) -> bool:
    """Whether a folder holds the same training, which has a checkpoint and did not come to its end."""
    if (run.path / "metrics.json").exists() or not checkpoints.files(run.path / checkpoints.FOLDER):
        return False
    config = run.config
    asked = replace(recipe, model={**recipe.model, **options}, expected=None)
    return config.get("model") == name and plain(records.as_dict(asked)) == {**config["recipe"], "expected": None}


def question(run: Run) -> str:
    """Whether to go on with it."""
    start, _ = checkpoints.newest(run.path)
    kept = start.where if start else "nothing that is whole"
    return f"{run.path} holds the same training, stopped after {kept} of {run.config['recipe']['epochs']} epochs"


def recipe_of(run: Run, card: Card, start: Checkpoint | None, overrides: Mapping[str, Any], data: str | None) -> Recipe:
    """The recipe of a run, with what is asked to be otherwise from now on.

    Raises:
        UsageError: where nothing is left to train.
    """
    recipe = records.recipe_from(tuples(run.config["recipe"]))
    done = start.epoch if start else 0
    epochs = overrides.get("epochs")
    if (run.path / "metrics.json").exists() and (epochs is None or epochs <= done):
        raise UsageError(
            f"{run.path} is finished, with {done} epochs; expected more of them to resume: --epochs {2 * done}"
        )
    if epochs is not None and epochs < done:
        raise UsageError(f"epochs is {epochs}; {run.path} has {done} already: expected at least as many")
    named = [each.expected for each in card.recipes if each.name == recipe.name]
    recipe = replace(recipe, expected=named[0] if named else None)
    changed = {field: value for field, value in {**overrides, "dataset": data}.items() if value is not None}
    if "weight_decay" in changed:
        changed["optimizer_options"] = {**recipe.optimizer_options, "weight_decay": changed.pop("weight_decay")}
    return replace(recipe, **changed)


def check_same(run: Run, name: str | None, recipe: str | None, given: Mapping[str, Any]) -> None:
    """Raise where the command is that of another run: what its network is and where it starts cannot change."""
    config = run.config
    if part := config.get("part"):
        raise UsageError(
            f"{run.path} is measured on {part}, as one of several runs; expected one by itself: train anew"
        )
    fields = config["recipe"]
    kept = {**fields["preprocess"], **fields["model"], "weights": fields["weights"], "loop": given.get("loop")}
    kept |= {"preprocessing": fields["preprocessing"], "name": config["model"], "recipe": fields["name"]}
    kept |= {"image_size": size_in(fields["preprocess"]), "augment": fields["augment"]}
    if given.get("augment"):
        given = {**given, "augment": {**fields["augment"], **given["augment"]}}
    for what, value in {"name": name, "recipe": recipe, **given}.items():
        was = kept.get(what)
        if value not in (None, False) and plain(value) != was and str(value) != was:
            raise UsageError(
                f"{what} is {value!r}; the run in {run.path} has {was!r}, which cannot change: leave it out, or train "
                "anew without --resume"
            )
