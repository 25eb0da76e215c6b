"""The pictures of a run: how it learned, what it confuses, what it gets wrong with most confidence.

Each function returns a matplotlib ``Figure``; nothing is shown and no global state is touched.
"""

import csv
import logging
import warnings
from functools import partial
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


def probabilities(logits):
    """Softmax; one logit z stands for the pair (0, z)."""
    if logits.shape[-1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=-1)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def confusion(feed, measured):
    """How often each class (rows) was called each class (columns); the diagonal is right."""
    from sklearn.metrics import confusion_matrix

    names = [name[:12] for name in feed.class_names]
    called = probabilities(measured.outputs).argmax(-1)
    counts = confusion_matrix(measured.truth, called, labels=range(len(names)))
    size = min(12.0, 2.5 + 0.45 * len(names))
    figure = new_figure(size + 0.6, size)
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(names) <= 20:
        for row, column in np.ndindex(counts.shape):
            if counts[row, column]:
                colour = "white" if shares[row, column] > 0.5 else INK if row == column else SECOND
                axes.text(column, row, counts[row, column], ha="center", va="center", fontsize=8, color=colour)
    if len(names) <= 60:
        axes.set_xticks(range(len(names)), names, rotation=0 if len(max(names, key=len)) <= 2 else 60, fontsize=8)
        axes.set_yticks(range(len(names)), names, fontsize=8)
    wrong = int(counts.sum() - np.trace(counts))
    axes.set(xlabel="called", ylabel="is", title=f"{wrong} of {counts.sum()} test examples wrong")
    return figure


def mistakes(feed, measured):
    """The test pictures that the network got wrong with most confidence. None where inputs are no pictures."""
    if len(feed.card.inputs[0].shape) != 3:
        return None
    show = partial(feed.inputs_at, "test")
    return worst_mistakes(show, measured.truth, measured.outputs, feed.class_names)


