"""What all plots share: colours, saving, learning curves and galleries."""

from __future__ import annotations

import contextlib
import csv
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogFormatter

log = logging.getLogger("zoo")

INK, SECOND, THIRD = "#1b4965", "#c8553d", "#8a8d91"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def save(figure: Figure, path: Path) -> None:
    """Write a figure into a file; letters that no font here has are a line in the log.

    Names of classes and files are drawn as they are: a dollar sign in them begins no formula.
    """
    from matplotlib.text import Text

    texts = figure.findobj(Text)
    others = fonts_with({letter for text in texts for letter in text.get_text() if not letter.isspace()})
    for text in texts:
        text.set_parse_math(False)
        text.set_fontfamily([*text.get_fontfamily(), *others])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(path)
    if any("missing from font" in str(each.message) for each in caught):
        log.info(
            f"{path}: no font here has some letters of the names; boxes stand for them: install one that does, such as "
            "Noto Sans CJK"
        )


def fonts_with(letters: set[str]) -> list[str]:
    """The names of installed fonts that have, together, what can be had of the letters that matplotlib's own lacks.

    >>> fonts_with(set("plain text"))
    []
    """
    from matplotlib.font_manager import FontProperties, findfont, findSystemFonts, fontManager
    from matplotlib.ft2font import FT2Font

    missing = {ord(letter) for letter in letters} - FT2Font(findfont(FontProperties())).get_charmap().keys()
    chosen: list[str] = []
    if missing:  # matplotlib remembers the fonts of its first day
        for path in {*findSystemFonts()} - {font.fname for font in fontManager.ttflist}:
            with contextlib.suppress(OSError, RuntimeError, ValueError):
                fontManager.addfont(path)
    fonts = [
        font for font in fontManager.ttflist if "lastresort" not in font.name.lower().replace(" ", "")
    ]  # boxes only
    for font in sorted(fonts, key=lambda each: (each.style != "normal", each.weight != 400, each.name)):
        if not missing:
            break
        with contextlib.suppress(OSError, RuntimeError):  # a file that went, or that is damaged
            if found := missing & FT2Font(font.fname).get_charmap().keys():
                chosen.append(font.name)
                missing -= found
    return chosen


def curves(
    history: Path,
    head: str,
    metric: str,
    baselines: Mapping[str, float],
    *,
    since: int = 0,
    kept: int | None = None,
) -> Figure:
    """Learning curves: loss and main metric by epoch, of training and validation.

    Args:
        history: the file `history.csv` of a run.
        head: the output that is measured, if there are several, or "".
        metric: its name.
        baselines: drawn as lines beside the metric.
        since: the epoch in which fine-tuning began, after those of the head alone; a line, unless it is the first.
        kept: the epoch whose weights were kept, where it is not the last; a ring.
    """
    with history.open(newline="") as file:
        rows = list(csv.DictReader(file))
    epochs = [int(row["epoch"]) + 1 for row in rows]
    wanted = ("loss", f"{head}_{metric}" if head else metric)
    names = [name for name in wanted if rows and name in rows[0]] or ["loss"]  # not every metric is known in training
    figure = new_figure(4.5 * len(names), 3.6)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names):
        for key, label, colour in ((name, "training", THIRD), (f"val_{name}", "validation", INK)):
            if rows and rows[0].get(key, "NA") != "NA":  # what `CSVLogger` writes where nothing is validated
                axes.plot(
                    epochs, [float(row[key]) for row in rows], color=colour, label=label, marker="o", markersize=2.5
                )
                if kept is not None and kept != len(rows) - 1 and label == "validation":
                    axes.plot(kept + 1, float(rows[kept][key]), "o", color=SECOND, fillstyle="none", label="kept")
        if 0 < since < len(rows):
            axes.axvline(since + 0.5, color=THIRD, linestyle=":", linewidth=1, label="fine-tuning begins")
        axes.set(xlabel="epoch", ylabel=name)
        axes.spines[["top", "right"]].set_visible(False)
    for number, (name, value) in enumerate(baselines.items() if names[-1] != "loss" else ()):
        axes.axhline(value, color=SECOND, linestyle=("--", ":", "-.")[number % 3], linewidth=1, label=f"{name} (test)")
    axes.legend(frameon=False, fontsize=8)
    losses = [float(row[key]) for row in rows for key in ("loss", "val_loss") if row.get(key, "NA") not in ("NA", "")]
    if all(each > 0 for each in losses):  # a log-likelihood or an ELBO need not be
        axis = figure.axes[0].yaxis
        figure.axes[0].set_yscale("log")
        axis.set_major_formatter(plain_numbers())
        axis.set_minor_formatter(plain_numbers())
    return figure


def plain_numbers() -> LogFormatter:
    """Labels of a logarithmic axis without formulas, which `save` would draw letter by letter.

    >>> axis = new_figure(4, 3).subplots().xaxis
    >>> axis.set_major_formatter(plain_numbers())
    >>> axis.get_major_formatter().format_ticks([0.001, 1, 1000])
    ['0.001', '1', '1000']
    """
    from matplotlib.ticker import LogFormatter

    class PlainNumbers(LogFormatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}" if super().__call__(x, pos) else ""

    return PlainNumbers(minor_thresholds=(1, 0.4))


def gallery(
    rows: Sequence[Sequence[np.ndarray]],
    titles: Sequence[str] = (),
    *,
    labels: Sequence[Sequence[str]] | None = None,
    width: float = 2.6,
) -> Figure:
    """Images (height, width, 3) of 0 to 1 in rows, with a title over each column, or rows of labels over each.

    `width` is that of an image, in inches.
    """
    labels = labels or [titles]
    pixels_high, pixels_wide = rows[0][0].shape[:2]
    figure = new_figure(width * len(rows[0]), len(rows) * width * pixels_high / pixels_wide + 0.4 * len(labels))
    grid = figure.subplots(len(rows), len(rows[0]), squeeze=False)
    for axes, image in zip(grid.ravel(), [image for row in rows for image in row]):
        axes.imshow(np.clip(image, 0, 1))
        axes.axis("off")
    for axes, title in zip(grid.ravel(), [title for row in labels for title in row]):
        axes.set_title(title, fontsize=9)
    return figure
