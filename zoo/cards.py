"""Cards, read from the source of a family's file without importing it, and with it Keras.

A card is data: literals, the records of `zoo.records`, what its file imports from `zoo.recipes` and the modules in it
(which are free of Keras), constants of the file itself, and a few functions that only make data (`tuple`, `sum`, ...).
So its expression can be evaluated by itself, and nothing else of the file runs until something is built.
"""

import ast
import importlib
import reprlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from zoo import records
from zoo.checks import is_number, is_whole
from zoo.errors import UsageError, unknown
from zoo.preprocessing import CHANNELS_ALIKE, PIXELS
from zoo.records import Card, Recipe, replace

RECIPES = "zoo.recipes"  # the modules that may be imported to read a card
RECORDS = {name: getattr(records, name) for name in ("Card", "Expected", "Input", "Recipe", "Weights", "replace")}
PLAIN_FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (abs, bool, dict, float, int, len, list, max, min, range, round, sorted, str, sum, tuple, zip)
}
SCALINGS = (*PIXELS, *CHANNELS_ALIKE)  # the names of `zoo.data.SCALING`, which needs NumPy
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
Check = tuple[Callable[[Any], bool], str]  # (valid?, what is expected)
MOST = 10**7  # epochs, or examples of a batch: beyond is a slip of the pen, and soon more than TensorFlow counts
WHOLE: Check = (lambda value: is_whole(value, 1, MOST), f"a whole number of at least 1 and at most {MOST:,}")
NOT_NEGATIVE: Check = (lambda value: is_whole(value, 0), "a whole number of at least 0")
RATE: Check = (lambda value: is_number(value, 1e-10, 5), "a number above 0, from 1e-10 to 5")
FIELDS: Mapping[str, Check] = {  # of a recipe, where there is more to say than a type
    "epochs": WHOLE,
    "batch_size": WHOLE,
    "seed": (lambda value: is_whole(value, 0) and value < 2**32, "a whole number from 0 to 2^32 - 1"),
    "learning_rate": RATE,
    "ema_momentum": (lambda value: is_number(value, 0, 1) and value < 1, "a number from 0 (no average) to below 1"),
    "precision": (PRECISIONS.__contains__, f"one of {', '.join(PRECISIONS)}"),
    "head_epochs": NOT_NEGATIVE,
    "freeze": (lambda value: isinstance(value, str), "the name of a layer or of a stage, as in stride16"),
    "head_learning_rate": RATE,
    "layer_decay": (lambda value: is_number(value, 0, 1) and value > 0, "a number above 0 and up to 1"),
    "patience": NOT_NEGATIVE,
    "min_steps": NOT_NEGATIVE,
}
WORDS: Mapping[Any, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    get_origin(Mapping[str, Any]): "a dictionary",
}


class Constants(dict[str, Any]):
    """The names that a card may use, each evaluated when it is first asked for."""

    def __init__(self, tree: ast.Module):
        super().__init__(RECORDS | PLAIN_FUNCTIONS | {"zoo": SimpleNamespace(**RECORDS)})
        self.assigned: dict[str, ast.expr] = {}
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{RECIPES}."):
                module = importlib.import_module(str(node.module))
                self |= {alias.asname or alias.name: getattr(module, alias.name) for alias in node.names}
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets:
                if isinstance(target, ast.Name) and getattr(node, "value", None) is not None:
                    self.assigned[target.id] = node.value  # type: ignore[attr-defined]
        for name in self.assigned:  # a family's own constant of the same name comes first
            self.pop(name, None)

    def __missing__(self, name: str) -> Any:
        if name not in self.assigned:
            raise UsageError(
                f"it uses {name}, which is neither a record, nor imported from {RECIPES}, nor a constant of the file"
            )
        self[name] = self.evaluate(self.assigned[name])
        return self[name]

    def evaluate(self, node: ast.expr) -> Any:
        own = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
        names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} - own  # less those of comprehensions
        known = {name: self[name] for name in names}
        return eval(compile(ast.Expression(node), "<card>", "eval"), {"__builtins__": {}, **known})


