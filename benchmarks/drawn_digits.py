"""How `lenet5`'s demo reads digits that it was not trained on: MNIST's, and those of printed fonts.

    python benchmarks/drawn_digits.py --record results/benchmarks/drawn_digits.csv --data FOLDER

Of MNIST's test images each fifth is read, one by one as files are. FOLDER holds mnist/ with t10k-images-idx3-ubyte.gz
and t10k-labels-idx1-ubyte.gz; without it tensorflow-datasets is asked. The fonts are those that come with matplotlib;
each digit is drawn once, dark on light, of 64 points somewhere on a page of 96 x 120 pixels, and looked at the other
way round as well. Nothing of either set is seen in training. `--resize` trains the twin that only resizes and shifts
its digits. One row for each seed: accuracies on the run's own test set, MNIST's, the fonts', and the fonts' in
negative; a guess has .1.
"""

import argparse
import dataclasses
import tempfile
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from strangers import arrays_of

import zoo
from zoo import results
from zoo.inference.predictor import Predictor

FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif", "DejaVuSerif-Bold",
    "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "cmb10", "cmr10", "cmss10", "cmtt10",
)  # fmt: skip


def printed() -> tuple[list[np.ndarray], np.ndarray]:
    """The ten digits in each font, (120, 96, 1) of 0 to 255, and what they are."""
    folder, places = Path(matplotlib.get_data_path()) / "fonts" / "ttf", np.random.default_rng(0)
    images, labels = [], []
    for name in FONTS:
        font = ImageFont.truetype(folder / f"{name}.ttf", 64)
        for digit in range(10):
            page = Image.new("L", (96, 120), 245)
            place = tuple(int(each) for each in places.integers((36, 45), (61, 76)))
            ImageDraw.Draw(page).text(place, str(digit), fill=20, font=font, anchor="mm")
            images.append(np.asarray(page)[..., None])
            labels.append(digit)
    return images, np.array(labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--record", type=Path, metavar="FILE.csv")
    parser.add_argument("--data", type=Path, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--resize", action="store_true", help="the twin without ink, slant, crop and stroke")
    asked = parser.parse_args()
    mnist = {key: each[::5] for key, each in arrays_of("mnist", asked.data, {"test": "test"}).items()}
    pages, digits = printed()
    recipe = zoo.info("lenet5").recipe("demo")
    if asked.resize:
        recipe = dataclasses.replace(
            recipe, name="resized", preprocess={"resize": (28, 28)}, augment={"shift": 2}, expected=None
        )
    for seed in asked.seeds:
        with tempfile.TemporaryDirectory() as folder:
            run = zoo.train("lenet5", recipe, run=Path(folder) / "run", seed=seed, verbose=0)
            reader = zoo.load(run)

            def accuracy(images: list[np.ndarray], labels: np.ndarray, reader: Predictor = reader) -> float:
                return float(np.mean([int(each.label) == label for each, label in zip(reader(images), labels)]))

            row = {
                "recipe": recipe.name, "seed": seed, "epochs": recipe.epochs, "own": f"{run.metrics['accuracy']:.4f}",
                "mnist": f"{accuracy([*mnist['x_test']], mnist['y_test']):.4f}",
                "fonts": f"{accuracy(pages, digits):.4f}",
                "fonts_negative": f"{accuracy([255 - page for page in pages], digits):.4f}",
            }  # fmt: skip
        print(row, flush=True)
        if asked.record:
            results.append(asked.record, row)


if __name__ == "__main__":
    main()
