"""What pretraining without labels is worth where labels are few: 10 labelled images of each class.

    python benchmarks/self_supervision.py --images cifar10_jpeg.tar.xz --record results/benchmarks/self_supervision.csv
    python benchmarks/self_supervision.py --tower lenet5

With `--images`, an archive of PART/CLASS/NAME.jpg with the parts train and test (CIFAR-10 as JPEG of quality 75), the
network is that of simclr's recipe `cifar10`; without, the data are Fashion-MNIST from tensorflow-datasets.

For each seed 20,000 images of the training set (`--unlabelled`) stand for those that nobody has labelled. A small
network learns from them by each pretext task (`zoo train rotnet`, `zoo train simclr`). Then it is trained on 10
labelled images of each class, drawn from among them: from scratch, and from what each pretext task has left (`--weights
RUN`), by one recipe: the same epochs, steps and augmentation. Nothing is chosen on a validation set. Measured once, on
all 10,000 test images, beside the nearest labelled image.

Beside it, what the features are worth before any fine-tuning: a linear probe and the five nearest neighbours
(scikit-learn) by the 10 labels of each class, and the neighbours by 2,000 labels; of the pretrained body, of the
untrained one, and of the pixels themselves. `seconds` are those of the processor.
"""

import argparse
import io
import os
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from PIL import Image

import zoo
from zoo import results
from zoo.data import open_source
from zoo.metrics.features import knn_accuracy, probe_accuracy
from zoo.records import Recipe, replace

COLOURED = zoo.info("simclr").recipe("cifar10")
TOWERS: dict[str, dict[str, Any]] = {
    "lenet5": {},
    "resnet20": COLOURED.model["tower_options"],
}
CHANGES = {"crop": (0.4, 1.0), "flip": True}
PRETEXT = {
    "rotnet": Recipe("rotation", "", epochs=8, batch_size=64, augment={"flip": True}),
    "simclr": Recipe(
        "views", "", epochs=20, batch_size=256, augment=CHANGES, loss="nt_xent", loss_options={"temperature": 0.1}
    ),
}
PRETRAINING: dict[str, Any] = {
    "learning_rate": 2e-3,
    "schedule": "cosine",
    "schedule_options": {"warmup_epochs": 1},
}
FEW = Recipe(  # on the labelled images; from scratch and from weights
    "few",
    "",
    epochs=60,
    batch_size=20,
    augment={"shift": 2, "flip": True},
    optimizer="adamw",
    optimizer_options={"weight_decay": 0.05},
    learning_rate=1e-3,
    schedule="cosine",
)


def arrays(data_dir: str | None) -> dict[str, np.ndarray]:
    """The images (n, 28, 28, 1) and labels of the training and of the test set."""
    source = open_source("fashion_mnist:3.0.1", data_dir=data_dir).load()
    found = {}
    for split in ("train", "test"):
        x, y = zip(*source.split(split).batch(1000).as_numpy_iterator())
        found |= {f"x_{split}": np.concatenate(x), f"y_{split}": np.concatenate(y)}
    return found


def arrays_of_archive(archive: Path, side: int) -> dict[str, np.ndarray]:
    """The same of an archive of JPEG, brought to so many pixels a side: images (n, side, side, 3)."""
    found: dict[str, list[Any]] = {}
    with tarfile.open(archive) as files:
        for member in files:
            if member.isfile() and member.name.endswith(".jpg"):
                part, label, _ = member.name.split("/")[-3:]
                image = Image.open(io.BytesIO(files.extractfile(member).read())).convert("RGB")
                image = image.resize((side, side), Image.Resampling.BILINEAR)
                found.setdefault(f"x_{part}", []).append(np.asarray(image))
                found.setdefault(f"y_{part}", []).append(label)
    names = {label: number for number, label in enumerate(sorted({*found["y_train"]}))}
    return {
        key: np.stack(each) if key.startswith("x_") else np.array([names[label] for label in each])
        for key, each in found.items()
    }


