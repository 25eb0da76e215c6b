"""Broken twins of the tutorials: a line is changed so that the idea is gone, and the claims about it must fail.

`tests/tutorials/twins/NN_name.toml` has those of `tutorials/NN_name.py`:

    [[twin]]
    breaks = "no activation between the layers"     # what is wrong now, in words
    changes = [['activation="relu"', 'activation="linear"']]  # each text stands once in the script
    fails = ["digits, lenet5, worst seed"]          # the claims, by name, that must not hold
    smoke = true                                    # these claims are exact: the fewest steps tell (default false)
    values = { "digits, lenet5, worst seed" = [0.1, 0.9] }  # where the prose names a figure of the twin (optional)
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from scripts import ROOT

FOLDER = Path(__file__).parent / "tutorials" / "twins"


@dataclass(frozen=True)
class Twin:
    tutorial: str
    breaks: str
    changes: list[list[str]]
    fails: list[str]
    smoke: bool = False
    values: dict[str, list[float]] = field(default_factory=dict)

    def __str__(self):
        return f"{self.tutorial}: {self.breaks}"

    def script(self, folder):
        """The changed script, written to `folder`."""
        text = (ROOT / "tutorials" / f"{self.tutorial}.py").read_text(encoding="utf-8")
        for old, new in self.changes:
            assert text.count(old) == 1, f"{self}: {old!r} stands {text.count(old)} times in the script; expected once"
            text = text.replace(old, new)
        path = folder / f"{self.tutorial}.py"
        path.write_text(text, encoding="utf-8")
        return path


def twins_of(tutorial):
    path = FOLDER / f"{tutorial}.toml"
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["twin"] if path.is_file() else []
    return [Twin(tutorial, **row) for row in rows]
