"""What all plots share: colours, saving, curves and galleries."""

import csv
import logging
import warnings
from pathlib import Path

import numpy as np

log = logging.getLogger("zoo")

INK, SECOND, THIRD = "#1b4965", "#c8553d", "#8a8d91"


def new_figure(width, height):
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def save(figure, path: Path) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        figure.savefig(path)
    if any("missing from font" in str(each.message) for each in said):
        log.info(f"{path}: matplotlib's font lacks some letters of the names; boxes stand for them")


def curves(history: Path, head: str, metric: str, baselines: dict[str, float]):
    """Loss and main figure (of the output `head`, if there are several) by epoch, from `history.csv`."""
    with history.open(newline="") as file:
        rows = list(csv.DictReader(file))
    epochs = [int(row["epoch"]) + 1 for row in rows]
    wanted = ("loss", f"{head}_{metric}" if head else metric)
    names = [name for name in wanted if rows and name in rows[0]] or ["loss"]  # some figures are not known in training
    figure = new_figure(4.5 * len(names), 3.6)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names):
        for key, label, colour in ((name, "training", THIRD), (f"val_{name}", "validation", INK)):
            if rows and rows[0].get(key, "NA") != "NA":  # what `CSVLogger` writes where nothing is validated
                axes.plot(
                    epochs, [float(row[key]) for row in rows], color=colour, label=label, marker="o", markersize=2.5
                )
        axes.set(xlabel="epoch", ylabel=name)
        axes.spines[["top", "right"]].set_visible(False)
    for number, (name, value) in enumerate(baselines.items() if names[-1] != "loss" else ()):
        axes.axhline(value, color=SECOND, linestyle=("--", ":", "-.")[number % 3], linewidth=1, label=f"{name} (test)")
    axes.legend(frameon=False, fontsize=8)
    figure.axes[0].set_yscale("log")
    return figure


def gallery(rows, titles=(), *, labels=None, width=2.6):
    """Images (height, width, 3) of 0 to 1 in rows, with a title over each column, or rows of labels over each."""
    labels = labels or [titles]
    height, across = rows[0][0].shape[:2]
    figure = new_figure(width * len(rows[0]), len(rows) * width * height / across + 0.4 * len(labels))
    grid = figure.subplots(len(rows), len(rows[0]), squeeze=False)
    for axes, image in zip(grid.ravel(), [image for row in rows for image in row]):
        axes.imshow(np.clip(image, 0, 1))
        axes.axis("off")
    for axes, title in zip(grid.ravel(), [title for row in labels for title in row]):
        axes.set_title(title, fontsize=9)
    return figure
