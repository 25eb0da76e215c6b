"""Plots of texts and words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.metrics.word_vectors import WordVectors
from zoo.plots.base import INK, SECOND, THIRD, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def attention(title: str, weights: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> Figure:
    """Attention weights: how much each query (`rows`, the target's tokens) attends to each key (`columns`, the
    source's).

    Args:
        title: of the figure, the layer's name.
        weights: (heads, rows, columns), from 0 to 1; a panel for each head.
        rows, columns: the tokens, for the edges.
    """
    heads = len(weights)
    across = min(heads, 4)
    down = -(-heads // across)
    width, height = (1.2 + 0.16 * max(len(each), 6) for each in (columns, rows))
    figure = new_figure(min(across * width, 16), min(down * height, 12) + 0.4)
    for number, axes in enumerate(figure.subplots(down, across, squeeze=False).ravel()):
        if number >= heads:
            axes.axis("off")
            continue
        axes.imshow(weights[number], cmap="Blues", vmin=0, vmax=1, aspect="auto")
        if len(columns) <= 60:
            size = 8 if max(map(len, columns)) == 1 else 7
            axes.set_xticks(range(len(columns)), columns, rotation=0 if size == 8 else 70, fontsize=size)
            axes.set_yticks(range(len(rows)), rows, fontsize=size)
        axes.set_title(f"head {number + 1}", fontsize=9)
    figure.suptitle(title, fontsize=10)
    return figure


def word_map(vectors: WordVectors, pairs: Sequence[tuple[str, str]] = (), max_words: int = 120) -> Figure | None:
    """Words on the plane in which they differ most (principal components); `pairs` are joined by a line.

    Args:
        vectors: of the words.
        pairs: of words; without any, the `max_words` commonest words are drawn, placed by their neighbours (t-SNE).
        max_words: drawn without pairs.

    Returns:
        A matplotlib figure; None for fewer than 3 words.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    shown = [word for pair in pairs for word in pair] or list(vectors.words[:max_words])
    directions = vectors.directions[[vectors.ids[word] for word in shown]]
    if len(shown) < 3:
        return None
    if pairs:
        projection, title = PCA(2, random_state=0), "principal components"
    else:
        projection, title = TSNE(2, random_state=0, init="pca", perplexity=min(15, (len(shown) - 1) / 3)), "t-SNE"
    positions = dict(zip(shown, projection.fit_transform(directions.astype("float64"))))
    figure = new_figure(9, 8)
    axes = figure.subplots()
    for a, b in pairs:
        axes.plot(*zip(positions[a], positions[b]), color=THIRD, linewidth=0.8)
    second = {b for _, b in pairs}
    for word, (x, y) in positions.items():
        colour = SECOND if word in second else INK
        axes.plot(x, y, ".", color=colour, markersize=4)
        axes.annotate(word, (x, y), xytext=(2, 2), textcoords="offset points", fontsize=7, color=colour)
    axes.set(title=f"{len(shown)} words, {title}", xticks=[], yticks=[])
    return figure
