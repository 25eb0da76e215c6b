"""Networks that measure how alike two images are, judged on classes that they have not seen."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from zoo import factory, losses
from zoo.data.image.files import ENDINGS
from zoo.data.image.identities import IdentityDataModule
from zoo.data.image.identity_folder import IdentityFolder, images_in
from zoo.deprecated import renamed
from zoo.errors import UsageError, some
from zoo.metrics import retrieval
from zoo.metrics.retrieval import Distances, euclidean
from zoo.plots import embeddings as plots
from zoo.records import Card
from zoo.tasks.base import Evaluation, Network, Sample, Task, Trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger("zoo")
__getattr__ = renamed(__name__, {"eye_of": "encoder_of"})

BATCH = 256  # images that go through a network at a time
COMPONENTS = 64  # of PCA
COLLAPSED_STD = 0.05  # of the embeddings: below it all are one point
COLLAPSE_STEPS = 100  # of training, before which that may be
BASELINE_NUMBERS = 10**9  # in a training set beyond which PCA is left out


class MetricLearning(Task):
    metric = "recall@1"
    data_module = IdentityDataModule
    folder = IdentityFolder

    def loss(self) -> keras.Loss:
        return losses.get("triplet_semi_hard")

    def callbacks(self, network: Network, data: IdentityDataModule) -> list[keras.callbacks.Callback]:
        return [CollapseWatch(network, data)]

    def evaluate(self, network: Network, data: IdentityDataModule, split: str) -> Evaluation:
        found = judge(encoder := encoder_of(network.model), data, split)
        return Evaluation(found.metrics, data.arrays(split)[1], (encoder, found))

    def baselines(self, data: IdentityDataModule) -> dict[str, float]:
        """Recall@1 of what needs no training with labels, and of a guess."""
        labels = data.arrays("test")[1]
        counts = np.unique(labels, return_counts=True)[1]
        counts = counts[counts > 1]
        chance = float((counts * (counts - 1)).sum() / counts.sum() / (len(labels) - 1))
        return {"chance": chance, **{name: each.metrics["recall@1"] for name, each in judged_baselines(data).items()}}

    def plots(self, data: IdentityDataModule, evaluation: Evaluation) -> dict[str, Figure | None]:
        encoder, found = evaluation.outputs
        beside = judged_baselines(data)
        together = {**beside, "trained": found}
        maps = {"untrained": beside["random network"].embeddings, "trained": found.embeddings}
        return {
            "neighbours.png": nearest(data, evaluation.targets, encoder, found),
            "distances.png": plots.distances(together),
            "roc.png": plots.roc(together),
            "map.png": plots.maps(maps, evaluation.targets),
        }

    def tables(self, data: IdentityDataModule, evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
        """Every metric of the network and of the baselines."""
        _, found = evaluation.outputs
        return {
            "comparison.csv": [
                {"compared by": name, **{metric: f"{value:.4f}" for metric, value in each.metrics.items()}}
                for name, each in {**judged_baselines(data), "trained": found}.items()
            ]
        }

    def sample(self, card: Card, head: str = "") -> Sample:
        def identities(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
            """Embeddings come two of a class, triplets need no target, pairs are the same or not."""
            batch = shape[0]
            if len(shape) == 3:
                return np.zeros(batch, "float32")
            if shape[1] == 1:
                return rng.integers(0, 2, shape).astype("float32")
            return (np.arange(batch) // 2).astype("int32")

        # A guess between two; or all distances equal: the margin.
        return Sample(identities, lambda size: math.log(2) if size == 1 else 0.2, tolerance=0.5)

    def compare(self, trained: Trained, first: str, second: str) -> list[str]:
        """Whether two image files show the same."""
        threshold, accuracy = trained.metric("threshold"), trained.metric("accuracy")
        encoder = encoder_of(trained.network.model)
        embeddings = encoder.embed(trained.data.encode([first, second]))
        distance = float(encoder.distances(embeddings[:1], embeddings[1:])[0, 0])
        verdict = "the same" if distance <= threshold else "different"
        correct = f"{accuracy:.1%} right on unseen test classes"
        return [f"{verdict}: distance {distance:.4f}, the same up to {threshold:.4f} ({correct})"]

    def search(self, trained: Trained, query: str, folder: str) -> list[str]:
        """The images of a folder, and of its sub-folders, by their distance from the query."""
        threshold, files = trained.metric("threshold"), images_below(folder, query)
        encoder = encoder_of(trained.network.model)
        wanted = encoder.embed(trained.data.encode([query]))
        embeddings, sound = embedded(encoder, trained.data, files, folder)
        distances = encoder.distances(wanted, embeddings)[0]
        return [
            f"{rank:>4}  {distances[row]:.4f}  {'same' if distances[row] <= threshold else 'other':<5}  {sound[row]}"
            for rank, row in enumerate(np.argsort(distances, kind="stable"), start=1)
        ]


@dataclass(frozen=True)
class Encoder:
    """Images to embeddings, and embeddings to distances."""

    embed: Callable[[np.ndarray], np.ndarray]  # scaled images -> (images, dimensions)
    distances: Distances  # of all from all: (a, d), (b, d) -> (a, b)
    row_by_row: Callable[[np.ndarray, np.ndarray], np.ndarray]  # (n, d) twice -> (n,)

    def embeddings(self, data: IdentityDataModule, split: str) -> tuple[np.ndarray, np.ndarray]:
        """The embeddings of a split, and whom they show."""
        x, y = data.arrays(split)
        return self.embed(x), y

    def between(self, embeddings: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The distances of pairs: rows (pairs, 2) -> (pairs,)."""
        return self.row_by_row(embeddings[rows[:, 0]], embeddings[rows[:, 1]])