def divided(data: dict[str, np.ndarray], unlabelled: int, labels: int, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """What is pretrained on and what is labelled: two sets of arrays, each as `zoo.train` takes them."""
    x, y = data["x_train"], data["y_train"]
    order = np.random.default_rng(seed).permutation(len(y))
    pool, rest = order[:unlabelled], order[unlabelled : unlabelled + 1000]
    few = np.concatenate([pool[np.flatnonzero(y[pool] == label)[:labels]] for label in np.unique(y)])
    test = {key: data[key] for key in ("x_test", "y_test")}
    return {
        name: {"x_train": x[rows], "y_train": y[rows], "x_val": x[rest], "y_val": y[rest], **test}
        for name, rows in {"unlabelled": pool, "labelled": few}.items()
    }


def features(body: Any, x: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """Of a body, or the pixels themselves; scaled by the unlabelled images."""
    scaled = ((x - pool.mean((0, 1, 2))) / pool.std((0, 1, 2))).astype("float32")
    return scaled.reshape(len(x), -1) if body is None else body.predict(scaled, batch_size=500, verbose=0)


def worth(body: Any, sets: dict[str, dict[str, np.ndarray]], many: int = 2000) -> dict[str, str]:
    """The linear probe and the nearest neighbours with few labels, and these with many, on the test images."""
    few, unlabelled = sets["labelled"], sets["unlabelled"]
    train, more, test = (
        features(body, x, unlabelled["x_train"]) for x in (few["x_train"], unlabelled["x_train"][:many], few["x_test"])
    )
    found = {
        "probe": probe_accuracy(train, few["y_train"], test, few["y_test"]),
        "knn": knn_accuracy(train, few["y_train"], test, few["y_test"]),
        "knn_many": knn_accuracy(more, unlabelled["y_train"][:many], test, few["y_test"]),
    }
    return {name: f"{value:.4f}" for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", metavar="DIR", help="where tensorflow-datasets keeps its data sets")
    parser.add_argument("--images", type=Path, metavar="FILE.tar.xz", help="in place of Fashion-MNIST")
    parser.add_argument("--record", type=Path, metavar="FILE.csv")
    parser.add_argument("--tower", choices=TOWERS, default="resnet20")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--unlabelled", type=int, default=20_000)
    parser.add_argument("--labels", type=int, default=10, help="of each class")
    parser.add_argument("--ways", nargs="+", choices=PRETEXT, default=[*PRETEXT])
    parser.add_argument("--epochs", type=int, help="of the pretraining, in place of the recipes'")
    parser.add_argument(
        "--runs", type=Path, metavar="DIR", help="keep the pretrained runs, and go on with those that are there"
    )
    arguments = parser.parse_args()
    options, ways = TOWERS[arguments.tower], {way: replace(recipe, **PRETRAINING) for way, recipe in PRETEXT.items()}
    if arguments.images:
        side, _ = COLOURED.preprocess["cover"]
        data = arrays_of_archive(arguments.images, side)
        ways["simclr"] = replace(COLOURED, preprocess={}, model={})
    else:
        data = arrays(arguments.data_dir)
    images, shape = arguments.images.name if arguments.images else "fashion_mnist", data["x_train"].shape[1:]
    gains: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in arguments.seeds:
            sets = divided(data, arguments.unlabelled, arguments.labels, seed)

            def write(way: str, row: dict[str, Any], started: float, seed: int = seed) -> None:
                row = {**row, "seconds": f"{time.process_time() - started:.0f}"}
                print(f"seed {seed}, {way}: " + ", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
                if arguments.record:
                    setting = {"tower": arguments.tower, "unlabelled": arguments.unlabelled, "labels": arguments.labels}
                    results.append(arguments.record, {"images": images, "way": way, **setting, "seed": seed, **row})

            def few(name: str, weights: Path | None, seed: int = seed, sets: Any = sets) -> float:
                """The accuracy after training on the labelled images."""
                recipe = replace(FEW, head_epochs=15, layer_decay=0.8) if weights else FEW
                run = zoo.train(
                    arguments.tower, recipe, data=sets["labelled"], weights=weights, seed=seed, verbose=0,
                    run=Path(folder) / f"{name}-{seed}", **({} if weights else options),
                )  # fmt: skip
                return float(run.metrics["accuracy"])

            started = time.process_time()
            write("pixels", {"epochs": "", "accuracy": "", **worth(None, sets)}, started)
            started = time.process_time()
            scratch = few("scratch", None)
            keras.utils.set_random_seed(seed)
            untrained = zoo.build(arguments.tower, input_shape=shape, num_classes=0, **options)
            write("scratch", {"epochs": "", "accuracy": f"{scratch:.4f}", **worth(untrained, sets)}, started)
            for way in arguments.ways:
                started = time.process_time()
                recipe = replace(ways[way], epochs=arguments.epochs or ways[way].epochs)
                run = (arguments.runs or Path(folder)) / f"{way}-{seed}"
                if not (run / "metrics.json").exists():
                    zoo.train(
                        way, recipe, data=without_labels(sets["unlabelled"]), seed=seed, tower=arguments.tower,
                        tower_options=options, run=run, resume=True, verbose=0,
                    )  # fmt: skip
                tuned = few(f"{way}-tuned", run)
                gains.setdefault(way, []).append(tuned - scratch)
                body = zoo.build(arguments.tower, weights=run, num_classes=0)
                write(way, {"epochs": recipe.epochs, "accuracy": f"{tuned:.4f}", **worth(body, sets)}, started)
    for way, each in gains.items():
        print(f"{way}, fine-tuned less scratch, worst of {len(each)} seeds: {min(each):+.4f}")


def without_labels(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same images, all of one class; of the test images a part, for they are only looked at."""
    found = {key: np.zeros_like(each) if key.startswith("y_") else each for key, each in arrays.items()}
    return {key: each[:1000] if key.endswith("_test") else each for key, each in found.items()}


if __name__ == "__main__":
    main()
