"""What the tutorials share: their arguments, their plots, and the claims they are held to.

lesson = Tutorial("10_lenet", full_data="mnist")
lesson.plot(figure, "filters")  # out/10_filters.png, unless it is blank
lesson.claim("test accuracy", accuracy, ">=", 0.97, baseline={"chance": 0.1})
lesson.finish()  # out/10.json; exit code 1 if a claim does not hold
"""

import argparse
import importlib.util
import json
import operator
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, SupportsFloat

import numpy as np

from zoo.data.sources import open_source
from zoo.errors import UsageError, unknown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Examples = tuple[np.ndarray, np.ndarray]  # inputs and labels
RELATIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq,
}  # fmt: skip


def in_one_line(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """What a script says when it cannot go on: a mistake of its user in one line, anything else in full."""
    if issubclass(kind, (UsageError, OSError)):
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


class Tutorial:
    """One run of one script: what was asked for, and what came of it.

    Args:
        name: the script's, as in ``"10_lenet"``; its number names the files it writes.
        full_data: the tfds data set that ``--data full`` asks for, if there is one.
        arguments: in place of the command line's.

    Attributes:
        smoke: take the fewest steps that run every line; only exact claims are judged.
        seed: the first one. seeds: three in a row (one under smoke), for claims about training.
        full: whether the full data set is to be used. data_dir: where tfds keeps it.
    """

    def __init__(self, name: str, *, full_data: str = "", arguments: list[str] | None = None):
        parser = argparse.ArgumentParser(prog=f"{name}.py", allow_abbrev=False)
        parser.add_argument("--smoke", action="store_true", help="run every line with the fewest steps")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="where the plots go")
        parser.add_argument("--data", choices=("embedded", "full"), default="embedded")
        parser.add_argument("--data-dir", metavar="DIR", help="where tensorflow-datasets keeps its data sets")
        chosen, left = parser.parse_known_args(arguments)
        if left and "ipykernel" not in sys.modules:  # a notebook's kernel has arguments of its own
            print(f"{name}: ignored {' '.join(left)}; `--help` shows what there is")
        if "ipykernel" not in sys.modules:
            sys.excepthook = in_one_line
        self.name, self.number = name, name.partition("_")[0]
        self.smoke, self.seed, self.out = chosen.smoke, chosen.seed, chosen.out
        self.full, self.data_dir = chosen.data == "full", chosen.data_dir
        if self.full and not full_data:
            raise UsageError(f"{name} has no full data set; expected --data embedded: leave it out")
        if self.seed < 0:
            raise UsageError(f"seed is {self.seed}; expected a whole number of at least 0")
        self.data = full_data if self.full else "embedded"
        if self.full:
            open_source(full_data, data_dir=self.data_dir)  # raises now if it is not there and cannot be fetched
        self.seeds = list(range(self.seed, self.seed + (1 if self.smoke else 3)))
        self.plots: list[str] = []
        self.claims: list[dict[str, Any]] = []
        self.skipped: list[str] = []
        self.started = time.perf_counter()
        self.out.mkdir(parents=True, exist_ok=True)

    def plot(self, figure: "Figure", title: str) -> None:
        """Write a matplotlib figure as ``NN_title.png``; in a notebook, show it under its cell as well.

        Raises:
            UsageError: if there is nothing to be seen on it.
        """
        path = self.out / f"{self.number}_{title}.png"
        if is_blank(figure):
            raise UsageError(f"the plot {title!r} is blank; expected something drawn in all axes: check its data")
        figure.savefig(path)
        self._show(path)

    def animate(
        self, figure: "Figure", draw: Callable[[Any], Any], frames: Iterable[Any], title: str, *, per_second: int = 5
    ) -> None:
        """Write ``NN_title.gif``: `draw` is called with each of the `frames` and changes the figure.

        Raises:
            UsageError: if there is nothing to be seen on the last one.
        """
        from matplotlib.animation import FuncAnimation, PillowWriter

        path = self.out / f"{self.number}_{title}.gif"
        FuncAnimation(figure, draw, frames=list(frames)).save(path, writer=PillowWriter(fps=per_second))
        if is_blank(figure):
            path.unlink()
            raise UsageError(
                f"the animation {title!r} ends blank; expected something drawn in all axes: check its data"
            )
        self._show(path)

    def _show(self, path: Path) -> None:
        self.plots.append(path.name)
        if "ipykernel" in sys.modules:
            from IPython.display import Image, display

            display(Image(filename=str(path)))  # wherever in its cell, which shows by itself its last value only

    def claim(
        self,
        name: str,
        value: SupportsFloat,
        relation: str,
        bound: SupportsFloat,
        *,
        baseline: Mapping[str, SupportsFloat] | None = None,
        exact: bool = False,
    ) -> None:
        """Hold `value` to a bound, print the verdict in one line and remember it.

        Args:
            name: what was measured, in words.
            value: what came out; NaN never holds.
            relation: ``">="``, ``"<="``, ``">"``, ``"<"`` or ``"=="``.
            bound: a number.
            baseline: what the reader compares the value with, by name.
            exact: true without training, hence judged under ``--smoke`` as well.

        Raises:
            UsageError: for another relation.
        """
        if relation not in RELATIONS:
            raise unknown("relation", relation, RELATIONS)
        value, bound = as_number(value), as_number(bound)
        baselines = {key: as_number(each) for key, each in (baseline or {}).items()}
        holds = bool(RELATIONS[relation](value, bound)) if exact or not self.smoke else None
        verdict = {True: "holds", False: "DOES NOT HOLD", None: "not judged (--smoke)"}[holds]
        beside = ", ".join(f"{key} {short(each)}" for key, each in baselines.items())
        print(
            f"{verdict}: {name} {short(value)} {relation} {short(bound)}" + (f"  (beside {beside})" if beside else "")
        )
        self.claims.append({
            "name": name, "value": value, "relation": relation, "bound": bound, "baseline": baselines, "holds": holds,
        })  # fmt: skip

    def skip(self, why: str) -> None:
        """Say in one line, and remember, that a part was left out."""
        print(f"skipped: {why}")
        self.skipped.append(why)

    def finish(self) -> None:
        """Write ``NN.json``; leave with exit code 1 if a claim does not hold."""
        from zoo.training.run_folder import versions

        record = {
            "tutorial": self.name,
            "data": self.data,
            "seed": self.seed,
            "smoke": self.smoke,
            "seconds": round(time.perf_counter() - self.started, 1),
            "versions": versions(),
            "plots": self.plots,
            "skipped": self.skipped,
            "claims": self.claims,
        }
        path = self.out / f"{self.number}.json"
        path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        failed = [claim["name"] for claim in self.claims if claim["holds"] is False]
        print(f"{record['seconds']:.0f} s; {len(self.plots)} plots and {path.name} in {self.out}")
        if failed:
            raise SystemExit(
                f"{self.name}: {len(failed)} of {len(self.claims)} claims do not hold: {'; '.join(failed)}"
            )