def lengths(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a - b, axis=1)


def encoder_of(model: keras.Model) -> Encoder:
    """The tower of a siamese network, and its head if it has one."""
    names = {layer.name for layer in model.layers}
    start = model.get_layer("together").output if "together" in names else model.input
    tower = keras.Model(start, model.get_layer("embedding").output)

    def embed(images: np.ndarray) -> np.ndarray:
        parts = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
        return np.concatenate([keras.ops.convert_to_numpy(tower(part, training=False)) for part in parts])

    if "difference" not in names:
        return Encoder(embed, euclidean, lengths)
    head = keras.Model(model.get_layer("apart").output, model.output)

    def row_by_row(a: np.ndarray, b: np.ndarray) -> np.ndarray:  # the less alike, the farther
        return -keras.ops.convert_to_numpy(head(np.stack([a, b], axis=1), training=False))[:, 0]

    def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.stack([row_by_row(np.broadcast_to(row, b.shape), b) for row in a])

    return Encoder(embed, distances, row_by_row)


def baseline_encoders(data: IdentityDataModule) -> dict[str, Encoder]:
    """What needs no training with labels: the pixels themselves, their principal components, the untrained network."""
    flat = Encoder(lambda x: x.reshape(len(x), -1), euclidean, lengths)
    found = {"raw pixels": flat}
    x = flat.embed(data.arrays("train")[0])
    if x.size <= BASELINE_NUMBERS:
        from sklearn.decomposition import PCA

        axes = PCA(min(COMPONENTS, *x.shape), svd_solver="randomized", random_state=0).fit(x)
        found["PCA"] = Encoder(lambda x: axes.transform(flat.embed(x)), euclidean, lengths)
    keras.utils.set_random_seed(data.recipe.seed)
    untrained = factory.build(data.card.name, **data.model_options(), **data.recipe.model)
    found["random network"] = encoder_of(untrained)
    return found


@dataclass(frozen=True)
class Comparison:
    """What an encoder made of a split."""

    metrics: dict[str, float]
    embeddings: np.ndarray
    same: np.ndarray  # of each pair that was compared, whether it shows one class
    distances: np.ndarray  # of the same pairs


def judge(encoder: Encoder, data: IdentityDataModule, split: str) -> Comparison:
    """Metrics of retrieval and of verification, the threshold chosen on the validation split."""
    known, known_labels = encoder.embeddings(data, "validation")
    rows, same = retrieval.pairs(known_labels)
    threshold = retrieval.best_threshold(encoder.between(known, rows), same)
    embeddings, labels = (known, known_labels) if split == "validation" else encoder.embeddings(data, split)
    rows, same = retrieval.pairs(labels)
    distances = encoder.between(embeddings, rows)
    metrics = {
        **retrieval.retrieval(embeddings, labels, encoder.distances),
        **retrieval.verification(distances, same, threshold),
        "threshold": threshold,
        "embedding_std": retrieval.embedding_std(embeddings),
    }
    return Comparison(metrics, embeddings, same, distances)


