"""How well each score of a classifier tells what is none of its classes (`zoo predict RUN IMAGE --reject 0.05`).

    python benchmarks/strangers.py digits --record results/benchmarks/strangers.csv
    python benchmarks/strangers.py sets --known fashion_mnist --strangers mnist --data FOLDER

`digits` leaves one digit after another out of the embedded digits, trains a classifier of the nine others, and an
autoencoder of the same ones beside it: the strangers are the test images of the tenth. `sets` trains on one of the real
sets and shows it the test images of the other one; FOLDER holds mnist/ and fashion_mnist/ with their four files
(train-images-idx3-ubyte.gz, ...), without it tensorflow-datasets is asked.

Nothing is chosen by looking at strangers: class means, covariance and thresholds are those of the known training and
validation images. One row for each run and score: the area under the ROC curve and the average precision (strangers are
what is to be found; a guess has .5 and their part of the test images), the rate of known test images that are rejected
where 5 % were asked for, and the rate of strangers that are.
"""

import argparse
import gzip
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

import zoo
from zoo import results
from zoo.inference.rejection import rejector_of
from zoo.inference.reopening import reopen
from zoo.metrics.novelty import SCORES

ASKED = 0.05  # of known images may be rejected
FILES = {"train": "train", "test": "t10k"}
VALIDATION = 5000  # images that are held out of a real training set, its last
Arrays = Mapping[str, np.ndarray]


def arrays_of(name: str, folder: Path | None, splits: Mapping[str, str]) -> Arrays:
    """x_train, y_train, ..., of tensorflow-datasets or of the four files of MNIST's format."""
    found = {}
    for short, split in splits.items():
        if folder is not None:
            part, chosen = FILES[split.partition("[")[0]], split.partition("[")[2].strip("]")
            x = (folder / name / f"{part}-images-idx3-ubyte.gz").read_bytes()
            y = (folder / name / f"{part}-labels-idx1-ubyte.gz").read_bytes()
            start, end = (int(each) if each else None for each in (chosen or ":").split(":"))
            images = np.frombuffer(gzip.decompress(x), "uint8", offset=16).reshape(-1, 28, 28, 1)
            labels = np.frombuffer(gzip.decompress(y), "uint8", offset=8).astype("int64")
            found |= {f"x_{short}": images[start:end], f"y_{short}": labels[start:end]}
        else:
            batches = zoo.load_data(name, split=split, batch_size=512, scaling="none").as_numpy_iterator()
            x, y = zip(*batches)
            found |= {f"x_{short}": np.concatenate(x).astype("uint8"), f"y_{short}": np.concatenate(y)}
    return found


def without(digit: int, arrays: Arrays) -> Arrays:
    """The arrays without one class, the others numbered from 0."""
    kept = {}
    for split in ("train", "val", "test"):
        x, y = arrays[f"x_{split}"], arrays[f"y_{split}"]
        known = y != digit
        kept |= {f"x_{split}": x[known], f"y_{split}": y[known] - (y[known] > digit)}
    return kept


def judged(run: Any, known: np.ndarray, strangers: np.ndarray, arrays: Arrays) -> Iterator[dict[str, Any]]:
    """Of a classifier and each score."""
    trained = reopen(run)
    inputs = trained.data.encode([*known, *strangers])
    logits, strange = trained.network.predict(inputs), np.arange(len(inputs)) >= len(known)
    for by in SCORES:
        rejector = rejector_of(trained, ASKED, by, data=arrays)
        scores = rejector.scores(inputs, logits)
        rejected = scores > rejector.threshold
        yield {
            "score": by,
            "auroc": f"{roc_auc_score(strange, scores):.4f}",
            "average_precision": f"{average_precision_score(strange, scores):.4f}",
            "false_alarms": f"{rejected[~strange].mean():.4f}",
            "detected": f"{rejected[strange].mean():.4f}",
            "accuracy": f"{run.metrics['accuracy']:.4f}",
        }


