"""Which settings a search tries, from where to where and on which scale: by default those that matter most.

A rate is drawn evenly by its logarithm: .001 to .01 is as wide as .01 to .1 (Y. Bengio, "Practical Recommendations for
Gradient-Based Training of Deep Architectures", 2012, section 3).
"""

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.checks import is_number
from zoo.errors import UsageError
from zoo.records import Card, Recipe

LOGARITHMIC = ("learning_rate", "weight_decay", "batch_size", "ema_momentum")  # unless "linear:" is said
FRACTIONS = ("dropout", "learning_rate", "weight_decay")  # 0:1 are no whole numbers of these
SCALES = ("log", "linear")


@dataclass(frozen=True)
class Axis:
    """The values of one setting: from `low` to `high`, or one of `choices`.

    Attributes:
        log: drawn evenly by the logarithm.
        whole: whole numbers only.
        momentum: near 1, so that the logarithm is that of what is left to 1.
    """

    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    choices: tuple[Any, ...] = ()
    momentum: bool = False

    @property
    def _mirrored(self) -> bool:
        """Whether the logarithm is that of 1 - value: .9 to .99 is as wide as .99 to .999."""
        return self.log and self.momentum

    def distribution(self) -> Any:
        """As Optuna has it."""
        from optuna import distributions

        if self.choices:
            return distributions.CategoricalDistribution([*map(repr, self.choices)])
        if self.whole:
            return distributions.IntDistribution(int(self.low), int(self.high), log=self.log)
        ends = (1 - self.high, 1 - self.low) if self._mirrored else (self.low, self.high)
        return distributions.FloatDistribution(*ends, log=self.log)

    def setting(self, drawn: Any) -> Any:
        """The setting for what Optuna drew, with four digits: it is to be written down."""
        if self.choices:
            return {repr(choice): choice for choice in self.choices}[drawn]
        if not isinstance(drawn, float):
            return drawn
        rounded = 1 - float(f"{drawn:.4g}") if self._mirrored else float(f"{drawn:.4g}")
        return min(max(rounded, self.low), self.high)

    def drawn(self, setting: Any) -> Any:
        """What Optuna drew for a setting."""
        if self.choices:
            return repr(setting)
        return min(max(1 - setting, 1 - self.high), 1 - self.low) if self._mirrored else setting

    def __str__(self) -> str:
        if self.choices:
            return ", ".join(map(str, self.choices))
        return f"{self.low:g} to {self.high:g}" + (" by logarithm" if self.log else "")


def default_space(card: Card, recipe: Recipe, given: Mapping[str, Any]) -> dict[str, Axis]:
    """What is searched where nothing else is said: rate, weight decay and batch, and dropout where a network has it;
    without what the caller has given.

    >>> from zoo import info
    >>> lenet5 = info("lenet5")
    >>> space = default_space(lenet5, lenet5.recipe("demo"), given={"batch_size": 64})
    >>> {name: str(axis) for name, axis in space.items()}["learning_rate"], "batch_size" in space
    ('0.0002 to 0.02 by logarithm', False)
    """
    rate, size = recipe.learning_rate, recipe.batch_size
    found = {
        "learning_rate": Axis(rate / 10, min(rate * 10, 5.0), log=True),
        "weight_decay": Axis(1e-6, 0.1, log=True),
        "batch_size": Axis(max(size // 4, 1), size * 4, log=True, whole=True),
    }
    if "dropout" in card.options:
        found["dropout"] = Axis(0.0, 0.5)
    return {name: axis for name, axis in found.items() if given.get(name) is None}


def parse(text: str) -> tuple[str, Axis]:
    """``NAME=LOW:HIGH``, ``NAME=log:LOW:HIGH``, ``NAME=linear:LOW:HIGH`` or ``NAME=A,B,C``.

    Raises:
        UsageError: for anything else.

    >>> parse("learning_rate=1e-4:1e-1")[1].log, parse("dropout=0:0.5")[1].log, parse("activation=relu,tanh")[1].choices
    (True, False, ('relu', 'tanh'))
    >>> parse("learning_rate=0:1")
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: learning_rate=0:1 begins at 0, which has no logarithm; expected more, or linear:0:1
    """
    name, _, given = text.partition("=")
    how = f"{text!r} is no range; expected NAME=LOW:HIGH, NAME=log:LOW:HIGH, NAME=linear:LOW:HIGH or NAME=A,B,C"
    scale, colon, rest = given.partition(":")
    named = scale in SCALES and bool(colon)
    ends = [value(each) for each in (rest if named else given).split(":")]
    if not name or not given or (named and len(ends) != 2) or len(ends) > 2:
        raise UsageError(how)
    if len(ends) == 1:
        listed = value(f"[{given}]")  # (32,),(64,32) as well
        choices = tuple(listed) if isinstance(listed, list) else tuple(map(value, given.split(",")))
        if len(choices) < 2:
            raise UsageError(f"{text} leaves nothing to choose; expected several values, or --option {text}")
        return name, Axis(choices=choices)
    low, high = ends
    if not is_number(low) or not is_number(high) or low >= high:
        raise UsageError(f"{text} is no range; expected two numbers, the lower one first")
    log = scale == "log" if named else name in LOGARITHMIC
    momentum = name.endswith("momentum")
    if log and (high >= 1 if momentum else low <= 0):
        end = f"ends at {high:g}" if momentum else f"begins at {low:g}"
        cure = "less" if momentum else "more"
        raise UsageError(
            f"{text} {end}, which has no logarithm{' of 1 less it' if momentum else ''}; expected {cure}, or "
            f"linear:{low:g}:{high:g}"
        )
    whole = isinstance(low, int) and isinstance(high, int) and name not in FRACTIONS
    return name, Axis(low, high, log=log, whole=whole and not momentum, momentum=momentum)


def value(text: str) -> Any:
    """A number or a word, as ``--option`` takes them."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def short(setting: Any) -> str:
    """A setting in a table.

    >>> short(0.00123456), short("relu"), short(64)
    ('0.001235', 'relu', '64')
    """
    is_float = isinstance(setting, float) and math.isfinite(setting)
    return f"{setting:.4g}" if is_float else str(setting)
