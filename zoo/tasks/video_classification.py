"""Clips: classification by what moves, measured beside what a network says without motion."""

import math
from pathlib import Path

import keras
import numpy as np

from zoo import factory, plots, registry
from zoo.data.video.frames import shuffled_in_time, still
from zoo.data.video.module import ClipFeed
from zoo.introspection import grad_cam
from zoo.metrics import classification
from zoo.metrics.classification import classified
from zoo.optimizers import schedules
from zoo.tasks.base import Measured, Network, Task
from zoo.tasks.image_classification import CLASSIFICATION, TOP, classification_baselines, free_name, measured

FRAME_LIMIT = 3 * 10**8  # numbers in a data set beyond which no single-frame network is trained for comparison
NEAREST_LIMIT = 10**11  # products beyond which the nearest training clips are not looked for: a minute


CONTROLS = {"accuracy_shuffled_in_time": shuffled_in_time, "accuracy_still": still}


def measure(network: Network, feed: ClipFeed, split: str) -> Measured:
    """Loss and accuracy; and the accuracy of the same network on clips that have lost their motion."""
    found = measured(classified, network, feed, split)
    controls = {
        name: float(np.mean(network.predict(control(feed.batches(split))).argmax(-1) == found.truth))
        for name, control in CONTROLS.items()
    }
    return Measured({**found.figures, **controls}, found.truth, found.outputs)


def baselines(feed: ClipFeed) -> dict[str, float]:
    """The commonest class, the nearest training clip, and a network trained by the same recipe on single frames."""
    if feed.examples["train"] * feed.examples["test"] * math.prod(feed.shape) <= NEAREST_LIMIT:
        found = classification_baselines(feed)
    else:
        commonest = np.bincount(feed.targets("train")).argmax()
        found = {"chance": float(np.mean(feed.targets("test") == commonest))}
    if feed.card.name != "frame_cnn" and feed.numbers <= FRAME_LIMIT:
        found["frame_cnn"] = single_frame(feed)
    return found


def single_frame(feed: ClipFeed) -> float:
    """The test accuracy of `frame_cnn`."""
    from zoo.tasks import TASKS

    plan, card = feed.plan, registry.info("frame_cnn")
    keras.utils.set_random_seed(plan.seed)
    network = Network.of(factory.build(card.name, **feed.options()), card, TASKS[card.task])
    steps = -(-feed.examples["train"] // plan.batch_size) * plan.epochs
    network.compile(schedules.optimizer(plan, steps), [])
    network.model.fit(feed.batches("train", training=True), epochs=plan.epochs, verbose=0, shuffle=False)
    return float(np.mean(network.predict(feed.batches("test")).argmax(-1) == feed.targets("test")))


def name_clips(network: Network, feed: ClipFeed, paths: list[str], folder: Path | None) -> list[str]:
    """The likeliest classes of each clip; in `folder`, its frames and where and when the likeliest one was seen."""
    lines = []
    read = [(feed.show(path), feed.encode([path])) for path in paths]  # all, before the first is answered
    for path, (frames, clip) in zip(paths, read):
        chances = classification.probabilities(network.predict(clip))[0]
        best = np.argsort(-chances, kind="stable")[:TOP]
        lines.append(f"{path}: " + ", ".join(f"{feed.class_names[each]} {chances[each]:.1%}" for each in best))
        if folder is None:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        heat = grad_cam.grad_cam(network.model, clip, int(best[0]), head=network.main or None)
        heat = grad_cam.stretch(heat, frames.shape[:3])[0]
        file = free_name(folder, Path(path).stem)
        plots.save(plots.films([frames], [f"{feed.class_names[best[0]]} {chances[best[0]]:.0%}"], [heat]), file)
        lines.append(f"  where and when it looks: {file}")
    return lines


TASKS = {
    "video_classification": Task(
        **{
            **CLASSIFICATION,
            "feed": ClipFeed,
            "measure": measure,
            "baselines": baselines,
            "pictures": {**CLASSIFICATION["pictures"], "mistakes.png": plots.clip_mistakes},
            "answer": name_clips,
        },
        loss=lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        keras_metrics=lambda: [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    ),
}