def read_cards(path: Path, module: str = "") -> tuple[dict[str, Card], dict[str, UsageError]]:
    """The cards in a family's source file by name; and, of those that cannot be read, why, with file and line.

    Args:
        path: of the file.
        module: its name as Python imports it.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        return {}, {path.stem: UsageError(f"{path}:{line}: the family {path.stem} cannot be read: {error}")}
    cards, broken = {}, {}
    constants: Constants | None = None
    for node, decorator in registered(tree):
        try:
            constants = constants or Constants(tree)
            card = constants.evaluate(decorator.args[0])
            options = tuple(argument.arg for argument in (*node.args.args, *node.args.kwonlyargs))
            card = replace(card, name=node.name, family=path.stem, module=module, options=options)
            check(card)
            cards[node.name] = card
        except Exception as error:  # whatever an expression can do
            where = f"{path}:{decorator.lineno}"
            broken[node.name] = UsageError(f"{where}: the card of {node.name} cannot be read: {error or type(error)}")
    return cards, broken


def registered(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, ast.Call]]:
    """The functions of a file under ``@register(...)`` or ``@zoo.register(...)``, and that decorator."""
    for node in tree.body:
        for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            function = getattr(decorator, "func", None)
            if "register" in (getattr(function, "id", ""), getattr(function, "attr", "")):
                yield node, decorator  # type: ignore[misc]


def check(card: Card) -> None:
    """Raise for the first field of a card, or of its recipes, that is not what it must be.

    >>> lenet5 = read_cards(Path(records.__file__).parent / "models" / "lenet.py")[0]["lenet5"]
    >>> check(replace(lenet5, recipes=(Recipe("a", "mnist:3.0.1", epochs=0),)))
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: recipe a of lenet5: epochs is 0; expected a whole number of at least 1 and at most 10,000,000
    """
    check_fields(card, card.name, {})
    for number, recipe in enumerate(card.recipes):
        check_fields(recipe, f"recipe {recipe.name} of {card.name}", FIELDS)
        check_preprocessing(recipe.preprocessing, f"recipe {recipe.name} of {card.name}")
        if recipe.name in {each.name for each in card.recipes[:number]}:
            raise UsageError(f"two recipes of {card.name} are called {recipe.name!r}: call one of them otherwise")
    for weights in card.weights:
        check_preprocessing(weights.preprocessing, f"the weights {weights.tag} of {card.name}")


def check_preprocessing(name: str, what: str) -> None:
    """Raise unless that is a name of `zoo.data.SCALING`, or ""."""
    if name and name not in SCALINGS:
        raise unknown(f"preprocessing of {what}", name, SCALINGS)


def check_fields(record: Card | Recipe, what: str, checks: Mapping[str, Check]) -> None:
    """Raise unless each field passes its check or, where it has none, is of the type that the record says."""
    for field, hint in get_type_hints(type(record)).items():
        if field == "feed":  # an old word, no field
            continue
        value = getattr(record, field)
        valid, expected = checks.get(field) or (partial(fits, hint=hint), described(hint))
        if not valid(value):
            raise UsageError(f"{what}: {field} is {reprlib.repr(value)}; expected {expected}")


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a type, as a record writes it. A list may stand for a tuple.

    >>> [fits(value, tuple[float, ...]) for value in ((1, 2.5), [1], 1, ("1",))]
    [True, True, False, False]
    """
    origin = get_origin(hint)
    if hint is Any:
        return True
    if origin is tuple:
        return isinstance(value, (tuple, list)) and all(fits(each, get_args(hint)[0]) for each in value)
    if hint in (int, float):
        return is_whole(value, -(2**63)) if hint is int else is_number(value)
    return isinstance(value, hint if origin in (None, UnionType) else origin)


def described(hint: Any) -> str:
    """A type in words.

    >>> described(tuple[Recipe, ...]), described(records.Expected | None), described(Mapping[str, Any])
    ('a tuple of Recipe', 'Expected or None', 'a dictionary')
    """
    origin = get_origin(hint) or hint
    if origin is tuple:
        return f"a tuple of {get_args(hint)[0].__name__}"
    return WORDS.get(origin) or str(hint).replace("zoo.records.", "").replace(" | ", " or ")
