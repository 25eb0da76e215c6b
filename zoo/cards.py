"""Cards, read from the source of a family's file without importing it, and with it Keras.

A card is data: literals, the records of `zoo.records`, the shared recipes of `zoo.recipes` that its file imports,
constants of the file itself, and a few functions that only make data (`tuple`, `sum`, ...). So its expression can be
evaluated by itself, and nothing else of the file runs until something is built.
"""

import ast
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from zoo import records
from zoo.errors import UsageError
from zoo.records import Card, replace

RECORDS = {name: getattr(records, name) for name in ("Card", "Expected", "Input", "Recipe", "Weights", "replace")}
PLAIN_FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (abs, bool, dict, float, int, len, list, max, min, range, round, sorted, str, sum, tuple, zip)
}


class Constants(dict[str, Any]):
    """The names that a card may use, each evaluated when it is first asked for."""

    def __init__(self, tree: ast.Module):
        super().__init__(RECORDS | PLAIN_FUNCTIONS | {"zoo": SimpleNamespace(**RECORDS)})
        self.assigned: dict[str, ast.expr] = {}
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("zoo.recipes."):
                shared = importlib.import_module(str(node.module))
                self |= {alias.asname or alias.name: getattr(shared, alias.name) for alias in node.names}
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets:
                if isinstance(target, ast.Name) and getattr(node, "value", None) is not None:
                    self.assigned[target.id] = node.value  # type: ignore[attr-defined]
        for name in self.assigned:  # a family's own constant of the same name comes first
            self.pop(name, None)

    def __missing__(self, name: str) -> Any:
        if name not in self.assigned:
            raise UsageError(
                f"it uses {name}, which is neither a record, nor in zoo.recipes, nor a constant of the file"
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
            options = tuple(argument.arg for argument in node.args.kwonlyargs)
            cards[node.name] = replace(card, name=node.name, family=path.stem, module=module, options=options)
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
