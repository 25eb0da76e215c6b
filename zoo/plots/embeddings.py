"""Plots of embeddings and their distances: who is whose neighbour, how far apart same and different lie, the map of a
class.

A comparison (`zoo.tasks.metric_learning.Comparison`) holds the embeddings of a split and the distances of some pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.plots.base import INK, SECOND, THIRD, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"raw pixels": THIRD, "PCA": "#5fa8a0", "random network": "#d9a441", "trained": INK}
MAX_CLASSES_ON_MAP = 10


def nearest(images: np.ndarray, correct: np.ndarray) -> Figure:
    """Each row a query and its nearest images; those of another class are framed in red.

    Args:
        images: (queries, 1 + neighbours, height, width, channels).
        correct: (queries, neighbours), whether each is of the query's class.
    """
    rows, columns = images.shape[:2]
    height, width = images.shape[2:4]
    figure = new_figure(0.95 * columns, 0.95 * rows * height / width + 0.5)
    figure.suptitle(f"a query (left) and its nearest images: {correct[:, 0].mean():.0%} of the first are correct")
    low, high = images.min(), images.max()
    for axes, (row, column) in zip(figure.subplots(rows, columns, squeeze=False).ravel(), np.ndindex(rows, columns)):
        image = (images[row, column] - low) / max(high - low, 1e-6)
        axes.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        wrong = column and not correct[row, column - 1]
        for spine in axes.spines.values():
            spine.set(color=SECOND if wrong else INK if not column else "white", linewidth=2.5 if wrong else 1.5)
    return figure


def distances(comparisons: Mapping[str, Any]) -> Figure:
    """How far apart pairs of one class lie, and pairs of two: before learning and after."""
    figure = new_figure(3.4 * len(comparisons), 3.0)
    for axes, (name, comparison) in zip(np.atleast_1d(figure.subplots(1, len(comparisons))), comparisons.items()):
        low, high = np.percentile(comparison.distances, [0.2, 99.8])
        bins = np.linspace(low, high + 1e-9, 40)
        axes.hist(comparison.distances[comparison.same], bins, color=INK, alpha=0.6, label="same")
        axes.hist(comparison.distances[~comparison.same], bins, color=SECOND, alpha=0.5, label="different")
        axes.axvline(comparison.metrics["threshold"], color="black", linewidth=1, linestyle=":", label="threshold")
        axes.set(title=f"{name}: {comparison.metrics['accuracy']:.1%} correct", xlabel="distance", yticks=[])
        axes.margins(y=0.4)  # room for the legend
        axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure


def roc(comparisons: Mapping[str, Any]) -> Figure:
    """ROC curves: of the pairs of one class, how many are found, against how many of the others are taken for one."""
    from sklearn.metrics import roc_curve

    figure = new_figure(4.8, 4.4)
    axes = figure.subplots()
    for name, comparison in comparisons.items():
        false_positive, true_positive, _ = roc_curve(comparison.same, -comparison.distances)
        label = f"{name}: area {comparison.metrics['auc']:.3f}, {comparison.metrics['accuracy']:.1%} correct"
        axes.plot(false_positive, true_positive, color=COLOURS.get(name, INK), label=label)
    axes.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle=":", label="a guess")
    axes.set(xlabel="different taken for the same", ylabel="same found", title="pairs of unseen classes")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def maps(embeddings_by_name: Mapping[str, np.ndarray], labels: np.ndarray, seed: int = 0) -> Figure:
    """Some unseen classes in two dimensions: principal components above, t-SNE below.

    Args:
        embeddings_by_name: title -> embeddings (images, dimensions).
        labels: (images,).
        seed: chooses the classes, and where t-SNE starts.
    """
    from matplotlib import colormaps
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    shown = np.random.default_rng(seed).permutation(np.unique(labels))[:MAX_CLASSES_ON_MAP]
    rows = np.flatnonzero(np.isin(labels, shown))[: 50 * MAX_CLASSES_ON_MAP]
    figure = new_figure(3.6 * len(embeddings_by_name), 6.8)
    grid = figure.subplots(2, len(embeddings_by_name), squeeze=False)
    for column, (name, embeddings) in enumerate(embeddings_by_name.items()):
        few = embeddings[rows]
        perplexity = min(20, (len(rows) - 1) / 3)
        with threadpool_limits(1):  # so few points keep several threads waiting for each other
            flat = {
                "PCA": PCA(2).fit_transform(few),
                "t-SNE": TSNE(2, perplexity=perplexity, init="random", random_state=seed).fit_transform(few),
            }
        for axes, (method, positions) in zip(grid[:, column], flat.items()):
            for number, label in enumerate(shown):
                of_label = positions[labels[rows] == label]
                axes.plot(of_label[:, 0], of_label[:, 1], ".", color=colormaps["tab10"](number % 10), markersize=5)
            axes.set(title=f"{name}, {method}", xticks=[], yticks=[])
    return figure
