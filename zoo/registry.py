"""Every name in the zoo: its card, and the function that builds it.

A family is one file in ``zoo/models/``. Each of its builders is a plain function that returns a
``keras.Model``, under a decorator that carries the card::

    @register(Card(task="image_classification", params=61_706, ...))
    def lenet5(*, input_shape=(28, 28, 1), num_classes=10, name="lenet5"):
        ...

The function's name is the name of the model and the file's name is the family. To list the names without importing
Keras, which takes seconds, the cards are read from the source (`zoo.cards`): those of the zoo, and those of installed
packages that have an entry point in the group ``zoo.models``. A file of one's own enters its names when it is imported
(`import_file`).
"""

import contextlib
import difflib
import fnmatch
import hashlib
import importlib
import importlib.util
import inspect
import json
import math
import re
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from zoo import card_cache
from zoo.cards import check, read_cards
from zoo.errors import UsageError, first_line, unknown
from zoo.records import Card, replace

MODELS = Path(__file__).parent / "models"
ENTRY_POINTS = "zoo.models"  # the group in which packages name modules with builders
OWN_FILES = "zoo_imported"  # in front of the name of the package in which a user's file is imported

Builder = Callable[..., Any]
_builders: dict[str, Builder] = {}  # filled by @register as modules are imported
_cards: dict[str, Card] = {}  # filled from the sources at the first question, and by @register
_broken: dict[str, UsageError] = {}  # names whose cards cannot be read
_reading = threading.RLock()  # a package may register while it is looked for
_built: "weakref.WeakKeyDictionary[Any, tuple[str, dict[str, Any]]]" = weakref.WeakKeyDictionary()  # see `origin`


def register(card: Card) -> Callable[[Builder], Builder]:
    """Enter the decorated function into the zoo under its own name. Works for a user's own file as well.

    Raises:
        UsageError: for a name that is taken, or a field of the card that cannot be.
    """

    def enter(builder: Builder) -> Builder:
        module = builder.__module__
        named = replace(
            card,
            name=builder.__name__,
            family=module.rpartition(".")[2],
            module=module,
            options=tuple(inspect.signature(builder).parameters),
        )
        check(named)
        owner = cards()[named.name].module if named.name in cards() else module
        if owner != module:
            where = getattr(sys.modules.get(owner), "__file__", None) if owner.startswith(OWN_FILES) else None
            raise UsageError(f"the name {named.name!r} is taken by {where or owner}: call the function otherwise")
        _cards[named.name] = named
        _builders[named.name] = builder
        return builder

    return enter


def cards() -> dict[str, Card]:
    """All cards by name: the zoo's own, those of installed packages, and those that a user registered."""
    if not _cards:
        with _reading:  # other threads wait until all are there
            if not _cards:
                found, broken = card_cache.own_cards(MODELS)
                for path, module in packages():
                    read, not_read = read_cards(path, module)
                    found |= {name: card for name, card in read.items() if name not in found}
                    broken |= not_read
                _broken.update(broken)
                _cards.update({name: card for name, card in found.items() if name not in _cards})
    return _cards


def packages() -> Iterator[tuple[Path, str]]:
    """The files of installed packages that hold builders, and the names of their modules."""
    import importlib.metadata

    for entry in sorted(importlib.metadata.entry_points(group=ENTRY_POINTS)):
        try:
            spec = importlib.util.find_spec(entry.module)
        except ImportError:
            spec = None
        if spec is None or spec.origin is None:
            _broken[entry.name] = UsageError(
                f"the package behind {entry.name} names {entry.module}, which is no module"
            )
        else:
            yield Path(spec.origin), entry.module


def broken() -> dict[str, UsageError]:
    """The names, or families, whose cards cannot be read, and why."""
    cards()
    return _broken


def list_models(
    pattern: str | None = None, *, task: str | None = None, pretrained: bool | None = None,
    max_params: int | None = None, max_multiply_adds: int | None = None, axes: int | None = None,
) -> list[str]:  # fmt: skip
    """The names of the zoo, sorted as people count: resnet18 before resnet101.

    Args:
        pattern: wildcards, as in ``"resnet*"``; without any, a part of the name, or what is like one. In any case.
        task: only names of this task.
        pretrained: True, only names with pretrained weights; False, only names without.
        max_params: only names with at most so many trainable parameters, at their default options.
        max_multiply_adds: only names with at most so much work for an example, at their default options.
        axes: only names whose first input has so many axes, without the batch: 3 for images, 4 for clips.

    >>> list_models("LSTM", task="text_classification")
    ['bilstm_classifier', 'lstm_classifier']
    >>> list_models("resnet?*", max_params=30_000_000, pretrained=True)[-1]
    'resnet50'
    >>> list_models("efficentnet", max_multiply_adds=500_000_000)
    ['efficientnet_b0']
    """
    alike = named_alike(pattern) if pattern else set(cards())
    tasks = {card.task for card in cards().values()}
    if task is not None and task not in tasks:
        raise unknown("task", task, tasks)
    found = (
        name
        for name, card in cards().items()
        if name in alike
        and task in (None, card.task)
        and pretrained in (None, bool(card.weights))
        and (max_params is None or card.params <= max_params)
        and (max_multiply_adds is None or multiply_adds().get(name, math.inf) <= max_multiply_adds)
        and axes in (None, len(card.inputs[0].shape))
    )
    return sorted(found, key=as_people_count)