def by_autoencoder(digit: int, seed: int, folder: Path) -> dict[str, Any]:
    run = zoo.train("autoencoder", run=folder, strange=str(digit), seed=seed, verbose=0)
    names = {
        "auroc": "auroc", "average_precision": "average_precision",
        "false_alarms": "false_alarm_rate", "detected": "detection_rate",
    }  # fmt: skip
    found = {column: f"{run.metrics[name]:.4f}" for column, name in names.items()}
    epochs = run.config["recipe"]["epochs"]
    return {"network": "autoencoder", "epochs": epochs, "score": "reconstruction", **found, "accuracy": ""}


def digits(arguments: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    arrays = arrays_of("digits", None, {"train": "train", "val": "validation", "test": "test"})
    for digit in arguments.digits:
        known, of_digit = without(digit, arrays), arrays["y_test"] == digit
        for seed in range(arguments.seeds):
            place, named = folder / f"{digit}-{seed}", {"known": f"digits but {digit}", "strangers": str(digit)}
            run = zoo.train(
                arguments.network, data=known, run=place, seed=seed, epochs=arguments.epochs, verbose=0
            )  # fmt: skip
            about = {"network": arguments.network, "seed": seed, "epochs": run.config["recipe"]["epochs"]}
            found = [*judged(run, known["x_test"], arrays["x_test"][of_digit], known)]
            found.append(by_autoencoder(digit, seed, folder / f"{digit}-{seed}-autoencoder"))
            yield from ({**named, **about, **row} for row in found)


def sets(arguments: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    splits = {"train": f"train[:-{VALIDATION}]", "val": f"train[-{VALIDATION}:]", "test": "test"}
    known = arrays_of(arguments.known, arguments.data, splits)
    others = arrays_of(arguments.strangers, arguments.data, {"test": "test"})["x_test"]
    for split in ("x_train", "y_train"):
        known = {**known, split: known[split][: arguments.train]}
    for seed in range(arguments.seeds):
        run = zoo.train(
            arguments.network, data=known, recipe=arguments.known, run=folder / f"{arguments.known}-{seed}",
            seed=seed, epochs=arguments.epochs, verbose=0,
        )  # fmt: skip
        about = {"network": arguments.network, "seed": seed, "epochs": run.config["recipe"]["epochs"]}
        for row in judged(run, known["x_test"], others, known):
            named = {"known": f"{arguments.known}, {len(known['x_train'])} images", "strangers": arguments.strangers}
            yield {**named, **about, **row}


def summary(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Means over all runs, and the worst stranger by the mean of its seeds."""
    for score in dict.fromkeys(row["score"] for row in rows):
        mine = [row for row in rows if row["score"] == score]
        means = {name: np.mean([float(row[name]) for row in mine])
                 for name in ("auroc", "average_precision", "false_alarms", "detected")}  # fmt: skip
        areas = {
            strangers: np.mean([float(row["auroc"]) for row in mine if row["strangers"] == strangers])
            for strangers in dict.fromkeys(row["strangers"] for row in mine)
        }
        worst = min(areas, key=lambda each: areas[each])
        told = ", ".join(f"{name} {mean:.3f}" for name, mean in means.items())
        yield f"{score:>12}: {told}; worst {worst} with AUROC {areas[worst]:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__.partition("\n")[0])
    parser.add_argument("part", choices=("digits", "sets"))
    parser.add_argument("--network", default="lenet5")
    parser.add_argument("--digits", type=int, nargs="+", default=[*range(10)], help="that are left out")
    parser.add_argument("--known", default="fashion_mnist", choices=("fashion_mnist", "mnist"))
    parser.add_argument("--strangers", default="mnist", choices=("fashion_mnist", "mnist"))
    parser.add_argument("--data", type=Path, metavar="FOLDER")
    parser.add_argument("--train", type=int, metavar="N", help="only the first images of a real training set")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="other than the recipe's")
    parser.add_argument("--record", type=Path, metavar="FILE.csv")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for row in {"digits": digits, "sets": sets}[arguments.part](arguments, Path(folder)):
            rows.append(row)
            print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
            if arguments.record:
                results.append(arguments.record, row)
    print(*summary(rows), sep="\n")


if __name__ == "__main__":
    main()
