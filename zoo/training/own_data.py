"""The data that a run learns from: the recipe's data set, or files, folders and arrays of the user's own."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import tasks
from zoo.errors import UsageError
from zoo.records import Card, Recipe, replace

if TYPE_CHECKING:
    from zoo.data.sources import DataSet

IN_MEMORY = "<arrays>"  # as `zoo.data.arrays` says, which imports NumPy
FILES = (".npz", ".txt", ".csv", ".tsv", ".jsonl", ".conll", ".conllu")  # of a user's own data


def arrays_or_data(
    data: Any, dataset: str, card: Card, data_dir: str | Path | None, preprocess: Mapping[str, Any]
) -> "DataSet":
    """The data set, or the caller's arrays."""
    if data is None or isinstance(data, str | Path):
        return open_data(dataset, card, data_dir, preprocess)
    from zoo.data.arrays import Arrays
    from zoo.data.loaders import is_table

    if is_table(data):
        opened = getattr(tasks.get(card.task).folder, "of_table", None)
        if opened is None:
            raise UsageError(f"data is a table; a network for {card.task} learns from none: give it arrays, (x, y)")
        return opened(data, **words_of(opened, preprocess))
    return Arrays(data, **array_settings(card))


def array_settings(card: Card) -> dict[str, bool]:
    """How the arrays of a network are read: whether targets are numbers, and examples in the order of time."""
    module = tasks.get(card.task).data_module
    return {"numbers": getattr(module, "targets_are", "") == "numbers", "ordered": module.ordered}


def on_own_data(recipe: Recipe, data: Any) -> Recipe:
    """The recipe with the user's own data in place of its data set: they have whole splits of the usual names."""
    if not isinstance(data, str | Path):
        return replace(recipe, dataset=IN_MEMORY, train="train", validation="validation", test="test")
    path = Path(data).absolute()
    if not str(data) or (path.suffix.lower() not in FILES and not path.is_dir()):
        missing = ", which is not there" if str(data) and not path.exists() else ""
        raise UsageError(
            f"data is {str(data)!r}{missing}; expected the path of a folder or of a file: {', '.join(FILES)}"
        )
    return replace(recipe, dataset=str(path), train="train", validation="validation", test="test")


def open_data(dataset: str, card: Card, data_dir: str | Path | None, preprocess: Mapping[str, Any] = {}) -> "DataSet":
    """The data set, found and checked but not loaded; a folder of one's own is opened as the card's task wants it,
    with those of the recipe's words that its `folder` takes."""
    if dataset == IN_MEMORY:
        raise UsageError("the run was trained on arrays, which it does not keep; give them again: data=")
    from zoo.data import open_source  # tfds: not before the names are known to be right

    path = Path(dataset)
    own = path.is_absolute() and path.suffix != ".npz"
    folder: Callable[..., Any] | None = tasks.get(card.task).folder if own else None
    if own and folder is None:
        kind = "folder" if path.is_dir() else f"{path.suffix} file"
        takes = ", ".join(name for name in tasks.names() if tasks.get(name).folder)
        raise UsageError(f"{dataset} is a {kind}; a network for {card.task} learns from none ({takes} can)")
    if folder is not None:
        folder = partial(folder, **words_of(folder, preprocess))
    arrays = array_settings(card) if path.suffix == ".npz" else {}
    return open_source(dataset, folder=folder, data_dir=data_dir, **arrays)


def words_of(folder: Callable[..., Any], preprocess: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a recipe's words that a folder takes."""
    named = [each.name for each in inspect.signature(folder).parameters.values() if each.kind is each.KEYWORD_ONLY]
    return {name: preprocess[name] for name in named if name in preprocess}


def with_data(recipe: Recipe, card: Card, data: Any, loop: bool) -> Recipe:
    """The recipe with the user's own data in place of its data set, and short clips repeated if they may be."""
    if data is not None:
        recipe = on_own_data(recipe, data)
    if loop:
        recipe = replace(recipe, preprocess={"loop": fewest_frames(card.name, recipe), **recipe.preprocess})
    if not recipe.dataset:
        raise UsageError(
            f"the recipe {recipe.name} of {card.name} is for data of your own; name it: --data FOLDER (data=)"
        )
    return recipe


def fewest_frames(name: str, recipe: Recipe) -> int:
    """How many frames a clip needs."""
    if "frames" not in recipe.preprocess:
        raise UsageError(f"loop repeats clips; the recipe {recipe.name} of {name} reads none: leave it out")
    return recipe.preprocess["frames"] // recipe.augment.get("jitter", 1)
