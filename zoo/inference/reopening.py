"""A finished run, opened again: it may have been written elsewhere, damaged, or made to harm."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo import cards, records, registry, tasks
from zoo.data.base import DataModule
from zoo.data.sources import Recorded
from zoo.data.split_record import SplitRecord
from zoo.errors import UsageError, first_line
from zoo.records import Card, Recipe
from zoo.tasks.base import Network, Trained
from zoo.training.own_data import arrays_or_data, on_own_data
from zoo.training.run_folder import Run


def reopen(
    run: str | Path | Run,
    *,
    with_source: bool = False,
    data: Any = None,
    data_dir: str | Path | None = None,
) -> Trained:
    """Load a finished run.

    Args:
        run: a run folder, or what `train` returned.
        with_source: open its data set as well, so that the data module can make batches.
        data: the user's own data in place of the run's, or the arrays that it was trained on.
        data_dir: where tfds keeps its data sets, if not where the run found them.

    Raises:
        UsageError: if the folder holds no finished run or its data cannot be had.
    """
    folder = Run.open(run)
    config = folder.config
    registry.import_again(config["model"], config.get("imports", ()), folder.path)
    card = registry.info(config["model"])
    task = tasks.get(card.task)
    with explained(folder):
        recipe = records.recipe_from(config["recipe"])
        cards.check_fields(recipe, f"the recipe in {folder.path / 'config.json'}", cards.FIELDS)
        module = module_of(task.data_module, card, recipe, config)
    if data is not None:
        module.recipe = recipe = on_own_data(recipe, data)
    if with_source:
        open_again(module, folder, given=data, data_dir=data_dir)
    return Trained(Network.of(folder.model(), card, task, recipe), module, folder)


@contextlib.contextmanager
def explained(run: Run) -> Iterator[None]:
    """Whatever goes wrong with what a run folder holds, in one line."""
    try:
        yield
    except (UsageError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # other words, or values of another kind; a panic of the tokenizer's is no Exception
        raise UsageError(
            f"{run.path / 'config.json'} was not written by this zoo ({first_line(error)}); restore it or train again"
        ) from error


def module_of(kind: type[DataModule], card: Card, recipe: Recipe, config: Mapping[str, Any]) -> DataModule:
    """The data module of a run, if what `config.json` says of it is of the right types and as much as it should be."""
    for key, hint in kind.config_types.items():
        if not cards.fits(config["data"].get(key), hint):
            raise ValueError(f"its {key} is not {cards.described(hint)}")
    module = kind.from_config(card, recipe, None, config["data"])
    own = not kind.__module__.startswith("zoo.")  # whose `model_options` may say something else
    sizes = {"classes": ("num_classes", len(module.class_names)), "tokens": ("vocabulary_size", module.vocabulary_size)}
    for key, (option, size) in sizes.items():
        if key in kind.config_types and config["options"].get(option, size) != size and not own:
            raise ValueError(f"its data have {option}={size}, its network {config['options'][option]}")
    return module


def open_again(data: DataModule, run: Run, *, given: Any, data_dir: str | Path | None) -> None:
    """Give the data module of a run its source: split as it was then, or other data without what the run learned from.

    Raises:
        UsageError: where the test set is not the one of then, or other data are not what the network takes.
    """
    config, dataset, is_own = run.config, data.recipe.dataset, Path(data.recipe.dataset).is_absolute()
    if is_own and not Path(dataset).exists():
        raise UsageError(
            f"{dataset}, which {run.path} was trained on, is not there; where it is now: "
            f"zoo evaluate {run.path} --data PATH (data=)"
        )
    where = data_dir or data_dir_of(config, dataset)
    found, other = arrays_or_data(given, dataset, data.card, where, data.recipe.preprocess), given is not None
    if other and not isinstance(given, str | Path):
        other = found.sha256() != config.get("data_sha256")
        if other and not isinstance(given, Mapping):
            raise UsageError(
                "data is not what the run was trained on: divided anew, its test set may hold what was learned from; "
                "give the same, or x_test and y_test by name"
            )
    record = SplitRecord.read(run.path, data.class_names, unseen=other)
    if record is None and other and data.class_names:  # trained on no data of its user's: it has seen none of these
        record = SplitRecord((), tuple(data.class_names), unseen=True)
    if record and isinstance(found, Recorded):
        data.source = found.load_by(record)
        unchanged = not other
    else:
        unchanged = config.get("data_sha256") in (None, found.sha256())
        if not unchanged and not other:
            raise UsageError(
                f"{dataset} has changed since {run.path} was trained on it: its test set may hold what was learned "
                f"from; restore it, or measure on data of now: zoo evaluate {run.path} --data PATH (data=)"
            )
        data.source = found.load()
    if not unchanged or other:
        data.check_other("test")


def data_dir_of(config: Mapping[str, Any], dataset: str) -> str | None:
    """Where the run found its data set, if it is there still; a run folder of somebody else's makes none elsewhere."""
    name, data_dir = dataset.partition(":")[0], config["data_dir"]
    return data_dir if isinstance(data_dir, str) and (Path(data_dir) / name).is_dir() else None
