"""Plots of a diagnosis: the error from set to set, and by kind of example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zoo.plots.base import INK, SECOND, THIRD, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from zoo.metrics.diagnosis import Diagnosis


def errors_by_set(found: Diagnosis, title: str = "", axes: Any = None) -> Any:
    """A bar for the error on each set; what it rises by is coloured, and named where it holds the classifier back.

    Args:
        found: by `zoo.metrics.diagnosis`.
        title: over the bars; by default what holds it back.
        axes: of a figure of one's own.

    Returns:
        The new figure; or the axes that were given.
    """
    figure = None if axes is not None else new_figure(1.5 + 1.1 * len(found.errors), 3.8)
    drawn = axes if axes is not None else figure.subplots()  # type: ignore[union-attr]
    errors = {name: 100 * error for name, error in found.errors.items()}
    highest = max([*errors.values(), 1.0])
    drawn.bar([0], [errors["human"]], color=THIRD)
    for place, gap in enumerate(found.gaps, 1):
        low, high = sorted((errors[gap.before], errors[gap.at]))
        colour = SECOND if gap.cause in found.holds_back and gap.size > 0 else INK
        drawn.bar([place], [min(low, errors[gap.at])], color=THIRD)
        if gap.size > 0:
            drawn.bar([place], [high - low], bottom=low, color=colour)
        drawn.plot([place - 1.4, place + 0.4], [errors[gap.before]] * 2, color=THIRD, linewidth=1, linestyle=":")
        margin = f" ± {100 * gap.margin:.1f}" if gap.margin else ""
        word = f"{gap.cause}\n{100 * gap.size:+.1f}{margin}"
        drawn.text(place, errors[gap.at] + 0.02 * highest, word, ha="center", va="bottom", fontsize=8, color=colour)
    drawn.set_xticks(range(len(errors)), [f"{name}\n{error:.1f} %" for name, error in errors.items()], fontsize=8)
    drawn.set(ylabel="error (%)", ylim=(0, 1.25 * highest), xlim=(-0.6, len(errors) - 0.4))
    drawn.set_title(title or ", ".join(found.holds_back) or "nothing holds it back", fontsize=10)
    drawn.spines[["top", "right"]].set_visible(False)
    return drawn if figure is None else figure


def errors_of_kinds(rows: Sequence[Mapping[str, Any]], title: str, most: int = 12) -> Figure:
    """A bar for each kind of example, of `error_table`: its share of all errors. Kinds may overlap."""
    rows = [row for row in rows if row["errors"]][:most][::-1]
    figure = new_figure(6.2, 1.1 + 0.32 * max(len(rows), 2))
    axes = figure.subplots()
    axes.barh([str(row["kind"]) for row in rows], [100 * row["share"] for row in rows], color=INK)
    for place, row in enumerate(rows):
        axes.text(100 * row["share"] + 1, place, f"{row['errors']} of {row['examples']}", va="center", fontsize=8)
    axes.set(xlabel="share of all errors (%)", xlim=(0, 115), title=title)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
