"""The plots of a run: how it learned, what it confuses, what it gets wrong with most confidence.

Each function returns a matplotlib ``Figure``; nothing is shown and no global state is touched. Those of a task take
its data module and the `zoo.tasks.base.Evaluation` of the test split.
"""

from zoo.plots.base import INK, SECOND, THIRD, curves, gallery, new_figure, save
from zoo.plots.classification import calibration, confusion, mistakes, overlay, robustness, worst_mistakes
from zoo.plots.detection import boxes_on, error_kinds, precision_recall
from zoo.plots.diagnosis import errors_by_set, errors_of_kinds
from zoo.plots.forecasting import continued, forecast
from zoo.plots.generation import clouds, latent_map, sheet, sheets
from zoo.plots.settings import folds, parallel_coordinates
from zoo.plots.text import attention, word_map
from zoo.plots.video import clip_mistakes, films

__all__ = [
    "INK", "SECOND", "THIRD", "attention", "boxes_on", "calibration", "clip_mistakes", "clouds", "confusion",
    "continued", "curves", "error_kinds", "errors_by_set", "errors_of_kinds", "films", "folds", "forecast", "gallery",
    "latent_map", "mistakes", "new_figure", "overlay", "parallel_coordinates", "precision_recall", "robustness",
    "save", "sheet", "sheets", "word_map", "worst_mistakes",
]  # fmt: skip
