"""Networks that measure how alike two pictures are, judged on classes that they have not seen."""

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from zoo import factory, losses
from zoo.data.image.folder import ENDINGS
from zoo.data.image.identities import IdentityFeed
from zoo.data.image.identity_folder import pictures_in
from zoo.errors import UsageError, some
from zoo.metrics import retrieval
from zoo.metrics.retrieval import Distances, euclidean
from zoo.plots import embeddings
from zoo.tasks.base import Measured, Network, Task

log = logging.getLogger("zoo")

BATCH = 256  # pictures that go through a network at a time
COMPONENTS = 64  # of PCA
COLLAPSED, STEPS = 0.05, 100  # spread below which all points are one, if they still are after so many steps
BASELINE_LIMIT = 10**9  # numbers in a training set beyond which PCA is left out


@dataclass(frozen=True)
class Eye:
    """How a network sees: pictures to points, and points to distances."""

    embed: Callable[[np.ndarray], np.ndarray]  # scaled pictures -> (pictures, dimensions)
    distances: Distances  # of all from all: (a, d), (b, d) -> (a, b)
    row_by_row: Callable[[np.ndarray, np.ndarray], np.ndarray]  # (n, d) twice -> (n,)

    def points(self, feed: IdentityFeed, split: str) -> tuple[np.ndarray, np.ndarray]:
        """The points of a split, and whom they show."""
        x, y = feed.arrays(split)
        return self.embed(x), y

    def between(self, points: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The distances of pairs of points: rows (pairs, 2) -> (pairs,)."""
        return self.row_by_row(points[rows[:, 0]], points[rows[:, 1]])


def lengths(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a - b, axis=1)


def eye_of(model: keras.Model) -> Eye:
    """The tower of a siamese network, and its head if it has one."""
    names = {layer.name for layer in model.layers}
    start = model.get_layer("together").output if "together" in names else model.input
    tower = keras.Model(start, model.get_layer("embedding").output)

    def embed(pictures):
        parts = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
        return np.concatenate([keras.ops.convert_to_numpy(tower(part, training=False)) for part in parts])

    if "difference" not in names:
        return Eye(embed, euclidean, lengths)
    head = keras.Model(model.get_layer("apart").output, model.output)

    def row_by_row(a, b):  # the less alike, the farther
        return -keras.ops.convert_to_numpy(head(np.stack([a, b], axis=1), training=False))[:, 0]

    def distances(a, b):
        return np.stack([row_by_row(np.broadcast_to(row, b.shape), b) for row in a])

    return Eye(embed, distances, row_by_row)


def rivals(feed: IdentityFeed) -> dict[str, Eye]:
    """What needs no training with labels: the pixels themselves, their principal components, the untrained network."""
    flat = Eye(lambda x: x.reshape(len(x), -1), euclidean, lengths)
    found = {"raw pixels": flat}
    x = flat.embed(feed.arrays("train")[0])
    if x.size <= BASELINE_LIMIT:
        from sklearn.decomposition import PCA

        axes = PCA(min(COMPONENTS, *x.shape), svd_solver="randomized", random_state=0).fit(x)
        found["PCA"] = Eye(lambda x: axes.transform(flat.embed(x)), euclidean, lengths)
    keras.utils.set_random_seed(feed.plan.seed)
    found["random network"] = eye_of(factory.build(feed.card.name, **feed.options(), **feed.plan.model))
    return found


@dataclass(frozen=True)
class Sight:
    """What an eye made of a split."""

    figures: dict[str, float]
    points: np.ndarray
    same: np.ndarray  # of each pair that was compared, whether it shows one class
    found: np.ndarray  # its distance


def judge(eye: Eye, feed: IdentityFeed, split: str) -> Sight:
    """Figures of retrieval and of verification, the threshold chosen on the validation split."""
    seen, known = eye.points(feed, "validation")
    rows, same = retrieval.pairs(known)
    threshold = retrieval.best_threshold(eye.between(seen, rows), same)
    points, labels = (seen, known) if split == "validation" else eye.points(feed, split)
    rows, same = retrieval.pairs(labels)
    found = eye.between(points, rows)
    figures = {
        **retrieval.retrieval(points, labels, eye.distances),
        **retrieval.verification(found, same, threshold),
        "threshold": threshold,
        "spread": retrieval.spread(points),
    }
    return Sight(figures, points, same, found)


def measure(network: Network, feed: IdentityFeed, split: str) -> Measured:
    eye = eye_of(network.model)
    sight = judge(eye, feed, split)
    return Measured(sight.figures, feed.arrays(split)[1], (eye, sight))


@functools.lru_cache(maxsize=1)
def judged_rivals(feed: IdentityFeed) -> dict[str, Sight]:
    """The rivals on the test split: baselines and pictures ask for the same."""
    return {name: judge(eye, feed, "test") for name, eye in rivals(feed).items()}


def baselines(feed: IdentityFeed) -> dict[str, float]:
    """Recall@1 of what needs no training with labels, and of a guess."""
    labels = feed.arrays("test")[1]
    counts = np.unique(labels, return_counts=True)[1]
    counts = counts[counts > 1]
    chance = float((counts * (counts - 1)).sum() / counts.sum() / (len(labels) - 1))
    return {"chance": chance, **{name: sight.figures["recall@1"] for name, sight in judged_rivals(feed).items()}}


# Training.


class Watch(keras.callbacks.Callback):
    """After each epoch, recall@1 and the spread on unseen classes; a collapse is said once, with its cure."""

    def __init__(self, network: Network, feed: IdentityFeed):
        super().__init__()
        self.network, self.feed, self.steps, self.said = network, feed, 0, False

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1

    def on_epoch_end(self, epoch, logs=None):
        eye = eye_of(self.network.model)
        points, labels = eye.points(self.feed, "validation")
        logs["val_recall@1"] = retrieval.retrieval(points, labels, eye.distances)["recall@1"]
        logs["val_spread"] = retrieval.spread(points)
        if logs["val_spread"] < COLLAPSED and self.steps >= STEPS and not self.said:
            self.said = True
            log.warning(collapse(self.network.criterion, logs))


def collapse(criterion: keras.Loss, logs: dict[str, float]) -> str:
    """What is to be said when all points are one.

    >>> collapse(losses.get("triplet_hard"), {"loss": 0.2001, "val_spread": 0.0004})
    'all pictures have become one point (spread 0.0004) and the loss is stuck at the margin 0.2: hard triplets from the start pull everything together; train with the loss triplet_semi_hard, or lower learning_rate'
    """  # noqa: E501
    margin = getattr(criterion, "margin", None)
    stuck = margin is not None and abs(logs["loss"] - margin) < 0.05 * margin
    said = f"all pictures have become one point (spread {logs['val_spread']:.4f})"
    if stuck:
        said += f" and the loss is stuck at the margin {margin:g}"
    if getattr(criterion, "mining", "") == "hard":
        return (
            f"{said}: hard triplets from the start pull everything together; "
            "train with the loss triplet_semi_hard, or lower learning_rate"
        )
    return f"{said}: lower learning_rate, or take larger batches"


# Verbs.


def compare(network: Network, feed: IdentityFeed, figures: dict[str, float], first: str, second: str) -> list[str]:
    """Whether two picture files show the same."""
    eye = eye_of(network.model)
    points = eye.embed(feed.encode([first, second]))
    found, threshold = float(eye.distances(points[:1], points[1:])[0, 0]), figures["threshold"]
    verdict = "the same" if found <= threshold else "different"
    right = f"{figures['accuracy']:.1%} right on unseen test classes"
    return [f"{verdict}: distance {found:.4f}, the same up to {threshold:.4f} ({right})"]


def search(network: Network, feed: IdentityFeed, figures: dict[str, float], query: str, folder: str) -> list[str]:
    """The pictures of a folder, and of its sub-folders, by their distance from the query."""
    place = Path(folder)
    if not place.is_dir():
        raise UsageError(f"there is no folder {folder}; expected one with pictures to search")
    files = [
        file
        for each in [place, *sorted(part for part in place.rglob("*") if part.is_dir())]
        for file in pictures_in(each)
        if file.resolve() != Path(query).resolve()
    ]
    if not files:
        raise UsageError(f"{folder} holds no pictures; expected some that end in {', '.join(ENDINGS)}")
    eye = eye_of(network.model)
    wanted, points, sound, broken = eye.embed(feed.encode([query])), [], [], []
    for start in range(0, len(files), BATCH):
        pictures = []
        for file in files[start : start + BATCH]:
            try:
                pictures.append(feed.encode([str(file)]))
                sound.append(file)
            except UsageError:
                broken.append(file)
        if pictures:
            points.append(eye.embed(np.concatenate(pictures)))
    if not sound:
        raise UsageError(f"no picture in {folder} can be read, {broken[0]} among them; expected JPEG or PNG")
    if broken:
        log.warning(f"left out {len(broken)} files that cannot be read as pictures: {some(broken)}")
    found = eye.distances(wanted, np.concatenate(points))[0]
    threshold = figures["threshold"]
    return [
        f"{rank:>4}  {found[row]:.4f}  {'same' if found[row] <= threshold else 'other':<5}  {sound[row]}"
        for rank, row in enumerate(np.argsort(found, kind="stable"), start=1)
    ]


# Tables and pictures.


def comparison(feed: IdentityFeed, measured: Measured) -> list[dict[str, str]]:
    """Every figure of the network and of its rivals."""
    _, sight = measured.outputs
    return [
        {"compared by": name, **{figure: f"{value:.4f}" for figure, value in each.figures.items()}}
        for name, each in {**judged_rivals(feed), "trained": sight}.items()
    ]


def with_rivals(draw):
    """A figure of the sights by name, the network's own last: (points, distances of pairs, ...) beside its rivals."""

    def picture(feed, measured):
        _, sight = measured.outputs
        return draw({**judged_rivals(feed), "trained": sight})

    return picture


def nearest(feed, measured):
    eye, sight = measured.outputs
    rng = np.random.default_rng(0)
    queries = rng.permutation(len(measured.truth))[:10]
    ranked = retrieval.neighbours(sight.points, queries, eye.distances)[:, :8]
    pictures = feed.inputs_at("test", np.concatenate([queries[:, None], ranked], 1).ravel())
    right = measured.truth[ranked] == measured.truth[queries, None]
    return embeddings.nearest(pictures.reshape(len(queries), 9, *pictures.shape[1:]), right)


def unseen_classes(feed, measured):
    _, sight = measured.outputs
    before = judged_rivals(feed)["random network"]
    return embeddings.maps({"untrained": before.points, "trained": sight.points}, measured.truth)


TASKS = {
    "metric_learning": Task(
        metric="recall@1",
        minimise=False,
        feed=IdentityFeed,
        loss=lambda: losses.get("triplet_semi_hard"),
        measure=measure,
        baselines=baselines,
        pictures={
            "neighbours.png": nearest,
            "distances.png": with_rivals(embeddings.distances),
            "roc.png": with_rivals(embeddings.roc),
            "map.png": unseen_classes,
        },
        tables={"comparison.csv": comparison},
        callbacks=lambda network, feed: [Watch(network, feed)],
        verbs={"compare": compare, "search": search},
    ),
}