@functools.lru_cache(maxsize=1)
def judged_baselines(data: IdentityDataModule) -> Mapping[str, Comparison]:
    """The baselines on the test split: metrics, tables and plots ask for the same."""
    return {name: judge(encoder, data, "test") for name, encoder in baseline_encoders(data).items()}


class CollapseWatch(keras.callbacks.Callback):
    """After each epoch, recall@1 and the deviation of the embeddings on unseen classes; a collapse is told once, with
    its cure."""

    def __init__(self, network: Network, data: IdentityDataModule):
        super().__init__()
        self.network, self.data, self.steps, self.told = network, data, 0, False

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.steps += 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        encoder = encoder_of(self.network.model)
        embeddings, labels = encoder.embeddings(self.data, "validation")
        logs["val_recall@1"] = retrieval.retrieval(embeddings, labels, encoder.distances)["recall@1"]
        logs["val_embedding_std"] = retrieval.embedding_std(embeddings)
        if logs["val_embedding_std"] < COLLAPSED_STD and self.steps >= COLLAPSE_STEPS and not self.told:
            self.told = True
            log.warning(collapse(self.network.loss, logs))


def collapse(loss: keras.Loss, logs: dict[str, float]) -> str:
    """What there is to tell when all embeddings are one point.

    >>> collapse(losses.get("triplet_hard"), {"loss": 0.2001, "val_embedding_std": 0.0004})
    'all images have become one point (standard deviation 0.0004) and the loss is stuck at the margin 0.2: hard triplets from the start pull everything together; train with the loss triplet_semi_hard, or lower learning_rate'
    """  # noqa: E501
    margin = getattr(loss, "margin", None)
    stuck = margin is not None and abs(logs["loss"] - margin) < 0.05 * margin
    told = f"all images have become one point (standard deviation {logs['val_embedding_std']:.4f})"
    if stuck:
        told += f" and the loss is stuck at the margin {margin:g}"
    if getattr(loss, "mining", "") == "hard":
        return (
            f"{told}: hard triplets from the start pull everything together; "
            "train with the loss triplet_semi_hard, or lower learning_rate"
        )
    return f"{told}: lower learning_rate, or take larger batches"


def images_below(folder: str, query: str) -> list[Path]:
    """The image files of a folder and of its sub-folders, but for the query."""
    place = Path(folder)
    if not place.is_dir():
        raise UsageError(f"there is no folder {folder}; expected one with images to search")
    files = [
        file
        for each in [place, *sorted(part for part in place.rglob("*") if part.is_dir())]
        for file in images_in(each)
        if file.resolve() != Path(query).resolve()
    ]
    if not files:
        raise UsageError(f"{folder} holds no images; expected some that end in {', '.join(ENDINGS)}")
    return files


def embedded(
    encoder: Encoder, data: IdentityDataModule, files: list[Path], folder: str
) -> tuple[np.ndarray, list[Path]]:
    """The embeddings of those files that can be read, and these files; the others are named."""
    embeddings, sound, broken = [], [], []
    for start in range(0, len(files), BATCH):
        images = []
        for file in files[start : start + BATCH]:
            try:
                images.append(data.encode([str(file)]))
                sound.append(file)
            except UsageError:
                broken.append(file)
        if images:
            embeddings.append(encoder.embed(np.concatenate(images)))
    if not sound:
        raise UsageError(f"no image in {folder} can be read, {broken[0]} among them; expected JPEG or PNG")
    if broken:
        log.warning(f"left out {len(broken)} files that cannot be read as images: {some(broken)}")
    return np.concatenate(embeddings), sound


def nearest(data: IdentityDataModule, labels: np.ndarray, encoder: Encoder, found: Comparison) -> Figure:
    """Ten test images, and the eight nearest to each."""
    queries = np.random.default_rng(0).permutation(len(labels))[:10]
    ranked = retrieval.neighbours(found.embeddings, queries, encoder.distances)[:, :8]
    images = data.inputs_at("test", np.concatenate([queries[:, None], ranked], 1).ravel())
    correct = labels[ranked] == labels[queries, None]
    return plots.nearest(images.reshape(len(queries), 9, *images.shape[1:]), correct)
