"""Plots of clips, as strips of frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.metrics.classification import probabilities
from zoo.plots.base import THIRD, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def films(
    clips: Sequence[np.ndarray],
    titles: Sequence[str],
    heats: Sequence[np.ndarray] | None = None,
    max_frames: int = 16,
) -> Figure:
    """Clips as strips of frames, one below the other, with heat in a second strip of each where there is some.

    Args:
        clips: (time, height, width, channels) each, of one length.
        titles: of each.
        heats: (time, height, width) each, at the clips' own resolution.
        max_frames: of a strip; a longer clip shows as many, evenly spread.
    """
    times = np.linspace(0, len(clips[0]) - 1, min(max_frames, len(clips[0]))).round().astype(int)
    strips = 2 if heats is not None else 1
    height, width = clips[0].shape[1:3]
    figure = new_figure(max(4.0, len(times)), (len(clips) * strips) * (height / width + 0.1) + 0.3 * len(clips))
    grid = figure.subplots(len(clips) * strips, len(times), squeeze=False)
    for row, (clip, title) in enumerate(zip(clips, titles)):
        low, high = clip.min(), clip.max()
        shown = (clip - low) / max(high - low, 1e-6)
        shown = shown if shown.shape[-1] == 3 else shown[..., 0]
        for column, time in enumerate(times):
            for strip in range(strips):
                axes = grid[row * strips + strip, column]
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set(color=THIRD, linewidth=0.5)
                axes.imshow(shown[time], cmap="gray", vmin=0, vmax=1)
                if heats is not None and strip:
                    hottest = max(float(heats[row].max()), 1e-9)
                    axes.imshow(heats[row][time], cmap="inferno", vmin=0, vmax=hottest, alpha=0.55)
        grid[row * strips, 0].set_title(title, fontsize=8, loc="left")
    return figure


def clip_mistakes(data: Any, evaluation: Any, max_clips: int = 8) -> Figure | None:
    """The test clips that were predicted wrongly with most confidence, as strips of frames; None without mistakes."""
    by_class = probabilities(evaluation.outputs)
    predicted, confidence = by_class.argmax(-1), by_class.max(-1)
    wrong = np.flatnonzero(predicted != evaluation.targets)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:max_clips]
    if not len(worst):
        return None
    names = data.source.class_names
    titles = [
        f"is {names[evaluation.targets[row]]}, not {names[predicted[row]]} ({confidence[row]:.0%})" for row in worst
    ]
    figure = films(data.inputs_at("test", worst), titles)
    figure.suptitle(f"{len(worst)} most confident of {len(wrong)} mistakes", fontsize=10)
    return figure