def named_alike(pattern: str) -> set[str]:
    """The names that a pattern stands for, as `list_models` says."""
    wanted = pattern.lower()
    if set(wanted) & set("*?["):
        return {name for name in cards() if fnmatch.fnmatchcase(name.lower(), wanted)}
    words = {name: {name.lower(), *name.lower().split("_")} for name in cards()}
    near = {*difflib.get_close_matches(wanted, set[str]().union(*words.values()), n=9, cutoff=0.85)}
    return {name for name in words if wanted in name.lower()} or {name for name in words if words[name] & near}


def multiply_adds() -> dict[str, int]:
    """By name, the work for one example at the default options: recorded, for `zoo.costs` has to build the network."""
    return dict[str, int](json.loads((MODELS / "multiply_adds.json").read_text()))


def as_people_count(name: str) -> list[tuple[int, str]]:
    """A key for sorting in which numbers count as numbers.

    >>> sorted(["vgg16", "vgg16_small", "resnet101", "resnet18"], key=as_people_count)
    ['resnet18', 'resnet101', 'vgg16', 'vgg16_small']
    """
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def info(name: str) -> Card:
    """The card of a name.

    >>> info("lenet5").params
    61706
    """
    if name in broken():
        raise broken()[name]
    if name not in cards():
        raise unknown("model", name, cards(), hint="`zoo list` shows all")
    return cards()[name]


def builder(name: str) -> Builder:
    """The function behind a name; imports its file, and with it Keras."""
    card = info(name)
    if name not in _builders:
        importlib.import_module(card.module)
    return _builders[name]


def module_of(name: str) -> ModuleType:
    """The imported file of a name's family."""
    return sys.modules[builder(name).__module__]


def import_file(path: str | Path) -> ModuleType:
    """Import a user's own file, whose ``@register`` enters its names (and whose `Task` classes enter theirs).

    Raises:
        UsageError: if there is no such file, or it cannot be imported.
    """
    path = Path(path).absolute()
    if not path.is_file():
        raise UsageError(f"there is no file {path} to import; expected a Python file with @zoo.register in it")
    name = own_module(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is no Python file; expected one that ends in .py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        kind = "" if isinstance(error, UsageError) else f"{type(error).__name__}: "
        raise UsageError(f"{path} cannot be imported: {kind}{first_line(error)}") from error
    return module


def own_module(path: Path) -> str:
    """The name under which a file is imported: in a package for its folder, as others may have a file of that stem.

    >>> own_module(Path("/home/me/my_nets.py"))
    'zoo_imported_1f1910774272.my_nets'
    """
    folder = path.resolve().parent
    package = ModuleType(f"{OWN_FILES}_{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}")
    package.__path__ = []  # Python finds in it only what is in `sys.modules`
    package.__file__ = str(folder / "__init__.py")  # tfds looks beside it for the notes on a builder
    sys.modules.setdefault(package.__name__, package)
    return f"{package.__name__}.{path.stem.replace('.', '_')}"


def imported_files() -> list[Path]:
    """The files that `import_file` imported in this process."""
    own = [module for name, module in sys.modules.items() if name.startswith(f"{OWN_FILES}_") and "." in name]
    return [Path(str(module.__file__)) for module in own]


def own_code(name: str) -> list[dict[str, str]]:
    """The files of the user's own that a name needs, with their digests; none for names of the zoo and of packages."""
    module = sys.modules.get(info(name).module)
    file = getattr(module, "__file__", None)
    own = {*imported_files()}
    known = {module for _, module in (*card_cache.families(MODELS), *packages())}
    if info(name).module not in known and file:
        own.add(Path(file).absolute())
    return [{"file": str(file), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()} for file in sorted(own)]


def import_again(name: str, files: Sequence[Mapping[str, str]], run: Path) -> None:
    """Import the files that a run noted, so that its name is known in this process as well.

    A run folder may come from anywhere, so a file is imported only as it was when the run was made, and not out of the
    folder itself.

    Raises:
        UsageError: where a file is gone, has changed or lies in the run folder: the user may still name it.
    """
    if name in cards():
        return
    for entry in files:
        file = Path(entry["file"])
        why = ""
        if not file.is_file():
            why = "is not there"
        elif file.is_relative_to(run.absolute()):
            why = "lies in the run folder, and is not trusted by itself"
        elif hashlib.sha256(file.read_bytes()).hexdigest() != entry["sha256"]:
            why = "has changed since"
        if why:
            raise UsageError(f"{name} was defined in {file}, which {why}; name the file: zoo --import FILE.py ...")
        import_file(file)


def remember(model: Any, name: str, options: Mapping[str, Any]) -> None:
    """Note what a model was built from."""
    with contextlib.suppress(TypeError):  # a user's own builder may return what it likes
        _built[model] = (name, dict(options))


def origin(model: Any) -> tuple[str, dict[str, Any]] | None:
    """The name and options that `build` made a model from, in this process.

    >>> import zoo
    >>> origin(zoo.build("lenet5", num_classes=26))
    ('lenet5', {'num_classes': 26})
    """
    try:
        return _built.get(model)
    except TypeError:
        return None