def as_number(value: Any) -> int | float:
    """A NumPy or tensor scalar as the Python number that JSON can hold."""
    value = value.item() if hasattr(value, "item") else value
    return value if isinstance(value, int) else float(value)


def short(number: int | float) -> str:
    """Four significant digits; whole numbers in full.

    >>> short(61706), short(0.97222), short(3e-8)
    ('61,706', '0.9722', '3e-08')
    """
    return f"{number:,}" if isinstance(number, int) else f"{number:.4g}"


def is_blank(figure: "Figure") -> bool:
    """Whether a figure, or the inside of one of its framed axes, has one colour only."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[::-1, :, :3]  # (height, width, 3), from the bottom as matplotlib counts

    def has_one_colour(part: np.ndarray) -> bool:
        return part.size == 0 or bool((part == part[0, 0]).all())

    def inside(axes: Any) -> np.ndarray:
        left, bottom, right, top = axes.get_window_extent().extents.round().astype(int)
        return pixels[bottom + 3 : top - 3, left + 3 : right - 3]  # within the frame's own line

    return has_one_colour(pixels) or any(has_one_colour(inside(axes)) for axes in figure.axes if axes.axison)


def mnist1d() -> tuple[Examples, Examples] | None:
    """MNIST-1D (Greydanus 2020), generated here: 4,000 and 1,000 signals of 40 numbers in 10 classes.

    Returns:
        ((x, y), (x_test, y_test)), signals (examples, 40, 1); or None where the package is not installed.
    """
    if importlib.util.find_spec("mnist1d") is None:
        return None
    from mnist1d.data import make_dataset

    data = make_dataset()  # its own fixed seed
    x, x_test = (data[key].astype("float32")[..., np.newaxis] for key in ("x", "x_test"))
    return (x, data["y"]), (x_test, data["y_test"])


NO_MNIST1D = "MNIST-1D, which the package mnist1d generates; to see this part: pip install mnist1d"