def worst_mistakes(inputs, truth, logits, class_names, most=24):
    """The `most` pictures that were called something else with most confidence; `inputs(rows)` gives pictures."""
    chances = probabilities(logits)
    called = chances.argmax(-1)
    confidence = chances.max(-1)
    wrong = np.flatnonzero(called != truth)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    pictures = inputs(worst)
    columns = min(8, max(len(worst), 4))
    rows = max(1, -(-len(worst) // columns))
    figure = new_figure(1.35 * columns, 1.75 * rows + 0.4)
    figure.suptitle(
        f"{len(worst)} most confident of {len(wrong)} mistakes" if len(wrong) else "no mistakes", fontsize=11
    )
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, row, picture in zip(grid, worst, pictures):
        low, high = picture.min(), picture.max()
        picture = (picture - low) / max(high - low, 1e-6)
        axes.imshow(picture if picture.shape[-1] == 3 else picture[..., 0], cmap="gray")
        names = f"is {class_names[truth[row]][:12]}\ncalled {class_names[called[row]][:12]} ({confidence[row]:.0%})"
        axes.set_title(names, fontsize=7)
    return figure


def calibration(feed, measured, bins=10):
    """How often the network is right, by how sure it is; on the diagonal it knows how much it knows."""
    chances = probabilities(measured.outputs)
    confidence, right = chances.max(-1), chances.argmax(-1) == measured.truth
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    figure = new_figure(4.6, 4.2)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=THIRD, linewidth=1, linestyle="--")
    for each in np.unique(bin_of):
        among = bin_of == each
        axes.bar((each + 0.5) / bins, right[among].mean(), width=0.9 / bins, color=INK, alpha=0.85)
        axes.plot(confidence[among].mean(), right[among].mean(), "o", color=SECOND, markersize=3)
        axes.text((each + 0.5) / bins, right[among].mean() + 0.01, among.sum(), ha="center", fontsize=7, color=THIRD)
    axes.set(xlabel="confidence", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.06))
    axes.set_title(f"calibration error {measured.figures['calibration_error']:.3f}", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def overlay(picture, heat, title):
    """A picture (height, width, channels), and beside it where the heat (height, width) lies."""
    low, high = picture.min(), picture.max()
    picture = (picture - low) / max(high - low, 1e-6)
    shown = {"X": picture if picture.shape[-1] == 3 else picture[..., 0], "cmap": "gray"}
    height, width = picture.shape[:2]
    figure = new_figure(2 * 3.2 * width / max(height, width) + 0.3, 3.2 * height / max(height, width) + 0.5)
    plain, hot = figure.subplots(1, 2)
    plain.imshow(**shown)
    hot.imshow(**shown)
    hot.imshow(heat / max(heat.max(), 1e-12), cmap="inferno", alpha=0.55, vmin=0, vmax=1)
    for axes in (plain, hot):
        axes.axis("off")
    figure.suptitle(title, fontsize=10)
    return figure


def gallery(rows, titles=(), *, labels=None, width=2.6):
    """Pictures (height, width, 3) of 0 to 1 in rows, with a title over each column, or rows of labels over each."""
    labels = labels or [titles]
    height, across = rows[0][0].shape[:2]
    figure = new_figure(width * len(rows[0]), len(rows) * width * height / across + 0.4 * len(labels))
    grid = figure.subplots(len(rows), len(rows[0]), squeeze=False)
    for axes, picture in zip(grid.ravel(), [picture for row in rows for picture in row]):
        axes.imshow(np.clip(picture, 0, 1))
        axes.axis("off")
    for axes, title in zip(grid.ravel(), [title for row in labels for title in row]):
        axes.set_title(title, fontsize=9)
    return figure


def forecast(feed, measured):
    """Truth and prediction over time, and one against the other."""
    truth, predictions = measured.truth, measured.outputs
    figure = new_figure(10, 3.6)
    time, scatter = figure.subplots(1, 2, width_ratios=(2.2, 1))
    time.plot(truth, color=THIRD, label="truth", linewidth=1)
    time.plot(predictions[:, 0], color=INK, label="prediction", linewidth=1)
    time.set(xlabel="test example", ylabel="value")
    time.legend(frameon=False)
    scatter.plot(truth, predictions[:, 0], ".", color=INK, markersize=3)
    ends = [float(truth.min()), float(truth.max())]
    scatter.plot(ends, ends, color=SECOND, linewidth=1)
    scatter.set(xlabel="truth", ylabel="prediction")
    for axes in (time, scatter):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def films(clips, titles, heats=None, most=16):
    """Clips as strips of frames, one below the other, with heat in a second strip of each where there is some.

    Args:
        clips: (time, height, width, channels) each, of one length.
        titles: of each.
        heats: (time, height, width) each, at the clips' own resolution.
        most: frames of a strip; a longer clip shows as many, evenly spread.
    """
    times = np.linspace(0, len(clips[0]) - 1, min(most, len(clips[0]))).round().astype(int)
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
                if strip:
                    hottest = max(float(heats[row].max()), 1e-9)
                    axes.imshow(heats[row][time], cmap="inferno", vmin=0, vmax=hottest, alpha=0.55)
        grid[row * strips, 0].set_title(title, fontsize=8, loc="left")
    return figure


def clip_mistakes(feed, measured, most=8):
    """The test clips that were called something else with most confidence, as strips of frames."""
    chances = probabilities(measured.outputs)
    called = chances.argmax(-1)
    wrong = np.flatnonzero(called != measured.truth)
    worst = wrong[np.argsort(-chances.max(-1)[wrong], kind="stable")][:most]
    if not len(worst):
        return None
    names = feed.source.class_names
    titles = [
        f"is {names[measured.truth[row]]}, called {names[called[row]]} ({chances[row].max():.0%})" for row in worst
    ]
    figure = films(feed.inputs_at("test", worst), titles)
    figure.suptitle(f"{len(worst)} most confident of {len(wrong)} mistakes", fontsize=10)
    return figure


def attention(title, weights, rows, columns):
    """Where each of the `rows` (tokens that are said) looks among the `columns` (tokens that are read).

    Args:
        title: of the figure, the layer's name.
        weights: (heads, rows, columns), from 0 to 1; a panel for each head.
        rows, columns: what to write at the edges.
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


def word_map(vectors, pairs=(), most=120):
    """Words on the plane in which they differ most (principal components); `pairs` are joined by a line.

    Args:
        vectors: a `zoo.word_vectors.WordVectors`.
        pairs: of words; without any, the `most` commonest words are drawn, placed by their neighbours (t-SNE).
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    shown = [word for pair in pairs for word in pair] or list(vectors.words[:most])
    directions = vectors.directions[[vectors.places[word] for word in shown]]
    if len(shown) < 3:
        return None
    if pairs:
        place, title = PCA(2, random_state=0), "principal components"
    else:
        place, title = TSNE(2, random_state=0, init="pca", perplexity=min(15, (len(shown) - 1) / 3)), "t-SNE"
    points = dict(zip(shown, place.fit_transform(directions.astype("float64"))))
    figure = new_figure(9, 8)
    axes = figure.subplots()
    for a, b in pairs:
        axes.plot(*zip(points[a], points[b]), color=THIRD, linewidth=0.8)
    second = {b for _, b in pairs}
    for word, (x, y) in points.items():
        colour = SECOND if word in second else INK
        axes.plot(x, y, ".", color=colour, markersize=4)
        axes.annotate(word, (x, y), xytext=(2, 2), textcoords="offset points", fontsize=7, color=colour)
    axes.set(title=f"{len(shown)} words, {title}", xticks=[], yticks=[])
    return figure
