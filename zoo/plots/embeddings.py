"""Pictures of distances: who is whose neighbour, how far apart same and different lie, and the map of a class.

A sight (`zoo.tasks.metric_learning.Sight`) holds the points of a split and the distances of pairs of them.
"""

import numpy as np

from zoo.plots import INK, SECOND, THIRD, new_figure

COLOURS = {"raw pixels": THIRD, "PCA": "#5fa8a0", "random network": "#d9a441", "trained": INK}
CLASSES_ON_A_MAP = 10


def nearest(pictures, right):
    """Each row a query and its nearest pictures: (queries, 1 + found, height, width, channels), right (queries, found).

    Of another class is framed in red.
    """
    rows, columns = pictures.shape[:2]
    height, width = pictures.shape[2:4]
    figure = new_figure(0.95 * columns, 0.95 * rows * height / width + 0.5)
    figure.suptitle(f"a query (left) and its nearest pictures: {right[:, 0].mean():.0%} of these begin right")
    low, high = pictures.min(), pictures.max()
    for axes, (row, column) in zip(figure.subplots(rows, columns).ravel(), np.ndindex(rows, columns)):
        picture = (pictures[row, column] - low) / max(high - low, 1e-6)
        axes.imshow(picture if picture.shape[-1] == 3 else picture[..., 0], cmap="gray", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        wrong = column and not right[row, column - 1]
        for spine in axes.spines.values():
            spine.set(color=SECOND if wrong else INK if not column else "white", linewidth=2.5 if wrong else 1.5)
    return figure


def distances(sights):
    """How far apart pairs of one class lie, and pairs of two: before learning and after."""
    figure = new_figure(3.4 * len(sights), 3.0)
    for axes, (name, sight) in zip(np.atleast_1d(figure.subplots(1, len(sights))), sights.items()):
        low, high = np.percentile(sight.found, [0.2, 99.8])
        bins = np.linspace(low, high + 1e-9, 40)
        axes.hist(sight.found[sight.same], bins, color=INK, alpha=0.6, label="same")
        axes.hist(sight.found[~sight.same], bins, color=SECOND, alpha=0.5, label="different")
        axes.axvline(sight.figures["threshold"], color="black", linewidth=1, linestyle=":", label="threshold")
        axes.set(title=f"{name}: {sight.figures['accuracy']:.1%} right", xlabel="distance", yticks=[])
        axes.margins(y=0.4)  # room for the legend
        axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure


def roc(sights):
    """Of the pairs of one class, how many are found, against how many of the others are taken for one."""
    from sklearn.metrics import roc_curve

    figure = new_figure(4.8, 4.4)
    axes = figure.subplots()
    for name, sight in sights.items():
        wrong, right, _ = roc_curve(sight.same, -sight.found)
        label = f"{name}: area {sight.figures['auc']:.3f}, {sight.figures['accuracy']:.1%} right"
        axes.plot(wrong, right, color=COLOURS.get(name, INK), label=label)
    axes.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle=":", label="a guess")
    axes.set(xlabel="different taken for the same", ylabel="same found", title="pairs of unseen classes")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def maps(points_by_name, labels, seed=0):
    """Some unseen classes in two dimensions: principal components above, t-SNE below."""
    from matplotlib import colormaps
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    shown = np.random.default_rng(seed).permutation(np.unique(labels))[:CLASSES_ON_A_MAP]
    rows = np.flatnonzero(np.isin(labels, shown))[: 50 * CLASSES_ON_A_MAP]
    figure = new_figure(3.6 * len(points_by_name), 6.8)
    grid = figure.subplots(2, len(points_by_name), squeeze=False)
    for column, (name, points) in enumerate(points_by_name.items()):
        few = points[rows]
        perplexity = min(20, (len(rows) - 1) / 3)
        with threadpool_limits(1):  # so few points keep several threads waiting for each other
            flat = {
                "PCA": PCA(2).fit_transform(few),
                "t-SNE": TSNE(2, perplexity=perplexity, init="random", random_state=seed).fit_transform(few),
            }
        for axes, (method, places) in zip(grid[:, column], flat.items()):
            for number, label in enumerate(shown):
                of_label = places[labels[rows] == label]
                axes.plot(of_label[:, 0], of_label[:, 1], ".", color=colormaps["tab10"](number % 10), markersize=5)
            axes.set(title=f"{name}, {method}", xticks=[], yticks=[])
    return figure
