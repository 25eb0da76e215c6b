"""A toy detector in a user's own file: two heads with a loss and targets each."""

import sys

import numpy as np
import pytest

import zoo
from zoo import registry, tasks

DETECTOR = '''
"""Where on a canvas is the digit, and which is it?"""

import math

import keras
import numpy as np

import zoo
from zoo.data.base import SPLITS, DataModule
from zoo.data.batching import Batches
from zoo.tasks.base import Evaluation, Sample, Task, class_ids

SIDE = 16  # pixels of the canvas; a digit has 8 x 8


class PlacedDigits(DataModule):
    """Digits somewhere on a canvas; targets: the class, and the box as fractions (left, top, right, bottom)."""

    @classmethod
    def adapt(cls, card, recipe, source):
        data = cls(card, recipe, source)
        data.class_names = source.class_names
        data.arrays = {split: data.placed(split) for split in SPLITS}
        data.examples = {split: len(x) for split, (x, _) in data.arrays.items()}
        return data

    def placed(self, split):
        pairs = list(self.source.split(getattr(self.recipe, split)).as_numpy_iterator())
        rng = np.random.default_rng(SPLITS.index(split))
        corners = rng.integers(0, SIDE - 8 + 1, (len(pairs), 2))  # (examples, 2): top, left
        x = np.zeros((len(pairs), SIDE, SIDE, 1), "float32")
        for canvas, (digit, _), (top, left) in zip(x, pairs, corners):
            canvas[top : top + 8, left : left + 8] = digit / 255
        boxes = np.concatenate([corners[:, ::-1], corners[:, ::-1] + 8], axis=1).astype("float32") / SIDE
        return x, {"label": np.array([label for _, label in pairs]), "box": boxes}

    @classmethod
    def from_config(cls, card, recipe, source, config):
        return cls(card, recipe, source)

    def get_config(self):
        return {}

    def model_options(self):
        return {}

    def batches(self, split, *, training=False):
        if not hasattr(self, "arrays"):
            self.arrays = {each: self.placed(each) for each in SPLITS}
        x, y = self.arrays[split]
        rng, size = np.random.default_rng(self.recipe.seed), self.recipe.batch_size

        def groups():
            rows = rng.permutation(len(x)) if training else np.arange(len(x))
            return np.split(rows, range(size, len(rows), size))

        return Batches(lambda rows: (x[rows], {head: values[rows] for head, values in y.items()}), groups)


class ToyDetection(Task):
    name = "toy_detection"
    metric = "iou"
    other_metrics = ("accuracy",)
    data_module = PlacedDigits

    def losses(self, heads, chosen):
        label = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return {"label": label, "box": keras.losses.Huber(delta=0.1)}

    def evaluate(self, network, data, split):
        predicted = network.model.predict(data.batches(split), verbose=0)
        targets = data.arrays[split][1]
        loss = sum(float(network.losses[head](targets[head], predicted[head])) for head in network.heads)
        return Evaluation({
            "loss": loss,
            "iou": float(iou(targets["box"], predicted["box"]).mean()),
            "accuracy": float(np.mean(predicted["label"].argmax(-1) == targets["label"])),
        }, targets, predicted)

    def baselines(self, data):
        boxes = data.arrays["test"][1]["box"]
        middle = np.broadcast_to(np.float32([0.25, 0.25, 0.75, 0.75]), boxes.shape)
        return {"the middle": float(iou(boxes, middle).mean())}

    def sample(self, card, head=""):
        if head == "box":
            uniform = lambda rng, shape: rng.uniform(size=shape).astype("float32")
            return Sample(uniform, lambda size: 0.05, tolerance=0.2)
        return Sample(class_ids, math.log, tolerance=1.0)


def iou(a, b):
    """Intersection over union of boxes (n, 4), row by row."""
    corner, other = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    common = np.prod(np.maximum(other - corner, 0), axis=1)
    areas = [np.prod(np.maximum(each[:, 2:] - each[:, :2], 0), axis=1) for each in (a, b)]
    return common / (areas[0] + areas[1] - common)


@zoo.register(
    zoo.Card(
        task="toy_detection", summary="a box and a class", params=0, paper="none", preprocessing="none", tiny={},
        inputs=(zoo.Input("image", (SIDE, SIDE, 1)),), loss_weights={"box": 20.0},
        recipes=(zoo.Recipe(name="demo", dataset="digits:1.0.0", epochs=12, batch_size=32, learning_rate=3e-3),),
    )
)
def toy_detector(*, filters=16, name="toy_detector"):
    image = keras.Input((SIDE, SIDE, 1), name="image")
    x = image
    for number in range(2):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        x = keras.layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = keras.layers.Dense(64, activation="relu", name="hidden")(keras.layers.Flatten(name="flatten")(x))
    heads = {
        "label": keras.layers.Dense(10, dtype="float32", name="label")(x),
        "box": keras.layers.Dense(4, activation="sigmoid", dtype="float32", name="box")(x),
    }
    return keras.Model(image, heads, name=name)
'''


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "toy_detector.py").write_text(DETECTOR)
    module = registry.import_file(folder / "toy_detector.py")
    yield zoo.train("toy_detector", run=folder / "run", verbose=0)
    for table, name in (
        (registry._cards, "toy_detector"),
        (registry._builders, "toy_detector"),
        (tasks.classes, "toy_detection"),
        (sys.modules, module.__name__),
    ):
        table.pop(name, None)


def test_each_head_learns_its_own_targets(run):
    assert run.metrics["iou"] > 0.75 > run.results["baselines"]["the middle"]
    assert run.metrics["accuracy"] > 0.75
    assert zoo.evaluate(run) == pytest.approx(run.metrics, abs=1e-5)


def test_the_sum_is_weighted_by_the_card(run):
    with (run.path / "history.csv").open() as file:
        names, *rows = (line.strip().split(",") for line in file)
    last = dict(zip(names, map(float, rows[-1])))
    assert last["loss"] == pytest.approx(last["label_loss"] + 20 * last["box_loss"], rel=0.02)


def test_a_sample_for_each_head(run):
    task, rng = tasks.get("toy_detection"), np.random.default_rng(0)
    card = zoo.info("toy_detector")
    assert task.sample(card, "box").targets(rng, (3, 4)).shape == (3, 4)
    assert task.sample(card, "label").targets(rng, (3, 10)).shape == (3,)
