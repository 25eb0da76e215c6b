"""How near the digits that a DCGAN draws are to those of MNIST, in quality and in variety, and whether it copies.

    python benchmarks/generated_digits.py --data FOLDER --record results/benchmarks/generated_digits.csv
    python benchmarks/generated_digits.py --data FOLDER --train 6400 --epochs 6 --filters 64 32 --record ...

FOLDER holds the four files of MNIST (train-images-idx3-ubyte.gz, ...). Examples are compared with as many test images
by the features of a LeNet-5 that has learned the training images: what the trained generator draws (`dcgan`), what it
drew before its training (`untrained`), and training images themselves (`real`), which are what could be had.

frechet_distance of the features, 0 where both are alike; `precision`, how many examples lie among test images, and
`recall`, how many test images lie among the examples (Kynkäänniemi 2019); `classifier_score`, from 1 to 10, high where
each example is surely one digit and all digits occur; `digits`, how many occur at a fifth of their due or more;
`nearest`, the median distance of an example from the training image next to it, of what test images have: a copy has 0.
`steps` and `seconds` (of the processor) are those of the training.
"""

import argparse
import gzip
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import zoo
from zoo import results
from zoo.inference.reopening import reopen
from zoo.metrics import generation as metrics
from zoo.records import replace
from zoo.tasks._generation import noise_of
from zoo.tasks._judge import flat
from zoo.tasks.adversarial_generation import MOST_PAIRED, judge_of
from zoo.tasks.base import Network

BATCH = 64
SPLITS, ENDS = {"train": "train", "test": "t10k"}, ("images-idx3", "labels-idx1")


def arrays_of(folder: Path, train: int | None) -> dict[str, np.ndarray]:
    """The images (n, 28, 28, 1) and labels of both splits."""
    found = {}
    for split, part in SPLITS.items():
        x, y = (gzip.decompress((folder / f"{part}-{end}-ubyte.gz").read_bytes()) for end in ENDS)
        count = train if split == "train" else None
        found[f"x_{split}"] = np.frombuffer(x, "uint8", offset=16).reshape(-1, 28, 28, 1)[:count]
        found[f"y_{split}"] = np.frombuffer(y, "uint8", offset=8).astype("int64")[:count]
    return found


def judged(examples: np.ndarray, real: np.ndarray, train: np.ndarray, judge: Any) -> dict[str, str]:
    """The figures of some examples beside as many real ones; all scaled as the network has them."""
    features, real_features, few = judge.features(examples), judge.features(real), slice(0, MOST_PAIRED)
    precision, recall = metrics.precision_recall(real_features[few], features[few])
    p = judge.probabilities(examples)
    away, usual = (np.median(metrics.nearest_distance(flat(x[few]), flat(train))[1]) for x in (examples, real))
    found = {
        "frechet_distance": metrics.frechet_distance(features, real_features),
        "precision": precision,
        "recall": recall,
        "classifier_score": metrics.classifier_score(p),
        "digits": (np.bincount(p.argmax(1), minlength=10) >= 0.02 * len(p)).sum(),
        "nearest": away / usual,
        "judge_accuracy": judge.accuracy,
    }
    return {name: f"{value:.4g}" for name, value in found.items()}


def rows(arguments: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    arrays = arrays_of(arguments.data, arguments.train)
    recipe = zoo.info("dcgan").recipe("mnist")
    recipe = replace(recipe, batch_size=BATCH, model={"filters": tuple(arguments.filters), "latent_size": 64})
    recipe = replace(recipe, learning_rate=arguments.rate, epochs=arguments.epochs or recipe.epochs)
    for seed in arguments.seeds:
        started = time.process_time()
        run: Any = zoo.train("dcgan", recipe=recipe, data=arrays, seed=seed, run=folder / str(seed), verbose=0)
        trained = reopen(run, data=arrays, with_source=True)
        network, data = trained.network, trained.data
        task, seconds = network.task, round(time.process_time() - started)
        real, labels = data.arrays("test")
        train, judge = data.arrays("train")[0], judge_of(data, real, labels)
        noise = noise_of(seed, min(len(real), len(train)), task.noise_size(network))
        ways = {
            "real": train[np.random.default_rng(seed).permutation(len(train))[: len(noise)]],
            "untrained": task.scaled(Network.untrained(task, data), noise),
            "dcgan": task.scaled(network, noise),
        }
        steps = recipe.epochs * -(-len(train) // BATCH)
        about = {"images": len(train), "epochs": recipe.epochs, "steps": steps, "seed": seed}
        about |= {"filters": "-".join(map(str, arguments.filters)), "seconds": seconds}
        for way, examples in ways.items():
            yield {"way": way, **about, **judged(examples, real[: len(noise)], train, judge)}


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, metavar="FOLDER", required=True)
    parser.add_argument("--train", type=int, metavar="N", help="only the first training images")
    parser.add_argument("--epochs", type=int, help="other than the recipe's")
    parser.add_argument("--filters", type=int, nargs="+", default=[128, 64], help="of the generator")
    parser.add_argument("--rate", type=float, default=2e-4, help="of both halves")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--record", type=Path, metavar="FILE.csv")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(arguments, Path(folder)):
            print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
            if arguments.record:
                results.append(arguments.record, row)


if __name__ == "__main__":
    main()
