"""Tasks: what kind of problem a network solves, one class in one file each, found by its name.

`zoo.tasks.base.Task` says what a task may define; ARCHITECTURE.md shows how one is added.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import unknown

if TYPE_CHECKING:
    from zoo.tasks.base import Task

FOLDER = Path(__file__).parent
classes: dict[str, "type[Task]"] = {}  # by name, entered as each class is made


def names() -> list[str]:
    """The names of all tasks: the files of this folder, and the classes of a user's own files. Imports nothing.

    >>> names()[:2]
    ['adversarial_generation', 'bidirectional_language_modelling']
    """
    return sorted({*files(), *classes})


def files() -> set[str]:
    """The names of the zoo's own tasks."""
    return {path.stem for path in FOLDER.glob("[!_]*.py")} - {"base"}


def get(name: str) -> "Task":
    """The task of that name; imports its file, and with it Keras.

    Raises:
        UsageError: if there is none.

    >>> get("image_classification").metric
    'accuracy'
    """
    check(name)
    if name not in classes:
        importlib.import_module(f"{__name__}.{name}")
    return classes[name]()


def check(name: str) -> None:
    """Raise if there is no task of that name. Imports nothing."""
    if name not in names():
        raise unknown("task", name, names())


def able(method: str) -> list[str]:
    """The tasks whose networks can do what a command asks for.

    >>> able("translate")
    ['translation']
    """
    return [name for name in names() if method in get(name).commands]
